package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
)

// contentType is what Confluent's registry speaks.
const contentType = "application/vnd.schemaregistry.v1+json"

const (
	attemptTimeout = 15 * time.Second
	maxAnswer      = 32 << 20 // bytes of an answer that are read
)

// Client asks a schema registry. It is safe for concurrent use. What it has learned it keeps: an id's schema never changes.
type Client struct {
	url      string // without user and password
	user     string
	password secret.String
	http     *http.Client
	backoff  retry.Backoff
	metrics  *Metrics

	mu      sync.Mutex
	ids     map[[2]string]int // subject and schema
	schemas map[int]string
}

// Option changes a Client.
type Option func(*Client)

// WithBasicAuth sends user and password with each request; they take precedence over those in the URL.
func WithBasicAuth(user string, password secret.String) Option {
	return func(c *Client) { c.user, c.password = user, password }
}

// WithHTTPClient sends requests through h, which may carry certificates. Default: a client of its own.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithBackoff sets how often and how long requests are tried again that met no answer or a server's failure.
// Default: 5 attempts within some four seconds.
func WithBackoff(b retry.Backoff) Option { return func(c *Client) { c.backoff = b } }

// WithMetrics counts the requests in m. Default: nowhere.
func WithMetrics(m *Metrics) Option { return func(c *Client) { c.metrics = m } }

// NewClient makes a client of the registry at an URL such as http://localhost:8081; user:password@ in it are used and never
// shown. It asks nothing yet.
func NewClient(address string, options ...Option) *Client {
	c := &Client{
		url: address, http: &http.Client{}, ids: map[[2]string]int{}, schemas: map[int]string{},
		backoff: retry.Backoff{First: 250 * time.Millisecond, Max: 2 * time.Second, Attempts: 5},
	}
	if u, err := url.Parse(address); err == nil && u.User != nil {
		password, _ := u.User.Password()
		c.user, c.password = u.User.Username(), secret.String(password)
		u.User = nil
		c.url = u.String()
	}
	if i := strings.LastIndexByte(c.url, '@'); i >= 0 { // an address that does not parse must not show a password either
		c.url = c.url[i+1:]
	}
	c.url = strings.TrimSuffix(c.url, "/")
	for _, o := range options {
		o(c)
	}
	if c.metrics == nil {
		c.metrics = NewMetrics(nil)
	}
	return c
}

// Register stores the schema under the subject, unless it is there already, and returns its id.
func (c *Client) Register(ctx context.Context, subject, text string) (id int, err error) {
	key := [2]string{subject, text}
	c.mu.Lock()
	id, known := c.ids[key]
	c.mu.Unlock()
	if known {
		return id, nil
	}
	body, err := json.Marshal(map[string]string{"schema": text})
	if err != nil {
		return 0, fmt.Errorf("register schema of %s: %w", subject, err)
	}
	var answer struct{ ID int }
	if err := c.do(ctx, http.MethodPost, "/subjects/"+url.PathEscape(subject)+"/versions", body, &answer); err != nil {
		return 0, fmt.Errorf("register schema of %s: %w", subject, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[key] = answer.ID
	return answer.ID, nil
}

// stored is a schema as the registry answers it.
type stored struct {
	Schema     string
	SchemaType string
	References []Reference
	ID         int
	Version    int
}

// Schema returns the text of the schema with this id. Types that it takes from other subjects are written into it, so that it
// stands by itself.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	c.mu.Lock()
	text, known := c.schemas[id]
	c.mu.Unlock()
	if known {
		return text, nil
	}
	var s stored
	err := c.do(ctx, http.MethodGet, "/schemas/ids/"+strconv.Itoa(id), nil, &s)
	if err == nil {
		text, err = c.whole(ctx, s)
	}
	if err != nil {
		return "", fmt.Errorf("read schema %d: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schemas[id] = text
	return text, nil
}

// Latest returns the newest schema of a subject. IsNotFound tells whether an error means that the subject has none.
func (c *Client) Latest(ctx context.Context, subject string) (id, version int, text string, err error) {
	var s stored
	err = c.do(ctx, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/versions/latest", nil, &s)
	if err == nil {
		text, err = c.whole(ctx, s)
	}
	if err != nil {
		return 0, 0, "", fmt.Errorf("read latest schema of %s: %w", subject, err)
	}
	return s.ID, s.Version, text, nil
}

// Versions returns every schema of a subject, oldest first; none when the subject has none.
func (c *Client) Versions(ctx context.Context, subject string) ([]string, error) {
	var numbers []int
	path := "/subjects/" + url.PathEscape(subject) + "/versions"
	err := c.do(ctx, http.MethodGet, path, nil, &numbers)
	if IsNotFound(err) {
		return nil, nil
	}
	texts := make([]string, 0, len(numbers))
	for i := 0; err == nil && i < len(numbers); i++ {
		var s stored
		var text string
		if err = c.do(ctx, http.MethodGet, path+"/"+strconv.Itoa(numbers[i]), nil, &s); err == nil {
			text, err = c.whole(ctx, s)
			texts = append(texts, text)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the schemas of %s: %w", subject, err)
	}
	return texts, nil
}

// Check asks the registry for its subjects, to see that it is there and lets us in. One that does not list them but says so as
// registries do is there: only to register and to read schemas are needed.
func (c *Client) Check(ctx context.Context) error {
	var subjects []string
	err := c.do(ctx, http.MethodGet, "/subjects", nil, &subjects)
	var refused *Error
	if errors.As(err, &refused) && refused.Code != 0 && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reach schema registry: %w", err)
	}
	return nil
}

// whole writes the types that a schema takes from other subjects into it.
func (c *Client) whole(ctx context.Context, s stored) (string, error) {
	if s.SchemaType != "" && s.SchemaType != "AVRO" {
		return "", fmt.Errorf("it is of type %s, and %w", s.SchemaType, ErrNotAvro)
	}
	if len(s.References) == 0 {
		return s.Schema, nil
	}
	n, err := resolve(s.Schema, s.References, func(r Reference) (string, []Reference, error) {
		var ref stored
		err := c.do(ctx, http.MethodGet, fmt.Sprintf("/subjects/%s/versions/%d", url.PathEscape(r.Subject), r.Version), nil, &ref)
		return ref.Schema, ref.References, err
	}, 0)
	if err != nil {
		return "", err
	}
	return n.Text(), nil
}

// resolve parses a schema together with those that it refers to, which fetch reads.
func resolve(text string, refs []Reference, fetch func(Reference) (string, []Reference, error), depth int) (*schema.Node, error) {
	if depth > 20 {
		return nil, errors.New("its references nest more than 20 deep")
	}
	var nodes []*schema.Node
	for _, r := range refs {
		t, more, err := fetch(r)
		if err != nil {
			return nil, err
		}
		n, err := resolve(t, more, fetch, depth+1)
		if err != nil {
			return nil, fmt.Errorf("reference %s version %d: %w", r.Subject, r.Version, err)
		}
		nodes = append(nodes, n)
	}
	return schema.Parse(text, nodes...)
}

// do sends one request, again while that may help, and reads the JSON answer.
func (c *Client) do(ctx context.Context, method, path string, body []byte, answer any) error {
	return retry.Do(ctx, c.backoff, func(ctx context.Context) error {
		err := c.once(ctx, method, path, body, answer)
		outcome := outcomeOK
		switch {
		case retry.IsFinal(err):
			outcome = outcomeRefused
		case err != nil:
			outcome = outcomeFailed
		}
		c.metrics.requests.WithLabelValues(outcome).Inc()
		return err
	})
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return retry.Final(fmt.Errorf("the schema registry's address %q is none: correct schema_registry.url", c.url))
	}
	req.Header.Set("Accept", contentType+", application/json")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password.Reveal())
	}
	resp, err := c.http.Do(req)
	if untrusted := new(tls.CertificateVerificationError); errors.As(err, &untrusted) {
		return retry.Final(fmt.Errorf("the schema registry at %s shows a certificate that is not trusted (%w): install its authority's certificate on this machine or correct schema_registry.url", c.url, untrusted.Err))
	}
	if err != nil {
		return fmt.Errorf("the schema registry at %s does not answer: start it or correct schema_registry.url: %w", c.url, cause(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the schema registry at %s broke off its answer: %w", c.url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return c.failure(resp, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return retry.Final(fmt.Errorf("%s%s answers with what is no JSON of a schema registry (%.40q): correct schema_registry.url", c.url, path, text))
	}
	return nil
}

// cause leaves out the method and URL that net/http repeats.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// failure turns an answer other than 200 into an *Error, final unless the server may do better next time.
func (c *Client) failure(resp *http.Response, text []byte) error {
	e := &Error{Status: resp.StatusCode, URL: c.url}
	var body struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(text, &body); err == nil {
		e.Code, e.Message = body.Code, body.Message
	}
	switch {
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		if wait, ok := retry.ParseAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			return retry.After(e, wait)
		}
		return e
	}
	return retry.Final(e)
}

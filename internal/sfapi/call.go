package sfapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"crosswalk/internal/retry"
)

// maxReply bounds a reply that is read as a whole: 2,000 records of long texts stay far below it. Bulk pages and blobs
// are streamed and not bound by it.
const maxReply = 256 << 20

// maxErrorBody is as much of an error body as is looked at.
const maxErrorBody = 64 << 10

// call is one request, as the one path of open sends it.
type call struct {
	kind      string // label of the metrics: query, describe, job, results, …
	op        string // for people: "describe Account"
	method    string // default GET
	path      string // absolute path with its query
	body      any    // JSON, when not nil
	accept    string // default application/json
	header    http.Header
	anonymous bool    // no token: only /services/data
	uses      []Quota // beside the API call itself
}

// quotas are all that the call uses.
func (q call) quotas() []Quota { return append([]Quota{QuotaCalls}, q.uses...) }

// open makes the call and returns a 2xx reply whose body is unpacked, counted and guarded against silence. It repeats
// what may pass (5xx, 429, 420 aside, network errors), and refreshes the token once for a 401 that says the session
// has ended. Every call of the package is safe to repeat: the worst is a second Bulk job that nobody reads.
func (c *Client) open(ctx context.Context, q call) (*http.Response, error) {
	var resp *http.Response
	err := c.repeat(ctx, q, func(ctx context.Context) (err error) {
		resp, err = c.authorized(ctx, q)
		return err
	})
	return resp, err
}

// fetch makes the call and returns the whole body; a body that breaks off is asked for again.
func (c *Client) fetch(ctx context.Context, q call) (body []byte, header http.Header, err error) {
	err = c.repeat(ctx, q, func(ctx context.Context) error {
		resp, err := c.authorized(ctx, q)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		header = resp.Header
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply+1)); err != nil {
			return noAnswer(q.op, resp.Request.URL.Host, err)
		}
		if len(body) > maxReply {
			return &settled{fmt.Errorf("%s: the reply is larger than %d bytes: ask for fewer records at a time", q.op, maxReply)}
		}
		return nil
	})
	return body, header, err
}

// fetchJSON decodes the reply into out, numbers exactly when out holds json.Number or json.RawMessage.
func (c *Client) fetchJSON(ctx context.Context, q call, out any) error {
	body, _, err := c.fetch(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s: decode reply: %w", q.op, err)
	}
	return nil
}

// repeat calls attempt until it succeeds, is refused for good, or has been tried often enough. A held client does not
// return that a quota is used up: its gate knows when to ask again.
func (c *Client) repeat(ctx context.Context, q call, attempt func(context.Context) error) error {
	for {
		err := c.persist(ctx, q, attempt)
		if _, spent := quotaOf(err); !spent || c.gate == nil || ctx.Err() != nil {
			return err
		}
	}
}

// persist repeats what may pass.
func (c *Client) persist(ctx context.Context, q call, attempt func(context.Context) error) error {
	policy := c.cfg.Retry
	policy.Notify = func(err error, n int, wait time.Duration) {
		c.m.retries.WithLabelValues(q.kind).Inc()
		level := slog.LevelDebug
		if policy.Attempts == Outlast && n >= defaultAttempts {
			level = slog.LevelWarn
		}
		c.log.Log(ctx, level, "salesforce call failed, repeating", "op", q.op, "attempt", n, "wait", wait, "error", err)
	}
	var last error
	err := retry.Do(ctx, policy, func(ctx context.Context) error {
		last = attempt(ctx)
		if policy.Attempts == Outlast && NextOf(last) == NextRetry { // the token source has a bound of its own
			return unsettled(last)
		}
		return marked(last)
	})
	if retry.IsFinal(err) {
		return last // the mark is for the loop above; a caller's own loop decides for itself
	}
	return err
}

// marked says what is worth repeating: failures of the network and answers that are NextRetry.
func marked(err error) error {
	var answered *Error
	var done *settled
	switch {
	case errors.As(err, &answered) && !answered.Retryable():
		return retry.Final(err)
	case errors.As(err, &answered) && answered.RetryAfter > 0:
		return retry.After(err, answered.RetryAfter)
	case errors.As(err, &done):
		return retry.Final(err)
	}
	return err
}

// unsettled is what passes some time, with the wait that was asked for.
func unsettled(err error) error {
	var answered *Error
	if errors.As(err, &answered) && answered.RetryAfter > 0 {
		return retry.After(err, answered.RetryAfter)
	}
	return err
}

// settled is an error that no repetition mends: a call that was not sent (no token, after the token source has repeated
// what may pass; a request that cannot be built), or a reply that is too large.
type settled struct{ error }

func (e *settled) Unwrap() error { return e.error }

// authorized sends the call with a token, and once more with a new one when the session has ended.
func (c *Client) authorized(ctx context.Context, q call) (*http.Response, error) {
	if q.anonymous {
		return c.send(ctx, Token{InstanceURL: c.cfg.Tokens.host()}, q)
	}
	rejected := ""
	for {
		if err := c.pass(ctx, q); err != nil {
			return nil, err
		}
		t, err := c.cfg.Tokens.Token(ctx, rejected)
		if err != nil {
			c.budget.settle(q.quotas(), err)
			return nil, &settled{err}
		}
		resp, err := c.send(ctx, t, q)
		c.budget.settle(q.quotas(), err)
		var answered *Error
		if rejected != "" || !errors.As(err, &answered) || answered.Next() != NextRefresh {
			return resp, err
		}
		rejected = t.Access.Reveal()
	}
}

// send makes one request. A status other than 2xx becomes an *Error.
func (c *Client) send(ctx context.Context, t Token, q call) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := c.request(ctx, t, q)
	if err != nil {
		cancel(nil)
		return nil, &settled{err}
	}
	begun := time.Now()
	resp, err := c.http.Do(req)
	c.m.seconds.WithLabelValues(q.kind).Observe(time.Since(begun).Seconds())
	if err != nil {
		cancel(nil)
		c.m.calls.WithLabelValues(q.kind, "network").Inc()
		return nil, noAnswer(q.op, req.URL.Host, err)
	}
	c.m.calls.WithLabelValues(q.kind, statusClass(resp.StatusCode)).Inc()
	if !q.anonymous {
		c.noteUsage(resp.Header)
	}
	resp.Body, err = c.unpack(resp, cancel)
	if err != nil {
		return nil, noAnswer(q.op, req.URL.Host, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusalOf(q, resp)
}

// refusalOf reads the body of a reply that is no success; a body that breaks off still leaves the status.
func refusalOf(q call, resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	a := parseError(body)
	e := &Error{Op: q.op, Host: resp.Request.URL.Host, Status: resp.StatusCode, Code: a.code, Message: a.message, Fields: a.fields}
	if wait, ok := retry.ParseAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
		e.RetryAfter = min(wait, maxRetryAfter)
	}
	return e
}

func (c *Client) request(ctx context.Context, t Token, q call) (*http.Request, error) {
	// Salesforce says where the next page is; a path that leads elsewhere must not take the token along.
	if !strings.HasPrefix(q.path, "/") || strings.HasPrefix(q.path, "//") {
		return nil, fmt.Errorf("%s: %q is not a path on the org's own host", q.op, q.path)
	}
	origin := t.InstanceURL
	if c.cfg.InstanceURL != "" {
		origin = c.cfg.InstanceURL
	}
	var body io.Reader
	if q.body != nil {
		encoded, err := json.Marshal(q.body)
		if err != nil {
			return nil, fmt.Errorf("%s: encode request: %w", q.op, err)
		}
		c.m.sent.Add(float64(len(encoded)))
		body = bytes.NewReader(encoded)
	}
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, origin+q.path, body)
	if err != nil {
		return nil, fmt.Errorf("%s: make request: %w", q.op, err)
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	if q.accept != "" {
		req.Header.Set("Accept", q.accept)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", "crosswalk")
	req.Header.Set("Sforce-Call-Options", "client="+c.cfg.ClientName)
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	if !q.anonymous {
		req.Header.Set("Authorization", "Bearer "+t.Access.Reveal())
	}
	return req, nil
}

// unpack wraps the body: silence ends it, its bytes are counted as they came, gzip is undone, Close releases the call.
func (c *Client) unpack(resp *http.Response, cancel context.CancelCauseFunc) (io.ReadCloser, error) {
	wire := newWireBody(resp.Body, c.cfg.IdleTimeout, cancel, c.m.received)
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return wire, nil
	}
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = -1
	first := make([]byte, 1)
	n, err := io.ReadFull(wire, first)
	if err == io.EOF { // 204 and other empty bodies may carry the header all the same
		return wire, nil
	}
	if err != nil {
		return nil, errors.Join(err, wire.Close())
	}
	unzipped, err := gzip.NewReader(io.MultiReader(bytes.NewReader(first[:n]), wire))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("unpack reply: %w", err), wire.Close())
	}
	return &gzipBody{Reader: unzipped, wire: wire}, nil
}

// withQuery appends values to a path.
func withQuery(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

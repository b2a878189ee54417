// Package sfapi speaks Salesforce over HTTP: OAuth 2.0, REST and Bulk API 2.0.
//
// A record passes through it so: Describe says which fields an object has and Schema makes the columns of its rows of
// them; CreateJob and AwaitJob run a Bulk query; Pages streams its result pages; a RowReader turns each page's CSV into
// change.Rows in bounded memory. Small reads (Query, Retrieve) give JSON records, which a RowDecoder turns into the
// same rows. Every call takes its token from a TokenSource, the only place where a token is refreshed.
//
// The package decides nothing about records. It decides what is worth repeating: NextOf says what the caller should do
// after an error, and the error's text what a person should do.
//
// Metrics (NewMetrics): crosswalk_sfapi_calls_total{kind,status}, crosswalk_sfapi_call_seconds{kind},
// crosswalk_sfapi_retries_total{kind}, crosswalk_sfapi_received_bytes_total, crosswalk_sfapi_sent_bytes_total,
// crosswalk_sfapi_token_refreshes_total{outcome}, crosswalk_sfapi_api_limit_used, crosswalk_sfapi_api_limit_max.
//
// "Facts" in comments are the facts about Salesforce's wire behaviour that this client was built against, by section.
package sfapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"crosswalk/internal/retry"
)

// defaultAttempts is how often a call that fails in passing is made in all: with the default waits about 15 seconds
// pass, which outlasts a failover but does not hide an outage.
const defaultAttempts = 5

// DefaultVersion is the API version spoken when the configuration names none (Spring '26).
const DefaultVersion = "66.0"

// Config says how a Client reaches one org. Only Tokens is required.
type Config struct {
	Tokens       *TokenSource  // who the client is
	InstanceURL  string        // overrides the token reply's instance_url; default none
	Version      string        // API version as NN.0; default DefaultVersion
	ClientName   string        // sent as Sforce-Call-Options client=…, seen again in a change event's origin; default "crosswalk"
	PageRows     int           // maxRecords of a Bulk result page; 0 lets Salesforce decide
	AllowAnyHost bool          // accept plain http and hosts that are neither Salesforce's nor this machine: a simulator elsewhere
	IdleTimeout  time.Duration // a reply that brings no byte for so long is given up; default 2 minutes
	Retry        retry.Backoff // how transient failures are repeated; Attempts 0 means 5 here, Outlast until they pass
	HTTP         *http.Client  // default: NewHTTPClient()
	Logger       *slog.Logger  // default: silent; a call that Outlast repeats is a warning from its fifth failure on
	Metrics      *Metrics      // default: not registered anywhere
	Budget       *Budget       // shared by the clients of an org; default: one of its own
}

// Outlast is a number of attempts (Config.Retry.Attempts): a call is repeated until it succeeds, is refused for good, or its context ends: for a
// program that must still be there after an hour of maintenance.
const Outlast = -1

// Client calls one org. Safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	log    *slog.Logger
	m      *Metrics
	budget *Budget
	label  string // whose calls these are, in the budget
	gate   Gate   // nil: calls are never held
}

var versionForm = regexp.MustCompile(`^[0-9]{2,3}\.0$`)

// New checks cfg and returns a Client. It calls nobody.
func New(cfg Config) (*Client, error) {
	if cfg.Tokens == nil {
		return nil, errors.New("new salesforce client: no token source given")
	}
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	cfg.Version = strings.TrimPrefix(cfg.Version, "v")
	if !versionForm.MatchString(cfg.Version) {
		return nil, fmt.Errorf("api_version %q is not a Salesforce API version: write it like %q", cfg.Version, DefaultVersion)
	}
	if cfg.InstanceURL != "" {
		origin, err := checkHost("instance_url", cfg.InstanceURL, configuredTrust(cfg.AllowAnyHost))
		if err != nil {
			return nil, err
		}
		cfg.InstanceURL = origin
	}
	if cfg.ClientName == "" {
		cfg.ClientName = "crosswalk"
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 2 * time.Minute
	}
	if cfg.Retry.Attempts == 0 {
		cfg.Retry.Attempts = defaultAttempts
	}
	c := &Client{cfg: cfg, http: cfg.HTTP, log: cfg.Logger, m: cfg.Metrics, budget: cfg.Budget, label: "direct"}
	if c.budget == nil {
		c.budget = NewBudget(DefaultProbes)
	}
	if c.http == nil {
		c.http = NewHTTPClient()
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.m == nil {
		c.m = NewMetrics(nil)
	}
	return c, nil
}

// Version returns the API version that the client speaks, such as "66.0".
func (c *Client) Version() string { return c.cfg.Version }

// base is the path under which the client's version of the API lives.
func (c *Client) base() string { return "/services/data/v" + c.cfg.Version }

// NewHTTPClient returns the client that this package wants: no redirects (a token must not follow one to another
// host, and Salesforce redirects API calls only when the host is wrong), no overall timeout (a result page may take
// its 20 minutes), no transparent compression (the package counts and unpacks the bytes itself).
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   8,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   30 * time.Second,
			ResponseHeaderTimeout: 11 * time.Minute, // Salesforce ends a call after 10 minutes itself (facts 2.4)
			DisableCompression:    true,
			ReadBufferSize:        64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

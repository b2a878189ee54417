package sfapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/retry"
)

// org is a Salesforce that speaks to the letter of the facts: a test registers what it answers per path, and reads
// what was asked. Its token endpoint gives out access tokens "session-1", "session-2", …
type org struct {
	*httptest.Server
	mux *http.ServeMux

	mu      sync.Mutex
	logins  []map[string]string // form of each token request
	asked   []*http.Request     // every other request
	session int
	token   func(w http.ResponseWriter, form map[string]string) bool // answers in place of the default when it returns true
	rotate  bool
}

func newOrg(t testing.TB) *org {
	t.Helper()
	o := &org{mux: http.NewServeMux()}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/services/oauth2/token" {
			o.login(w, r)
			return
		}
		o.mu.Lock()
		o.asked = append(o.asked, r.Clone(t.Context()))
		o.mu.Unlock()
		o.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *org) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	form := make(map[string]string)
	for k := range r.PostForm {
		form[k] = r.PostForm.Get(k)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.logins = append(o.logins, form)
	if o.token != nil && o.token(w, form) {
		return
	}
	o.session++
	reply := map[string]string{
		"access_token": o.sessionID(), "instance_url": o.URL, "token_type": "Bearer", "issued_at": "1763700000123",
		"id": "https://login.salesforce.com/id/00DQk000000oRgAMAU/005Qk000001UsErIAK", "scope": "refresh_token api", "signature": "x0Yb=",
	}
	if form["grant_type"] == "authorization_code" || o.rotate {
		reply["refresh_token"] = "refresh-" + reply["access_token"]
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(reply)
}

func (o *org) sessionID() string { return "00DQk000000oRgA!session-" + string(rune('0'+o.session)) }

// requests returns the requests for a path.
func (o *org) requests(path string) []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []*http.Request
	for _, r := range o.asked {
		if r.URL.Path == path {
			out = append(out, r)
		}
	}
	return out
}

func (o *org) loginCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.logins)
}

// quick repeats at once: tests of waits use a bubble of testing/synctest.
var quick = retry.Backoff{First: time.Nanosecond, Max: time.Nanosecond, Attempts: 3}

func passwordAuth(o *org) Auth {
	return Auth{Flow: Password, LoginURL: o.URL, ClientID: "3MVG9key", ClientSecret: "shh", Username: "ann@acme.example", Password: "pw", SecurityToken: "tok", AllowAnyHost: true}
}

// client returns a client that logs in to o by password.
func (o *org) client(t testing.TB) *Client {
	t.Helper()
	return o.clientWith(t, Config{})
}

func (o *org) clientWith(t testing.TB, cfg Config) *Client {
	t.Helper()
	metrics := NewMetrics(prometheus.NewRegistry())
	tokens, err := NewTokenSource(TokenConfig{Auth: passwordAuth(o), Retry: quick, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tokens, cfg.Retry, cfg.AllowAnyHost, cfg.Metrics = tokens, quick, true, metrics
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answers registers a fixed answer for a path.
func (o *org) answers(path string, status int, contentType, body string) {
	o.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Sforce-Limit-Info", "api-usage=10018/100000; per-app-api-usage=17/250(appName=crosswalk)")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

const jsonType = "application/json;charset=UTF-8"

func (o *org) json(path string, status int, body string) { o.answers(path, status, jsonType, body) }

// has fails the test unless text contains every one of wants.
func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

package registry

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/retry"
)

// fast tries three times without noticeable waits.
var fast = WithBackoff(retry.Backoff{First: time.Millisecond, Max: time.Millisecond, Attempts: 3})

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestClientRegistersOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var body struct{ Schema string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Schema != `"int"` {
			t.Errorf("body %+v, %v", body, err)
		}
		if r.Method != http.MethodPost || r.URL.EscapedPath() != "/x/subjects/a%2Fb/versions" || r.Header.Get("Content-Type") != contentType {
			t.Errorf("%s %s %s", r.Method, r.URL.EscapedPath(), r.Header)
		}
		io.WriteString(w, `{"id":7}`)
	})
	c := NewClient(address+"/x/", fast)
	for range 2 {
		if id, err := c.Register(t.Context(), "a/b", `"int"`); id != 7 || err != nil {
			t.Errorf("Register = %d, %v", id, err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("the registry was asked %d times", calls.Load())
	}
}

func TestClientTriesAgainWhatMayHelp(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `{"error_code":50001,"message":"Error in the backend data store"}`)
			return
		}
		io.WriteString(w, `{"schema":"\"string\""}`)
	})
	m := NewMetrics(prometheus.NewRegistry())
	c := NewClient(address, fast, WithMetrics(m))
	for range 2 {
		if text, err := c.Schema(t.Context(), 3); text != `"string"` || err != nil {
			t.Errorf("Schema = %s, %v", text, err)
		}
	}
	if calls.Load() != 3 {
		t.Errorf("the registry was asked %d times", calls.Load())
	}
	for outcome, want := range map[string]float64{outcomeOK: 1, outcomeFailed: 2, outcomeRefused: 0} {
		if got := testutil.ToFloat64(m.requests.WithLabelValues(outcome)); got != want {
			t.Errorf("%s requests: %v, want %v", outcome, got, want)
		}
	}
}

func TestClientWritesReferencesIntoTheSchema(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/subjects/s/versions/latest":
			io.WriteString(w, `{"id":5,"version":2,"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":\"n.F\"}]}",`+
				`"references":[{"name":"n.F","subject":"f","version":4}]}`)
		case "/subjects/f/versions/4":
			io.WriteString(w, `{"schema":"{\"type\":\"fixed\",\"name\":\"n.F\",\"size\":2}"}`)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	id, version, text, err := NewClient(address, fast).Latest(t.Context(), "s")
	want := `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","namespace":"n","size":2}}]}`
	if id != 5 || version != 2 || text != want || err != nil {
		t.Errorf("Latest = %d, %d, %s, %v", id, version, text, err)
	}
}

// What an operator reads: the address, what was said, what to do; never the password, and one call when another cannot help.
func TestClientSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   []string
		calls  int32
	}{
		"wrong password": {401, `{"error_code":401,"message":"Unauthorized"}`, []string{"answers 401", "correct the user and password"}, 1},
		"incompatible":   {409, `{"error_code":409,"message":"Schema being registered is incompatible"}`, []string{"incompatible", "PUT /config/"}, 1},
		"invalid":        {422, `{"error_code":42201,"message":"Invalid schema"}`, []string{"answers 422 (Invalid schema)"}, 1},
		"no registry":    {404, `<html>`, []string{"answers 404 (Not Found)", "correct schema_registry.url"}, 1},
		"no JSON":        {200, `<html>`, []string{"no JSON", "correct schema_registry.url"}, 1},
		"down":           {503, ``, []string{"answers 503"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if user, password, _ := r.BasicAuth(); user != "me" || password != "s3cret" {
					t.Errorf("user %q, password %q", user, password)
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			})
			c := NewClient(strings.Replace(address, "http://", "http://me:s3cret@", 1), fast)
			_, err := c.Register(t.Context(), "sub", `"int"`)
			if err == nil || strings.Contains(err.Error(), "s3cret") || calls.Load() != tc.calls {
				t.Fatalf("after %d calls: %v", calls.Load(), err)
			}
			for _, want := range append(tc.want, address) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// TestCheckNeedsNoList: a registry that lists nothing is one if it says so as registries do; a page that is not there is none.
func TestCheckNeedsNoList(t *testing.T) {
	t.Parallel()
	for body, fine := range map[string]bool{`{"error_code":404,"message":"HTTP 404 Not Found"}`: true, "<html>Not Found</html>": false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(body))
		}))
		if err := NewClient(s.URL, fast).Check(t.Context()); (err == nil) != fine {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
	}
}

func TestClientWithoutRegistry(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	err := NewClient(s.URL, fast, WithBasicAuth("me", "s3cret")).Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), s.URL+" does not answer: start it or correct schema_registry.url") {
		t.Errorf("Check = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewClient(s.URL).Schema(ctx, 1); err == nil {
		t.Error("an ended context is not noticed")
	}
	if err := NewClient("http://me:s3 cret@[::1").Check(t.Context()); err == nil || !strings.Contains(err.Error(), `"[::1" is none`) || strings.Contains(err.Error(), "s3") {
		t.Errorf("Check = %v", err)
	}
}

func TestClientOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "[]") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	if err := NewClient(s.URL, fast, WithHTTPClient(s.Client())).Check(t.Context()); err != nil {
		t.Errorf("Check with the server's certificate: %v", err)
	}
	if err := NewClient(s.URL, fast).Check(t.Context()); !retry.IsFinal(err) || !strings.Contains(err.Error(), "a certificate that is not trusted") {
		t.Errorf("Check of an unknown certificate: %v", err)
	}
}

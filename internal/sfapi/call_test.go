package sfapi

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const limitsPath = "/services/data/v66.0/limits"

func TestCallCarriesWhatSalesforceWants(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(limitsPath, 200, `{"DailyApiRequests":{"Max":100000,"Remaining":89982}}`)
	c := o.client(t)
	limits, err := c.Limits(t.Context())
	if err != nil || limits["DailyApiRequests"] != (Limit{100000, 89982}) {
		t.Fatalf("limits %v, %v", limits, err)
	}
	r := o.requests(limitsPath)[0]
	for name, want := range map[string]string{
		"Authorization": "Bearer 00DQk000000oRgA!session-1", "Accept-Encoding": "gzip",
		"Sforce-Call-Options": "client=crosswalk", "Accept": "application/json",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if u := c.Usage(); u.Used != 10018 || u.Max != 100000 || u.Apps["crosswalk"] != (App{17, 250}) {
		t.Errorf("usage %+v", u)
	}
	if got := testutil.ToFloat64(c.m.limitUsed); got != 10018 {
		t.Errorf("limit metric %v", got)
	}
}

func TestGzipReplyIsUnpacked(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.mux.HandleFunc(limitsPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"A":{"Max":1,"Remaining":1}}`)
		_ = z.Close()
	})
	c := o.client(t)
	limits, err := c.Limits(t.Context())
	if err != nil || limits["A"].Max != 1 {
		t.Fatalf("limits %v, %v", limits, err)
	}
	if got := testutil.ToFloat64(c.m.received); got == 0 || got == 29 {
		t.Errorf("%v bytes counted: want those on the wire", got)
	}
}

func TestEndedSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	var revoked atomic.Bool
	o.mux.HandleFunc(limitsPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer 00DQk000000oRgA!session-1" && revoked.Load() {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})
	c := o.client(t)
	for range 2 {
		if _, err := c.Limits(t.Context()); err != nil {
			t.Fatal(err)
		}
		revoked.Store(true)
	}
	if n := o.loginCount(); n != 2 {
		t.Fatalf("%d logins, want one at first and one for the ended session", n)
	}
}

func TestRefusedNewTokenEndsTheCall(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(limitsPath, 401, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
	_, err := o.client(t).Limits(t.Context())
	var answered *Error
	if !errors.As(err, &answered) || answered.Status != 401 {
		t.Fatalf("got %v", err)
	}
	if n, logins := len(o.requests(limitsPath)), o.loginCount(); n != 2 || logins != 2 {
		t.Fatalf("%d calls and %d logins: want the call repeated once with a second token, and no more", n, logins)
	}
	has(t, err.Error(), "Lock sessions to the IP address")
}

func TestTransientFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(http.ResponseWriter){
		"503 with Retry-After": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(503)
		},
		"502 HTML":       func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); w.WriteHeader(502) },
		"dropped":        func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"body cut short": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); _, _ = io.WriteString(w, `{`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			var calls atomic.Int32
			o.mux.HandleFunc(limitsPath, func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) < 3 {
					body(w)
					return
				}
				_, _ = io.WriteString(w, `{}`)
			})
			c := o.client(t)
			if _, err := c.Limits(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := testutil.ToFloat64(c.m.retries.WithLabelValues("limits")); got != 2 {
				t.Errorf("%v retries counted, want 2", got)
			}
		})
	}
}

func TestPathOnAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json("/services/data/v66.0/query", 200, `{"done":false,"nextRecordsUrl":"//evil.example/steal","records":[]}`)
	c := o.client(t)
	var last error
	for _, err := range c.Query(t.Context(), "SELECT Id FROM Account", QueryOptions{}) {
		last = err
	}
	if last == nil {
		t.Fatal("a next page on another host must be refused")
	}
	has(t, last.Error(), "not a path on the org's own host")
}

func TestRedirectIsAnErrorAndNotFollowed(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.mux.HandleFunc(limitsPath, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	_, err := o.client(t).Limits(t.Context())
	if err == nil || len(o.requests("/elsewhere")) != 0 {
		t.Fatalf("got %v; the redirect must not be followed", err)
	}
	has(t, err.Error(), "301", "My Domain")
}

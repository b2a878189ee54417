package approval

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/sfapi"
)

// memory is a token store of the test's process.
type memory struct {
	mu    sync.Mutex
	token *sfapi.Token
}

func (m *memory) Load(context.Context) (sfapi.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == nil {
		return sfapi.Token{}, sfapi.ErrNoToken
	}
	return *m.token, nil
}

func (m *memory) Save(_ context.Context, t sfapi.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = &t
	return nil
}

func (m *memory) Lock(context.Context) (func(), error) { return func() {}, nil }

// bench is a desk with one org, acme, that waits, and a Salesforce that answers in its place.
type bench struct {
	t         *testing.T
	desk      *Desk
	org       *Org
	store     *memory
	log       *strings.Builder
	reg       *prometheus.Registry
	handler   http.Handler
	exchanged []string // codes that were redeemed
}

// RoundTrip is the token endpoint: it takes every code once.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if r.PostForm.Get("code_verifier") == "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	b.exchanged = append(b.exchanged, r.PostForm.Get("code"))
	fmt.Fprintf(w, `{"access_token":"access %d","refresh_token":"refresh","instance_url":"https://acme.my.salesforce.com"}`, len(b.exchanged))
	return w.Result(), nil
}

const localhost = "http://localhost:8080/callback"

// setup makes a bench whose callback is redirect.
func setup(t *testing.T, redirect string) *bench {
	t.Helper()
	b := &bench{t: t, desk: NewDesk(), store: &memory{}, log: &strings.Builder{}, reg: prometheus.NewRegistry()}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{
		Auth:  sfapi.Auth{Flow: sfapi.WebServer, LoginURL: "https://acme.my.salesforce.com", ClientID: "id", ClientSecret: "hunter2", RedirectURL: redirect},
		Store: b.store, HTTP: &http.Client{Transport: b},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.org, err = b.desk.Open(OrgConfig{
		Name: "acme", Tokens: tokens, Redirect: redirect, Console: "http://127.0.0.1:8080",
		Logger: slog.New(slog.NewTextHandler(b.log, nil)), Metrics: NewMetrics(b.reg),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.handler = b.desk.First(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	return b
}

// wait has the org wait as its task does, without one.
func (b *bench) wait() *bench {
	b.org.begin(b.refusal())
	return b
}

func (b *bench) refusal() *sfapi.AuthError {
	b.t.Helper()
	refused, err := b.org.cfg.Tokens.Refusal(b.t.Context())
	if err != nil || refused == nil {
		b.t.Fatalf("refusal %v, %v", refused, err)
	}
	return refused
}

// ask sends a request to the console; header is keys and values, where Host and Cookie are what they say.
func (b *bench) ask(method, target string, header ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Result()
}

// tab is a browser's tab that has begun an attempt.
type tab struct{ state, cookie string }

func (b *bench) begin() tab {
	b.t.Helper()
	r := b.ask(http.MethodPost, "http://"+b.org.redirect.Host+"/connect/acme", "Sec-Fetch-Site", "same-origin")
	at, err := r.Location()
	if r.StatusCode != http.StatusSeeOther || err != nil || len(r.Cookies()) != 1 {
		b.t.Fatalf("begin: %d, %v, %v", r.StatusCode, at, err)
	}
	c := r.Cookies()[0]
	return tab{at.Query().Get("state"), c.Name + "=" + c.Value}
}

// answer is what the callback shows to a browser with a cookie.
func (b *bench) answer(state, more, cookie string) (status int, page string) {
	b.t.Helper()
	r := b.ask(http.MethodGet, b.org.cfg.Redirect+"?state="+url.QueryEscape(state)+"&"+more, "Cookie", cookie, "Sec-Fetch-Site", "cross-site")
	w := &strings.Builder{}
	if err := r.Write(w); err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, w.String()
}

func TestBegins(t *testing.T) {
	t.Parallel()
	for redirect, secure := range map[string]bool{localhost: false, "https://console.example/crosswalk/callback": true} {
		b := setup(t, redirect).wait()
		r := b.ask(http.MethodPost, "http://"+b.org.redirect.Host+"/connect/acme")
		at, err := r.Location()
		if err != nil || r.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d %v", r.StatusCode, err)
		}
		q := at.Query()
		if at.Host != "acme.my.salesforce.com" || q.Get("redirect_uri") != redirect || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 20 {
			t.Errorf("it leads to %s", at)
		}
		c := r.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.MaxAge != 900 || len(c.Value) < 20 || strings.Contains(c.Name+c.Value, q.Get("state")) {
			t.Errorf("the cookie is %+v", c)
		}
	}
}

func TestDoesNotBegin(t *testing.T) {
	t.Parallel()
	const here = "http://localhost:8080/connect/acme"
	b := setup(t, localhost)
	if r := b.ask(http.MethodPost, here); r.StatusCode != http.StatusConflict {
		t.Errorf("an org that does not wait is connected: %d", r.StatusCode)
	}
	b.wait()
	for name, c := range map[string]struct {
		status int
		says   string
		target string
		header []string
	}{
		"from another site":         {http.StatusForbidden, "Another site", here, []string{"Sec-Fetch-Site", "cross-site"}},
		"from another port":         {http.StatusForbidden, "Another site", here, []string{"Sec-Fetch-Site", "same-site"}},
		"from another, old browser": {http.StatusForbidden, "Another site", here, []string{"Origin", "https://evil.example"}},
		"from nowhere":              {http.StatusForbidden, "Another site", here, []string{"Origin", "null"}},
		"by a name that rebinds":    {http.StatusForbidden, "the machine that Crosswalk runs on", here, []string{"Host", "evil.example:8080", "Sec-Fetch-Site", "same-origin"}},
		"by another local name":     {http.StatusForbidden, `href="http://localhost:8080/"`, "http://127.0.0.1:8080/connect/acme", []string{"Sec-Fetch-Site", "same-origin"}},
		"another org":               {http.StatusNotFound, "No org of this name", "http://localhost:8080/connect/other", nil},
	} {
		r := b.ask(http.MethodPost, c.target, c.header...)
		page, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != c.status || len(r.Cookies()) != 0 || !strings.Contains(string(page), c.says) {
			t.Errorf("%s: %d, %v, %s", name, r.StatusCode, r.Cookies(), page)
		}
	}
	if r := b.ask(http.MethodGet, here); r.StatusCode != http.StatusTeapot {
		t.Errorf("a link begins an attempt: %d", r.StatusCode)
	}
	if len(b.desk.attempts) != 0 {
		t.Errorf("%d attempts are remembered", len(b.desk.attempts))
	}
}

// TestAnswers: only the browser that began an attempt ends it, once; what is nobody's goes on to the console.
func TestAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, localhost).wait()
	mine, other := b.begin(), b.begin() // two tabs
	if mine.state == other.state || mine.cookie == other.cookie {
		t.Fatalf("two attempts share %v", mine)
	}
	for name, c := range map[string]struct {
		status               int
		state, query, cookie string
	}{
		"another state":        {http.StatusBadRequest, mine.state + "x", "code=stolen", mine.cookie},
		"no state":             {http.StatusBadRequest, "", "code=stolen", mine.cookie},
		"no cookie":            {http.StatusForbidden, mine.state, "code=stolen", ""},
		"another tab's cookie": {http.StatusForbidden, mine.state, "code=stolen", other.cookie},
		"a forged cookie":      {http.StatusForbidden, mine.state, "code=stolen", mine.cookie + "x"},
		"a foreign refusal":    {http.StatusForbidden, mine.state, "error=access_denied", ""},
	} {
		if status, page := b.answer(c.state, c.query, c.cookie); status != c.status || strings.Contains(page, "stolen") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	if _, err := b.desk.Open(OrgConfig{Name: "emea", Redirect: "http://localhost:8080/emea"}); err != nil {
		t.Fatal(err)
	}
	if r := b.ask(http.MethodGet, "http://localhost:8080/emea?code=stolen&state="+mine.state, "Cookie", mine.cookie); r.StatusCode != http.StatusBadRequest {
		t.Errorf("the callback of another org takes it: %d", r.StatusCode)
	}
	if r := b.ask(http.MethodGet, localhost); r.StatusCode != http.StatusTeapot {
		t.Errorf("the callback's path is taken without an answer: %d", r.StatusCode)
	}
	if len(b.exchanged) != 0 || b.org.Status().Last != "" {
		t.Fatalf("redeemed %v, %q", b.exchanged, b.org.Status().Last)
	}
	for range 2 { // a page that is loaded again shows the same
		status, page := b.answer(mine.state, "code=mine", mine.cookie)
		if status != http.StatusOK || !strings.Contains(page, "<h1>Connected</h1>") || !strings.Contains(page, "default-src 'none'") {
			t.Errorf("%d %s", status, page)
		}
		for _, kept := range []string{"hunter2", "access 1", mine.state, "code=mine"} {
			if strings.Contains(page, kept) {
				t.Errorf("the page shows %s", kept)
			}
		}
	}
	if status, _ := b.answer(other.state, "code=other", other.cookie); status != http.StatusOK {
		t.Errorf("the second tab: %d", status)
	}
	if fmt.Sprint(b.exchanged) != "[mine other]" || b.store.token.Access != "access 2" {
		t.Errorf("redeemed %v", b.exchanged)
	}
}

func TestRefusedAnswerIsToldAsText(t *testing.T) {
	t.Parallel()
	b := setup(t, localhost).wait()
	mine := b.begin()
	status, page := b.answer(mine.state, "error=OAUTH_APP_ACCESS_DENIED&error_description=%3Cscript%3E", mine.cookie)
	if status != http.StatusBadRequest || strings.Contains(page, "<script") || !strings.Contains(page, "an administrator must admit the user to this app") {
		t.Errorf("%d %s", status, page)
	}
	if s := b.org.Status(); !strings.Contains(s.Last, "an administrator must admit") || !s.Awaited {
		t.Errorf("the page will say %+v", s)
	}
}

func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localhost).wait()
		late := b.begin()
		<-time.After(Life + time.Second)
		if status, page := b.answer(late.state, "code=late", late.cookie); status != http.StatusBadRequest || !strings.Contains(page, "longer than 15 minutes") {
			t.Errorf("%d %s", status, page)
		}
		first := b.begin()
		if len(b.desk.attempts) != 1 {
			t.Errorf("%d attempts are remembered, want the last", len(b.desk.attempts))
		}
		var last tab
		for range 2 * maxAttempts {
			<-time.After(time.Second)
			last = b.begin()
		}
		if len(b.desk.attempts) != maxAttempts {
			t.Errorf("%d attempts are remembered, want %d", len(b.desk.attempts), maxAttempts)
		}
		if status, _ := b.answer(first.state, "code=first", first.cookie); status != http.StatusBadRequest {
			t.Errorf("the oldest of too many: %d", status)
		}
		if status, _ := b.answer(last.state, "code=last", last.cookie); status != http.StatusOK {
			t.Errorf("the newest: %d", status)
		}
	})
}

// TestAwait: the task goes on at once after an approval here, within seconds after one of another process, and one waiting is
// logged once however often the login is tried.
func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localhost)
		ended := make(chan error, 1)
		await := func() { ended <- b.org.Await(t.Context(), b.refusal()) }
		gauge := func() float64 {
			all, err := b.reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			return all[0].GetMetric()[0].GetGauge().GetValue()
		}
		go await()
		synctest.Wait()
		if s := b.org.Status(); !s.Awaited || !s.First || s.Callback != localhost || gauge() != 1 {
			t.Errorf("it says %+v, %v", s, gauge())
		}
		mine, begun := b.begin(), time.Now()
		if status, _ := b.answer(mine.state, "code=mine", mine.cookie); status != http.StatusOK {
			t.Fatal(status)
		}
		if err := <-ended; err != nil || time.Since(begun) != 0 {
			t.Errorf("it ended with %v after %v", err, time.Since(begun))
		}
		if s := b.org.Status(); s.Awaited || gauge() != 0 {
			t.Errorf("it says %+v, %v", s, gauge())
		}

		b = setup(t, localhost)
		go await()
		<-time.After(time.Hour)
		b.store.mu.Lock()
		b.store.token = &sfapi.Token{Access: "a", Refresh: "r", InstanceURL: "https://acme.my.salesforce.com"} // crosswalk connect
		b.store.mu.Unlock()
		begun = time.Now()
		if err := <-ended; err != nil || time.Since(begun) > look {
			t.Errorf("it ended with %v after %v", err, time.Since(begun))
		}
		b.refusedTwice(sfapi.AuthError{Code: "invalid_grant"})
		if n := strings.Count(b.log.String(), "awaits approval"); n != 2 || !strings.Contains(b.log.String(), "console=http://127.0.0.1:8080") {
			t.Errorf("%d waitings are logged: %s", n, b.log)
		}
	})
}

// refusedTwice has the same refusal come back at once.
func (b *bench) refusedTwice(refused sfapi.AuthError) {
	for range 2 {
		b.org.begin(&refused)
		b.org.end()
	}
}

func TestStopsWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t, localhost)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := b.org.Await(ctx, b.refusal()); err == nil {
		t.Error("it waits on")
	}
}

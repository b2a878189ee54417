package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/producers/salesforce"
)

// browser is a person's: it keeps cookies, and follows redirects unless it stays.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}}
}

// do sends a request and returns what the person sees at the end of all redirects, and where.
func (b *browser) do(method, address, form string, header ...string) (status int, page string, at *url.URL) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply.StatusCode, string(text), reply.Request.URL
}

// clickConnect presses the console's button; the person stands before Salesforce's page then, at the address returned.
func (b *browser) clickConnect(console string) *url.URL {
	b.t.Helper()
	status, page, at := b.do(http.MethodPost, console+"/connect/default", "")
	if status != http.StatusOK || !strings.Contains(page, "Allow Access?") {
		b.t.Fatalf("after Connect the browser shows %d %s", status, page)
	}
	return at
}

// decide presses a button of Salesforce's page: save=Allow or cancel=Deny.
func (b *browser) decide(at *url.URL, button string) (status int, page string) {
	b.t.Helper()
	status, page, _ = b.do(http.MethodPost, at.String(), button)
	return status, page
}

// running is a Crosswalk that runs in the test's process until the test ends.
type running struct {
	t       *testing.T
	app     *App
	sim     *simulator.Simulator
	console string
	log     *journal
	stop    context.CancelFunc
	ended   chan error
}

// journal keeps what is logged at warn and above.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs the components of an App that has a console, until the test ends or stop is called.
func start(t *testing.T, a *App, sim *simulator.Simulator, names ...string) *running {
	t.Helper()
	r := &running{t: t, sim: sim, log: &journal{}, ended: make(chan error, 1)}
	r.app = New(a.cfg, slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	ready := make(chan Endpoints, 1)
	go func() { r.ended <- r.app.Run(ctx, names, func(e Endpoints) { ready <- e }) }()
	t.Cleanup(r.end)
	select {
	case e := <-ready:
		r.console = strings.Replace(e.Console, "127.0.0.1", "localhost", 1)
	case err := <-r.ended:
		r.ended <- err
		t.Fatalf("it ended by itself: %v", err)
	}
	return r
}

func (r *running) end() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("it ended with %v", err)
	}
	r.ended <- nil // who waits once more
}

// orgStatus is what the console says of the org.
type orgStatus struct {
	Salesforce salesforce.Status
	Connect    *Approval
}

// await asks the console until it says what is wanted.
func (r *running) await(what string, wanted func(orgStatus) bool) orgStatus {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Minute)
	defer cancel()
	for {
		text, err := ask(ctx, r.console+"/api/status")
		if err != nil {
			r.t.Fatal(err)
		}
		var all struct{ Orgs map[string]orgStatus }
		if err := json.Unmarshal(text, &all); err != nil {
			r.t.Fatal(err)
		}
		if s := all.Orgs["default"]; wanted(s) {
			return s
		}
		select {
		case <-tick.C:
		case err := <-r.ended:
			r.ended <- err
			r.t.Fatalf("it ended with %v, before %s", err, what)
		case <-ctx.Done():
			r.t.Fatalf("no %s: %s", what, text)
		}
	}
}

func awaited(s orgStatus) bool   { return s.Connect != nil && s.Connect.Awaited }
func streaming(s orgStatus) bool { return s.Salesforce.Phase == "streaming" }

// waiting is an org that nobody has approved, and a process that waits for it.
func waiting(t *testing.T, environ ...string) *running {
	t.Helper()
	a, sim, _ := simulated(t, append([]string{webServer}, environ...)...)
	sim.Configure(func(s *simulator.Settings) { s.AutoApprove = false })
	sim.ConfigureApp(func(app *simulator.App) { app.RequirePKCE = true })
	r := start(t, a, sim, Salesforce, Console)
	r.await("waiting", awaited)
	return r
}

// accounts is how many accounts the topic has.
func (r *running) accounts() int {
	r.t.Helper()
	return r.live("salesforce.account")
}

func (r *running) live(name string) int {
	r.t.Helper()
	p, err := New(r.app.cfg, slog.New(slog.DiscardHandler)).asking(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.close()
	stored, err := p.stored(r.t.Context(), &r.app.cfg.Orgs[0])
	if err != nil {
		r.t.Fatal(err)
	}
	return stored["live_records"].(map[string]any)[name].(int)
}

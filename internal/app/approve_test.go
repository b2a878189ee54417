package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"crosswalk/internal/broker"
	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator"
)

// TestConnectFromTheConsole is the promise: a process waits, a person clicks Connect and approves, and the import begins.
func TestConnectFromTheConsole(t *testing.T) {
	t.Parallel()
	r := waiting(t)
	s := r.await("waiting", awaited)
	if s.Salesforce.Phase != "awaiting approval" || !s.Connect.First || s.Connect.Callback != r.console+"/callback" || s.Connect.Begin != "/connect/default" {
		t.Errorf("it says %+v and is %s", s.Connect, s.Salesforce.Phase)
	}
	if advice := s.Connect.Advice; len(advice) != 2 || !strings.Contains(advice[0], "connect the ERP first") || !strings.Contains(advice[1], "console.listen") {
		t.Errorf("it does not say that the ERP comes first, and that the port is another each time: %q", advice)
	}
	b := newBrowser(t)
	status, page := b.decide(b.clickConnect(r.console), "save=Allow")
	if status != http.StatusOK || !strings.Contains(page, "<h1>Connected</h1>") || !strings.Contains(page, `href="/"`) {
		t.Fatalf("after Allow the browser shows %d %s", status, page)
	}
	s = r.await("stream", streaming)
	if s.Connect.Awaited || r.accounts() != 8 || r.live("salesforce.contact") != 10 {
		t.Errorf("%+v, %d accounts", s.Connect, r.accounts())
	}
	if said := r.log.String(); strings.Count(said, "awaits approval") != 1 || !strings.Contains(said, "console=http://127.0.0.1:") {
		t.Errorf("it logs %s", said)
	}
	if status, page, _ := b.do(http.MethodPost, r.console+"/connect/default", ""); status != http.StatusConflict {
		t.Errorf("a connected org is connected again: %d %s", status, page)
	}
}

// TestDeclinedInTheConsole declines, reads why on both pages, and tries again.
func TestDeclinedInTheConsole(t *testing.T) {
	t.Parallel()
	r := waiting(t)
	b := newBrowser(t)
	status, page := b.decide(b.clickConnect(r.console), "cancel=Deny")
	const sentence = "the approval was declined in the browser"
	if status != http.StatusBadRequest || !strings.Contains(page, sentence) {
		t.Fatalf("after Deny the browser shows %d %s", status, page)
	}
	r.await("reason", func(s orgStatus) bool { return awaited(s) && strings.Contains(s.Connect.Last, sentence) })
	b.decide(b.clickConnect(r.console), "save=Allow")
	r.await("stream", func(s orgStatus) bool { return streaming(s) && s.Connect.Last == "" })
}

// TestRevokedWhileRunning has the refresh token revoked while changes go on: the process waits, and goes on where it was.
func TestRevokedWhileRunning(t *testing.T) {
	t.Parallel()
	r := waiting(t)
	b := newBrowser(t)
	b.decide(b.clickConnect(r.console), "save=Allow")
	before := r.await("stream", streaming)
	r.sim.RevokeGrants()
	s := r.await("waiting", awaited)
	if s.Connect.First || !strings.Contains(s.Connect.Why, "the stored approval is no longer valid") || s.Salesforce.Phase != "awaiting approval" {
		t.Errorf("it says %+v", s.Connect)
	}
	id, err := r.sim.Org().Create("Account", map[string]any{"Name": "Made meanwhile"})
	if err != nil {
		t.Fatal(err)
	}
	b.decide(b.clickConnect(r.console), "save=Allow")
	last := r.sim.Events().Last()
	after := r.await("event that was made meanwhile", func(s orgStatus) bool { return streaming(s) && s.Salesforce.ReplayID == last })
	if n := r.accounts(); n != 9 || len(after.Salesforce.Snapshots) != 0 || after.Salesforce.ReplayID <= before.Salesforce.ReplayID {
		t.Errorf("%d accounts with %s, %+v", n, id, after.Salesforce)
	}
	jobs := 0
	for _, q := range r.sim.Requests() {
		if q.Method == http.MethodPost && strings.HasSuffix(q.Path, "/jobs/query") {
			jobs++
		}
	}
	if jobs != 2 {
		t.Errorf("%d bulk jobs, want one for each object: it reads on, not again", jobs)
	}
}

// TestConnectCommandEndsTheWaiting: the token that another process stores on the same data_dir is found.
func TestConnectCommandEndsTheWaiting(t *testing.T) {
	t.Parallel()
	r := waiting(t)
	r.sim.Configure(func(s *simulator.Settings) { s.AutoApprove = true })
	if _, err := browse(t, New(r.app.cfg, slog.New(slog.DiscardHandler)), func(address, _ string) { visit(t, http.DefaultClient, address) }); err != nil {
		t.Fatal(err)
	}
	r.await("stream", streaming)
}

// TestWithoutConsole: who runs no console is told to run crosswalk connect, and the process ends, as nobody could click.
func TestWithoutConsole(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t, webServer)
	_, tokens, err := a.client(&a.cfg.Orgs[0])
	if err != nil {
		t.Fatal(err)
	}
	place, err := a.askApproval(&platform{}, &a.cfg.Orgs[0], tokens)
	if err != nil || place != nil {
		t.Fatalf("a place without a console: %v %v", place, err)
	}
	refused := errors.New("refused")
	if err := runApproved(t.Context(), place, tokens, func(context.Context) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("the refusal is not told: %v", err)
	}
}

// TestTwoProcessesShareAnOrg: only the console of the process that runs the org's task connects it; when that process is gone, the
// other's does.
func TestTwoProcessesShareAnOrg(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	server, err := registry.NewServer(t.Context(), &registry.MemoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	schemas := httptest.NewServer(server)
	t.Cleanup(schemas.Close)
	a, sim, _ := simulated(t, webServer, "CROSSWALK_KAFKA_BROKERS="+b.Addr(), "CROSSWALK_SCHEMA_REGISTRY_URL="+schemas.URL, "CROSSWALK_KAFKA_SESSION_TIMEOUT=5m")
	sim.Configure(func(s *simulator.Settings) { s.AutoApprove = false })
	one := start(t, a, sim, Salesforce, Console)
	one.await("waiting", awaited)
	cfg := *a.cfg
	cfg.DataDir = t.TempDir()
	two := start(t, New(&cfg, a.log), sim, Salesforce, Console)
	s := two.await("another's task", func(s orgStatus) bool { return s.Connect != nil && s.Connect.Elsewhere })
	if s.Connect.Awaited || s.Salesforce.Phase != "stopped" {
		t.Errorf("it waits too: %+v %s", s.Connect, s.Salesforce.Phase)
	}
	person := newBrowser(t)
	if status, page, _ := person.do(http.MethodPost, two.console+"/connect/default", ""); status != http.StatusConflict || !strings.Contains(page, "another process") {
		t.Errorf("connected beside its task: %d %s", status, page)
	}
	person.decide(person.clickConnect(one.console), "save=Allow")
	one.await("stream", streaming)
	one.end()
	two.await("waiting", func(s orgStatus) bool { return awaited(s) && !s.Connect.Elsewhere }) // the tokens lay in the other's data_dir
	person.decide(person.clickConnect(two.console), "save=Allow")
	two.await("stream", streaming)
}

func TestCallbackAdvice(t *testing.T) {
	t.Parallel()
	const console = "http://127.0.0.1:8080"
	for _, c := range []struct{ listen, redirect, says string }{
		{"127.0.0.1:8080", "", ""},
		{"127.0.0.1:0", "", "another at each start"},
		{"127.0.0.1:8080", "http://localhost:8080/callback", ""},
		{"127.0.0.1:8080", "http://localhost:8400/callback", "name the port of this console"},
		{"127.0.0.1:8080", "https://console.example/callback", ""},
	} {
		a := New(&config.Config{Console: config.Console{Listen: c.listen}}, slog.New(slog.DiscardHandler))
		if got := a.callbackAdvice(console, c.redirect); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s with %s: %q", c.listen, c.redirect, got)
		}
	}
}

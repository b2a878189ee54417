package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"crosswalk/internal/broker"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// nobody is an address where nothing listens, nor will while the test runs: it is the near end of a connection.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.LocalAddr().String()
}

func TestBrokerThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	address := nobody(t)
	config := b.config("kafka:\n  brokers: [\"" + address + "\"]\nschema_registry: {url: \"http://" + address + "\"}\norgs:\n" + ledger)
	customers := b.file("customers.csv", "No,Name,Balance\nC1,A,1\n")
	for _, args := range [][]string{{"run"}, {"customers"}, {"issues"}, {"status"}, {"demo", "--once"}, {"erp", "import", customers}} {
		b.refused(append(args, "--config", config), exitFailed, address, "no broker answers", "check kafka.brokers")
	}
}

func TestRegistryThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kafka, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kafka.Close(); err != nil {
			t.Error(err)
		}
	})
	address := "http://" + nobody(t)
	config := b.config("kafka:\n  brokers: [\"" + kafka.Addr() + "\"]\nschema_registry: {url: \"" + address + "\"}\norgs:\n" + ledger)
	customers := b.file("customers.csv", "No,Name,Balance\nC1,A,1\n")
	for _, args := range [][]string{{"run"}, {"customers"}, {"erp", "import", customers}, {"demo", "--once"}} {
		b.refused(append(args, "--config", config), exitFailed, address, "schema_registry.url")
	}
}

// simulated is an org that is simulated in the test's process.
func simulated(t *testing.T, config org.Config) simulator.Ready {
	t.Helper()
	return simulatedBy(t, simulator.Config{Org: config})
}

// simulatedBy is simulated with more than the org to choose.
func simulatedBy(t *testing.T, config simulator.Config) simulator.Ready {
	t.Helper()
	_, ready := simulation(t, config)
	return ready
}

// simulation starts a simulated org that the test looks into.
func simulation(t *testing.T, config simulator.Config) (*simulator.Simulator, simulator.Ready) {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	s, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	ready, err := s.AwaitReady(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, ready
}

// salesforce is the configuration of an org that is simulated.
func salesforce(r simulator.Ready, password string) string {
	return fmt.Sprintf(`orgs:
  - orphan_grace: 0s
    salesforce:
      login_url: %q
      allow_any_host: true
      auth: {flow: password, client_id: %q, client_secret: %q, username: %q, password: %q}
      notes: {poll_interval: 1s}
    link: {salesforce_field: Id, erp_field: identifier}
    erp: {sources: [{name: ledger, columns: {number: No, name: Name, identifier: Id}}]}
`, r.LoginURL, r.ClientID, r.ClientSecret, r.Username, password)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 3})
	b.refused([]string{"run", "--log-level", "error", "--config", b.config(salesforce(ready, "wrong-password"))}, exitFailed, ready.LoginURL, "password")
	_, _, said := b.run("run", "--config", b.config(salesforce(ready, "wrong-password")))
	if strings.Contains(said, "wrong-password") {
		t.Errorf("it shows the password: %q", said)
	}
}

// running is a `crosswalk run` of a test.
type running struct {
	mu    sync.Mutex
	said  strings.Builder
	ready chan struct{} // closed when it has said where it listens
	once  sync.Once
}

// Write takes what the command prints.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes.IndexByte(p, '\n') >= 0 {
		r.once.Do(func() { close(r.ready) })
	}
	return r.said.Write(p)
}

// TestRunImportAndAsk is a person's first hour: run, import, ask, in several processes on one data_dir.
func TestRunImportAndAsk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 6, Contacts: 12, Seed: 7})
	config := b.config(salesforce(ready, ready.Password))
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	r := &running{ready: make(chan struct{})}
	exit := make(chan int, 1)
	var logged bytes.Buffer
	go func() { exit <- run(ctx, []string{"run", "--json", "--config", config}, nil, r, &logged, nil) }()
	select {
	case <-r.ready:
	case code := <-exit:
		t.Fatalf("run ended with %d: %s", code, logged.String())
	}
	b.refused([]string{"run", "--config", config}, exitFailed, "another crosswalk process", "stop it, or set another data_dir")
	path := b.file("customers.csv", "No,Name,Id\nC1,Alpha,001Qk0000000001IAA\nC2,Beta,001Qk0000000002IAA\nC3,Gamma,001qk0000000003iaa\nC4,Delta,\n")
	if code, out, said := b.run("erp", "import", path, "--config", config); code != exitDone || !strings.Contains(out, "4 published") {
		t.Fatalf("import: exit status %d, %s%s", code, out, said)
	}
	for code, out, said := 0, "", ""; strings.Count(out, "\n") != 2; { // until both are matched
		if code, out, said = b.run("customers", "--json", "--config", config); code != exitDone {
			t.Fatalf("customers: exit status %d, %s", code, said)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"customers"}, "2 customers matched"},
		{[]string{"customers", "C1"}, "matched by Id = identifier"},
		{[]string{"issues"}, "NO_IDENTIFIER"},
		{[]string{"issues", "--reason", "no_counterpart"}, "customer C3 (Gamma)"},
		{[]string{"status"}, "Matched with Salesforce                 2 (50 %)"},
		{[]string{"status", "--all"}, "customers: 4"},
		{[]string{"status", "--json"}, `"phase":"live"`},
	} {
		if code, out, said := b.run(append(c.args, "--config", config)...); code != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit status %d, %q %q; want %q", c.args, code, out, said, c.want)
		}
	}
	b.refused([]string{"customers", "C9", "--config", config}, exitFailed, `no matched customer has the key "C9"`, "crosswalk issues")
	stop()
	if code := <-exit; code != exitDone {
		t.Errorf("run ended with %d after it was stopped: %s", code, logged.String())
	}
	// Nobody runs now: the topics answer.
	if n := b.live(config); n != 4 {
		t.Errorf("%d customers are kept, want 4", n)
	}
}

// TestAnotherRegistry names a registry that does not belong to the Kafka: what it lacks is said, not guessed.
func TestAnotherRegistry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n" + ledger)
	if exit, _, said := b.run("erp", "import", b.file("a.csv", "No,Name,Balance\nC1,A,1\n"), "--config", config); exit != exitDone {
		t.Fatal(said)
	}
	server, err := registry.NewServer(t.Context(), &registry.MemoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	b.env = []string{"CROSSWALK_SCHEMA_REGISTRY_URL=" + web.URL}
	b.refused([]string{"status", "--config", config}, exitFailed, web.URL, "schema")
}

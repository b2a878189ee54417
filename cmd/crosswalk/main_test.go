package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/app"
	"crosswalk/internal/broker"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// patience bounds every command of a test.
const patience = 3 * time.Minute

// bench runs commands as a person would, in a folder of its own.
type bench struct {
	t   *testing.T
	dir string
	env []string
}

func setup(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, dir: t.TempDir()}
}

// file writes a file of the folder and returns its path.
func (b *bench) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// config writes the configuration; data_dir lies in the folder.
func (b *bench) config(text string) string {
	b.t.Helper()
	return b.file("crosswalk.yaml", "data_dir: "+filepath.Join(b.dir, "data")+"\n"+text)
}

// run executes one command line.
func (b *bench) run(args ...string) (exit int, out, errOut string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var o, e bytes.Buffer
	exit = run(ctx, args, &o, &e, b.env)
	if ctx.Err() != nil {
		b.t.Fatalf("%v: not done after %s; it said %s%s", args, patience, o.String(), e.String())
	}
	return exit, o.String(), e.String()
}

// refused runs a command that must fail with exit and say all of words in one sentence.
func (b *bench) refused(args []string, exit int, words ...string) {
	b.t.Helper()
	got, _, said := b.run(args...)
	if got != exit {
		b.t.Errorf("%v: exit status %d, want %d; it said %q", args, got, exit, said)
	}
	sentence := ""
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "crosswalk: ") {
			sentence += line
		}
	}
	if strings.Count(sentence, "\n") != 1 {
		b.t.Errorf("%v: it said %q, want one sentence", args, said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			b.t.Errorf("%v: it said %q, want %q in it", args, said, w)
		}
	}
}

// nobody is an address where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestWrongUsageEndsWith2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		word string
	}{
		{"frobnicate", `unknown command "frobnicate"`},
		{"custmers", `did you mean "customers"?`},
		{"demo --onc", "unknown flag: --onc"},
		{"demo now", `demo takes no arguments; remove "now"`},
		{"run salesforces", `unknown component "salesforces"; give any of salesforce, erp, matcher, console`},
		{"erp import", "accepts 1 arg(s), received 0"},
		{"erp import x.csv --full --delta", "--full and --delta exclude each other"},
		{"customers a b", "at most 1 arg"},
		{"simulator --accounts many", "invalid argument"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			setup(t).refused(strings.Fields(c.line), exitUsage, c.word, "Run 'crosswalk --help' for usage.")
		})
	}
}

func TestConfigurationThatCannotBeUsedEndsWith2(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string
		env   string
		words []string
	}{
		"unknown key":         {"kafka:\n  broker: [x:1]\n", "", []string{"crosswalk.yaml", "line 3", `"broker"`, `did you mean "brokers"?`}},
		"not YAML":            {"kafka: [\n", "", []string{"crosswalk.yaml", "line", "correct"}},
		"no registry":         {"kafka:\n  brokers: [x:1]\n", "", []string{"kafka.brokers is set but schema_registry.url is not", "give the registry"}},
		"no address":          {"kafka:\n  brokers: [x]\nschema_registry: {url: http://x}\n", "", []string{`kafka.brokers[0] "x" is no address; write host:port`}},
		"unknown flow":        {"orgs: [{salesforce: {auth: {flow: magic, client_id: x}}}]\n", "", []string{`orgs[0].salesforce.auth.flow "magic" is unknown; give web_server, jwt`}},
		"half a link":         {"orgs: [{link: {erp_field: identifier}}]\n", "", []string{"orgs[0].link needs salesforce_field and erp_field"}},
		"unknown variable":    {"", "CROSSWALK_KAFKA_BROKER=x:1", []string{"CROSSWALK_KAFKA_BROKER", "names no configuration key; unset it"}},
		"variable not a time": {"orgs: [{alias: a}]\n", "CROSSWALK_ORGS_0_ORPHAN_GRACE=soon", []string{"CROSSWALK_ORGS_0_ORPHAN_GRACE", "not a duration (write 30s, 5m, 2h)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if c.env != "" {
				b.env = []string{c.env}
			}
			for _, command := range []string{"run", "customers", "status", "issues", "demo"} {
				b.refused([]string{command, "--config", b.config(c.text)}, exitUsage, c.words...)
			}
		})
	}
	b := setup(t)
	b.refused([]string{"run", "--config", filepath.Join(b.dir, "none.yaml")}, exitUsage, "none.yaml", "give an existing file with --config")
}

func TestASecretIsNeverShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text := "orgs:\n  - salesforce:\n      auth: {flow: password, client_id: x, client_secret: hush-hush, username: u, password: [hush-hush]}\n"
	_, out, said := b.run("status", "--config", b.config(text))
	if strings.Contains(out+said, "hush-hush") || said == "" {
		t.Errorf("it said %q", out+said)
	}
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

// ledger is an org of the configuration with one ERP source.
const ledger = `  - erp:
      sources:
        - name: ledger
          mode: full
          columns: {number: No, name: Name, balance: Balance}
`

// live is how many records of erp.customer live.
func (b *bench) live(config string) int {
	b.t.Helper()
	exit, out, said := b.run("status", "--json", "--config", config)
	var status struct {
		Orgs map[string]struct {
			Live map[string]int `json:"live_records"`
		} `json:"orgs"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || exit != exitDone {
		b.t.Fatalf("status: exit %d, %v, %q", exit, err, said)
	}
	return status.Orgs["default"].Live["erp.customer"]
}

func TestBadRowsAreRejectedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n" + ledger)
	rows := []string{
		"No,Name,Balance", "C1,Alpha,1.50", "C2,Beta", "C3,Gamma,12x", "C1,Delta,3", "C4,Ep\x00silon,4", "C5,Z\xffeta,5", "C6,Eta,6",
	}
	path := b.file("customers.csv", strings.Join(rows, "\n")+"\n")
	exit, out, said := b.run("erp", "import", path, "--config", config)
	if exit != exitRejects || !strings.Contains(out, "2 rows, 2 published, 0 unchanged, 0 deleted, 5 rejected") || said != "" {
		t.Errorf("exit status %d, %q, %q; want %d and two rows published", exit, out, said, exitRejects)
	}
	rejects, err := os.ReadFile(filepath.Join(b.dir, "customers.rejects.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`3,Balance,"the row has 2 cells`, `4,Balance,"""12x"" is not a number`, `5,No,"customer ""C1"" stood already in line 2`,
		"6,Name,the cell contains a NUL byte", "7,Name,\"the cell is not valid text in the file's encoding; save the file as UTF-8",
	} {
		if !strings.Contains(string(rejects), "\n"+want) {
			t.Errorf("the rejects file holds %q, want a line that begins with %q", rejects, want)
		}
	}
	if n := b.live(config); n != 2 {
		t.Errorf("%d customers are published, want 2", n)
	}
	// The same file, mended: what was there stays, the rest comes.
	path = b.file("customers.csv", "No,Name,Balance\nC1,Alpha,1.50\nC2,Beta,2\nC3,Gamma,12\nC4,Epsilon,4\nC5,Zeta,5\nC6,Eta,6\n")
	exit, out, said = b.run("erp", "import", path, "--config", config)
	if exit != exitDone || !strings.Contains(out, "6 rows, 4 published, 2 unchanged, 0 deleted, 0 rejected") {
		t.Errorf("exit status %d, %q, %q; want %d and four rows published", exit, out, said, exitDone)
	}
	if n := b.live(config); n != 6 {
		t.Errorf("%d customers are published, want 6", n)
	}
}

func TestBadFilesPublishNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n" + ledger)
	good := b.file("good.csv", "No,Name,Balance\nC1,A,1\nC2,B,2\nC3,C,3\n")
	if exit, out, said := b.run("erp", "import", good, "--config", config); exit != exitDone {
		t.Fatalf("exit status %d: %s%s", exit, out, said)
	}
	for name, c := range map[string]struct {
		text  string
		words []string
	}{
		"missing column":    {"No,Name\nC9,X\n", []string{"bad.csv", `no column "Balance"`, "columns.balance", "No, Name"}},
		"empty":             {"", []string{"bad.csv is empty", "first line must be the header"}},
		"too many deletes":  {"No,Name,Balance\nC1,A,1\n", []string{"2 of", "max-delete-share"}},
		"column twice":      {"No,No,Balance\n", []string{"bad.csv", `column "No"`, "stands twice", "rename one"}},
		"header not UTF-8":  {"No,N\xffame,Balance\n", []string{"bad.csv", "the name of column 2 is not valid text", "save the file as UTF-8"}},
		"no customers left": {"No,Name,Balance\n", []string{"3 of", "max-delete-share"}},
	} {
		b.t.Run(name, func(t *testing.T) {
			b := &bench{t: t, dir: b.dir}
			b.refused([]string{"erp", "import", b.file("bad.csv", c.text), "--config", config}, exitFailed, c.words...)
			if n := b.live(config); n != 3 {
				t.Errorf("%d customers are published, want the 3 that were there", n)
			}
		})
	}
	b.refused([]string{"erp", "import", filepath.Join(b.dir, "none.csv"), "--config", config}, exitFailed, "none.csv")
	b.refused([]string{"erp", "import", good, "--source", "other", "--config", config}, exitFailed, `no ERP source "other"`, "ledger")
}

// simulated is an org that is simulated in the test's process.
func simulated(t *testing.T, config org.Config) simulator.Ready {
	t.Helper()
	s, err := simulator.New(simulator.Config{Org: config, Logger: slog.New(slog.DiscardHandler)})
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
	return ready
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
	go func() { exit <- run(ctx, []string{"run", "--json", "--config", config}, r, &logged, nil) }()
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
		{[]string{"issues", "--reason", "no_counterpart"}, "erp/C3"},
		{[]string{"status"}, "customers: 4"},
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

func TestDemoSaysWhatItFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	exit, out, said := b.run("demo", "--once", "--json", "--data-dir", filepath.Join(b.dir, "data"))
	var report app.DemoReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || exit != exitDone {
		t.Fatalf("exit status %d, %v, %q %q", exit, err, out, said)
	}
	if report.Different != 0 || report.Matched < 400 || report.NearMisses < 20 || report.Compared < 500 || report.Changes < 10 {
		t.Errorf("report %+v", report)
	}
}

func TestExitStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitDone},
		{context.Canceled, exitDone},
		{fmt.Errorf("show demo: %w", app.ErrDifferent), exitFailed},
		{fmt.Errorf("import: %w", app.ErrRejects), exitRejects},
		{usageError{os.ErrInvalid}, exitUsage},
		{configError{os.ErrInvalid}, exitUsage},
		{os.ErrNotExist, exitFailed},
	} {
		s := &shell{err: &bytes.Buffer{}}
		if got := s.status2exit(c.err); got != c.want {
			t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
		}
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

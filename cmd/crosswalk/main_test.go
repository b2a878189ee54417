package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/app"
)

// patience bounds every command of a test.
const patience = 20 * time.Minute

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
	exit = run(ctx, args, nil, &o, &e, b.env)
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
		{"erp import", "erp import wants the file to import, and was given 0 arguments"},
		{"backfill pause", "pause wants the ID of a backfill"},
		{"issues --reason NOBODY", `--reason "NOBODY" is none; give one of NO_COUNTERPART`},
		{"identifier suggest --limit -1", "--limit is -1; give how many pairs are shown"},
		{"erp import x.csv --full --delta", "--full and --delta exclude each other"},
		{"customers a b", "give the key of one customer, not 2 keys"},
		{"erp imprt x.csv", `unknown command "imprt"; give import`},
		{"version --log-level loud", `--log-level is "loud"; give debug, info, warn or error`},
		{"simulator --accounts many", "invalid argument"},
		{"simulator --accounts -5", "cannot be negative"},
		{"simulator --data x --contacts 5", "give one or the other"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			setup(t).refused(strings.Fields(c.line), exitUsage, c.word, "Run 'crosswalk --help' for usage.")
		})
	}
}

// TestEveryHelpHasExamplesAndExitStatuses reads the help of each command.
func TestEveryHelpHasExamplesAndExitStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, line := range []string{
		"demo", "run", "connect", "doctor", "identifier", "identifier suggest", "identifier preview", "identifier activate", "identifier deactivate",
		"identifier reset", "backfill", "backfill list", "backfill pause", "backfill resume", "backfill cancel", "erp", "erp import", "status", "customers", "issues",
		"simulator", "version",
	} {
		exit, out, _ := b.run(append(strings.Fields(line), "--help")...)
		for _, part := range []string{"Exit status: 0 ", "Examples:\n  crosswalk " + line, "--config FILE", "--json"} {
			if exit != exitDone || !strings.Contains(out, part) {
				t.Errorf("the help of %s has no %q", line, part)
			}
		}
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
		"two at once":         {"kafak: {}\nlog: {level: loud}\n", "", []string{"2 errors", `did you mean "kafka"?`, "log.level"}},
		"half a link":         {"orgs: [{link: {erp_field: identifier}}]\n", "", []string{"orgs[0].link needs salesforce_field and erp_field"}},
		"unknown variable":    {"", "CROSSWALK_KAFKA_BROKER=x:1", []string{"CROSSWALK_KAFKA_BROKER", "did you mean CROSSWALK_KAFKA_BROKERS? Correct or unset it"}},
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

// TestWhatIsNotConfiguredEndsWith2 asks for what the configuration has nothing for: the sentence names the key to set.
func TestWhatIsNotConfiguredEndsWith2(t *testing.T) {
	t.Parallel()
	b := setup(t)
	empty := b.config("log: {level: warn}\n")
	one := b.file("one.yaml", "data_dir: "+filepath.Join(b.dir, "data")+"\norgs:\n"+ledger+"        - {name: second, columns: {number: No}}\n")
	for line, words := range map[string][]string{
		"run salesforce":       {"nothing to run salesforce for", "orgs[].salesforce.auth"},
		"run erp console":      {"nothing to run erp for", "orgs[].erp.sources[]"},
		"run matcher":          {"nothing to run matcher for", "orgs[]"},
		"connect":              {`org "default" has no login`, "orgs[].salesforce.auth.flow"},
		"backfill Account":     {`org "default" has no Salesforce configured`},
		"erp import x.csv":     {`org "default" has no ERP source`, "--preset"},
		"customers --org acme": {`no org with alias "acme"`},
	} {
		b.refused(append(strings.Fields(line), "--config", empty), exitUsage, words...)
	}
	b.refused([]string{"run", "salesforce", "matcher", "--config", one}, exitUsage, "nothing to run salesforce for")
	b.refused([]string{"erp", "import", "x.csv", "--config", one}, exitUsage, `org "default" has several ERP sources; give --source with one of: ledger, second`)
	b.refused([]string{"customers", "--org", "acme", "--config", one}, exitUsage, `give --org with one of: default`)
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

// ledger is an org of the configuration with one ERP source.
const ledger = `  - erp:
      sources:
        - name: ledger
          mode: full
          columns: {number: No, name: Name, balance: Balance}
`

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
		{fmt.Errorf("status: %w", app.UsageError{}), exitUsage},
		{os.ErrNotExist, exitFailed},
	} {
		s := &shell{err: &stderr{out: &bytes.Buffer{}}}
		if got := s.status2exit(c.err); got != c.want {
			t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
		}
	}
}

// closed is a pipe whose reader has gone.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// What a program was to read and did not get is no success.
func TestUnreadJSONFails(t *testing.T) {
	t.Parallel()
	_, environ := anOrg(t, "CROSSWALK_CONSOLE_LISTEN=127.0.0.1:0")
	for _, args := range [][]string{{"run", "--json", "console"}, {"doctor", "--json"}, {"connect", "--json"}, {"version", "--json"}} {
		var said bytes.Buffer
		if exit := run(t.Context(), args, nil, closed{}, &said, environ); exit != exitFailed || !strings.Contains(said.String(), "write JSON") {
			t.Errorf("%v: exit status %d, %s", args, exit, said.String())
		}
	}
}

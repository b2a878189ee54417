package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// silent is what a process says in its log when it wakes and finds its session over.
const silent = "was silent too long and has lost its tasks"

// Process is `crosswalk run` with a folder of its own: configured once, started, stopped, paused and killed many times.
type Process struct {
	binary, dir string
	components  []string
	child       *Child // nil: it is down
	console     string
	paused      bool
	starts      int
}

// NewProcess returns a process that is down. Without components it runs all that are configured.
func NewProcess(s *Setting, dir string, components ...string) *Process {
	return &Process{binary: s.Binary, dir: dir, components: components}
}

// Status is the part of /api/status that trials look at.
type Status struct {
	Tasks map[string]time.Time `json:"tasks"` // since when it runs them
	Orgs  map[string]OrgStatus `json:"orgs"`
}

// OrgStatus is what a process says of one org.
type OrgStatus struct {
	Salesforce struct {
		Phase     string `json:"phase"` // stopped, starting, recovering, snapshot, streaming
		Snapshots map[string]struct {
			Rows     int64 `json:"rows"`
			Expected int64 `json:"expected"`
		} `json:"snapshots"`
	} `json:"salesforce"`
	Matcher struct {
		Phase string `json:"phase"` // stopped, starting, rebuilding, live
	} `json:"matcher"`
}

// Dir is its folder, with the configuration in crosswalk.yaml.
func (p *Process) Dir() string { return p.dir }

func (p *Process) configFile() string { return filepath.Join(p.dir, "crosswalk.yaml") }
func (p *Process) dataDir() string    { return filepath.Join(p.dir, "data") }
func (p *Process) logFile() string    { return filepath.Join(p.dir, "run.log") }

// Configure writes the configuration. orgs are the items of its list of orgs, two blanks in, as Org.YAML writes them.
func (p *Process) Configure(s *Setting, partitions int, orgs string) error {
	text := fmt.Sprintf(`data_dir: %q
log: {level: info}
kafka:
  brokers: [%s]
  partitions: %d
  session_timeout: %s
schema_registry: {url: %q}
console: {listen: "127.0.0.1:0"}
orgs:
%s`, p.dataDir(), s.quotedBrokers(), partitions, s.Session, s.Registry, orgs)
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("make folder of a process: %w", err)
	}
	if err := os.WriteFile(p.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Start starts the process; it returns when the console answers.
func (p *Process) Start(ctx context.Context) (err error) {
	p.starts++
	var at struct {
		Console string `json:"console"`
	}
	args := append([]string{"run"}, p.components...)
	p.child, err = Launch(ctx, p.binary, p.logFile(), &at, append(args, "--json", "--config", p.configFile())...)
	p.console = at.Console
	return err
}

// Up reports whether it was started and neither stopped nor killed since.
func (p *Process) Up() bool { return p.child != nil }

// Kill kills it (SIGKILL), if it is up.
func (p *Process) Kill() {
	if p.child != nil {
		p.child.Kill()
		p.child, p.paused = nil, false
	}
}

// Stop ends it in good order (SIGTERM).
func (p *Process) Stop() error {
	err := p.child.Stop(30 * time.Second)
	p.child = nil
	if err != nil {
		return fmt.Errorf("stop a process: %w; its log ends with: %s", err, Tail(p.logFile()))
	}
	return nil
}

// Pause stops it where it is (SIGSTOP): it neither does anything nor knows that time passes.
func (p *Process) Pause() error {
	p.paused = true
	if err := p.child.Pause(); err != nil {
		return fmt.Errorf("pause a process: %w", err)
	}
	return nil
}

// Paused reports whether it is paused.
func (p *Process) Paused() bool { return p.paused }

// Continue lets a paused process go on (SIGCONT).
func (p *Process) Continue() error {
	p.paused = false
	if err := p.child.Continue(); err != nil {
		return fmt.Errorf("let a process go on: %w", err)
	}
	return nil
}

// LoseState deletes the local state, while the process is down.
func (p *Process) LoseState() error {
	if err := os.RemoveAll(p.dataDir()); err != nil {
		return fmt.Errorf("delete local state: %w", err)
	}
	return nil
}

// Status asks it how it is; ok is false when it does not answer yet. An error says that it ended by itself.
func (p *Process) Status(ctx context.Context) (s Status, ok bool, err error) {
	if err := p.Ended(); err != nil {
		return Status{}, false, err
	}
	if err := FetchJSON(ctx, p.console+"/api/status", &s); err != nil {
		return Status{}, false, nil //nolint:nilerr // it is asked again
	}
	return s, true, nil
}

// Ended returns an error if it ended by itself.
func (p *Process) Ended() error {
	if p.child == nil || !p.child.Dead() {
		return nil
	}
	return fmt.Errorf("a process ended by itself (%w); its log ends with: %s", errors.Join(p.child.Err), Tail(p.logFile()))
}

// Import publishes an ERP file with the configuration of the process, by a process of its own.
func (p *Process) Import(ctx context.Context, file string) error {
	out, err := exec.CommandContext(ctx, p.binary, "erp", "import", file, "--config", p.configFile()).CombinedOutput() //nolint:gosec // the binary under trial
	if err != nil {
		return fmt.Errorf("import the ERP file: %w: %s", err, out)
	}
	return nil
}

// Lost counts how often it found its tasks lost.
func (p *Process) Lost() int {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return 0 // it was never started
	}
	return bytes.Count(text, []byte(silent))
}

// Note writes a line of the trial into the log of the process.
func (p *Process) Note(format string, args ...any) error {
	f, err := os.OpenFile(p.logFile(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s trial: start %d was "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000"), p.starts}, args...)...)
	return errors.Join(err, f.Close())
}

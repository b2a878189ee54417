package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"crosswalk/internal/e2e/harness"
)

// process is `crosswalk run` with a folder of its own.
type process struct {
	binary, dir string
	child       *harness.Child // nil: it is down
	console     string
}

// status is the part of /api/status that the trial looks at.
type status struct {
	Tasks map[string]time.Time `json:"tasks"` // since when it runs them
	Orgs  map[string]struct {
		Salesforce struct {
			Phase string `json:"phase"`
		} `json:"salesforce"`
		Matcher struct {
			Phase string `json:"phase"`
		} `json:"matcher"`
	} `json:"orgs"`
}

func (p *process) log() string { return filepath.Join(p.dir, "run.log") }

// configure writes the configuration: the same for all but for its folder.
func (p *process) configure(t *trial) error {
	var text strings.Builder
	fmt.Fprintf(&text, `data_dir: %q
log: {level: info}
kafka:
  brokers: ["%s"]
  partitions: 2
  session_timeout: %s
schema_registry: {url: %q}
console: {listen: "127.0.0.1:0"}
orgs:
`, filepath.Join(p.dir, "data"), strings.ReplaceAll(t.Brokers, ",", `","`), t.Session, t.Registry)
	for _, o := range t.orgs {
		text.WriteString(o.YAML(o.alias))
		fmt.Fprintf(&text, `    erp:
      sources:
        - name: ledger
          mode: full
          folder: {path: %q, settle: 200ms, interval: 200ms}
          columns: {number: No, name: Name, identifier: Reference, balance: Balance}
`, o.folder)
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("make folder of a process: %w", err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "crosswalk.yaml"), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// start starts the process; it returns when the console answers.
func (p *process) start(ctx context.Context) (err error) {
	var at struct {
		Console string `json:"console"`
	}
	p.child, err = harness.Launch(ctx, p.binary, p.log(), &at, "run", "--json", "--config", filepath.Join(p.dir, "crosswalk.yaml"))
	p.console = at.Console
	return err
}

func (p *process) kill() {
	if p.child != nil {
		p.child.Kill()
		p.child = nil
	}
}

// stop ends the process in good order.
func (p *process) stop() error {
	err := p.child.Stop(30 * time.Second)
	p.child = nil
	if err != nil {
		return fmt.Errorf("stop a process: %w; its log ends with: %s", err, harness.Tail(p.log()))
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"crosswalk/internal/e2e/harness"
)

// silent is what a process says in its log when it wakes and finds its session over.
const silent = "was silent too long and has lost its tasks"

// process is `crosswalk run matcher console`, started and killed many times. Each has a folder of its own.
type process struct {
	binary, dir string
	child       *harness.Child // nil: it is down
	console     string
	paused      bool
}

// status is the part of /api/status that the trial looks at.
type status struct {
	Orgs map[string]struct {
		Matcher struct {
			Phase string `json:"phase"`
		} `json:"matcher"`
	} `json:"orgs"`
}

func (p *process) log() string { return filepath.Join(p.dir, "run.log") }

// configure writes the configuration.
func (p *process) configure(o options, orgs []*org) error {
	var text strings.Builder
	fmt.Fprintf(&text, `data_dir: %q
log: {level: info}
kafka:
  brokers: ["%s"]
  partitions: 3
  session_timeout: %s
schema_registry: {url: %q}
console: {listen: "127.0.0.1:0"}
orgs:
`, filepath.Join(p.dir, "data"), strings.ReplaceAll(o.Brokers, ",", `","`), o.Session, o.Registry)
	for _, org := range orgs {
		fmt.Fprintf(&text, "  - alias: %s\n    orphan_grace: 0s\n    link: {salesforce_field: %s, erp_field: %s}\n", org.name, harness.Link.SalesforceField, harness.Link.ERPField)
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
	p.child, err = harness.Launch(ctx, p.binary, p.log(), &at, "run", "matcher", "console", "--json", "--config", filepath.Join(p.dir, "crosswalk.yaml"))
	p.console = at.Console
	return err
}

func (p *process) kill() {
	if p.child != nil {
		p.child.Kill()
		p.child = nil
	}
}

func (p *process) loseState() error {
	if err := os.RemoveAll(filepath.Join(p.dir, "data")); err != nil {
		return fmt.Errorf("delete local state: %w", err)
	}
	return nil
}

func (p *process) pause() error {
	p.paused = true
	return p.child.Pause()
}

func (p *process) proceed() error {
	p.paused = false
	return p.child.Continue()
}

// phases are those of the orgs' matchers in this process: stopped, starting, rebuilding, live.
func (p *process) phases(ctx context.Context) (map[string]string, error) {
	if p.child.Dead() {
		return nil, fmt.Errorf("a process ended by itself (%w); its log ends with: %s", errors.Join(p.child.Err), harness.Tail(p.log()))
	}
	var s status
	if err := harness.FetchJSON(ctx, p.console+"/api/status", &s); err != nil {
		return nil, nil // it is asked again
	}
	out := map[string]string{}
	for org, of := range s.Orgs {
		out[org] = of.Matcher.Phase
	}
	return out, nil
}

// lost counts how often the process found its tasks lost.
func (p *process) lost() int {
	text, err := os.ReadFile(p.log())
	if err != nil {
		return 0 // it was never started
	}
	return bytes.Count(text, []byte(silent))
}

// note writes a line of the trial into the log of the process.
func (p *process) note(format string, args ...any) error {
	f, err := os.OpenFile(p.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	_, err = fmt.Fprintf(f, time.Now().UTC().Format("15:04:05.000")+" trial: "+format+"\n", args...)
	return errors.Join(err, f.Close())
}

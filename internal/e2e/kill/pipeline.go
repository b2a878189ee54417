package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"crosswalk/internal/e2e/harness"
)

// pipeline is `crosswalk run` with one org: configured once, started and killed many times. Two of them share the org's tasks
// and nothing on disk.
type pipeline struct {
	binary, dir string         // the dir is its own
	process     *harness.Child // nil: it is down
	console     string
	starts      int
}

// status is the part of /api/status that the trial looks at.
type status struct {
	Orgs map[string]struct {
		Salesforce struct {
			Phase     string `json:"phase"`
			Snapshots map[string]struct {
				Rows     int64 `json:"rows"`
				Expected int64 `json:"expected"`
			} `json:"snapshots"`
		} `json:"salesforce"`
		Matcher struct {
			Phase string `json:"phase"`
		} `json:"matcher"`
	} `json:"orgs"`
}

// phase is that of the Salesforce producer: stopped, starting, recovering, snapshot, streaming.
func (s status) phase() string {
	for _, org := range s.Orgs {
		return org.Salesforce.Phase
	}
	return ""
}

// rows are those of the snapshots under way, and how many there will be.
func (s status) rows() (rows, expected int64) {
	for _, org := range s.Orgs {
		for _, snapshot := range org.Salesforce.Snapshots {
			rows, expected = rows+snapshot.Rows, expected+snapshot.Expected
		}
	}
	return rows, expected
}

// owned reports whether the process has been given its tasks: a killed owner keeps them until its session ends.
func (s status) owned() bool { return s.phase() != "" && s.phase() != "stopped" }

// live reports whether everything runs.
func (s status) live() bool {
	for _, org := range s.Orgs {
		return org.Salesforce.Phase == "streaming" && org.Matcher.Phase == "live"
	}
	return false
}

func (p *pipeline) configFile() string { return filepath.Join(p.dir, "crosswalk.yaml") }
func (p *pipeline) dataDir() string    { return filepath.Join(p.dir, "data") }
func (p *pipeline) erpFile() string    { return filepath.Join(p.dir, "customers.csv") }
func (p *pipeline) log() string        { return filepath.Join(p.dir, "run.log") }

// configure writes the configuration.
func (p *pipeline) configure(o options, alias string, org *harness.Org) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("make folder of a process: %w", err)
	}
	text := fmt.Sprintf(`data_dir: %q
log: {level: info}
kafka:
  brokers: [%s]
  partitions: 3
  session_timeout: %s
schema_registry: {url: %q}
orgs:
%s    erp:
      sources:
        - name: ledger
          mode: full
          columns: {number: No, name: Name, identifier: Reference, balance: Balance}
`, p.dataDir(), strings.Join(strings.Split(o.Brokers, ","), ", "), o.Session, o.Registry, org.YAML(alias))
	if err := os.WriteFile(p.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// note writes a line of the trial into the log of the processes.
func (p *pipeline) note(format string, args ...any) error {
	f, err := os.OpenFile(p.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s trial: process %d was "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000"), p.starts}, args...)...)
	return errors.Join(err, f.Close())
}

// start starts the process; it returns when the console answers.
func (p *pipeline) start(ctx context.Context) (err error) {
	p.starts++
	var at struct {
		Console string `json:"console"`
	}
	p.process, err = harness.Launch(ctx, p.binary, p.log(), &at, "run", "--json", "--config", p.configFile())
	p.console = at.Console
	return err
}

// kill kills the process, if it is up.
func (p *pipeline) kill() {
	if p.process != nil {
		p.process.Kill()
		p.process = nil
	}
}

// stop ends it in good order.
func (p *pipeline) stop() error {
	err := p.process.Stop(30 * time.Second)
	p.process = nil
	if err != nil {
		return fmt.Errorf("stop the pipeline: %w", err)
	}
	return nil
}

// loseState deletes the local state, while the process is down.
func (p *pipeline) loseState() error {
	if err := os.RemoveAll(p.dataDir()); err != nil {
		return fmt.Errorf("delete local state: %w", err)
	}
	return nil
}

// await asks the process until it is as wanted, and returns what it said.
func (p *pipeline) await(ctx context.Context, wanted func(status) bool) (status, error) {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		var s status
		if err := harness.FetchJSON(ctx, p.console+"/api/status", &s); err == nil && wanted(s) {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-p.process.Ended:
			return s, fmt.Errorf("the pipeline ended by itself (%w); its log ends with: %s", errors.Join(p.process.Err), harness.Tail(p.log()))
		case <-ctx.Done():
			return s, fmt.Errorf("wait for the pipeline, which is %s: %w", s.phase(), context.Cause(ctx))
		}
	}
}

// importERP publishes the ERP file.
func (p *pipeline) importERP(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, p.binary, "erp", "import", p.erpFile(), "--config", p.configFile()).CombinedOutput() //nolint:gosec // the binary under trial
	if err != nil {
		return fmt.Errorf("import the ERP file: %w: %s", err, out)
	}
	return nil
}

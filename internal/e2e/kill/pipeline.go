package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"crosswalk/internal/e2e/harness"
)

// pipeline is `crosswalk run` with one org. Two of them share the org's tasks and nothing on disk.
type pipeline struct{ *harness.Process }

// newPipeline returns one that is down.
func newPipeline(s *harness.Setting, dir string) *pipeline {
	return &pipeline{harness.NewProcess(s, dir)}
}

// status is what a pipeline says of its org.
type status struct{ harness.OrgStatus }

// phase is that of the Salesforce producer: stopped, starting, recovering, snapshot, streaming.
func (s status) phase() string { return s.Salesforce.Phase }

// rows are those of the snapshots under way, and how many there will be.
func (s status) rows() (rows, expected int64) {
	for _, snapshot := range s.Salesforce.Snapshots {
		rows, expected = rows+snapshot.Rows, expected+snapshot.Expected
	}
	return rows, expected
}

// owned reports whether the process has been given its tasks: a killed owner keeps them until its session ends.
func (s status) owned() bool { return s.phase() != "" && s.phase() != "stopped" }

// live reports whether everything runs.
func (s status) live() bool { return s.phase() == "streaming" && s.Matcher.Phase == "live" }

// configure writes the configuration.
func (t *trial) configure(p *pipeline) error {
	return p.Configure(&t.Setting, 3, t.simulator.YAML(t.org)+`    erp:
      sources:
        - name: ledger
          mode: full
          columns: {number: No, name: Name, identifier: Reference, balance: Balance}
`)
}

// erpFile is the file that the ERP makes.
func (t *trial) erpFile() string { return filepath.Join(t.dir, "customers.csv") }

// await asks the process until it is as wanted, and returns what it said.
func (p *pipeline) await(ctx context.Context, wanted func(status) bool) (status, error) {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		said, ok, err := p.Status(ctx)
		if err != nil {
			return status{}, err
		}
		var s status
		for _, org := range said.Orgs { // it has one
			s.OrgStatus = org
		}
		if ok && wanted(s) {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return s, fmt.Errorf("wait for the pipeline, which is %s: %w", s.phase(), context.Cause(ctx))
		}
	}
}

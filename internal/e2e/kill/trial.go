package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/judge"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// trial is one run of everything.
type trial struct {
	options
	dir    string
	report *harness.Report
	org    string // alias, new for each trial, so that topics are its own

	simulator *harness.Org
	pipeline  *pipeline
	second    *pipeline // that shares the org with the first while processes are paused
	generator *generator
	changing  context.CancelFunc
	changed   chan error
	judge     *judge.Judge
	kafka     *topic.Client
	follower  *harness.Follower
	nemesis   *rand.Rand
}

func newTrial(o options, dir string, r *harness.Report) *trial {
	return &trial{
		options: o, dir: dir, report: r, org: harness.Alias("kill"),
		pipeline: newPipeline(&o.Setting, filepath.Join(dir, "first")), second: newPipeline(&o.Setting, filepath.Join(dir, "second")),
		nemesis: rand.New(rand.NewPCG(o.Seed, 1)),
	}
}

// run carries out the trial. An error says what kept it from coming to its end; a check that does not hold is in the
// report.
func (t *trial) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.end()) }()
	if err := t.prepare(ctx); err != nil {
		return err
	}
	t.change(ctx)
	half, paused := t.kills/2, t.pauses/2
	if err := t.disturbSnapshot(ctx, t.kills-half, t.pauses-paused); err != nil {
		return err
	}
	if err := t.disturbChanges(ctx, half, paused); err != nil {
		return err
	}
	if err := t.rest(); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	t.checkHistory()
	return t.checkQuiet(ctx)
}

// end stops everything that still runs.
func (t *trial) end() error {
	err := t.rest()
	t.pipeline.Kill()
	t.second.Kill()
	if t.kafka != nil {
		err = errors.Join(err, t.kafka.Close())
	}
	return errors.Join(err, t.simulator.Stop())
}

// prepare starts the org, gives its accounts their identifiers, makes the ERP file and imports it.
func (t *trial) prepare(ctx context.Context) (err error) {
	t.simulator, err = harness.StartOrg(ctx, t.Binary, filepath.Join(t.dir, "simulator.log"), t.Seed, t.accounts, t.contacts)
	if err != nil {
		return err
	}
	settings := map[string]any{"bulk": map[string]any{"page_rows": pageRows}} // the org decides how large its pages are
	if err := t.simulator.Do(ctx, http.MethodPatch, "/settings", settings, nil); err != nil {
		return err
	}
	if err := t.connect(ctx); err != nil {
		return err
	}
	for _, p := range t.processes() {
		if err := t.configure(p); err != nil {
			return err
		}
	}
	return t.importERP(ctx)
}

// connect makes the judge and the clients that look at what is published.
func (t *trial) connect(ctx context.Context) (err error) {
	if t.judge, err = t.simulator.Judge(ctx); err != nil {
		return err
	}
	if t.kafka, err = t.Dial(ctx); err != nil {
		return err
	}
	t.follower = harness.NewFollower(t.kafka, registry.NewClient(t.Registry), t.org)
	return nil
}

func (t *trial) importERP(ctx context.Context) error {
	if err := t.simulator.Ledger.Write(t.erpFile()); err != nil {
		return err
	}
	t.judge.Customers = t.simulator.Ledger.Records()
	return t.pipeline.Import(ctx, t.erpFile())
}

// change lets the org change from now on, until rest.
func (t *trial) change(ctx context.Context) {
	ctx, t.changing = context.WithCancel(ctx)
	t.changed = make(chan error, 1)
	rng := rand.New(rand.NewPCG(t.Seed, 3))
	known := make([]string, 0, len(t.simulator.Ledger.Rows)) // a copy: the ledger changes meanwhile
	for _, r := range t.simulator.Ledger.Rows {
		known = append(known, r.Reference)
	}
	t.generator = &generator{org: t.simulator.Control, rng: rng, references: func() string { return known[rng.IntN(len(known))] }}
	go func() {
		log, err := os.Create(filepath.Join(t.dir, "changes.jsonl"))
		if err == nil {
			t.generator.log = log
			if err = t.generator.load(ctx); err == nil {
				err = t.generator.run(ctx, t.rate)
			}
			err = errors.Join(err, log.Close())
		}
		t.changed <- err
	}()
}

// rest ends the changes; those that are saved but not committed have had their time when it returns.
func (t *trial) rest() error {
	if t.changing == nil {
		return nil
	}
	t.changing()
	t.changing = nil
	err := <-t.changed
	time.Sleep(held + time.Second) // a transaction commits by itself, and nothing tells when
	t.report.Say("%d changes in Salesforce; refused by the org: %v", t.generator.made, t.generator.refused)
	return err
}

// settle starts the pipeline and waits until everything that is published is right. It gives up when nothing has been
// published for a while.
func (t *trial) settle(ctx context.Context) error {
	began := time.Now()
	if !t.pipeline.Up() {
		if err := t.pipeline.Start(ctx); err != nil {
			return err
		}
	}
	if _, err := t.pipeline.await(ctx, status.live); err != nil {
		return err
	}
	live := time.Since(began)
	truth, err := t.judge.Inputs(ctx) // the changes have ended: it stays
	if err != nil {
		return err
	}
	last := map[string][]string{} // what differed when last something did
	different, err := t.follower.Settle(ctx, 40*time.Second, t.pipeline.Ended, func() ([]judge.Difference, error) {
		different, err := t.follower.Compare(ctx, t.judge, truth)
		if len(different) > 0 {
			last = harness.ByTopic(different)
		}
		return different, err
	})
	if err != nil {
		return errors.Join(err, harness.Keep(t.dir, t.org, different))
	}
	t.report.Say("settled %.1f s after the last start, live after %.1f s; what came last: %v", time.Since(began).Seconds(), live.Seconds(), last)
	t.checkEnd(different)
	return harness.Keep(t.dir, t.org, different)
}

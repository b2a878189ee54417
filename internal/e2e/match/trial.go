package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
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
	rng    *rand.Rand // the nemesis's

	kafka     *topic.Client
	orgs      []*org
	generator *generator
	generated chan error
	processes []*harness.Process
	owners    owners // when they were last asked
	last      owners // the last that was known of each org
	judge     judge.Judge
	followers []*harness.Follower
	count     struct {
		kills, stateless, together, pauses, lost, brokers, moves int
		taken                                                    []time.Duration // from a kill or pause until every org had an owner
		noticed                                                  time.Duration   // the longest from SIGCONT until the process knew
	}
}

func newTrial(o options, dir string, r *harness.Report) *trial {
	t := &trial{options: o, dir: dir, report: r, rng: rand.New(rand.NewPCG(o.Seed, 1)), owners: owners{}, last: owners{}, judge: judge.Judge{Link: harness.Link}}
	for i := range o.processes {
		t.processes = append(t.processes, harness.NewProcess(&o.Setting, filepath.Join(dir, fmt.Sprint("process", i+1)), "matcher", "console"))
	}
	return t
}

// run carries out the trial. An error says what kept it from coming to its end; a check that does not hold is in the
// report.
func (t *trial) run(ctx context.Context) (err error) {
	defer t.end()
	if err := t.prepare(ctx); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.generated = make(chan error, 1)
	go func() { t.generated <- t.generator.run(ctx) }()
	if err := t.disturb(ctx); err != nil {
		return err
	}
	t.generator.target.Store(int64(t.events))
	if err := t.await(ctx, func(owners) bool { return t.generated == nil }); err != nil {
		return err
	}
	t.checkFaults(time.Since(began))
	if err := t.settle(ctx); err != nil {
		return err
	}
	t.checkHistory()
	return t.checkQuiet(ctx)
}

func (t *trial) end() {
	for _, p := range t.processes {
		p.Kill()
	}
	for _, o := range t.orgs {
		o.writer.Close()
	}
	if t.kafka != nil {
		_ = t.kafka.Close() // nothing is on its way
	}
}

// prepare makes the input topics, writes half of the records of each org, and starts the processes.
func (t *trial) prepare(ctx context.Context) (err error) {
	if t.kafka, err = t.Dial(ctx); err != nil {
		return err
	}
	var orgs strings.Builder
	reg := registry.NewClient(t.Registry)
	prefix := harness.Alias("match")
	for i := range t.options.orgs {
		o, err := newOrg(ctx, t.kafka, reg, fmt.Sprintf("%s-%d", prefix, i+1), t.records, t.Seed+uint64(i))
		if err != nil {
			return err
		}
		t.orgs = append(t.orgs, o)
		fmt.Fprintf(&orgs, "  - alias: %s\n    orphan_grace: 0s\n    link: {salesforce_field: %s, erp_field: %s}\n", o.name, harness.Link.SalesforceField, harness.Link.ERPField)
		t.followers = append(t.followers, harness.NewFollower(t.kafka, reg, o.name))
	}
	t.generator = &generator{orgs: t.orgs, total: t.events}
	t.generator.target.Store(int64(t.events / max(1, t.faults())))
	for _, p := range t.processes {
		if err := errors.Join(p.Configure(&t.Setting, 3, orgs.String()), p.Start(ctx)); err != nil {
			return err
		}
	}
	return t.awaitOwners(ctx, owned)
}

// checkFaults reports what the nemesis did.
func (t *trial) checkFaults(took time.Duration) {
	r := t.report
	if t.kills > 0 {
		r.Check(t.count.kills == t.kills, fmt.Sprintf("%d kills (%d of them of all %d processes at once, %d times the state was lost)",
			t.count.kills, t.count.together, t.options.processes, t.count.stateless), "")
	}
	if t.pauses > 0 {
		r.Check(t.count.lost >= (t.pauses+1)/2, fmt.Sprintf("%d times a process was stopped for longer than its session; %d times it had tasks to lose, and knew at most %.1f s after it woke",
			t.count.pauses, t.count.lost, t.count.noticed.Seconds()), "that is less than half")
	}
	if t.brokerKills > 0 {
		r.Check(t.count.brokers == t.brokerKills, fmt.Sprintf("%d kills of the broker", t.count.brokers), "")
	}
	if taken := slices.Sorted(slices.Values(t.count.taken)); len(taken) > 0 {
		r.Say("after a kill or a stop every org had an owner again within %.1f s (median), %.1f s (all), with a session of %s",
			taken[len(taken)/2].Seconds(), taken[len(taken)-1].Seconds(), t.Session)
	}
	r.Say("%d events written in %.0f s, %.0f/s; tasks went from one process to another %d times",
		t.generator.sent, took.Seconds(), float64(t.generator.sent)/took.Seconds(), t.count.moves)
}

// settle waits until everything that is published is right. It gives up when nothing has been published for a while.
func (t *trial) settle(ctx context.Context) error {
	began := time.Now()
	if err := t.awaitOwners(ctx, live); err != nil {
		return err
	}
	for i, o := range t.orgs {
		different, err := t.settleOrg(ctx, o, t.followers[i])
		if err != nil {
			return err
		}
		if err := t.checkEnd(o, t.followers[i], different); err != nil {
			return err
		}
	}
	t.report.Say("settled and compared %.1f s after the last event", time.Since(began).Seconds())
	return nil
}

func (t *trial) settleOrg(ctx context.Context, o *org, f *harness.Follower) ([]judge.Difference, error) {
	truth := o.inputs()
	running := func() error { return t.wait(ctx, 0) }
	return f.Settle(ctx, 30*time.Second, running, func() ([]judge.Difference, error) { return f.CompareJoin(ctx, &t.judge, truth) })
}

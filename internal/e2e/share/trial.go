package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/judge"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// org is one of those that are shared.
type org struct {
	*harness.Org
	alias, folder string // where the ERP puts its files
	follower      *harness.Follower
}

// trial is one run of everything.
type trial struct {
	options
	dir    string
	report *harness.Report
	rng    *rand.Rand

	kafka     *topic.Client
	orgs      []*org
	processes []*harness.Process
	probes    *probes
	probed    chan error // how the probes ended, if they did by themselves
	twice     []string   // tasks that two processes said they run
}

func newTrial(o options, dir string, r *harness.Report) *trial {
	t := &trial{options: o, dir: dir, report: r, rng: rand.New(rand.NewPCG(o.Seed, 1)), probes: newProbes(), probed: make(chan error, 1)}
	for i := range o.processes {
		t.processes = append(t.processes, harness.NewProcess(&o.Setting, filepath.Join(dir, fmt.Sprint("process", i+1))))
	}
	return t
}

// run carries out the trial. An error says what kept it from coming to its end; a check that does not hold is in the
// report.
func (t *trial) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.end()) }()
	if err := t.prepare(ctx); err != nil {
		return err
	}
	stop, err := t.probe(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(t.disturb(ctx), stop())
	if err != nil {
		return err
	}
	t.report.None(t.twice, "no task was in two processes at once, however often they were asked")
	return t.settle(ctx)
}

func (t *trial) end() error {
	for _, p := range t.processes {
		p.Kill()
	}
	var err error
	for _, o := range t.orgs {
		err = errors.Join(err, o.Stop())
	}
	if t.kafka != nil {
		err = errors.Join(err, t.kafka.Close())
	}
	return err
}

// prepare starts the orgs and the first process, and waits until that does everything.
func (t *trial) prepare(ctx context.Context) (err error) {
	if t.kafka, err = t.Dial(ctx); err != nil {
		return err
	}
	prefix := harness.Alias("share")
	for i := range t.options.orgs {
		o := &org{alias: fmt.Sprintf("%s-%d", prefix, i+1), folder: filepath.Join(t.dir, fmt.Sprint("erp", i+1))}
		o.Org, err = harness.StartOrg(ctx, t.Binary, filepath.Join(t.dir, fmt.Sprintf("simulator%d.log", i+1)), t.Seed+uint64(i), t.accounts, t.contacts)
		t.orgs = append(t.orgs, o)
		if err != nil {
			return err
		}
		o.follower = harness.NewFollower(t.kafka, registry.NewClient(t.Registry), o.alias)
		if err := errors.Join(os.MkdirAll(o.folder, 0o700), t.deliver(o)); err != nil {
			return err
		}
	}
	if err := t.configure(); err != nil {
		return err
	}
	began := time.Now()
	if err := t.processes[0].Start(ctx); err != nil {
		return err
	}
	if _, err := t.await(ctx, "the first process runs all tasks", func(now placement, ready bool) bool { return ready && t.all(now) }); err != nil {
		return err
	}
	t.report.Say("one process runs all %d tasks, all orgs are live after %.1f s", tasksPerOrg*len(t.orgs), time.Since(began).Seconds())
	return nil
}

// deliver puts a file with all customers into the ERP's folder.
func (t *trial) deliver(o *org) error {
	return o.Ledger.Write(filepath.Join(o.folder, fmt.Sprintf("customers-%d.csv", time.Now().UnixNano())))
}

// probe begins to change every org. stop ends that.
func (t *trial) probe(ctx context.Context) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	reading, endReading := context.WithCancel(context.WithoutCancel(ctx))
	read := make(chan error, 1)
	for _, o := range t.orgs {
		account, err := t.matched(ctx, o)
		if err != nil {
			cancel()
			endReading()
			return nil, err
		}
		g.Go(func() error { return t.probes.run(ctx, o, account) })
	}
	go func() {
		err := t.probes.read(reading, t.kafka, t.orgs)
		if err != nil {
			t.probed <- err
		}
		read <- err
	}()
	return func() error {
		cancel()
		if err := g.Wait(); err != nil { // each waits for its last change
			endReading()
			return errors.Join(err, <-read)
		}
		endReading()
		return <-read
	}, nil
}

// matched waits until an org has views, and returns an Account of one.
func (t *trial) matched(ctx context.Context, o *org) (string, error) {
	if err := o.follower.AwaitViews(ctx, 1); err != nil {
		return "", err
	}
	return o.follower.Matched(ctx)
}

// disturb lets processes come and go.
func (t *trial) disturb(ctx context.Context) error {
	if err := t.probes.quiet(ctx); err != nil {
		return err
	}
	for _, p := range t.processes[1:] {
		if err := t.join(ctx, p); err != nil {
			return err
		}
	}
	for range t.kills {
		p := t.processes[t.rng.IntN(len(t.processes))]
		if err := t.die(ctx, p); err != nil {
			return err
		}
		if err := t.join(ctx, p); err != nil {
			return err
		}
	}
	p := t.processes[t.rng.IntN(len(t.processes))]
	if err := t.leave(ctx, p); err != nil {
		return err
	}
	return t.join(ctx, p)
}

// settle gives every ERP a new file, and waits until everything that is published is right.
func (t *trial) settle(ctx context.Context) error {
	for _, o := range t.orgs {
		o.Ledger.Revise()
		if err := t.deliver(o); err != nil {
			return err
		}
	}
	faults := map[string][]string{}
	live := 0
	for _, o := range t.orgs {
		different, err := t.settleOrg(ctx, o)
		if err != nil {
			return err
		}
		for name, list := range harness.ByTopic(different) {
			faults[name] = append(faults[name], o.alias+": "+strings.Join(list, ", "))
		}
		live += o.follower.Histories["customer.view"].Live()
		if err := harness.Keep(t.dir, o.alias, different); err != nil {
			return err
		}
	}
	for _, name := range append(harness.Inputs[:3:3], harness.Outputs...) {
		t.report.None(faults[name], fmt.Sprintf("%s is right in all %d orgs", name, len(t.orgs)))
	}
	var order []string
	for _, o := range t.orgs {
		for _, name := range append(harness.Inputs[:3:3], harness.Outputs...) {
			order = append(order, o.follower.Histories[name].Faults...)
		}
		order = append(order, o.follower.Positions.Faults...)
	}
	t.report.None(order, fmt.Sprintf("no older version after a newer one and no position backwards, key by key (I6, R33); %d views", live))
	return nil
}

func (t *trial) settleOrg(ctx context.Context, o *org) ([]judge.Difference, error) {
	j, err := o.Judge(ctx)
	if err != nil {
		return nil, err
	}
	truth, err := j.Inputs(ctx)
	if err != nil {
		return nil, err
	}
	running := func() error { _, _, err := t.look(ctx); return err }
	return o.follower.Settle(ctx, 30*time.Second, running, func() ([]judge.Difference, error) { return o.follower.Compare(ctx, j, truth) })
}

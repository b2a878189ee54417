package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/topic"
)

// trial is one run of everything.
type trial struct {
	options
	dir    string
	report *harness.Report
	alias  string // new for each trial, so that topics are its own

	org      *harness.Org
	kafka    *topic.Client
	producer *harness.Process // runs the producer
	asker    string           // folder of the commands
	seen     map[string]bool  // ids of the backfills that were looked at
}

func newTrial(o options, dir string, r *harness.Report) *trial {
	return &trial{
		options: o, dir: dir, report: r, alias: "backfill" + strconv.FormatInt(time.Now().UnixMilli(), 36), seen: map[string]bool{},
		producer: harness.NewProcess(&o.Setting, filepath.Join(dir, "producer"), "salesforce", "console"), asker: filepath.Join(dir, "asker"),
	}
}

// run carries out the trial. An error says what kept it from coming to its end; a check that does not hold is in the
// report.
func (t *trial) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.end()) }()
	if err := t.prepare(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.askTheProducer, t.steer, t.killTheProducer, t.nobody, t.two, t.quiet} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) end() error {
	t.producer.Kill()
	var err error
	if t.kafka != nil {
		err = t.kafka.Close()
	}
	return errors.Join(err, t.org.Stop())
}

// prepare starts the org and the producer, and waits until the snapshot is published.
func (t *trial) prepare(ctx context.Context) (err error) {
	t.kafka, err = topic.Dial(ctx, topic.Config{Brokers: strings.Split(t.Brokers, ","), ClientID: "trial", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if t.org, err = harness.StartOrg(ctx, t.Binary, filepath.Join(t.dir, "simulator.log"), t.Seed, t.accounts, 0); err != nil {
		return err
	}
	for _, p := range []*harness.Process{t.producer, harness.NewProcess(&t.Setting, t.asker)} {
		yaml := strings.Replace(t.org.YAML(t.alias), "[Note, Task], poll_interval: 500ms", "[ContentNote], poll_interval: 1h", 1) // they would be held back, too
		if err := p.Configure(&t.Setting, 2, yaml); err != nil {
			return err
		}
	}
	if err := t.producer.Start(ctx); err != nil {
		return err
	}
	return t.await(ctx, "the producer has published the snapshot", func() (bool, error) {
		s, ok, err := t.producer.Status(ctx)
		return ok && s.Orgs[t.alias].Salesforce.Phase == "streaming", err
	})
}

// await looks until done.
func (t *trial) await(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("this took longer than three minutes: "+what))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// hold has the org count a backfill's records, answer two lists, and keep the third back until free is called: by then the records
// of the first are read.
func (t *trial) hold(ctx context.Context) error {
	return t.org.Do(ctx, http.MethodPost, "/fault", map[string]any{"path": "/services/data/*/queryAll", "after": 3, "count": -1, "delay": "10m"}, nil)
}

func (t *trial) free(ctx context.Context) error {
	return t.org.Do(ctx, http.MethodDelete, "/fault", nil, nil)
}

// halfway waits for a backfill that was not seen before to have read so much that the org holds the rest back.
func (t *trial) halfway(ctx context.Context) (found backfill, err error) {
	err = t.await(ctx, "a backfill has read its first list", func() (bool, error) {
		all, err := t.list(ctx)
		for id, b := range all {
			if !t.seen[id] && b.State == "running" && b.read() == listSize {
				found = b
			}
		}
		return found.ID != "", err
	})
	t.seen[found.ID] = true
	return found, err
}

// over waits until a backfill is, and returns it.
func (t *trial) over(ctx context.Context, id string) (found backfill, err error) {
	err = t.await(ctx, "backfill "+id+" is over", func() (bool, error) {
		all, err := t.list(ctx)
		found = all[id]
		return found.State == "done" || found.State == "failed" || found.State == "cancelled", err
	})
	return found, err
}

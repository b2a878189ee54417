package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
	"crosswalk/internal/registry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
)

// trial is one run of everything.
type trial struct {
	options
	dir    string
	report *report
	org    string // alias, new for each trial, so that topics are its own

	simulator *child
	ready     ready
	control   control
	pipeline  *pipeline
	ledger    *ledger
	generator *generator
	changing  context.CancelFunc
	changed   chan error
	judge     *judge.Judge
	kafka     *topic.Client
	follower  *follower
	nemesis   *rand.Rand
}

func newTrial(o options, dir string, r *report) *trial {
	return &trial{
		options: o, dir: dir, report: r, org: "kill" + strconv.FormatInt(time.Now().UnixMilli(), 36),
		pipeline: &pipeline{binary: o.binary, dir: dir}, nemesis: rand.New(rand.NewPCG(o.seed, 1)),
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
	half := t.kills / 2
	if err := t.killDuringSnapshot(ctx, t.kills-half); err != nil {
		return err
	}
	if err := t.killDuringChanges(ctx, half); err != nil {
		return err
	}
	if err := t.pause(); err != nil {
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
	err := t.pause()
	t.pipeline.kill()
	if t.kafka != nil {
		err = errors.Join(err, t.kafka.Close())
	}
	if t.simulator != nil {
		err = errors.Join(err, t.simulator.stop(10*time.Second))
	}
	return err
}

// prepare starts the org, gives its accounts their identifiers, makes the ERP file and imports it.
func (t *trial) prepare(ctx context.Context) (err error) {
	t.simulator, err = launch(ctx, t.binary, filepath.Join(t.dir, "simulator.log"), &t.ready, "simulator",
		"--seed", strconv.FormatUint(t.seed, 10), "--accounts", strconv.Itoa(t.accounts), "--contacts", strconv.Itoa(t.contacts))
	if err != nil {
		return err
	}
	t.control = control{t.ready.ControlURL}
	settings := map[string]any{"bulk": map[string]any{"page_rows": t.pageRows}} // the org decides how large its pages are
	if err := t.control.do(ctx, http.MethodPatch, "/settings", settings, nil); err != nil {
		return err
	}
	accounts, err := t.control.ids(ctx, "Account")
	if err != nil {
		return err
	}
	var carries map[string]string
	t.ledger, carries = newLedger(rand.New(rand.NewPCG(t.seed, 2)), accounts)
	if err := linkAccounts(ctx, t.control, carries); err != nil {
		return err
	}
	if err := t.connect(ctx); err != nil {
		return err
	}
	if err := t.pipeline.configure(t.options, t.org, t.ready); err != nil {
		return err
	}
	return t.importERP(ctx)
}

// connect makes the judge and the clients that look at what is published.
func (t *trial) connect(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler)
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Logger: quiet, Auth: sfapi.Auth{
		Flow: "password", LoginURL: t.ready.LoginURL, ClientID: t.ready.ClientID, ClientSecret: secret.String(t.ready.ClientSecret),
		Username: t.ready.Username, Password: secret.String(t.ready.Password), AllowAnyHost: true,
	}})
	if err != nil {
		return err
	}
	client, err := sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true, Logger: quiet})
	if err != nil {
		return err
	}
	link := customer.Link{SalesforceField: linkField, ERPField: "identifier", Cardinality: "one_to_one", NearMiss: true}
	if t.judge, err = judge.New(ctx, t.ready.ControlURL, client, link, nil); err != nil {
		return err
	}
	if t.kafka, err = topic.Dial(ctx, topic.Config{Brokers: strings.Split(t.brokers, ","), ClientID: "kill", Logger: quiet}); err != nil {
		return err
	}
	t.follower = newFollower(t.kafka, registry.NewClient(t.registry), t.org)
	return nil
}

func (t *trial) importERP(ctx context.Context) error {
	if err := t.ledger.write(t.pipeline.erpFile()); err != nil {
		return err
	}
	t.judge.Customers = t.ledger.records()
	return t.pipeline.importERP(ctx)
}

// change lets the org change from now on, until pause.
func (t *trial) change(ctx context.Context) {
	ctx, t.changing = context.WithCancel(ctx)
	t.changed = make(chan error, 1)
	rng := rand.New(rand.NewPCG(t.seed, 3))
	known := make([]string, 0, len(t.ledger.rows)) // a copy: the ledger changes meanwhile
	for _, r := range t.ledger.rows {
		known = append(known, r.reference)
	}
	t.generator = &generator{org: t.control, rng: rng, references: func() string { return known[rng.IntN(len(known))] }}
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

// pause ends the changes; those that are saved but not committed have had their time when it returns.
func (t *trial) pause() error {
	if t.changing == nil {
		return nil
	}
	t.changing()
	t.changing = nil
	err := <-t.changed
	time.Sleep(held + time.Second) // a transaction commits by itself, and nothing tells when
	t.report.say("%d changes in Salesforce; refused by the org: %v", t.generator.made, t.generator.refused)
	return err
}

// settle starts the pipeline and waits until everything that is published is right. It gives up when nothing has been
// published for a while.
func (t *trial) settle(ctx context.Context) error {
	const patience = 40 * time.Second
	began := time.Now()
	if t.pipeline.process == nil {
		if err := t.pipeline.start(ctx); err != nil {
			return err
		}
	}
	if _, err := t.pipeline.await(ctx, status.live); err != nil {
		return err
	}
	truth, err := t.judge.Inputs(ctx) // the changes have ended: it stays
	if err != nil {
		return err
	}
	moved, records := time.Now(), -1
	var different []judge.Difference
	last := map[string]int{} // what differed when last something did
	for {
		if _, err := t.follower.read(ctx); err != nil {
			return err
		}
		if n := t.follower.records(); n != records {
			records, moved = n, time.Now()
			if different, err = t.follower.compare(ctx, t.judge, truth); err != nil {
				return err
			}
			if len(different) > 0 {
				last = byTopic(different)
			}
		}
		if len(different) == 0 || time.Since(moved) > patience {
			t.report.say("settled %.1f s after the last change; what came last: %v", time.Since(began).Seconds(), last)
			t.checkEnd(different)
			return t.keep(different)
		}
		if t.pipeline.process.dead() {
			return fmt.Errorf("the pipeline ended by itself; its log ends with: %s", tail(t.pipeline.log()))
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), t.keep(different))
		}
	}
}

func byTopic(different []judge.Difference) map[string]int {
	n := map[string]int{}
	for _, d := range different {
		n[d.Topic]++
	}
	return n
}

// keep writes the differences to a file beside the logs.
func (t *trial) keep(different []judge.Difference) error {
	if len(different) == 0 {
		return nil
	}
	var text strings.Builder
	for _, d := range different {
		fmt.Fprintf(&text, "%s %s\n  published %s\n  must be   %s\n", d.Topic, d.Key, d.Published, d.Want)
	}
	if err := os.WriteFile(filepath.Join(t.dir, "different.txt"), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("keep differences: %w", err)
	}
	return nil
}

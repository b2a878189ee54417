package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"crosswalk/internal/e2e/harness"
)

// alive is the longest time from when every org's matcher runs, or publishes, until the next fault.
const alive = 1500 * time.Millisecond

// disturb carries out all faults, one after the other in a random order, while the events flow.
func (t *trial) disturb(ctx context.Context) error {
	faults := slices.Concat(
		slices.Repeat([]func(context.Context) error{t.killOne}, t.kills),
		slices.Repeat([]func(context.Context) error{t.pauseOne}, t.pauses),
		slices.Repeat([]func(context.Context) error{t.killTheBroker}, t.brokerKills),
	)
	t.rng.Shuffle(len(faults), func(i, k int) { faults[i], faults[k] = faults[k], faults[i] })
	for i, fault := range faults {
		if err := t.awaitOwners(ctx, []func(string) bool{owned, live, live}[t.rng.IntN(3)]); err != nil { // some die while they start
			return err
		}
		if err := t.wait(ctx, t.random(alive)); err != nil {
			return err
		}
		t.generator.target.Store(int64(t.events * (i + 1) / len(faults)))
		if err := fault(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) random(most time.Duration) time.Duration {
	return time.Duration(t.rng.Int64N(int64(most)))
}

// wait lets the trial be for a while, unless a process or the generator ends by itself.
func (t *trial) wait(ctx context.Context, d time.Duration) error {
	until := time.Now().Add(d)
	return t.await(ctx, func(owners) bool { return !time.Now().Before(until) })
}

// killOne kills a process that has a task, and starts it again: every fifth time without its state, and every eighth time all
// processes are killed at once.
func (t *trial) killOne(ctx context.Context) error {
	victims := []*harness.Process{t.anOwner()}
	t.count.kills++
	if t.count.kills%8 == 0 {
		victims = t.processes
		t.count.together++
	}
	killed := time.Now()
	for _, p := range victims {
		if err := p.Note("killed (kill %d)", t.count.kills); err != nil {
			return err
		}
		p.Kill()
		if t.count.kills%5 == 0 {
			t.count.stateless++
			if err := p.LoseState(); err != nil {
				return err
			}
		}
	}
	for _, p := range victims {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	if err := t.awaitOwners(ctx, owned); err != nil {
		return err
	}
	t.count.taken = append(t.count.taken, time.Since(killed))
	return nil
}

// pauseOne stops a process that has a task until the others have all of them, and a random time longer (F07).
func (t *trial) pauseOne(ctx context.Context) error {
	p := t.anOwner()
	before := p.Lost()
	if err := p.Pause(); err != nil {
		return err
	}
	stopped := time.Now()
	if err := t.awaitOwners(ctx, owned); err != nil {
		return err
	}
	t.count.taken = append(t.count.taken, time.Since(stopped))
	if err := t.wait(ctx, t.Session+t.random(t.Session)); err != nil { // it is over, also if the process had no task any more
		return err
	}
	t.count.pauses++
	if err := p.Note("stopped for %d ms (pause %d), and goes on", time.Since(stopped).Milliseconds(), t.count.pauses); err != nil {
		return err
	}
	if err := p.Continue(); err != nil {
		return err
	}
	woke := time.Now()
	err := t.await(ctx, func(owners) bool { return p.Lost() > before || time.Since(woke) > 2*t.Session })
	if p.Lost() > before {
		t.count.lost++
		t.count.noticed = max(t.count.noticed, time.Since(woke))
	}
	return err
}

// killTheBroker kills the broker and starts it again (F09).
func (t *trial) killTheBroker(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "bash", "-c", t.killBroker).CombinedOutput() //nolint:gosec // whoever runs the trial gives it
	if err != nil {
		return fmt.Errorf("kill the broker: %w: %s", err, out)
	}
	t.count.brokers++
	return nil
}

// anOwner is a process that had a task when it was last asked.
func (t *trial) anOwner() *harness.Process {
	var have []*harness.Process
	for _, p := range t.processes {
		if slices.ContainsFunc(t.orgs, func(o *org) bool { return t.owners[o.name] == p }) {
			have = append(have, p)
		}
	}
	if len(have) == 0 {
		have = t.processes
	}
	return have[t.rng.IntN(len(have))]
}

// owners says by org which process runs its matcher.
type owners map[string]*harness.Process

// owned reports whether a process has the task, and not only a warm state for it; live, whether it publishes.
func owned(phase string) bool { return phase == "starting" || phase == "rebuilding" || phase == "live" }
func live(phase string) bool  { return phase == "live" }

// awaitOwners waits until each org's matcher is as wanted in some process that is not paused.
func (t *trial) awaitOwners(ctx context.Context, wanted func(phase string) bool) error {
	return t.awaitPhases(ctx, wanted, func(o owners) bool { return len(o) == len(t.orgs) })
}

func (t *trial) await(ctx context.Context, done func(owners) bool) error {
	return t.awaitPhases(ctx, owned, done)
}

func (t *trial) awaitPhases(ctx context.Context, wanted func(phase string) bool, done func(owners) bool) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		now := owners{}
		for _, p := range t.processes {
			if !p.Up() || p.Paused() {
				continue
			}
			s, _, err := p.Status(ctx)
			if err != nil {
				return err
			}
			for org, of := range s.Orgs {
				if wanted(of.Matcher.Phase) {
					now[org] = p
				}
			}
		}
		for org, p := range now {
			if t.last[org] != p {
				t.count.moves++
				t.last[org] = p
			}
		}
		t.owners = now
		if done(now) {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-t.generated:
			if err != nil {
				return err
			}
			t.generated = nil // all events are written
		case <-ctx.Done():
			return fmt.Errorf("wait for the processes: %w", context.Cause(ctx))
		}
	}
}

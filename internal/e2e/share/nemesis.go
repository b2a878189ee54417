package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"crosswalk/internal/e2e/harness"
)

// tasksPerOrg are salesforce, erp and matcher.
const tasksPerOrg = 3

// placed is where a task runs.
type placed struct {
	in    *harness.Process
	since time.Time
	asked time.Time // it ran there at this moment
}

// placement says of every task where it runs.
type placement map[string]placed

// look asks every process what it runs. It notes tasks that ran in two places at once: an owner that is alive has stopped a task
// before another gets it. ready is whether every task of an org does its work.
func (t *trial) look(ctx context.Context) (now placement, ready bool, err error) {
	now = placement{}
	working := 0
	for _, p := range t.processes {
		if !p.Up() {
			continue
		}
		asked := time.Now()
		s, ok, err := p.Status(ctx)
		if err != nil || !ok {
			return now, false, err
		}
		for task, since := range s.Tasks {
			if other, ok := now[task]; ok && since.Before(other.asked) {
				t.twice = append(t.twice, task)
			}
			now[task] = placed{p, since, asked}
		}
		for _, o := range s.Orgs {
			if o.Salesforce.Phase == "streaming" {
				working++
			}
			if o.Matcher.Phase == "live" {
				working++
			}
		}
	}
	return now, working == 2*len(t.orgs), nil
}

// await looks until done.
func (t *trial) await(ctx context.Context, what string, done func(now placement, ready bool) bool) (placement, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, fmt.Errorf("this took longer than five minutes: %s", what))
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		now, ready, err := t.look(ctx)
		if err != nil {
			return nil, err
		}
		if done(now, ready) {
			return now, nil
		}
		select {
		case <-tick.C:
		case err := <-t.probed:
			return nil, err
		case <-ctx.Done():
			return nil, fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// all reports whether every task runs somewhere.
func (t *trial) all(now placement) bool { return len(now) == tasksPerOrg*len(t.orgs) }

// even reports whether no process runs two tasks more than another.
func (t *trial) even(now placement) bool {
	counts := t.spread(now)
	return t.all(now) && slices.Max(counts)-slices.Min(counts) < 2
}

// spread counts the tasks of each process that is up.
func (t *trial) spread(now placement) (counts []int) {
	for _, p := range t.processes {
		if !p.Up() {
			continue
		}
		n := 0
		for _, at := range now {
			if at.in == p {
				n++
			}
		}
		counts = append(counts, n)
	}
	return counts
}

// join starts a process and waits until the tasks are spread evenly.
func (t *trial) join(ctx context.Context, p *harness.Process) error {
	return t.step(ctx, "a process joins", p, nil, func() error { return p.Start(ctx) }, 0)
}

// leave ends a process in good order: its tasks are elsewhere at once.
func (t *trial) leave(ctx context.Context, p *harness.Process) error {
	return t.step(ctx, "a process leaves in good order", nil, p, p.Stop, t.Session)
}

// die kills a process: its tasks are elsewhere when its session is over.
func (t *trial) die(ctx context.Context, p *harness.Process) error {
	return t.step(ctx, "a process is killed", nil, p, func() error { p.Kill(); return nil }, t.Session+slack)
}

// slack is what it may take from the end of a session until the others run the tasks: the group joins and is told.
const slack = 5 * time.Second

// step does something to the group and holds what follows to what must be. within is how soon every task must run somewhere
// after it is done; 0 is no matter how soon.
func (t *trial) step(ctx context.Context, what string, joins, goes *harness.Process, do func() error, within time.Duration) error {
	before, err := t.await(ctx, "all tasks run before "+what, func(now placement, ready bool) bool { return ready && t.even(now) })
	if err != nil {
		return err
	}
	moving := 0
	for _, at := range before {
		if at.in == goes {
			moving++
		}
	}
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	done := time.Now()
	if goes != nil && within > t.Session { // what a killed process has lasts from before it was killed
		done = began
	}
	if _, err = t.await(ctx, "all tasks run after "+what, func(now placement, _ bool) bool { return t.all(now) }); err != nil {
		return err
	}
	owned := time.Since(done)
	after, err := t.await(ctx, "tasks are spread after "+what, func(now placement, ready bool) bool { return ready && t.even(now) })
	if err != nil {
		return err
	}
	spread := time.Since(done)
	if err := t.probes.quiet(ctx); err != nil {
		return err
	}
	t.judgeStep(what, before, after, joins, goes, moving, owned, spread, within, began)
	return nil
}

// judgeStep reports what a step led to.
func (t *trial) judgeStep(what string, before, after placement, joins, goes *harness.Process, moving int, owned, spread, within time.Duration, began time.Time) {
	var disturbed []string
	stayed := 0
	for task, was := range before {
		switch is := after[task]; {
		case was.in == goes:
		case is.in == was.in && is.since.Equal(was.since):
			stayed++
		case is.in == was.in:
			disturbed = append(disturbed, task+" was started again where it was")
		case joins == nil:
			disturbed = append(disturbed, task+" went to another process though its own did not go")
		case is.in != joins:
			disturbed = append(disturbed, task+" went to another process than the new one")
		}
	}
	quiet, slowest := t.probes.since(began, t.whole(before, after))
	t.report.None(disturbed, fmt.Sprintf("%s: spread %v after %.1f s; %d tasks ran on all the time; probes of the %d orgs that ran on took %.0f ms at most, of the others %.0f ms",
		what, t.spread(after), spread.Seconds(), stayed, len(t.whole(before, after)), ms(quiet), ms(slowest)))
	if within > 0 {
		t.report.Check(owned <= within, fmt.Sprintf("%s: its %d tasks ran elsewhere after %.2f s, with a session of %s", what, moving, owned.Seconds(), t.Session),
			fmt.Sprintf("more than %s", within))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// whole are the orgs of which both tasks on the way of a change ran on.
func (t *trial) whole(before, after placement) map[string]bool {
	out := map[string]bool{}
	for _, o := range t.orgs {
		ran := 0
		for _, task := range []string{"crosswalk-" + o.alias + "-salesforce", "matcher/" + o.alias} {
			if was, is := before[task], after[task]; was.in == is.in && was.in != nil && was.since.Equal(is.since) {
				ran++
			}
		}
		if ran == 2 {
			out[o.alias] = true
		}
	}
	return out
}

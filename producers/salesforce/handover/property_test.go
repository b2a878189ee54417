package handover

import (
	"container/heap"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seed      = flag.Int64("seed", -1, "run this one history of the property test and tell it")
	histories = flag.Int("histories", 2000, "histories of the property test (30000 each night)")
)

// planFor chooses what a history contains: a third of them without faults, the rare things in a part of the others.
func planFor(seed uint64) plan {
	w := newWorld(seed^0x9e3779b97f4a7c15, plan{})
	if seed%3 == 0 {
		return plan{}
	}
	p := plan{gaps: 0.1, crashes: w.rng.IntN(5), losses: w.rng.IntN(3), failures: 0.1}
	if w.chance(0.3) {
		p.gaps = 0.4
	}
	if w.chance(0.2) {
		p.overflows, p.wildcards = 0.03, 0.03
	}
	if w.chance(0.15) {
		p.drops = 0.05
	}
	if w.chance(0.2) {
		p.refusals = 1
	}
	if w.chance(0.2) {
		p.zombies = 1
	}
	return p
}

// run plays one history to its end and returns what went wrong.
func run(seed uint64, r rules, wr wrong, tell func(string, ...any)) []string {
	w := newWorld(seed, planFor(seed))
	c := newChecker(w)
	p := &producer{
		durable: &durable{pages: map[string]*job{}, disk: map[Key]Record{}}, w: w, c: c, rules: r, wrong: wr,
		losses: w.plan.losses, refusals: w.plan.refusals,
	}
	c.p, c.tell = p, tell
	for range w.plan.crashes {
		p.deaths = append(p.deaths, 1+w.rng.IntN(400))
	}
	for range w.plan.zombies {
		p.zombies = append(p.zombies, 1+w.rng.IntN(200))
	}
	w.live()
	w.after(w.between(0, 3000), p.start)
	p.operate(seed)
	w.until(start + length + 45_000)
	p.deaths, p.zombies, w.plan.failures = nil, nil, 0
	for p.losses, p.refusals = 0, 0; !p.quiet() || w.plan.drops > 0 && p.reconcile(); {
		if w.until(w.now + 30_000); w.now > start+100*length {
			return append(c.failures, "it never becomes quiet: "+p.describe())
		}
	}
	c.quiescent(p.m)
	for range 2 {
		before := c.changes
		p.life++
		p.start()
		for w.until(w.now + 30_000); !p.quiet(); w.until(w.now + 30_000) {
			if w.now > start+100*length {
				return append(c.failures, "it never becomes quiet after a restart: "+p.describe())
			}
		}
		if c.changes != before {
			c.fail("I8: a restart with nothing new publishes %d records", c.changes-before)
		}
	}
	return c.failures
}

// until runs what happens up to the moment t.
func (w *world) until(t int64) {
	for len(w.queue) > 0 && w.queue[0].at <= t {
		e := heap.Pop(&w.queue).(entry)
		w.now = e.at
		e.do()
	}
	w.now = t
}

// quiet reports whether nothing is left to be consumed, read or published.
func (p *producer) quiet() bool {
	waiting := p.m.Waiting("Account") + p.m.Waiting("Contact")
	return p.subscribed && p.cursor == len(p.w.bus) && len(p.m.Snapshots()) == 0 && len(p.m.reads) == 0 && waiting == 0
}

// describe says what the producer still waits for.
func (p *producer) describe() string {
	return fmt.Sprintf("subscribed %v, event %d of %d, snapshots %v, %d reads, unswept %v, busy %v, waiting %d",
		p.subscribed, p.cursor, len(p.w.bus), p.m.Snapshots(), len(p.m.reads), p.m.unswept, p.busy, p.m.Waiting("Account"))
}

// play runs histories from the first seed on, on all processors, until stop says that there are enough failures.
func play(n int, r rules, wr wrong, report func(seed uint64, failures []string) (stop bool)) {
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	stopped := atomic.Bool{}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stopped.Load() {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				if failures := run(uint64(i), r, wr, nil); len(failures) > 0 {
					mu.Lock()
					stopped.Store(report(uint64(i), failures) || stopped.Load())
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

func TestPropertyHistories(t *testing.T) {
	t.Parallel()
	if *seed >= 0 {
		for _, f := range run(uint64(*seed), soundRules, wrong{}, t.Logf) {
			t.Error(f)
		}
		return
	}
	bad := 0
	play(*histories, soundRules, wrong{}, func(seed uint64, failures []string) bool {
		bad++
		t.Errorf("seed %d (replay it with -run Property -seed %d):\n%s", seed, seed, fmt.Sprint(failures))
		return bad >= 5
	})
}

// TestRareHistories plays those that once failed and that the first thousands do not have: a sweep left a record to a read on
// its way, and closed the window before that had told anything; a window opened while a former process's events were
// still read again, and took them for changes since; an operator gave a job up while its page was on the way; a record that
// waited was published again because of a late writer, and then under that version once more; events that the position
// had passed were applied again after the local state was lost; and some over a row that had been read after them; a change
// without an event was saved before a read and committed after it.
func TestRareHistories(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{21541, 25952, 26845, 52583, 81440, 96286, 111889, 46837, 72727} {
		for _, f := range run(seed, soundRules, wrong{}, nil) {
			t.Errorf("seed %d: %s", seed, f)
		}
	}
}

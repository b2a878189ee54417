package join_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
)

var seeds = flag.Int("seeds", 500, "how many seeded histories to check")

// Section 15: random histories with restarts, kills and losses, compared after every step with the direct computation.
func TestHistories(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(testing.TB) *matcher{"in_memory": newMatcher, "on_disk": newSmallMatcher} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range *seeds {
				if err := history(t, make(t), uint64(seed), sound); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

// A matcher that is broken on purpose must be found by the histories.
func TestHistoriesFindBrokenMatchers(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]fault{
		"no_retraction": noRetraction, "no_version_check": noVersionCheck, "outputs_not_read_after_loss": blindAfterLoss,
		"outputs_not_read_after_crash": blindAfterCrash, "positions_committed_without_state": positionsFirst,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				if history(t, newMatcher(t), seed, b) != nil {
					return
				}
			}
			t.Error("100 histories do not find it")
		})
	}
}

// history runs one seed and returns what is wrong.
func history(t *testing.T, m *matcher, seed uint64, b fault) error {
	t.Helper()
	h := conformance.NewHistory(seed)
	m.fault = b
	if h.Chance(30) {
		m.grace = 1000
		m.restart(true)
	}
	tracker, err := conformance.NewTracker()
	if err != nil {
		t.Fatal(err)
	}
	in := conformance.NewInputs(conformance.Step{Link: conformance.DefaultLink()})
	shown := 0
	for n := range 25 {
		s := h.Step()
		in.Give(s)
		if h.Chance(15) { // while the matcher is down
			m.put(s)
			lose := h.Chance(60)
			if lose && h.Chance(60) {
				m.compact(in.CompactDeletions())
			}
			m.restart(lose)
		} else {
			m.give(s)
		}
		killed := h.Chance(20)
		if killed {
			m.kill(h.Below(4), h.Chance(50))
		}
		quiet := true
		if h.Chance(20) {
			m.settleAll()
			lose := h.Chance(50)
			if lose && h.Chance(30) {
				m.compact(in.CompactDeletions())
			}
			m.restart(lose)
			quiet = len(m.settleAll()) == 0
		}
		m.settleAll()
		if _, err := tracker.Step(m.outs.outs[shown:], killed || m.grace > 0); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		shown = len(m.outs.outs)
		if !quiet {
			return fmt.Errorf("step %d: R35: a restart with nothing new publishes", n)
		}
		if err := conformance.CheckEqual(tracker.State(), in.Compute()); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if err := in.CheckPlaces(tracker.State()); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if err := m.versionsRise(); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
	}
	return nil
}

// fault is a way in which a matcher is broken.
type fault int

const (
	sound fault = iota
	noRetraction
	noVersionCheck
	blindAfterLoss
	blindAfterCrash
	positionsFirst
)

// kill ends the matcher while it publishes: after some records, or after all but before its state is durable.
func (m *matcher) kill(after int, beforeCommit bool) {
	m.t.Helper()
	if beforeCommit {
		after = -1
	}
	m.outs.allow = after
	err := m.engine.Settle(m.now, &m.outs)
	m.outs.allow = -1
	if err != nil && !errors.Is(err, errKilled) {
		m.t.Fatal(err)
	}
	if m.fault == positionsFirst {
		m.saved.read, m.saved.seen = len(m.log), len(m.outs.outs)
	}
	m.start()
}

// settleAll settles, and again when the grace of orphans is over.
func (m *matcher) settleAll() []conformance.Out {
	from := len(m.outs.outs)
	m.settle()
	if m.grace > 0 {
		m.now += m.grace
		m.settle()
	}
	if m.fault == noRetraction {
		m.outs.outs = slices.DeleteFunc(m.outs.outs, func(o conformance.Out) bool { return o.Topic == join.View && o.Value == nil })
		from = min(from, len(m.outs.outs))
	}
	return m.outs.outs[from:]
}

// compact takes away the inputs of keys that are deleted.
func (m *matcher) compact(kept func(join.Kind, string) bool) {
	m.log = slices.DeleteFunc(m.log, func(i join.Input) bool { return !kept(i.Kind, string(i.Key)) })
	m.saved.read = len(m.log)
}

// versionsRise checks that the versions of a key's outputs rise, whatever was killed and when.
func (m *matcher) versionsRise() error {
	last := map[string]int{}
	for i, o := range m.outs.outs {
		key := fmt.Sprint(o.Topic, o.Key)
		if j, ok := last[key]; ok && i < len(m.outs.versions) && !m.outs.versions[j].Less(m.outs.versions[i]) {
			return fmt.Errorf("the version of %s goes from %+v to %+v", o.Key, m.outs.versions[j], m.outs.versions[i])
		}
		last[key] = i
	}
	return nil
}

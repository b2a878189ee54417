package join_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
)

// standby is an Engine that follows the inputs and what the owner publishes, on a disk of its own.
type standby struct {
	engine *join.Engine
	store  *memory
	at     saved // what the engine has
	stored saved // what its store has
}

// followBy starts a standby from its store, or from nothing.
func (m *matcher) followBy(store *memory, from saved) *standby {
	m.t.Helper()
	s := &standby{engine: m.newEngine(), store: store, at: from, stored: from}
	loaded, err := s.engine.Load(store, from.link)
	if err != nil {
		m.t.Fatal(err)
	}
	if !loaded {
		s.at = saved{}
		if err := s.engine.SetLink(nil); err != nil {
			m.t.Fatal(err)
		}
	}
	return s
}

// follow brings the standby some way towards what the topics hold, in one of many orders, and lets it look at its marks.
func (m *matcher) follow(s *standby, rng *rand.Rand) {
	m.t.Helper()
	if !sameLink(s.at.link, m.link) && rng.IntN(2) == 0 {
		m.linkTo(s)
	}
	outs, ins := len(m.outs.outs)-s.at.seen, len(m.log)-s.at.read
	for range rng.IntN(outs + 1) {
		m.observe(s.engine, s.at.seen)
		s.at.seen++
	}
	for range rng.IntN(ins + 1) {
		if _, err := s.engine.Apply(m.log[s.at.read]); err != nil {
			m.t.Fatal(err)
		}
		s.at.read++
	}
	if _, err := s.engine.Check(m.now, 1+rng.IntN(5)); err != nil {
		m.t.Fatal(err)
	}
	if rng.IntN(2) == 0 {
		if err := s.engine.Commit(s.store); err != nil {
			m.t.Fatal(err)
		}
		s.stored = s.at
	}
}

func (m *matcher) linkTo(s *standby) {
	m.t.Helper()
	if err := s.engine.SetLink(m.link); err != nil {
		m.t.Fatal(err)
	}
	s.at.link = m.link
}

func (m *matcher) observe(e *join.Engine, i int) {
	o := m.outs.outs[i]
	var value []byte
	if o.Value != nil {
		value = append([]byte{0, 0, 0, 0, byte(o.Topic) + 1}, bytes.Clone(o.Value)...)
	}
	e.Observe(o.Topic, []byte(o.Key), value, m.outs.versions[i])
}

// takeOver makes the standby the owner: it reads on to the ends before it publishes anything.
func (m *matcher) takeOver(s *standby) {
	m.t.Helper()
	for ; s.at.seen < len(m.outs.outs); s.at.seen++ {
		m.observe(s.engine, s.at.seen)
	}
	m.epoch++
	m.engine, m.store, m.saved, m.read = s.engine, s.store, s.stored, s.at.read
	m.engine.Begin(m.epoch)
	m.apply()
	if !sameLink(s.at.link, m.link) {
		m.linkTo(s)
	}
}

// Random histories in which a standby follows, is killed and starts again on its disk, and takes over from an owner that is killed
// at any moment: the outputs are always those of the direct computation, and a takeover with nothing new publishes nothing.
func TestStandbyHistories(t *testing.T) {
	t.Parallel()
	for seed := range min(*seeds, 1000) {
		if err := standbyHistory(t, uint64(seed), false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// A standby that forgets with its process what nobody has published yet must be found.
func TestHistoriesFindForgetfulStandby(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		if standbyHistory(t, seed, true) != nil {
			return
		}
	}
	t.Error("300 histories do not find it")
}

func standbyHistory(t *testing.T, seed uint64, forgetful bool) error {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 11))
	h := conformance.NewHistory(seed)
	m := newMatcher(t)
	if seed%3 == 2 {
		m = newSmallMatcher(t)
	}
	s := m.followBy(newMemory(), saved{})
	tracker, err := conformance.NewTracker()
	if err != nil {
		t.Fatal(err)
	}
	in := conformance.NewInputs(conformance.Step{Link: conformance.DefaultLink()})
	shown := 0
	for n := range 25 {
		step := h.Step()
		in.Give(step)
		m.put(step)
		m.follow(s, rng)
		if rng.IntN(4) == 0 { // the standby is killed
			if forgetful {
				delete(s.store.m, "marks")
			}
			s = m.followBy(s.store, s.stored)
		}
		m.take(step)
		if rng.IntN(2) == 0 { // the owner is killed while it publishes
			m.outs.allow = rng.IntN(4)
			_ = m.engine.Settle(m.now, &m.outs) // it may be killed before that ends
			m.outs.allow = -1
			old, stored := m.store, m.saved
			m.takeOver(s)
			s = m.followBy(old, stored)
		}
		m.settleAll()
		if _, err := tracker.Step(m.outs.outs[shown:], true); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		shown = len(m.outs.outs)
		if err := conformance.CheckEqual(tracker.State(), in.Compute()); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if err := m.versionsRise(); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
	}
	m.takeOver(s)
	if again := m.settleAll(); len(again) > 0 {
		return fmt.Errorf("R35: a takeover with nothing new publishes %d records", len(again))
	}
	return nil
}

// take lets the owner take what was put into the topics.
func (m *matcher) take(s conformance.Step) {
	m.t.Helper()
	if s.IsLink {
		if err := m.engine.SetLink(s.Link); err != nil {
			m.t.Fatal(err)
		}
	}
	m.apply()
}

// A standby that has seen everything has nothing left to look at, and notices what an owner has not published.
func TestStandbyChecks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(customers(30, "one")...)
	s := b.followBy(newMemory(), saved{})
	b.linkTo(s)
	for ; s.at.seen < len(b.outs.outs); s.at.seen++ {
		b.observe(s.engine, s.at.seen)
	}
	for ; s.at.read < len(b.log); s.at.read++ {
		if _, err := s.engine.Apply(b.log[s.at.read]); err != nil {
			t.Fatal(err)
		}
	}
	left := func() int {
		t.Helper()
		n, err := s.engine.Check(b.now, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := left(); n != 0 {
		t.Fatalf("%d outputs are not as they should be", n)
	}
	change := b.input(record(join.Customer, "e7", customer.Fields{"Y": "C7", "Name": "two"}))
	change.Version.Epoch = 2
	if _, err := s.engine.Apply(change); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 1 || s.engine.Marks() != 1 {
		t.Fatalf("%d outputs wait for the owner, %d marks; want 1", n, s.engine.Marks())
	}
}

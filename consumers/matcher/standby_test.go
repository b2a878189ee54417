package matcher

import (
	"context"
	"fmt"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// second is a matcher that stands by on a disk of its own.
type second struct {
	*pipeline
	matcher *Matcher
	cancel  context.CancelCauseFunc
	ended   chan error
}

func (p *pipeline) standBy(dir string) *second {
	p.t.Helper()
	c := p.config
	c.StateDir, c.faults = dir, faults{}
	m, err := New(c)
	p.must(err)
	return p.followBy(m)
}

func (p *pipeline) followBy(m *Matcher) *second {
	p.t.Helper()
	ctx, cancel := context.WithCancelCause(p.ctx)
	s := &second{p, m, cancel, make(chan error, 1)}
	go func() { s.ended <- m.Follow(ctx) }()
	p.t.Cleanup(func() {
		cancel(nil)
		<-s.ended
		s.ended <- nil
	})
	return s
}

// end stops standing by.
func (s *second) end(cause error) {
	s.t.Helper()
	s.cancel(cause)
	err := <-s.ended
	s.ended <- nil
	s.must(err)
}

// await waits until the standby is as warm as can be: it has everything, and nothing waits for the owner.
func (s *second) await() {
	s.t.Helper()
	ends, err := s.kafka.Offsets(s.ctx, s.names.inputs...)
	s.must(err)
	s.must(s.matcher.Await(s.ctx, func(st Status) bool {
		return st.Phase == Standby && st.Lag == 0 && st.Unconfirmed == 0 && topic.Fetch{Next: st.Consumed}.CaughtUp(ends)
	}))
}

// promote makes the standby the owner.
func (s *second) promote() {
	s.t.Helper()
	s.end(topic.ErrPromoted)
	s.pipeline.run(s.matcher)
}

func TestStandbyTakesOverWarm(t *testing.T) {
	t.Parallel()
	p := matched(t)
	s := p.standBy(t.TempDir())
	s.await()
	p.put(record(join.Account, "a1", 2, customer.Fields{"X": "C1", "Name": "two"}))
	p.settled(false)
	s.await()
	p.end(true)
	p.put(record(join.Customer, "e1", 2, nil)) // while nobody owns the task
	s.promote()
	p.wantProduced(p.settled(false), "U(a1)", "†V(C1)")
	p.check()
	if s.matcher.warm != nil {
		t.Error("the warm state is kept although it is used")
	}
	p.put(record(join.Customer, "e1", 3, customer.Fields{"Y": "C1"}))
	p.wantProduced(p.settled(false), "V(C1)", "†U(a1)")
	p.check()
}

// What an owner did not publish before it was killed is published by the standby, also when the standby was killed
// in between and starts on its own disk; and with nothing new nothing is published (R35).
func TestStandbyRemembersWhatIsNotPublished(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.config.CommitEvery = 1 // a standby commits with every batch
	p.put(record(join.Account, "a1", 1, customer.Fields{"X": "C1"}))
	p.start()
	p.settled(false)
	dir := t.TempDir()
	s := p.standBy(dir)
	s.await()
	p.end(true)
	p.put(record(join.Customer, "e1", 1, customer.Fields{"Y": "C1"}))
	p.must(s.matcher.Await(p.ctx, func(st Status) bool { return st.Unconfirmed > 0 }))
	ends, err := p.kafka.Offsets(p.ctx, p.names.inputs...)
	p.must(err)
	p.must(s.matcher.Await(p.ctx, func(st Status) bool { return topic.Fetch{Next: st.Committed}.CaughtUp(ends) }))
	s.end(nil)
	s = p.standBy(dir)
	p.must(s.matcher.Await(p.ctx, func(st Status) bool { return st.Phase == Standby }))
	s.promote()
	p.wantProduced(p.settled(false), "V(C1)", "†U(a1)")
	p.check()
	p.end(false)
	s = p.followBy(s.matcher)
	s.await()
	s.promote()
	p.wantProduced(p.settled(false))
	p.check()
}

// A bad record that the owner did not report before it was killed is reported once, by whoever comes next.
func TestStandbyReportsBadRecords(t *testing.T) {
	t.Parallel()
	p := matched(t)
	s := p.standBy(t.TempDir())
	bad := func(rev int64) {
		p.must(p.writer.Write(p.ctx, topic.Record{
			Topic: p.names.inputs[0], Key: []byte(conformance.ID("a1")), Value: []byte("no frame"), Headers: versionHeaders(1, rev),
		}))
	}
	bad(2)
	p.settled(false)
	s.await()
	p.end(true)
	bad(3)
	s.await()
	s.promote()
	p.settled(false)
	p.wantDeadLetters(2)
	p.check()
}

// The task goes back and forth between two matchers that stand by for each other, in the middle of identifier changes.
func TestStandbysInTurn(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.start()
	other := p.standBy(t.TempDir())
	rev := int64(0)
	for round := range 6 {
		for i := range 200 {
			rev++
			p.send(record(join.Account, fmt.Sprint("a", i%50), rev, customer.Fields{"X": fmt.Sprint("C", (i+round)%60)}))
			p.send(record(join.Customer, fmt.Sprint("e", i%50), rev, customer.Fields{"Y": fmt.Sprint("C", i%60)}))
		}
		old := p.matcher
		p.end(round%2 == 1)
		other.promote()
		other = p.followBy(old)
	}
	p.must(p.writer.Flush(p.ctx))
	p.settled(true)
	p.check()
}

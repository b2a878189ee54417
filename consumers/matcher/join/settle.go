package join

import (
	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// settleGroup brings match.ambiguous up to date for one identifier.
func (s *settler) settleGroup(g uint32) error {
	gr := s.groups.at(g)
	outcome, reason := s.outcome(gr)
	if outcome != rule.Ambiguous {
		s.withdraw(Ambiguous, g)
		return nil
	}
	return s.put(Ambiguous, g, s.encodeAmbiguous(g, reason), false)
}

// settleRecord brings the record's own outputs up to date: its place is one of a view, a group or a report (R14).
func (s *settler) settleRecord(id uint32, now int64) error {
	r := s.records.at(id)
	var outcome rule.Outcome
	reason := customer.Reason("")
	switch {
	case s.link == nil || !r.is(live):
	case r.kind == Account || r.kind == Customer:
		if r.group == 0 {
			reason = misses[r.miss].Reason
		} else if outcome, _ = s.outcome(s.groups.at(r.group)); outcome == rule.Alone {
			reason = customer.NoCounterpart
		}
	default:
		reason = s.heldBack(id, r, now)
	}
	if r.kind == Customer {
		if err := s.settleView(id, outcome == rule.Matched); err != nil {
			return err
		}
	}
	if reason == "" {
		s.withdraw(Unmatched, id)
		return nil
	}
	value, near := s.encodeUnmatched(id, reason)
	return s.put(Unmatched, id, value, near)
}

func (s *settler) settleView(id uint32, matched bool) error {
	if !matched {
		s.withdraw(View, id)
		return nil
	}
	value, err := s.encodeView(id)
	if err != nil {
		return err
	}
	return s.put(View, id, value, false)
}

// orphans holds back Contacts and notes without a parent for a while (R20), the oldest first.
type orphans struct {
	queue []orphan
	head  int
}

type orphan struct {
	id  uint32
	due int64
}

// heldBack returns the reason to report a Contact or note, "" while its grace lasts. What is reported already stays so.
func (e *Engine) heldBack(id uint32, r *record, now int64) customer.Reason {
	reason := e.orphanReason(r)
	switch {
	case reason == "":
		r.flags &^= ripe
	case e.grace == 0 || r.pub[slotUnmatched] != 0 || r.is(ripe):
	default:
		if !r.is(waiting) {
			r.flags |= waiting
			e.orphans.queue = append(e.orphans.queue, orphan{id, now + e.grace})
		}
		return ""
	}
	return reason
}

// ripen marks the orphans whose grace is over.
func (e *Engine) ripen(now int64) {
	q := &e.orphans
	for q.head < len(q.queue) && q.queue[q.head].due <= now {
		id := q.queue[q.head].id
		q.head++
		r := e.records.at(id)
		r.flags &^= waiting
		if r.is(live) && e.orphanReason(r) != "" {
			r.flags |= ripe
		}
		e.mark(id)
	}
	if q.head > len(q.queue)/2 {
		q.queue = append(q.queue[:0], q.queue[q.head:]...)
		q.head = 0
	}
}

// NextRipe returns when the first orphan's grace is over, in milliseconds; false when none waits.
func (e *Engine) NextRipe() (int64, bool) {
	if e.orphans.head == len(e.orphans.queue) {
		return 0, false
	}
	return e.orphans.queue[e.orphans.head].due, true
}

package handover

import (
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/change"
)

// checker holds what is published to the invariants of C4, after every step, against the whole truth of the world.
type checker struct {
	w        *world
	p        *producer
	eaten    map[int]bool // bus indexes consumed in this lineage and not skipped
	tombs    map[Key]int  // newest deletion, as index in the record's history, whose tombstone is published in this lineage
	highest  map[Key]published
	latest   map[Key]published
	changes  int // records published that differ in what events can carry
	failures []string
	tell     func(format string, args ...any) // nil unless one history is told
}

// note tells a moment of the history.
func (c *checker) note(format string, args ...any) {
	if c.tell != nil {
		c.tell(fmt.Sprintf("%6d ms: ", c.w.now-start)+format, args...)
	}
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, eaten: map[int]bool{}, tombs: map[Key]int{},
		highest: map[Key]published{}, latest: map[Key]published{},
	}
}

func (c *checker) fail(format string, args ...any) {
	if len(c.failures) < 5 || strings.HasPrefix(format, "I1") || strings.HasPrefix(format, "I7") {
		c.failures = append(c.failures, fmt.Sprintf("at %d ms: ", c.w.now-start)+fmt.Sprintf(format, args...))
	}
}

func (c *checker) consumed(index int, m *Machine, e *change.Event) {
	c.note("event %d %s %v %v %v", e.ReplayID, e.Type, e.Entity, e.RecordIDs, e.Fields)
	if e.CommitTimestamp >= m.t0-m.margin && e.ReplayID >= m.first {
		c.eaten[index] = true
	}
}

func (c *checker) lost() {
	clear(c.eaten)
	clear(c.tombs)
}

// published checks one record as it lands in the topic.
func (c *checker) published(e published, meta change.Meta) {
	old, ok := c.latest[e.key]
	if !ok || (old.values == nil) != (e.values == nil) || e.values != nil && !slices.Equal(old.values[:stampField], e.values[:stampField]) {
		c.changes++
	}
	c.note("publish %v %v pos %d asof %d %s %v", e.key, e.version, e.pos, e.asof-start, meta.Op, e.values)
	c.latest[e.key] = e
	if e.foreign {
		return
	}
	if old, ok := c.highest[e.key]; ok {
		if !old.version.Less(e.version) {
			c.fail("I6: %v version %v after %v", e.key, e.version, old.version)
		}
		if old.version.Epoch == e.version.Epoch && e.pos < old.pos {
			c.fail("I6: %v pos %d after %d in epoch %d", e.key, e.pos, old.pos, e.version.Epoch)
		}
	}
	c.highest[e.key] = e
	history := c.w.org[e.key].history
	if e.values == nil {
		if meta.Op == change.OpDelete {
			for i, v := range history {
				if v.bus >= 0 && !v.live && c.w.bus[v.bus].ReplayID == meta.ReplayID {
					c.tombs[e.key] = max(c.tombs[e.key], i)
				}
			}
		}
		return
	}
	if d, ok := c.tombs[e.key]; ok && !slices.ContainsFunc(history[d:], func(v version) bool { return v.live }) {
		c.fail("I3: %v is published after its deletion", e.key)
	}
	c.invented(e, history)
}

// invented checks I4 and I5: a whole row of values that the fields had.
func (c *checker) invented(e published, history []version) {
	for f, v := range e.values {
		if v.Kind() == change.Absent {
			if f != stampField {
				c.fail("I4: %v is published without field %d", e.key, f)
			}
			continue
		}
		if !slices.ContainsFunc(history, func(h version) bool { return h.live && h.values[f] == v }) {
			c.fail("I5: %v is published with %v in field %d, which it never had", e.key, v, f)
		}
	}
}

// stored checks I2: every effect of every event up to the position is in the topic.
func (c *checker) stored(p Position) {
	c.note("position %+v", p)
	for _, k := range c.w.keys {
		_, snapshot := p.Snapshots[k.Entity]
		for i, v := range c.w.org[k].history {
			if v.bus < 0 || v.dropped || c.w.bus[v.bus].ReplayID > p.ReplayID {
				continue
			}
			if snapshot && (v.covered || !c.eaten[v.bus]) {
				continue // the open or wanted snapshot, stored with the position, answers for it
			}
			c.effect(k, i, p)
		}
	}
}

// effect checks that the topic shows version i of a record, or a later one.
func (c *checker) effect(k Key, i int, p Position) {
	history := c.w.org[k].history
	later := history[i:]
	e, ok := c.latest[k]
	if !ok || e.values == nil {
		if !slices.ContainsFunc(later, func(v version) bool { return !v.live }) {
			c.fail("I2: position %d, but the topic does not have %v (version %d)", p.ReplayID, k, i)
		}
		return
	}
	for f := range stampField {
		if history[i].live && (history[i].fields == nil || slices.Contains(history[i].fields, f)) &&
			!slices.ContainsFunc(later, func(v version) bool { return v.live && v.values[f] == e.values[f] }) {
			c.fail("I2: position %d, but %v has the older %v in field %d", p.ReplayID, k, e.values[f], f)
		}
	}
	if !history[i].live && !slices.ContainsFunc(later, func(v version) bool { return v.live }) {
		c.fail("I2: position %d, but %v is live", p.ReplayID, k)
	}
}

// quiescent checks I1 and I7. A record with a change that no event told is compared only if H15 can know it.
func (c *checker) quiescent(m *Machine) {
	for _, k := range c.w.keys {
		r := c.w.org[k]
		e, ok := c.latest[k]
		rec, err := m.load(k)
		must(err)
		if slices.ContainsFunc(r.history, func(v version) bool { return v.dropped }) && r.live && rec.State == Live &&
			!NeedsRepair(rec, stampOf(rec), r.values[stampField]) && rec.AsOf < c.w.now-30_000 {
			continue
		}
		switch {
		case !r.live:
			if ok && e.values != nil {
				c.fail("I7: %v is deleted, but the topic has %v", k, e.values)
			}
		case !ok || e.values == nil:
			c.fail("I1: %v is live, but the topic does not have it", k)
		default:
			if !slices.Equal(r.values[:stampField], e.values[:stampField]) {
				c.fail("I1: %v is %v, but the topic has %v", k, r.values[:stampField], e.values[:stampField])
			}
		}
		if n, waiting := m.Open(); n > 0 {
			c.fail("%d records are still open when all is quiet, %d of them wait", n, waiting)
		}
	}
}

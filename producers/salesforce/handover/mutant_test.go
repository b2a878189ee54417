package handover

import (
	"slices"
	"strings"
	"testing"
)

// wrongProducers are the plausible producers of D6: each loses data, and each must be found.
var wrongProducers = []struct {
	name   string
	rules  func(*rules)
	driver wrong
}{
	{name: "snapshot first, then subscribe to new events", driver: wrong{snapshotFirst: true}},
	{name: "a row always replaces the record", rules: func(r *rules) {
		r.merge = func(rec *Record, row Row, _ *layout, _ touched) bool { return replace(rec, row) }
	}},
	{name: "a row replaces the record if its SystemModstamp is not older than the last event's commit time", rules: func(r *rules) {
		r.merge = func(rec *Record, row Row, l *layout, t touched) bool {
			switch {
			case row.Gone || rec.Commit == 0 || rec.State == Unknown && rec.Values != nil:
				return merge(rec, row, l, t)
			case row.Values[stampField].Int() >= rec.Commit:
				return replace(rec, row)
			}
			return false
		}
	}},
	{name: "a row is dropped if any event touched the record in the window", rules: func(r *rules) {
		r.merge = func(rec *Record, row Row, l *layout, t touched) bool { return !inWindow(t) && merge(rec, row, l, t) }
	}},
	{name: "a DELETE in the window is not remembered", rules: func(r *rules) {
		r.deleted = func(*touch, int64) {}
	}},
	{name: "after a crash without a stored position, subscribe to new events again", driver: wrong{newAfterCrash: true}},
	{name: "touched sets are not rebuilt after a crash", driver: wrong{noRebuild: true}},
	{name: "a record is published while its re-fetch is pending", rules: func(r *rules) {
		r.held = func(*open) bool { return false }
	}},
	{name: "re-fetch results are applied in the order in which they arrive", rules: func(r *rules) {
		r.stale = func(*Record, int64) bool { return false }
	}},
}

// inWindow reports whether an event wrote to the record in the window.
func inWindow(t touched) bool {
	return t.t != nil && (max(t.t.whole, t.t.gone) > t.since ||
		slices.ContainsFunc(t.t.fields, func(f fieldTouch) bool { return f.replayID > t.since }))
}

func replace(rec *Record, row Row) bool {
	if row.Gone {
		rec.State, rec.Values = Deleted, nil
		return true
	}
	rec.State, rec.Values = Live, row.Values
	return true
}

func TestWrongProducersAreFound(t *testing.T) {
	t.Parallel()
	for _, p := range wrongProducers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r := soundRules
			if p.rules != nil {
				p.rules(&r)
			}
			if !found(t, r, p.driver) {
				t.Errorf("not found in %d histories", *histories)
			}
		})
	}
}

// found plays histories until one ends wrong: a breach on the way that heals does not count.
func found(t *testing.T, r rules, driver wrong) bool {
	t.Helper()
	ended, breached := false, 0
	play(*histories, r, driver, func(seed uint64, failures []string) bool {
		breached++
		for _, f := range failures {
			if strings.Contains(f, "I1: ") || strings.Contains(f, "I7: ") {
				ended = true
				t.Logf("after %d histories with a breach, seed %d ends wrong: %s", breached-1, seed, f)
			}
		}
		return ended
	})
	return ended
}

package handover

import "crosswalk/internal/change"

// rules are the decisions that are easy to get wrong, one function each. The Machine always runs with soundRules;
// a test puts a plausible wrong one in the place of one of them and sees that the property test finds it (D6).
type rules struct {
	replayed func(pos, replayID int64) bool
	stale    func(rec *Record, asof int64) bool
	merge    func(rec *Record, row Row, l *layout, t touched) bool
	deleted  func(t *touch, replayID int64)
	held     func(o *open) bool
}

var soundRules = rules{replayed: replayed, stale: stale, merge: merge, deleted: deleted, held: held}

// replayed is H7: the event is already in the record, which reflects the events up to pos.
func replayed(pos, replayID int64) bool { return replayID <= pos }

// stale is H6: a read that was started earlier than one already applied says nothing new.
func stale(rec *Record, asof int64) bool { return asof < rec.AsOf }

// deleted is H4 for a DELETE: no row of an open window brings the record back.
func deleted(t *touch, replayID int64) { t.gone = max(t.gone, replayID) }

// held is H8: nothing is published while a re-fetch that the record waits for is pending.
func held(o *open) bool { return o.want.has(wantRow) || o.waiting > 0 }

// merge is H5: a touched field keeps its value, every other field takes the row's. It reports whether the row
// was applied. A value that the row does not have (its read did not ask for the field) is left alone (H13).
func merge(rec *Record, row Row, l *layout, t touched) bool {
	if t.gone() {
		return false
	}
	if row.Gone {
		if t.whole() {
			return false
		}
		rec.State, rec.Values = Deleted, nil
		return true
	}
	values := row.Values
	for i := range values {
		if i >= len(rec.Values) || rec.Values[i].Kind() == change.Absent {
			continue
		}
		if values[i].Kind() == change.Absent || !l.readOnly[i] && t.field(i) {
			values[i] = rec.Values[i]
		}
	}
	rec.State, rec.Values = Live, values
	return true
}

// NeedsRepair is H15: a row with this SystemModstamp was changed by something that neither an event nor a read has
// shown. stored is the SystemModstamp of the read that the record is from, Absent when it had none. All times are epoch
// milliseconds of the server's clock.
//
// It finds one thing more than H15: what was saved before a read and committed after it is older than that read (S7), but
// when no event has come since, the read alone says which SystemModstamp the row must have.
func NeedsRepair(rec Record, stored, listed change.Value) bool {
	const slack = 10_000
	if rec.State != Live {
		return true
	}
	if rec.Commit+slack < rec.AsOf && stored.Kind() == change.Datetime && stored != listed {
		return true
	}
	return listed.Int() > rec.AsOf+slack && listed.Int() > rec.Commit+slack
}

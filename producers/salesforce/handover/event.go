package handover

import (
	"slices"
	"strings"

	"crosswalk/internal/change"
)

// EmptyID is the record id of an overflow event.
const EmptyID = "000000000000000AAA"

// Subscribed tells the Machine that the stream is read from replay id from on: -1, -2 or an id.
func (m *Machine) Subscribed(from int64) {
	m.lastCommit = m.commitOf(from)
	m.last = max(from, 0)
	m.prev, m.prevCommit = m.last, m.lastCommit
	m.fresh = from == ReplayNew
}

// First must be told the replay id that begins a delivery, before its events. It reports whether the Position must be
// stored before anything of the delivery is published: the subscription to new events has its first event. All
// retained events may be asked for later (H3), and those that this subscription never delivered must then be known
// from those that were applied: by H7 they would be taken for applied ones, and shield old values from newer rows.
func (m *Machine) First(replayID int64) (store bool) {
	if !m.fresh {
		return false
	}
	m.fresh, m.first = false, replayID
	return true
}

// Event applies one event of the stream. Events must be given in the order in which they were delivered.
func (m *Machine) Event(e *change.Event) error {
	m.counts.Events++
	known := m.Known(e.ReplayID)
	m.arrive(e.ReplayID, e.CommitTimestamp)
	if e.CommitTimestamp < m.t0-m.margin || e.ReplayID < m.first {
		m.counts.Skipped++
		return nil
	}
	l := m.layouts[e.Entity]
	if l == nil {
		return nil
	}
	if e.Type == change.GapOverflow {
		if m.counts.Overflows++; !known {
			m.WantSnapshot(e.Entity, "overflow event")
		}
		return nil
	}
	for _, id := range e.RecordIDs {
		if strings.Contains(id, "*") || id == EmptyID {
			if m.counts.Wildcards++; !known {
				m.WantSnapshot(e.Entity, "wildcard record id "+id)
			}
			continue
		}
		if err := m.eventOn(Key{e.Entity, id}, e, l); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) arrive(replayID, commit int64) {
	switch {
	case replayID > m.last:
		m.prev, m.prevCommit = m.last, m.lastCommit
		m.last, m.lastCommit = replayID, commit
	case replayID < m.last: // S1 does not hold: arrival order is used, the position waits
		m.counts.Disordered++
		if m.floor < m.prev {
			m.prev, m.prevCommit = m.floor, 0
		}
	}
	if replayID > m.high {
		m.high, m.highCommit = replayID, commit
	}
	m.seen = max(m.seen, replayID)
}

// Known reports, before an event is given to the Machine, whether it comes again: what it wants beside its records, a
// snapshot, was wanted when it came first. One that is out of order does not count as known.
func (m *Machine) Known(replayID int64) bool { return replayID <= m.seen && replayID > m.last }

// Consumed returns the greatest replay id that was consumed in this lineage; 0: none.
func (m *Machine) Consumed() int64 { return m.seen }

func (m *Machine) eventOn(k Key, e *change.Event, l *layout) error {
	rec, o, err := m.current(k)
	if err != nil {
		return err
	}
	if o != nil && o.reads > 0 || m.windowOpen(k.Entity) {
		o = m.opened(k)
		m.touch(&o.touch, e, l)
	}
	if k.Entity == "Account" && (e.Type == change.Delete || e.Type == change.GapDelete) {
		if err := m.orphan(k.ID); err != nil {
			return err
		}
	}
	if m.rules.replayed(max(rec.Pos, m.reflected), e.ReplayID) {
		m.counts.Replayed++
		return nil
	}
	rec.Pos, rec.Commit = e.ReplayID, e.CommitTimestamp
	meta := metaOf(e)
	switch e.Type {
	case change.Create, change.Undelete:
		rec.Values, rec.State = wholeRow(rec.Values, e, l), Live
		switch {
		case len(e.Diffs) > 0: // the Name of a Person Account: the row has it as one text
			m.look(k, wantRow)
		case !l.filled(rec.Values):
			m.look(k, 0)
		}
	case change.Delete, change.GapDelete:
		return m.deletion(k, rec, meta)
	case change.Update:
		m.update(k, &rec, e, l)
	default: // GAP_CREATE, GAP_UPDATE, GAP_UNDELETE, and what a later release may send
		m.counts.Gaps++
		m.look(k, wantRow)
	}
	if m.refetch[k.Entity] {
		m.look(k, wantRow)
	}
	return m.settle(k, rec, meta)
}

// touch adds the event to the touched sets of the open windows, whether or not it is applied (H4, H7).
func (m *Machine) touch(t *touch, e *change.Event, l *layout) {
	switch e.Type {
	case change.Create, change.Undelete:
		t.whole = max(t.whole, e.ReplayID)
	case change.Delete, change.GapDelete:
		m.rules.deleted(t, e.ReplayID)
	case change.Update:
		for name := range e.Fields {
			if i := l.index(e, name); i >= 0 {
				t.field(i, e.ReplayID)
			}
		}
	}
}

// index returns the place of a field that the event says was written, or -1. A field in the payload that is not
// among changedFields is an enrichment and was not changed.
func (l *layout) index(e *change.Event, name string) int {
	if e.Type == change.Update && e.ChangedFields != nil && !slices.Contains(e.ChangedFields, name) ||
		slices.Contains(e.Diffs, name) {
		return -1
	}
	return l.schema.Index(name)
}

// wholeRow is the row that a CREATE or UNDELETE carries: what it leaves out is null (S5), except what events cannot
// carry, which keeps its value or stays absent until a read brings it (S6).
func wholeRow(old []change.Value, e *change.Event, l *layout) []change.Value {
	values := make([]change.Value, len(l.readOnly))
	for i, f := range l.schema.Fields {
		v, ok := e.Fields[f.Name]
		switch {
		case ok:
			values[i] = v
		case f.Name == "Id":
			values[i] = change.StringValue(e.RecordIDs[0])
		case i == l.isDeleted, f.Type == change.TypeBool && !f.ReadOnly:
			values[i] = change.BoolValue(false) // Salesforce's booleans are never null
		case !l.readOnly[i]:
			values[i] = change.NullValue()
		case i < len(old):
			values[i] = old[i]
		}
	}
	return values
}

// update writes the fields of an UPDATE. A record without a row waits for one: for its page while a snapshot is
// read, else for a re-fetch (H9). A text that came as a diff, and a changed field that did not come, are read again.
func (m *Machine) update(k Key, rec *Record, e *change.Event, l *layout) {
	rec.Values = l.writable(rec.Values)
	for name, v := range e.Fields {
		if i := l.index(e, name); i >= 0 {
			rec.Values[i] = v
		}
	}
	switch {
	case rec.State == Unknown && m.reading(k.Entity):
	case rec.State != Live, !l.filled(rec.Values), len(e.Diffs) > 0, l.lacks(e):
		if m.counts.Unfit++; rec.State == Unknown && m.open[k] == nil {
			m.counts.Strangers++
		}
		m.look(k, wantRow)
	}
}

// lacks reports whether the event names a changed field that it does not carry.
func (l *layout) lacks(e *change.Event) bool {
	for _, name := range e.ChangedFields {
		if _, ok := e.Fields[name]; ok {
			continue
		}
		if i := l.schema.Index(name); i >= 0 && !l.readOnly[i] {
			return true
		}
	}
	return false
}

// deletion deletes the record. In a snapshot's window a tombstone is published for what a page may still bring, too
// (H-05). A re-fetch that nothing waits for is no longer wanted.
func (m *Machine) deletion(k Key, rec Record, meta change.Meta) error {
	if o := m.open[k]; o != nil && o.want == wantLook {
		o.want = 0
		if o.reads == 0 {
			release(&o.care)
		}
	}
	rec.State, rec.Values = Deleted, nil
	return m.settle(k, rec, meta)
}

// orphan has the known Contacts of a deleted Account re-fetched, even when the deletion comes again: the former
// process may have died before it read them (H17).
func (m *Machine) orphan(account string) error {
	contacts, err := m.records.Contacts(account)
	for _, id := range contacts {
		m.look(Key{"Contact", id}, 0)
	}
	return err
}

func metaOf(e *change.Event) change.Meta {
	op := change.OpUpdate
	switch e.Type {
	case change.Create:
		op = change.OpCreate
	case change.Undelete:
		op = change.OpUndelete
	case change.Delete, change.GapDelete:
		op = change.OpDelete
	}
	return change.Meta{
		Op: op, ChangedFields: e.ChangedFields, CommitTimestamp: e.CommitTimestamp, CommitNumber: e.CommitNumber,
		SequenceNumber: e.SequenceNumber, TransactionKey: e.TransactionKey, CommitUser: e.CommitUser,
		Origin: e.Origin, ReplayID: e.ReplayID,
	}
}

package handover

import "crosswalk/internal/change"

// want says why a record is to be read by Id, as a set.
type want uint8

const (
	wantLook    want = 1 << iota // somebody wants to know: nothing waits for it
	wantRow                      // publication waits for the row (H8, H9)
	wantPurpose                  // the first of the purposes; one bit each from here on
)

func (w want) has(x want) bool { return w&x != 0 }

// Read is a re-fetch by Id that has been started: its window is open. Deleted rows must be asked for too, or count as
// gone when they do not come back.
type Read struct {
	ID     int64
	Entity string
	IDs    []string
	AsOf   int64 // epoch milliseconds, greater than that of every read before
	since  int64 // replay id after which its window begins
	wants  []want
}

// look puts a record among those to be read. An event in hand is not passed by the position before it is read.
func (m *Machine) look(k Key, w want) {
	o := m.opened(k)
	m.enqueue(k, o, w|wantLook)
	m.hold(&o.care)
}

func (m *Machine) enqueue(k Key, o *open, w want) {
	if o.want == 0 {
		m.queues[k.Entity] = append(m.queues[k.Entity], k)
	}
	o.want |= w
}

// Require has a record read before anything of it is published: what is stored of it is not what the org has.
func (m *Machine) Require(k Key) { m.look(k, wantRow) }

// Waiting returns how many records of the entity, at most, wait to be read by Id.
func (m *Machine) Waiting(entity string) int { return len(m.queues[entity]) }

// StartRead opens the window of a re-fetch of up to limit records of the entity; ok is false when none is wanted.
// The request must be sent after this call: now is the server's time before it, in epoch milliseconds.
func (m *Machine) StartRead(entity string, now int64, limit int) (r Read, ok bool) {
	queue := m.queues[entity]
	read := &Read{Entity: entity, since: m.reached()}
	for len(queue) > 0 && len(read.IDs) < limit {
		k := queue[0]
		queue = queue[1:]
		o := m.open[k]
		if o == nil || o.want == 0 {
			continue
		}
		read.IDs, read.wants = append(read.IDs, k.ID), append(read.wants, o.want)
		o.reads++
		if o.want.has(wantRow) {
			o.waiting++
		}
		o.want = 0
	}
	m.queues[entity] = queue
	if len(read.IDs) == 0 {
		return Read{}, false
	}
	m.readID++
	read.ID, read.AsOf = m.readID, m.stamp(now)
	m.reads[read.ID] = read
	return *read, true
}

// stamp gives a read its place in the order of reads, whatever the clock does.
func (m *Machine) stamp(now int64) int64 {
	m.clock = max(now, m.clock+1)
	return m.clock
}

// Fetched applies what a re-fetch brought: one Row per record that it asked for, in any order; one that is missing is
// gone. The result of a read that the Machine has given up is ignored.
func (m *Machine) Fetched(id int64, rows []Row) error {
	read := m.reads[id]
	if read == nil {
		return nil
	}
	delete(m.reads, id)
	byID := make(map[string]Row, len(rows))
	for _, r := range rows {
		byID[r.ID] = r
	}
	for i, recID := range read.IDs {
		row, ok := byID[recID]
		if !ok {
			row = Row{ID: recID, Gone: true}
		}
		if err := m.fetched(Key{read.Entity, recID}, row, read, read.wants[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) fetched(k Key, row Row, read *Read, w want) error {
	o := m.open[k]
	o.reads--
	if w.has(wantRow) {
		o.waiting--
	}
	if o.want == 0 && o.reads == 0 {
		release(&o.care)
	}
	op := change.OpRefetch
	if w.has(ForRepair.want() | ForSweep.want()) {
		op = change.OpRepair
	}
	was, _, err := m.current(k)
	if err != nil {
		return err
	}
	before := m.counts.Published
	if err := m.row(k, row, read.since, read.AsOf, op); err != nil {
		return err
	}
	m.find(k.Entity, w, m.counts.Published-before)
	if k.Entity == "Account" && row.Gone && was.State == Live {
		if err := m.orphans(k.ID, w); err != nil {
			return err
		}
	}
	if o := m.open[k]; o != nil {
		m.forget(k, o)
	}
	return nil
}

// Failed gives a re-fetch up: what it asked for is wanted again.
func (m *Machine) Failed(id int64) {
	read := m.reads[id]
	if read == nil {
		return
	}
	delete(m.reads, id)
	for i, recID := range read.IDs {
		k := Key{read.Entity, recID}
		o := m.open[k]
		o.reads--
		if read.wants[i].has(wantRow) {
			o.waiting--
		}
		m.enqueue(k, o, read.wants[i])
	}
}

// row applies a row of a read whose window holds the events after since (H5, H6).
func (m *Machine) row(k Key, row Row, since, asof int64, op change.Op) error {
	m.counts.Rows++
	rec, o, err := m.current(k)
	if err != nil {
		return err
	}
	l := m.layouts[k.Entity]
	var t touched
	if o != nil {
		t = touched{&o.touch, since}
	}
	if row.Unreadable && (rec.State == Unknown || rec.State == Live && !l.filled(rec.Values)) {
		m.leave(k, o)
		return nil
	}
	switch {
	case row.Unreadable: // the record stays as it is known
	case m.rules.stale(&rec, asof):
		m.counts.Stale++
	case !row.Gone || rec.State != Unknown || m.windowOpen(k.Entity): // in a window a page may still bring it
		if m.rules.merge(&rec, row, l, t) {
			rec.AsOf = max(rec.AsOf, asof)
			if since > m.high { // events that are read again show nothing newer (S2), and are not applied over the row
				rec.Pos = max(rec.Pos, since)
			}
		}
		if rec.State == Live && !l.filled(rec.Values) { // it was asked for before a column was known: nothing is made up (I5)
			m.look(k, wantRow)
		}
	default: // nobody knows the record, and it is not there
		if o != nil && !m.rules.held(o) {
			m.leave(k, o)
			return nil
		}
	}
	if o == nil && rec.State == Unknown {
		return nil
	}
	return m.settle(k, rec, change.Meta{Op: op})
}

// leave ends what waited for a row that did not come or tells nothing: nothing is published of the record.
func (m *Machine) leave(k Key, o *open) {
	if o != nil && !m.rules.held(o) {
		o.work = nil
		release(&o.hold)
		m.forget(k, o)
	}
}

package handover

import (
	"slices"

	"crosswalk/internal/change"
)

// Machine applies the rules to the records of one org. It is not safe for concurrent use: all that happens to an
// org happens in one order. It holds in memory only what is open: records touched while a window is open, records
// that wait for a row, and re-fetches; never the records themselves.
type Machine struct {
	rules   rules
	records Records
	layouts map[string]*layout
	refetch map[string]bool // entities whose every event is followed by a re-fetch (H-30)

	epoch, lineage int64
	t0, margin     int64
	first          int64 // events before it are not of this lineage; 0: unknown
	fresh          bool  // subscribed to new events, and none has come yet
	last, prev     int64 // replay id of the last event, and of the last one with another id
	silent         int64 // replay id that was refused without a loss, until an event proves it (Refused); 0: none
	high           int64 // greatest replay id consumed: last goes back when a subscription is renewed
	reflected      int64 // the stored position: every effect of every event up to it was in the topics when the Machine was made
	// Commit times of the events last, prev and high, epoch milliseconds; 0: unknown.
	lastCommit, prevCommit, highCommit int64

	seen   int64 // greatest replay id consumed, also by a former process as far as its position says
	floor  int64 // the position never goes back behind what was once stored
	target int64 // replay id up to which a former process has consumed (H12)
	clock  int64 // start of the newest read
	at     int64 // server time at which the stream was last known to be read to its end

	open      map[Key]*open
	snapshots map[string]*Snapshot
	unswept   map[string]map[Key]bool // records that an entity's sweep waits for
	reads     map[int64]*Read
	readID    int64
	queues    map[string][]Key
	asked     map[ask]int   // not resolved yet
	found     map[ask]int64 // publications that came of it
	holds     []*hold
	out       []Publication
	given     []Publication // by the last call of Publications
	counts    Counts
}

// Counts says what the Machine has seen, since it was made.
type Counts struct {
	Events, Replayed, Skipped, Disordered, Gaps, Overflows, Wildcards, Unfit, Strangers int64
	Rows, Stale, Unchanged, Published, Repaired                                         int64
	Polled, Swept, Refreshed, Corrected                                                 int64 // published because of what was asked
}

// open is what is remembered of a record while a window is open over it or while it waits for a row.
type open struct {
	touch   touch
	want    want
	asked   want    // purposes that are counted in Machine.asked
	reads   int     // reads in flight that name the record
	waiting int     // those of them that hold back its publication (H8)
	work    *Record // the record with what is not published yet; nil when the stored one is current
	hold    *hold   // of work
	care    *hold   // of a wanted read that must not be forgotten although nothing waits for it
}

// hold keeps the position from moving past an event whose effect is not in the topic yet (H1).
type hold struct {
	position int64
	released bool
}

// Config of a Machine.
type Config struct {
	Records Records
	// SkipMargin is how long before T0 an event must have been committed to be skipped (H3), milliseconds.
	SkipMargin int64
	// Seen is the greatest epoch, and Target the greatest pos of the position's lineage, found in the topics.
	Seen, Target int64
}

// New makes the Machine that continues from p, the zero Position when there is none. It takes an epoch greater than
// any that another producer may have written (W2, H14). Schemas follow by SetSchema.
func New(p Position, c Config) *Machine {
	m := &Machine{
		rules: soundRules, records: c.Records, layouts: map[string]*layout{}, refetch: map[string]bool{},
		epoch: max(p.Epoch, c.Seen) + 1, lineage: p.Lineage, first: p.First, t0: p.T0, margin: c.SkipMargin,
		last: p.Resume(), floor: p.ReplayID, reflected: p.ReplayID, seen: p.Seen, target: max(p.High, c.Target), clock: p.AsOf, at: p.At,
		open: map[Key]*open{}, snapshots: map[string]*Snapshot{}, unswept: map[string]map[Key]bool{}, reads: map[int64]*Read{}, queues: map[string][]Key{},
		asked: map[ask]int{}, found: map[ask]int64{},
	}
	m.last = max(m.last, 0)
	m.prev, m.high = m.last, m.last
	if m.last > 0 && m.last == p.ReplayID {
		m.lastCommit, m.prevCommit, m.highCommit = p.Commit, p.Commit, p.Commit
	}
	for entity, s := range p.Snapshots {
		m.snapshots[entity] = &s
	}
	return m
}

// SetSchema sets or replaces the schema of an entity. Values in memory are moved to their fields' new places; a field
// that is gone is dropped, one that is new is absent until a row or an event brings it (H13).
func (m *Machine) SetSchema(s *change.Schema) {
	before := m.layouts[s.Entity]
	after := newLayout(s)
	m.layouts[s.Entity] = after
	if before == nil {
		return
	}
	for k, o := range m.open {
		if k.Entity != s.Entity {
			continue
		}
		if o.work != nil && o.work.Values != nil {
			o.work.Values = Remap(o.work.Values, before.schema, s)
		}
		o.touch.fields = slices.DeleteFunc(o.touch.fields, func(f fieldTouch) bool {
			return s.Index(before.schema.Fields[f.field].Name) < 0
		})
		for i, f := range o.touch.fields {
			o.touch.fields[i].field = s.Index(before.schema.Fields[f.field].Name)
		}
	}
}

// Remap moves values of one schema to their places in another. A field of another type is absent: its value has to be
// read again.
func Remap(values []change.Value, from, to *change.Schema) []change.Value {
	out := make([]change.Value, len(to.Fields))
	for i, f := range to.Fields {
		if j := from.Index(f.Name); j >= 0 && j < len(values) && from.Fields[j].Type == f.Type {
			out[i] = values[j]
		}
	}
	return out
}

// RefetchEvents makes every event of the entity be followed by a re-fetch: for a link field that events cannot
// carry (H-30).
func (m *Machine) RefetchEvents(entity string, on bool) { m.refetch[entity] = on }

// Publications returns what is to be published since the last call, in order. The list is valid until the next call.
func (m *Machine) Publications() []Publication {
	clear(m.given)
	m.out, m.given = m.given[:0], m.out
	return m.given
}

// Counts returns what was counted since the Machine was made.
func (m *Machine) Counts() Counts { return m.counts }

// Epoch returns the first part of the versions that this Machine publishes.
func (m *Machine) Epoch() int64 { return m.epoch }

// Lineage returns the epoch with which the numbering of the current stream began.
func (m *Machine) Lineage() int64 { return m.lineage }

// Open returns how many records are held in memory, and how many of them wait for a row.
func (m *Machine) Open() (records, waiting int) {
	for _, o := range m.open {
		if o.work != nil {
			waiting++
		}
	}
	return len(m.open), waiting
}

// Held returns how many records are held in memory.
func (m *Machine) Held() int { return len(m.open) }

// load returns the stored record with its position made comparable: one of another lineage counts as none (H14).
func (m *Machine) load(k Key) (Record, error) {
	rec, err := m.records.Load(k)
	if rec.Lineage != m.lineage {
		if rec.Lineage != 0 || rec.Version.Epoch < m.lineage {
			rec.Pos = 0
		}
		rec.Lineage = m.lineage
	}
	return rec, err
}

// current returns the record as all events and rows so far have made it, and what is known of it in memory.
func (m *Machine) current(k Key) (Record, *open, error) {
	o := m.open[k]
	if o != nil && o.work != nil {
		return *o.work, o, nil
	}
	rec, err := m.load(k)
	return rec, o, err
}

func (m *Machine) opened(k Key) *open {
	o := m.open[k]
	if o == nil {
		o = &open{}
		m.open[k] = o
	}
	return o
}

// settle ends what was done to a record: it stays open while it waits for a row, else it is published if it differs
// from what is published.
func (m *Machine) settle(k Key, rec Record, meta change.Meta) error {
	l := m.layouts[k.Entity]
	o := m.open[k]
	if o != nil && m.rules.held(o) || rec.State == Unknown && rec.Values != nil {
		o = m.opened(k)
		o.work = &rec
		m.hold(&o.hold)
		return nil
	}
	if o != nil {
		o.work = nil
		release(&o.hold)
		m.forget(k, o)
	}
	if rec.State == Unknown {
		return nil
	}
	base, err := m.load(k)
	if err != nil {
		return err
	}
	if rec.State == Deleted {
		rec.Values = nil
		if base.State == Unknown && !m.windowOpen(k.Entity) {
			return nil // a record that nobody knows of leaves no trace (H9)
		}
	}
	if !l.differs(base, rec) {
		m.counts.Unchanged++
		if base.Pos == rec.Pos && base.AsOf == rec.AsOf && base.State == rec.State && base.Commit == rec.Commit {
			return nil
		}
		rec.Version = base.Version // a repair may have been published while the record waited
		return m.records.Store(k, rec)
	}
	return m.publish(k, base, rec, meta)
}

// differs reports whether the topic must change for rec to be in it.
func (l *layout) differs(base, rec Record) bool {
	if base.State != rec.State || base.Refused {
		return true
	}
	return rec.State == Live && !slices.Equal(base.Values, rec.Values)
}

func (m *Machine) publish(k Key, base, rec Record, meta change.Meta) error {
	rec.Version = change.Version{Epoch: m.epoch, Rev: base.Version.Rev + 1}
	rec.Lineage, rec.Refused = m.lineage, false
	m.counts.Published++
	m.out = append(m.out, Publication{
		Key: k, Values: rec.Values, Meta: meta,
		Headers: change.Headers{Version: rec.Version, Pos: rec.Pos, AsOf: rec.AsOf, Op: meta.Op},
	})
	return m.records.Store(k, rec)
}

// forget drops what is remembered of a record when no window needs it.
func (m *Machine) forget(k Key, o *open) {
	if o.work != nil || o.reads > 0 || o.want != 0 {
		return
	}
	release(&o.care)
	delete(m.unswept[k.Entity], k)
	if o.asked != 0 {
		m.answered(k, o)
	}
	if !m.windowOpen(k.Entity) {
		delete(m.open, k)
	}
}

// hold keeps the position before the event in hand, until h is released.
func (m *Machine) hold(h **hold) {
	if *h == nil {
		*h = &hold{position: m.prev}
		m.holds = append(m.holds, *h)
	}
}

func release(h **hold) {
	if *h != nil {
		(*h).released = true
		*h = nil
	}
}

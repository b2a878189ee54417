package handover

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"crosswalk/internal/change"
)

// Phase says how far a snapshot is.
type Phase string

// The phases of a snapshot.
const (
	Wanted   Phase = "wanted"   // to be started
	Reading  Phase = "reading"  // its window is open, rows are being applied
	Sweeping Phase = "sweeping" // all rows are applied, what they did not have is read by Id (H11)
)

// ReasonFirst is why the first snapshot of all is wanted: no hole, only the beginning.
const ReasonFirst = "no position yet"

// Snapshot is what must outlive a crash of an entity's snapshot: it is part of the Position.
type Snapshot struct {
	Phase  Phase
	Reason string
	AsOf   int64  // when its reads began, epoch milliseconds
	Anchor int64  // replay id after which its window began; 0: at T0
	Again  bool   // another one is wanted after it
	Next   string // why, when Again
}

// ReasonAsked begins the reason of a snapshot that a person asked for; the request's id follows. It is no hole.
const ReasonAsked = "backfill "

// Asked reports whether only a person wants a snapshot with this reason.
func Asked(reason string) bool { return strings.HasPrefix(reason, ReasonAsked) }

// weightier returns which of two reasons a snapshot is known by: what a person asked for never hides a hole.
func weightier(known, added string) string {
	if known != "" && Asked(added) && !Asked(known) {
		return known
	}
	return added
}

// WantSnapshot asks for a snapshot of the entity (H10). One that is being read already is followed by another one: its
// rows may be older than the reason.
func (m *Machine) WantSnapshot(entity, reason string) {
	switch s := m.snapshots[entity]; {
	case s == nil:
		m.snapshots[entity] = &Snapshot{Phase: Wanted, Reason: reason}
	case s.Phase != Wanted:
		s.Again, s.Next = true, weightier(s.Next, reason)
	case Asked(s.Reason):
		s.Reason = reason
	}
}

// Snapshots returns the snapshots that are wanted or open, by entity.
func (m *Machine) Snapshots() map[string]Snapshot {
	out := make(map[string]Snapshot, len(m.snapshots))
	for entity, s := range m.snapshots {
		out[entity] = *s
	}
	return out
}

// OpenSnapshot opens the window of a wanted snapshot and returns the start of its reads. The subscription must have
// been acknowledged (H2), the Position with it stored, and the bulk job created, after this call.
func (m *Machine) OpenSnapshot(entity string, now int64) int64 {
	s := m.snapshots[entity]
	s.Phase, s.AsOf, s.Anchor = Reading, m.stamp(now), m.reached()
	return s.AsOf
}

// CaughtUp reports whether the stream has been read again up to what a former process had published. Rows of a
// snapshot that was resumed must not be applied before: the touched sets would not be whole (H12).
func (m *Machine) CaughtUp() bool { return m.high >= m.target }

// windowOpen reports whether a snapshot's window is open over the entity.
func (m *Machine) windowOpen(entity string) bool {
	s := m.snapshots[entity]
	return s != nil && s.Phase != Wanted
}

// reading reports whether a page of a snapshot may still bring a row of the entity.
func (m *Machine) reading(entity string) bool {
	s := m.snapshots[entity]
	return s != nil && s.Phase == Reading
}

// Rows applies rows of the entity's open snapshot.
func (m *Machine) Rows(entity string, rows []Row) error {
	s := m.snapshots[entity]
	for _, r := range rows {
		if err := m.row(Key{entity, r.ID}, r, s.Anchor, s.AsOf, change.OpSnapshot); err != nil {
			return err
		}
	}
	return nil
}

// Sweep begins the sweep: all rows of the entity's snapshot are applied. It must be begun again after a restart, once
// the Machine has caught up. What an UPDATE named and no row brought is re-fetched (H9); the window stays open until
// all that waited for a row at this moment has been published.
func (m *Machine) Sweep(entity string) {
	m.snapshots[entity].Phase = Sweeping
	m.giveUpPages(entity)
	m.unswept[entity] = map[Key]bool{}
	for k, o := range m.open {
		if k.Entity == entity && o.work != nil {
			m.unswept[entity][k] = true
		}
	}
}

// Missing reports whether the sweep must read a stored record: it is live, and since the window opened no row of the
// snapshot, no re-fetch and no CREATE or UNDELETE has shown the whole of it (H11). H11 would leave out what an UPDATE
// touched, too; but a record that lost a change in an overflow, was updated, and was deleted before the job read it is
// stale until its DELETE comes, while the position is past the overflow (I2). A read on its way is not relied on: the
// window would be closed before it has told anything.
func (m *Machine) Missing(k Key, rec Record) bool {
	s := m.snapshots[k.Entity]
	if rec.State != Live || rec.AsOf >= s.AsOf {
		return false
	}
	o := m.open[k]
	return o == nil || !touched{&o.touch, s.Anchor}.whole()
}

// CloseSnapshot closes the window: every row is applied and what the sweep asked for has been read. It returns the
// snapshot that is closed; another one is wanted when something asked for it meanwhile.
func (m *Machine) CloseSnapshot(entity string) Snapshot {
	s := m.snapshots[entity]
	delete(m.snapshots, entity)
	delete(m.unswept, entity)
	if s.Again {
		m.WantSnapshot(entity, cmp.Or(s.Next, s.Reason))
	}
	m.close(entity)
	return *s
}

// DropSnapshot gives up what a person asked for with this reason: what rows have shown stays, what waited for one is read
// by Id. A snapshot that is wanted for another reason goes on.
func (m *Machine) DropSnapshot(entity, reason string) {
	s := m.snapshots[entity]
	if s == nil {
		return
	}
	if s.Again && s.Next == reason {
		s.Again, s.Next = false, ""
	}
	if s.Reason != reason {
		return
	}
	if s.Phase != Wanted {
		m.giveUpPages(entity)
	}
	delete(m.snapshots, entity)
	delete(m.unswept, entity)
	if s.Again {
		m.WantSnapshot(entity, s.Next)
	}
	m.close(entity)
}

// Check has a record read because the snapshot did not have it.
func (m *Machine) Check(k Key) {
	m.enqueue(k, m.opened(k), wantLook)
	m.unswept[k.Entity][k] = true
}

// Swept reports whether nothing is left that the sweep waits for.
func (m *Machine) Swept(entity string) bool { return len(m.unswept[entity]) == 0 }

// AbandonSnapshot puts an open snapshot back to wanted: its job is gone.
func (m *Machine) AbandonSnapshot(entity, reason string) {
	s := m.snapshots[entity]
	if !Asked(s.Reason) {
		s.Reason = reason
	}
	if s.Again && !Asked(s.Next) {
		s.Reason = s.Next
	}
	s.Phase, s.Again, s.Next = Wanted, false, ""
	m.giveUpPages(entity)
	m.close(entity)
}

// giveUpPages has the records re-fetched that no page will bring any more (H9).
func (m *Machine) giveUpPages(entity string) {
	var keys []Key
	for k, o := range m.open {
		if k.Entity == entity && o.work != nil && o.work.State == Unknown && !m.rules.held(o) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	for _, k := range keys {
		m.enqueue(k, m.open[k], wantLook|wantRow)
	}
}

func (m *Machine) close(entity string) {
	for k, o := range m.open {
		if k.Entity == entity {
			m.forget(k, o)
		}
	}
}

// Lost gives the position up: it cannot be read from any more. A new epoch and a new lineage begin at the server time
// now, everything unpublished is dropped, and every entity gets a new snapshot, which covers it (H10, H14).
func (m *Machine) Lost(now int64, reason string) {
	m.epoch++
	m.begin(now, reason)
}

// Begin starts the first lineage: there is no position yet (H3).
func (m *Machine) Begin(now int64) { m.begin(now, ReasonFirst) }

func (m *Machine) begin(now int64, reason string) {
	m.lineage, m.t0, m.at = m.epoch, now, now
	m.last, m.prev, m.high, m.seen, m.floor, m.target, m.first, m.reflected = 0, 0, 0, 0, 0, 0, 0, 0
	m.silent, m.lastCommit, m.prevCommit, m.highCommit = 0, 0, 0, 0
	clear(m.open)
	clear(m.reads)
	clear(m.queues)
	clear(m.asked)
	clear(m.snapshots)
	clear(m.unswept)
	m.holds = nil
	for _, entity := range slices.Sorted(maps.Keys(m.layouts)) {
		m.WantSnapshot(entity, reason)
	}
}

package hole

import (
	"fmt"
	"slices"
)

// Burst is for how long, in milliseconds, findings of the same kind are one hole: ten thousand gap events are not ten
// thousand audit events. Holes that a snapshot closes take findings until the snapshot begins.
const Burst = 60_000

// Book is the open holes of one org, oldest first. It is not safe for concurrent use.
type Book struct {
	org  string
	open []*Hole
}

// NewBook goes on with what a former process has left open.
func NewBook(org string, open []Hole) *Book {
	b := &Book{org: org}
	for i := range open {
		h := open[i]
		h.told = true
		b.open = append(b.open, &h)
	}
	return b
}

// Open returns a copy of the open holes, to be stored.
func (b *Book) Open() []Hole {
	out := make([]Hole, len(b.open))
	for i, h := range b.open {
		out[i] = *h
		out[i].IDs, out[i].Left = slices.Clone(h.IDs), slices.Clone(h.Left)
	}
	return out
}

// Real returns how many of the open ones are holes in the stream.
func (b *Book) Real() (n int) {
	for _, h := range b.open {
		if h.Real() {
			n++
		}
	}
	return n
}

// Note takes a finding down at the server time now. One that is noted already, because its event came again, changes nothing
// but what is to be read.
func (b *Book) Note(f Finding, now int64) {
	h := b.home(f, now)
	switch {
	case h == nil:
		h = &Hole{
			ID: b.id(f, now), Entity: f.Entity, Reason: f.Reason, Repair: f.Repair, Why: f.Why, Lineage: f.Lineage, OpenedAt: now,
			After: f.After, From: f.From,
		}
		b.open = append(b.open, h)
		h.add(f)
	case h.Repair == ByReading && h.names(f.IDs): // it was found before
	case f.ReplayID == 0 || f.ReplayID > h.ReplayID:
		h.add(f)
	}
	if f.Repair == ByID || f.Repair == ByReading {
		h.await(f.IDs)
	}
}

// home finds the open hole that a finding belongs to.
func (b *Book) home(f Finding, now int64) *Hole {
	for _, h := range b.open {
		if h.Entity != f.Entity || h.Reason != f.Reason || h.Repair != f.Repair || h.Lineage != f.Lineage {
			continue
		}
		switch {
		case f.ReplayID != 0 && f.ReplayID <= h.ReplayID, h.Repair == ByVersion:
			return h
		case h.Repair == ByReading: // every id is kept: the hole is closed when the last of them is read
			if h.names(f.IDs) || len(h.IDs)+len(f.IDs) <= MaxIDs {
				return h
			}
		case h.Repair == BySnapshot:
			if h.Snapshot == 0 {
				return h
			}
		case now-h.OpenedAt < Burst && !h.Reconciled:
			return h
		}
	}
	return nil
}

// id makes the same one when the same thing is found again, as far as what was found tells.
func (b *Book) id(f Finding, now int64) string {
	at := fmt.Sprint(f.ReplayID)
	switch {
	case f.Repair == ByReading && len(f.IDs) > 0:
		at = f.IDs[0]
	case f.ReplayID == 0:
		at = fmt.Sprint(now)
	}
	entity := f.Entity
	if entity == "" {
		entity = "any"
	}
	return fmt.Sprintf("%s/%s/%s/%d-%s", b.org, entity, f.Reason, f.Lineage, at)
}

// Untold returns the holes that were opened since the last call.
func (b *Book) Untold() (out []*Hole) {
	for _, h := range b.open {
		if h.Untold() {
			out = append(out, h)
		}
	}
	return out
}

// Untold reports whether nobody was told yet that the hole was opened, and counts as telling.
func (h *Hole) Untold() bool {
	untold := !h.told
	h.told = true
	return untold
}

// Read counts one call that asked for records of an entity by id.
func (b *Book) Read(entity string, ids []string) {
	for _, h := range b.open {
		if h.Entity != entity || len(h.pending) == 0 {
			continue
		}
		n := int64(0)
		for _, id := range ids {
			if h.pending[id] {
				delete(h.pending, id)
				n++
			}
		}
		if n > 0 {
			h.Calls++
			h.Read += n
		}
	}
}

// Published closes what is repaired by reading ids: a position is not stored past an event whose records are not read.
func (b *Book) Published(lineage, replayID int64) []*Hole {
	return b.close(func(h *Hole) bool { return h.passed(lineage, replayID) })
}

// Passed reports whether Published would close a hole.
func (b *Book) Passed(lineage, replayID int64) bool {
	return slices.ContainsFunc(b.open, func(h *Hole) bool { return h.passed(lineage, replayID) })
}

func (h *Hole) passed(lineage, replayID int64) bool {
	return h.Repair == ByID && h.Lineage == lineage && h.ReplayID <= replayID
}

// SnapshotOpened says that a snapshot of an entity begins, at asof: it covers what was found before. It reports whether
// there is anything to cover.
func (b *Book) SnapshotOpened(entity string, asof int64) (covers bool) {
	for _, h := range b.open {
		if h.Entity == entity && h.Repair == BySnapshot {
			h.Snapshot, covers = asof, true
		}
	}
	return covers
}

// SnapshotClosed closes what the snapshot that began at asof covers.
func (b *Book) SnapshotClosed(entity string, asof int64) []*Hole {
	return b.close(func(h *Hole) bool { return h.Entity == entity && h.Repair == BySnapshot && h.Snapshot == asof })
}

// ReconciliationBegins says that a reconciliation covers what was found up to the server time settled.
func (b *Book) ReconciliationBegins(settled int64) {
	for _, h := range b.open {
		h.Reconciled = h.Repair == ByReconciliation && h.OpenedAt <= settled
	}
}

// ReconciliationDone closes what a reconciliation covers, once what it found is read.
func (b *Book) ReconciliationDone() []*Hole {
	return b.close(func(h *Hole) bool { return h.Reconciled })
}

// Lost says that the position was given up: replay ids are no longer comparable, what waited to be read is forgotten, and the
// snapshots that follow close what was to be closed by ids.
func (b *Book) Lost() {
	for _, h := range b.open {
		h.pending = nil
		if h.Repair == ByID {
			h.Repair = BySnapshot
		}
		if h.Repair == BySnapshot {
			h.Snapshot = 0
		}
	}
}

// Refused returns the ids of the records of an entity that the broker did not take; all is false when there are more than
// are known.
func (b *Book) Refused(entity string) (ids []string, all bool) {
	all = true
	for _, h := range b.open {
		if h.Repair == ByVersion && h.Entity == entity {
			ids = append(ids, h.IDs...)
			all = all && !h.More
		}
	}
	return ids, all
}

// Taken says that the broker has taken a version of a record, and closes the hole when it was the last one that was missing.
func (b *Book) Taken(entity, id string) []*Hole {
	return b.close(func(h *Hole) bool {
		return h.Repair == ByVersion && h.Entity == entity && strike(&h.IDs, id) && len(h.IDs) == 0
	})
}

// Unread returns the ids of the records of an entity that are to be read again, whatever is stored of them.
func (b *Book) Unread(entity string) (ids []string) {
	for _, h := range b.open {
		if h.Entity == entity {
			ids = append(ids, h.Left...)
		}
	}
	return ids
}

// Waiting returns the holes that wait for a record to be read.
func (b *Book) Waiting(entity, id string) (out []*Hole) {
	for _, h := range b.open {
		if h.Entity == entity && slices.Contains(h.Left, id) {
			out = append(out, h)
		}
	}
	return out
}

// Waits reports whether there are any.
func (b *Book) Waits(entity, id string) bool { return len(b.Waiting(entity, id)) > 0 }

// Reread says that a record was read, or is gone, and the topic says so; it closes the hole when it was the last one.
func (b *Book) Reread(entity, id string) []*Hole {
	return b.close(func(h *Hole) bool {
		return h.Repair == ByReading && h.Entity == entity && strike(&h.Left, id) && len(h.Left) == 0
	})
}

// strike takes an id out of a list; it reports whether it was there.
func strike(ids *[]string, id string) bool {
	i := slices.Index(*ids, id)
	if i >= 0 {
		*ids = slices.Delete(*ids, i, i+1)
	}
	return i >= 0
}

func (b *Book) close(done func(*Hole) bool) (closed []*Hole) {
	b.open = slices.DeleteFunc(b.open, func(h *Hole) bool {
		if !done(h) {
			return false
		}
		closed = append(closed, h)
		return true
	})
	return closed
}

// Dropped forgets the snapshot of an entity that only a person wanted, who does not want it any more.
func (b *Book) Dropped(entity string) {
	b.close(func(h *Hole) bool { return h.Entity == entity && h.Reason == Asked })
}

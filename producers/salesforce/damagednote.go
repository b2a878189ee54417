package salesforce

import (
	"context"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// damagedNote is a record of salesforce.note that cannot be used.
type damagedNote struct {
	letter
	kind    string // the object that its id is of; empty when its key is no id of a note
	version change.Version
}

// noteKind returns the object that a note's id is of, empty when it is of none.
func noteKind(id string) string {
	for object := range noteObjects {
		if isRecord(object, id) {
			return object
		}
	}
	return ""
}

// takeDamaged notes a record that cannot be used. When a later one is known, that is published again; else nothing is known
// of the note any more until Salesforce is asked. The book goes on reflecting what is before the record until it is answered.
func (b *noteBook) takeDamaged(r topic.Record, v change.Version, old noteEntry, why error) {
	id := string(r.Key)
	kind := noteKind(id)
	if kind == "" {
		if r.Value == nil {
			return // a tombstone under a key that is no id is nothing
		}
		why = damaged("its key %.80q is no id of a note (%w)", id, why)
	}
	b.damaged = append(b.damaged, damagedNote{letterOf(handover.Key{Entity: kind, ID: id}, r, why), kind, v})
	switch {
	case kind == "":
	case old.version != (change.Version{}) && !unversioned(why) && !old.version.Less(v):
		b.late[id] = old.kind
	default:
		if old.version.Less(v) {
			old.version = v
		}
		b.pending[id] = noteEntry{version: old.version, kind: kind}
		b.late[id] = kind
	}
}

// tellDamaged writes the dead letters of what was found, and opens the holes.
func (n *notes) tellDamaged(ctx context.Context) error {
	if len(n.book.damaged) == 0 {
		return nil
	}
	return n.do(ctx, func() error {
		for _, d := range n.book.damaged {
			if err := n.post(ctx, d.letter); err != nil {
				return err
			}
			if d.kind != "" {
				n.noteDamaged(d.kind, d.key.ID, d.why)
			}
		}
		return nil
	})
}

// closeDamaged takes records out of the topic that are nobody's, and closes the holes of the notes that are repaired.
func (n *notes) closeDamaged(ctx context.Context) error {
	for _, d := range n.book.damaged {
		if d.kind != "" || d.key.ID == "" {
			continue
		}
		v := change.Version{Epoch: max(n.epoch, d.version.Epoch), Rev: d.version.Rev + 1}
		if err := n.book.send(ctx, n, d.key.ID, nil, v, change.OpRepair, n.now()); err != nil {
			return err
		}
	}
	if err := n.flush(ctx); err != nil {
		return err
	}
	err := n.do(ctx, func() error {
		for _, d := range n.book.damaged {
			if d.kind == "" {
				n.auditStrange(ctx, n.topics.note, "a note", d.key.ID, place(d.record))
			}
		}
		for id, kind := range n.book.late {
			if kind == "" {
				kind = noteKind(id)
			}
			if !n.book.unsettled[kind] {
				n.closeRead(ctx, kind, id)
			}
		}
		return nil
	})
	n.book.damaged = nil
	return err
}

// lateHoles has the notes read again of which a former process did not close the holes.
func (n *notes) lateHoles(ctx context.Context) error {
	return n.do(ctx, func() error {
		for _, object := range n.cfg.Notes.Objects {
			for _, id := range n.loop.book.Unread(object) {
				n.book.late[id] = object
			}
		}
		return nil
	})
}

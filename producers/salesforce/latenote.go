package salesforce

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
)

// answerLate looks for what a former producer wrote after this one took over, and answers it (W3). Once in each poll the topic's
// ends are compared with what was acknowledged; only a stretch that is not ours is read.
func (n *notes) answerLate(ctx context.Context) error {
	if err := n.book.commit(ctx); err != nil { // else our own records would look like a stranger's
		return err
	}
	ends, err := n.cfg.Kafka.Offsets(ctx, n.topics.note)
	if err != nil {
		return err
	}
	n.book.offsets.reach(ends)
	spans := n.book.offsets.takeForeign()
	for i, s := range spans {
		err := n.readSpan(ctx, s, func(r topic.Record) error { return n.takeLate(ctx, r) })
		if err != nil {
			n.book.offsets.giveBack(spans[i:])
			return err
		}
	}
	if len(n.book.late) == 0 && len(n.book.damaged) == 0 && len(spans) == 0 {
		return nil
	}
	if err := n.tellDamaged(ctx); err != nil {
		return err
	}
	if err := n.repairLate(ctx); err != nil {
		return err
	}
	if err := n.closeDamaged(ctx); err != nil {
		return err
	}
	clear(n.book.late)
	return n.book.save()
}

// takeLate notes a record that another producer wrote.
func (n *notes) takeLate(ctx context.Context, r topic.Record) error {
	h, _, why := parseHeaders(r)
	switch {
	case h.Version.Epoch > n.epoch:
		return errors.Join(topic.ErrFenced, fmt.Errorf("record %d of %s partition %d has a later epoch", r.Offset, r.Topic, r.Partition))
	case why == nil && h.Version.Epoch == n.epoch:
		return nil // our own, beside it
	}
	id := string(r.Key)
	known, err := n.book.load(id)
	if err != nil {
		return err
	}
	var e noteEntry
	if why == nil {
		e, why = n.book.read(ctx, r, h.Version)
	}
	if isDamage(why) {
		n.book.takeDamaged(r, h.Version, known, why)
		return nil
	}
	if why != nil {
		return why
	}
	if known.version == (change.Version{}) { // nobody knew of it: what it says is looked at as if it were ours
		known = e
		n.book.pending[id] = known
	}
	n.book.late[id] = known.kind
	return nil
}

// repairLate publishes again the notes that were written late, as Salesforce has them now: the book does not keep texts.
func (n *notes) repairLate(ctx context.Context) error {
	ids := map[string][]string{}
	for id, kind := range n.book.late {
		n.cfg.Logger.Warn("a former producer wrote a note late; it is published again", "id", id)
		n.cfg.Metrics.repaired.Inc()
		if kind == "" {
			if err := n.book.bury(ctx, n, id); err != nil {
				return err
			}
			continue
		}
		ids[kind] = append(ids[kind], id)
		if err := n.book.forget(id); err != nil {
			return err
		}
	}
	n.book.unsettled = map[string]bool{}
	for kind, all := range ids {
		for chunk := range slices.Chunk(all, linkChunk) {
			err := n.readAgain(ctx, noteObjects[kind], chunk)
			if err != nil && ctx.Err() == nil && !slices.Contains(n.cfg.Notes.Objects, kind) {
				n.cfg.Logger.Warn("notes of an object that is not among notes.objects could not be repaired; add it there", "object", kind, "notes", len(chunk), "error", err)
				n.book.unsettled[kind] = true
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return n.book.commit(ctx)
}

// readAgain publishes notes by id, and deletes those that are gone.
func (n *notes) readAgain(ctx context.Context, o noteObject, ids []string) error {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = sfapi.Quote(id)
	}
	seen := map[string]bool{}
	if err := n.query(ctx, o, o.soql(" WHERE Id IN ("+strings.Join(quoted, ",")+")"), change.OpRepair, seen); err != nil {
		return err
	}
	for _, id := range ids {
		if !seen[id] {
			if err := n.book.remove(ctx, n, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget makes the next put of a note publish it, whatever it says.
func (b *noteBook) forget(id string) error {
	e, err := b.load(id)
	e.digest, e.source = [sha256.Size]byte{}, ""
	b.pending[id] = e
	return err
}

// bury publishes the deletion of a note once more.
func (b *noteBook) bury(ctx context.Context, n *notes, id string) error {
	e, err := b.load(id)
	if err != nil {
		return err
	}
	e.version = change.Version{Epoch: n.epoch, Rev: e.version.Rev + 1}
	b.pending[id] = e
	return b.send(ctx, n, id, nil, e.version, change.OpRepair, n.now())
}

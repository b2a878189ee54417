package salesforce

import (
	"cmp"
	"context"

	"crosswalk/producers/salesforce/hole"
)

// settleRefused answers what the broker did not take of the notes that were sent last: a refused note goes to the dead letter topic, and is a
// hole until another version of it is taken. The book keeps what it says: it is tried again when it changes.
func (b *noteBook) settleRefused(ctx context.Context) error {
	list := b.refusals.take()
	return b.loop.do(ctx, func() error {
		refused := map[string]bool{}
		for _, r := range list {
			id := string(r.record.Key)
			refused[id] = true
			if err := b.refused(ctx, cmp.Or(b.pending[id].kind, noteKind(id)), id, r); err != nil {
				return err
			}
		}
		if b.loop.book.Real() == 0 {
			return nil
		}
		for id, e := range b.pending {
			if refused[id] {
				continue
			}
			for _, h := range b.loop.book.Taken(cmp.Or(e.kind, noteKind(id)), id) {
				b.loop.closed(ctx, h, "the broker has taken another version of each note", nil)
			}
		}
		return nil
	})
}

// refused buries a note that the broker does not take, and opens its hole.
func (b *noteBook) refused(ctx context.Context, kind, id string, r refusal) error {
	l := b.loop
	l.cfg.Logger.Warn("the broker does not take a note; it goes to the dead letter topic, and its next version is tried",
		"kind", kind, "id", id, "bytes", len(r.record.Value), "error", r.why)
	l.book.Note(hole.Finding{
		Entity: kind, Reason: hole.RefusedRecord, Repair: hole.ByVersion, IDs: []string{id}, Lineage: l.m.Lineage(),
		Why: "the broker does not take a " + kind + " for what it is: " + r.why.Error() + "; see the dead letter topic, and max.message.bytes of " + r.record.Topic,
	}, l.now())
	return l.bury(ctx, "refused/note/"+id, r.record.Value, refusalHeaders(r))
}

package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
)

// notes polls for notes, object by object (H18), and publishes what changed.
type notes struct {
	*loop
	book    *noteBook
	cursors map[string]*avro.Poll // by object
	epoch   int64
	guests  chan func(living context.Context) // what others have done with the notebook between two polls
	fullAt  map[string]time.Time              // when all ids of an object that is not listed were last compared
}

// noteOverlap is how far a poll reaches back behind what was covered: longer than the longest transaction, since a row
// that was saved before the cursor can be committed behind it (facts 7.1).
const noteOverlap = 10 * time.Minute

func newNotes(l *loop) *notes {
	return &notes{loop: l, cursors: map[string]*avro.Poll{}, fullAt: map[string]time.Time{}, guests: make(chan func(context.Context))}
}

func (n *notes) run(ctx context.Context) error {
	for _, object := range n.cfg.Notes.Objects {
		if _, ok := noteObjects[object]; !ok {
			return fmt.Errorf("%s is no kind of note: use Note, Task or ContentNote in salesforce.notes.objects", object)
		}
	}
	if err := n.begin(ctx); err != nil {
		return err
	}
	for {
		for _, object := range n.cfg.Notes.Objects {
			start := time.Now()
			err := n.poll(ctx, noteObjects[object])
			n.cfg.Metrics.polls.WithLabelValues(object).Inc()
			n.cfg.Metrics.pollSeconds.Observe(time.Since(start).Seconds())
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.Is(err, topic.ErrFenced), errors.Is(err, topic.ErrClosed):
				return err
			case errors.Is(err, errTextsWait): // the governor has said so
			case err != nil:
				n.cfg.Logger.Warn("notes could not be polled; they are tried again", "object", object, "error", err)
				n.report(object, func(s *NoteStatus) { s.Failed = err.Error() })
			}
		}
		if n.idle(ctx, n.cfg.Notes.Every) != nil {
			return nil
		}
	}
}

// begin brings the memory of what is published up, and reads the cursors.
func (n *notes) begin(ctx context.Context) error {
	var err error
	if n.book, err = n.openBook(ctx); err != nil {
		return err
	}
	if err := n.lateHoles(ctx); err != nil {
		return err
	}
	for _, object := range n.cfg.Notes.Objects {
		cursor, err := n.readCursor(ctx, object)
		if err != nil {
			return err
		}
		if cursor != nil && !n.book.fresh {
			n.cursors[object] = cursor
		}
	}
	return nil
}

// poll publishes what changed since the last one.
func (n *notes) poll(ctx context.Context, o noteObject) error {
	begun, whole := n.now(), false
	err := n.do(ctx, func() error {
		n.epoch, whole = n.m.Epoch(), n.loop.book.SnapshotOpened(o.name, begun)
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.answerLate(ctx); err != nil {
		return err
	}
	now, err := n.cfg.Client.ServerTime(ctx)
	if err != nil {
		return err
	}
	cursor := n.cursors[o.name]
	var next *avro.Poll
	switch {
	case cursor == nil, whole:
		next, err = n.readAll(ctx, o, now)
	case o.listed:
		next, err = n.readListed(ctx, o, cursor, now)
	default:
		next, err = n.readModified(ctx, o, cursor, now)
	}
	if err != nil {
		return err
	}
	if err := n.book.commit(ctx); err != nil {
		return err
	}
	if !o.listed {
		n.governor.resume(workBodies, []sfapi.Quota{sfapi.QuotaCalls}) // no text is missing
	}
	n.cursors[o.name] = next
	n.report(o.name, func(s *NoteStatus) {
		*s = NoteStatus{Ready: true, Published: n.book.published[o.name], Covered: moment(*next.CoveredUntil)}
	})
	if err := n.writeCursor(ctx, o.name, next); err != nil || !whole {
		return err
	}
	return n.do(ctx, func() error {
		for _, h := range n.loop.book.SnapshotClosed(o.name, begun) {
			n.closed(ctx, h, "all of "+o.name+" are read and compared", nil)
		}
		return nil
	})
}

// report shows how far an object is.
func (n *notes) report(object string, change func(*NoteStatus)) {
	n.update(func(s *Status) {
		st := s.Notes[object]
		change(&st)
		all := map[string]NoteStatus{}
		maps.Copy(all, s.Notes)
		all[object] = st
		s.Notes = all
	})
}

// query publishes what a query brings. Archived tasks are only in queryAll, together with deleted ones.
func (n *notes) query(ctx context.Context, o noteObject, soql string, op change.Op, seen map[string]bool) error {
	for page, err := range n.api(workNotes).QueryPages(ctx, soql, sfapi.QueryOptions{All: o.listed}) {
		if err != nil {
			return err
		}
		err := n.takePage(ctx, o, page.Records, op, seen)
		if err != nil && !errors.Is(err, errTextsWait) {
			return err
		}
		if err := n.book.commit(ctx); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *notes) takePage(ctx context.Context, o noteObject, records []json.RawMessage, op change.Op, seen map[string]bool) error {
	batch := make([]avro.Note, 0, len(records))
	rows := make([]*noteRow, 0, len(records))
	for _, raw := range records {
		note, row, err := o.note(raw)
		if err != nil {
			if err := n.rejectRow(ctx, "notes/"+o.name, raw, err); err != nil {
				return err
			}
			continue
		}
		if row.IsDeleted {
			if err := n.book.remove(ctx, n, row.ID); err != nil {
				return err
			}
			continue
		}
		batch, rows = append(batch, note), append(rows, row)
	}
	if !o.listed {
		if err := n.contentLinks(ctx, batch); err != nil {
			return err
		}
	}
	for i := range batch {
		if seen != nil {
			seen[batch[i].ID] = true
		}
		source := ""
		if !o.listed {
			source = sourceOf(&batch[i], rows[i].LatestPublishedVersionID)
			known, err := n.book.load(batch[i].ID)
			if err != nil {
				return err
			}
			if known.source == source && op != change.OpRefetch {
				continue // neither the text nor what stands around it has changed
			}
			if err := n.content(ctx, &batch[i], rows[i]); err != nil {
				return err
			}
		}
		if err := n.book.put(ctx, n, &batch[i], op, source); err != nil {
			return err
		}
	}
	return nil
}

// take publishes one record that was read by id.
func (n *notes) take(ctx context.Context, o noteObject, raw json.RawMessage, op change.Op) error {
	return n.takePage(ctx, o, []json.RawMessage{raw}, op, nil)
}

// writeCursor stores how far an object is covered, after all of it is acknowledged.
func (n *notes) writeCursor(ctx context.Context, object string, cursor *avro.Poll) error {
	owner, owned := n.Task(), n.writer.Epoch()
	p := avro.Position{
		Org: n.org(), Source: noteSource + object, Epoch: n.epoch, Owner: &owner, OwnerEpoch: &owned, Poll: cursor, UpdatedAt: n.now(),
		SchemaFields: map[string][]string{}, Detail: map[string]string{},
	}
	value, err := p.Append(avro.Frame(nil, n.fixed.position))
	if err != nil {
		return err
	}
	key := n.org() + "/" + noteSource + object
	return n.writer.Write(ctx, topic.Record{Topic: n.topics.position, Key: []byte(key), Value: value, Headers: n.stamp(n.epoch, "position.update", key)})
}

package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
		p, err := n.lastPosition(ctx, "notes/"+object)
		if err != nil {
			return err
		}
		if p != nil && p.Poll != nil && p.Poll.CoveredUntil != nil && !n.book.fresh {
			n.cursors[object] = p.Poll
		}
	}
	return nil
}

// poll publishes what changed since the last one.
func (n *notes) poll(ctx context.Context, o noteObject) error {
	if err := n.do(ctx, func() error { n.epoch = n.m.Epoch(); return nil }); err != nil {
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
	case cursor == nil:
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
	n.report(o.name)
	return n.writeCursor(ctx, o.name, next)
}

func (n *notes) report(object string) {
	covered := time.UnixMilli(*n.cursors[object].CoveredUntil).UTC()
	published := n.book.published[object]
	n.update(func(s *Status) {
		all := map[string]NoteStatus{object: {Ready: true, Published: published, Covered: covered}}
		for name, st := range s.Notes {
			if name != object {
				all[name] = st
			}
		}
		s.Notes = all
	})
}

// readAll reads every note of an object, and deletes what is published and no longer there.
func (n *notes) readAll(ctx context.Context, o noteObject, now time.Time) (*avro.Poll, error) {
	seen := map[string]bool{}
	if err := n.query(ctx, o, o.soql(""), change.OpSnapshot, seen); err != nil {
		return nil, err
	}
	if err := n.book.deleteMissing(ctx, n, o.name, seen); err != nil {
		return nil, err
	}
	n.fullAt[o.name] = time.Now()
	at := now.UnixMilli()
	return &avro.Poll{CoveredUntil: &at, DeletedCoveredUntil: &at}, nil
}

// readListed reads what was changed and deleted since the cursor. A query sees it at once, the recycle bin included;
// Salesforce's own lists, which know whole minutes only, add what the query cannot see (what was purged) and say how
// far everything is covered.
func (n *notes) readListed(ctx context.Context, o noteObject, cursor *avro.Poll, now time.Time) (*avro.Poll, error) {
	from := time.UnixMilli(*cursor.CoveredUntil).Add(-noteOverlap)
	seen := map[string]bool{}
	if err := n.query(ctx, o, o.soql(since(from)), change.OpUpdate, seen); err != nil {
		return nil, err
	}
	updated, err := n.api(workNotes).Updated(ctx, o.name, from, now)
	if err != nil {
		return nil, err
	}
	unseen := slices.DeleteFunc(updated.IDs, func(id string) bool { return seen[id] })
	err = n.api(workNotes).Retrieve(ctx, o.name, o.fields, unseen, func(id string, record json.RawMessage) error {
		if record == nil {
			return n.book.remove(ctx, n, id)
		}
		return n.take(ctx, o, record, change.OpUpdate)
	})
	if err != nil {
		return nil, err
	}
	deleted, err := deletedBetween(time.UnixMilli(*cursor.DeletedCoveredUntil).Add(-noteOverlap), now, func(from, to time.Time) (sfapi.Deleted, error) {
		return n.api(workNotes).Deleted(ctx, o.name, from, to)
	})
	if err != nil {
		if nextOf(err) == sfapi.NextFullRead {
			return n.readAll(ctx, o, now)
		}
		return nil, err
	}
	for _, d := range deleted.Records {
		if err := n.removeDeleted(ctx, o, d); err != nil {
			return nil, err
		}
	}
	// Salesforce states whole minutes; what a full read covered may lie behind that, and a position never goes back.
	covered := max(updated.Covered.UnixMilli(), *cursor.CoveredUntil)
	deletedCovered := max(deleted.Covered.UnixMilli(), *cursor.DeletedCoveredUntil)
	return &avro.Poll{CoveredUntil: &covered, DeletedCoveredUntil: &deletedCovered}, nil
}

// removeDeleted deletes a note unless it was undeleted since, as a change after its deletion shows.
func (n *notes) removeDeleted(ctx context.Context, o noteObject, d sfapi.Deletion) error {
	if modified, ok, err := n.book.modified(d.ID); err != nil || !ok || modified > d.At.UnixMilli() {
		return err
	}
	gone := true
	err := n.api(workNotes).Retrieve(ctx, o.name, []string{"Id"}, []string{d.ID}, func(_ string, record json.RawMessage) error {
		gone = record == nil
		return nil
	})
	if err != nil || !gone {
		return err
	}
	return n.book.remove(ctx, n, d.ID)
}

// readModified reads a window by SystemModstamp; deletions come from comparing all ids, now and then.
func (n *notes) readModified(ctx context.Context, o noteObject, cursor *avro.Poll, now time.Time) (*avro.Poll, error) {
	if time.Since(n.fullAt[o.name]) > n.cfg.Notes.CompareEvery {
		return n.readAll(ctx, o, now)
	}
	from := time.UnixMilli(*cursor.CoveredUntil).Add(-noteOverlap)
	if err := n.query(ctx, o, o.soql(since(from)), change.OpUpdate, nil); err != nil {
		return nil, err
	}
	at := max(now.Add(-n.cfg.SafetyLag).UnixMilli(), *cursor.CoveredUntil)
	return &avro.Poll{CoveredUntil: &at, DeletedCoveredUntil: cursor.DeletedCoveredUntil}, nil
}

// since is the condition for what was saved from an instant on.
func since(from time.Time) string {
	return " WHERE SystemModstamp >= " + from.UTC().Format("2006-01-02T15:04:05Z")
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
		Org: n.org(), Source: "notes/" + object, Epoch: n.epoch, Owner: &owner, OwnerEpoch: &owned, Poll: cursor, UpdatedAt: n.now(),
		SchemaFields: map[string][]string{}, Detail: map[string]string{},
	}
	value, err := p.Append(avro.Frame(nil, n.fixed.position))
	if err != nil {
		return err
	}
	key := n.org() + "/notes/" + object
	return n.writer.Write(ctx, topic.Record{Topic: n.topics.position, Key: []byte(key), Value: value, Headers: n.stamp(n.epoch, "position.update", key)})
}

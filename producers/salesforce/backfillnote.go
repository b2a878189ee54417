package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
)

// idle waits for the next poll, and meanwhile does what others need of the notebook, which has one user at a time.
func (n *notes) idle(ctx context.Context, d time.Duration) error {
	due := time.NewTimer(d)
	defer due.Stop()
	for {
		select {
		case fn := <-n.guests:
			fn(ctx)
		case <-due.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// within has fn done between two polls, with the notebook to itself, and everything that it published acknowledged.
func (n *notes) within(ctx context.Context, fn func(ctx context.Context) error) error {
	done := make(chan error, 1)
	guest := func(living context.Context) {
		err := n.do(living, func() error { n.epoch = n.m.Epoch(); return nil })
		if err == nil && ctx.Err() == nil {
			err = fn(ctx)
		}
		if cerr := n.book.commit(living); err == nil {
			err = cerr
		}
		done <- err
	}
	select {
	case n.guests <- guest:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := <-done
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// noteRows reads notes again in the order of (SystemModstamp, Id); all of a note is in its row.
func (e *errand) noteRows(ctx context.Context, p *Part) error {
	o := noteObjects[p.Object]
	columns, limit := strings.Join(o.fields, ", "), e.noteLimit(o)
	for {
		soql := e.q.listQuery(p, columns, limit)
		var last listed
		read, changed, err := e.notePage(ctx, o, soql, nil, &last)
		if err != nil {
			return err
		}
		e.counted(p, read, changed)
		if read == 0 {
			return nil
		}
		if err := e.advance(ctx, func() { p.Modstamp, p.ID = last.SystemModstamp.Time, last.ID }); err != nil || read < limit {
			return err
		}
	}
}

// notePage publishes what a query brings. seen, when not nil, gets the ids that came; last gets the last row.
func (e *errand) notePage(ctx context.Context, o noteObject, soql string, seen map[string]bool, last *listed) (read int, changed int64, err error) {
	var records []json.RawMessage
	err = e.call(ctx, func(ctx context.Context) error {
		records = records[:0]
		for raw, err := range e.api(workBackfill).Query(ctx, soql, sfapi.QueryOptions{All: o.listed}) {
			if err != nil {
				return err
			}
			records = append(records, slices.Clone(raw))
		}
		return nil
	})
	if err != nil || len(records) == 0 {
		return 0, 0, err
	}
	changed, err = e.publishNotes(ctx, o, records)
	for _, raw := range records {
		var row listed
		if json.Unmarshal(raw, &row) != nil {
			continue // it went to the dead letter topic
		}
		if seen != nil {
			seen[row.ID] = true
		}
		if last != nil {
			*last = row
		}
	}
	return len(records), changed, err
}

// textChunk is how many ContentNotes are read at a time: each text is a call of its own, which a crash may have to repeat,
// and polls wait meanwhile.
const textChunk = 50

// noteLimit is how many notes are listed at a time.
func (e *errand) noteLimit(o noteObject) int {
	if o.listed {
		return e.cfg.BackfillRows
	}
	return min(textChunk, e.cfg.BackfillRows)
}

// publishNotes publishes those of some notes that differ from what is published. The texts of ContentNotes are read even
// when nothing around them has changed: somebody asked for that.
func (e *errand) publishNotes(ctx context.Context, o noteObject, records []json.RawMessage) (changed int64, err error) {
	err = e.call(ctx, func(ctx context.Context) error {
		if err := e.governor.wait(ctx, workBackfill); err != nil { // here, where the polls do not wait for it
			return err
		}
		return e.notes.within(ctx, func(ctx context.Context) error {
			before := e.notes.book.published[o.name]
			err := e.notes.takePage(ctx, o, records, change.OpRefetch, nil)
			changed += e.notes.book.published[o.name] - before
			return err
		})
	})
	return changed, err
}

// namedNotes reads the notes again that were named; those that are not there any more are deleted.
func (e *errand) namedNotes(ctx context.Context, p *Part) error {
	o := noteObjects[p.Object]
	ids, size := e.q.named(p.Object), min(readUpTo, e.noteLimit(o))
	for p.Named < len(ids) {
		chunk := ids[p.Named:min(len(ids), p.Named+size)]
		seen := map[string]bool{}
		_, changed, err := e.notePage(ctx, o, e.q.namedQuery(p.Object, strings.Join(o.fields, ", "), chunk), seen, nil)
		if err != nil {
			return err
		}
		if e.q.conditions() == "" {
			gone := slices.DeleteFunc(slices.Clone(chunk), func(id string) bool { return seen[id] })
			removed, err := e.removeNotes(ctx, o, gone)
			if err != nil {
				return err
			}
			changed += removed
		}
		e.counted(p, len(chunk), changed)
		if err := e.advance(ctx, func() { p.Named += len(chunk) }); err != nil {
			return err
		}
	}
	return nil
}

// removeNotes publishes the deletion of those of some notes that are published.
func (e *errand) removeNotes(ctx context.Context, o noteObject, ids []string) (removed int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	err = e.notes.within(ctx, func(ctx context.Context) error {
		before := e.notes.book.published[o.name]
		for _, id := range ids {
			if err := e.notes.book.remove(ctx, e.notes, id); err != nil {
				return err
			}
		}
		removed = e.notes.book.published[o.name] - before
		return nil
	})
	return removed, err
}

// noteDeletions deletes the published notes that are gone: those that Salesforce lists for the window, or, when the
// whole object is asked for, all that cannot be read by their id.
func (e *errand) noteDeletions(ctx context.Context, p *Part) error {
	o := noteObjects[p.Object]
	if e.q.restricted() {
		if !o.listed {
			e.lacks(p.Object + ": Salesforce lists no deletions of it; what was deleted is found by a backfill without conditions")
			return nil
		}
		from, to, cut := deletedWindow(e.q.since, e.q.until, e.instant())
		if cut {
			e.lacks(p.Object + ": Salesforce lists deletions of the last 15 days only; what was deleted before is found by a backfill without conditions")
		}
		list, err := e.deletedBetween(ctx, p.Object, from, to)
		if err != nil {
			return err
		}
		ids := make([]string, len(list))
		for i, d := range list {
			ids[i] = d.ID
		}
		return e.goneNotes(ctx, p, o, ids)
	}
	var ids []string
	err := e.store.Scan([]byte(notePrefix), func(key, value []byte) error {
		n, err := parseEntry(value)
		if err != nil || n.kind != o.name {
			return err
		}
		if ids = append(ids, string(key[len(notePrefix):])); len(ids) < e.cfg.BackfillRows {
			return nil
		}
		chunk := ids
		ids = nil
		return e.goneNotes(ctx, p, o, chunk)
	})
	if err != nil {
		return err
	}
	return e.goneNotes(ctx, p, o, ids)
}

// askedUpTo is how many ids a query names that says nothing else.
const askedUpTo = 400

// goneNotes deletes those of some notes that cannot be read by their ids any more. Archived tasks are only in queryAll,
// together with deleted ones.
func (e *errand) goneNotes(ctx context.Context, p *Part, o noteObject, ids []string) error {
	columns := "Id"
	if o.listed {
		columns = "Id, IsDeleted"
	}
	plain := &request{}
	for chunk := range slices.Chunk(ids, askedUpTo) {
		there := map[string]bool{}
		err := e.call(ctx, func(ctx context.Context) error {
			for raw, err := range e.api(workBackfill).Query(ctx, plain.namedQuery(o.name, columns, chunk), sfapi.QueryOptions{All: o.listed}) {
				if err != nil {
					return err
				}
				var row struct {
					ID        string `json:"Id"`
					IsDeleted bool
				}
				if err := json.Unmarshal(raw, &row); err != nil {
					return fmt.Errorf("read the list of %s: %w", o.name, err)
				}
				there[row.ID] = !row.IsDeleted
			}
			return nil
		})
		if err != nil {
			return err
		}
		removed, err := e.removeNotes(ctx, o, slices.DeleteFunc(chunk, func(id string) bool { return there[id] }))
		if err != nil {
			return err
		}
		e.desk.alter(func() { p.Deleted += removed })
		e.counted(p, 0, removed)
	}
	return nil
}

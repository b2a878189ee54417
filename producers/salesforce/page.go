package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// pageTries is how often pages are read again without coming further.
const pageTries = 8

// readPages publishes the job's pages from where it was left. When a page breaks off, the client has its head already and
// cannot repeat it: reading goes on at the first page that is not wholly published.
func (l *loop) readPages(ctx context.Context, name string, j *job, ready sfapi.Job) error {
	for failed := 0; ; {
		from, marks, err := l.marks(ctx, j)
		if err != nil {
			return err
		}
		err = l.api(workSnapshot).EachPage(ctx, ready, from, l.cfg.PageParallel, func(ctx context.Context, index int, p *sfapi.Page) error {
			return l.readPage(ctx, name, marks, index, p)
		})
		var broken *sfapi.PageError
		if !errors.As(err, &broken) || broken.Next() != sfapi.NextRetry || ctx.Err() != nil {
			return err
		}
		if failed++; j.Locator != from {
			failed = 1
		}
		if failed == pageTries {
			return fmt.Errorf("%w (attempt %d of %d)", err, failed, pageTries)
		}
		l.cfg.Logger.Debug("result page broke off and is read again", "entity", name, "job", j.ID, "error", err)
		if err := retry.Sleep(ctx, retry.Backoff{}.Wait(failed)); err != nil {
			return err
		}
	}
}

// marks begins to take note of a job's pages, at the locator that it returns.
func (l *loop) marks(ctx context.Context, j *job) (from string, m *marks, err error) {
	err = l.do(ctx, func() error { from, m = j.Locator, newMarks(j); return nil })
	return from, m, err
}

// rowBatch is how many rows are one input of the loop.
const rowBatch = 1000

func (l *loop) readPage(ctx context.Context, name string, m *marks, index int, p *sfapi.Page) error {
	e, err := l.entity(ctx, name)
	if err != nil {
		return err
	}
	reader := p.Rows(e.schema)
	reader.PassOver() // what can no longer be read since the job was created is left out (H13)
	rows, looked := newRows(e, rowBatch), false
	for {
		row, err := reader.Next()
		var bad *sfapi.RowError
		switch {
		case errors.As(err, &bad):
			if !looked { // perhaps a field has another type: then the job is given up, and ctx ends
				looked = true
				l.tryDescribe(ctx, name)
			}
			if err := l.do(ctx, func() error { return l.badRow(ctx, name, p, bad) }); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			if err := l.apply(ctx, m, index, rows); err != nil {
				return err
			}
			held := false
			err := l.do(ctx, func() error {
				m.page(index, p.Next)
				l.moved = true
				held = l.asked.waits(name, l.m.Snapshots()[name])
				return nil
			})
			if held && err == nil && p.Next != "" {
				return errHeld
			}
			return err
		case err != nil:
			return err
		}
		if rows.add(row); len(rows.list) == rowBatch {
			if err := l.apply(ctx, m, index, rows); err != nil {
				return err
			}
			rows = newRows(e, rowBatch)
		}
	}
}

// badRow takes a row that cannot be decoded to the dead letters, and its record to those that are read by id. Which record a row is of may not
// be told: the sweep reads the known ones that no row has shown, and a person finds the others.
func (l *loop) badRow(ctx context.Context, name string, p *sfapi.Page, bad *sfapi.RowError) error {
	source := fmt.Sprintf("snapshot/%s/%s/%s/%d", name, p.JobID, p.Locator, bad.Row)
	if err := l.rejectRow(ctx, source, []byte(bad.Raw), bad); err != nil {
		return err
	}
	f := hole.Finding{Entity: name, Reason: hole.UnreadableRow, Repair: hole.BySnapshot, Why: fmt.Sprintf(
		"a row of the bulk job %s of %s cannot be decoded (%v), nor which record it is of: look for the record in the dead letter %s/%s, correct it in Salesforce, and run crosswalk backfill %s, which closes this",
		p.JobID, name, bad, l.org(), source, name)}
	if isRecord(name, bad.ID) {
		f.Repair, f.IDs = hole.ByReading, []string{bad.ID}
		f.Why = fmt.Sprintf("a row of the bulk job %s of %s cannot be decoded (%v): the record is read by its id instead", p.JobID, name, bad)
	}
	if l.noteUnread(f) && f.IDs != nil {
		l.m.Require(handover.Key{Entity: name, ID: bad.ID})
	}
	return nil
}

// entity returns the current description, from outside of the loop.
func (l *loop) entity(ctx context.Context, name string) (e *entity, err error) {
	err = l.do(ctx, func() error { e = l.entities[name]; return nil })
	return e, err
}

// rows is a run of rows, their values in one piece of memory.
type rows struct {
	entity *entity
	list   []handover.Row
	slab   []change.Value
}

func newRows(e *entity, n int) *rows {
	return &rows{entity: e, list: make([]handover.Row, 0, n), slab: make([]change.Value, 0, n*len(e.schema.Fields))}
}

func (r *rows) add(row change.Row) {
	from := len(r.slab)
	r.slab = append(r.slab, row.Values...)
	r.list = append(r.list, handover.Row{ID: row.ID, Values: r.slab[from:len(r.slab):len(r.slab)]})
}

// apply gives rows of a snapshot to the Machine. What is submitted after it comes after it.
func (l *loop) apply(ctx context.Context, m *marks, index int, r *rows) error {
	return l.submit(ctx, func() error {
		name := r.entity.name
		if l.jobs[name] != m.job {
			return nil // the snapshot was given up
		}
		l.fit(r)
		m.add(index, int64(len(r.list)))
		l.cfg.Metrics.rows.WithLabelValues(name).Add(float64(len(r.list)))
		l.sawRows(name, r.list)
		return l.m.Rows(name, r.list)
	})
}

// fit moves rows that were read under an older description to the current columns.
func (l *loop) fit(r *rows) {
	now := l.entities[r.entity.name]
	if now == r.entity {
		return
	}
	for i := range r.list {
		if !r.list[i].Gone {
			r.list[i].Values = move(r.list[i].Values, r.entity.schema, now.schema)
		}
	}
}

package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// listed is a row of a list of ids.
type listed struct {
	ID             string `json:"Id"`
	SystemModstamp sfapi.Timestamp
}

// rows has what queries list read again, in the order of (SystemModstamp, Id): while one list is fetched, the records of
// the one before it are read.
func (e *errand) rows(ctx context.Context, p *Part) error {
	at := *p // how far is listed; p says how far is published
	var pending []listed
	for {
		list, err := e.list(ctx, &at)
		if err != nil {
			return err
		}
		if err := e.published(ctx, p, pending); err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		if err := e.reread(ctx, p.Object, idsOf(list)); err != nil {
			return err
		}
		last := list[len(list)-1]
		pending, at.Modstamp, at.ID = list, last.SystemModstamp.Time, last.ID
		if len(list) < e.cfg.BackfillRows {
			return e.published(ctx, p, pending)
		}
	}
}

// list fetches the ids behind those that are listed. Deleted records are among them, so that they become tombstones.
func (e *errand) list(ctx context.Context, at *Part) (out []listed, err error) {
	soql := e.q.listQuery(at, "Id, SystemModstamp", e.cfg.BackfillRows)
	err = e.call(ctx, func(ctx context.Context) error {
		out = out[:0]
		for raw, err := range e.api(workBackfill).Query(ctx, soql, sfapi.QueryOptions{All: true}) {
			if err != nil {
				return err
			}
			var row listed
			if err := json.Unmarshal(raw, &row); err != nil {
				return fmt.Errorf("read the list of %s: %w", at.Object, err)
			}
			out = append(out, row)
		}
		return nil
	})
	return out, err
}

func idsOf(list []listed) []string {
	ids := make([]string, len(list))
	for i, row := range list {
		ids[i] = row.ID
	}
	return ids
}

// reread hands ids to the loop, which reads the records by them (H5, H7 hold while the stream goes on).
func (e *errand) reread(ctx context.Context, object string, ids []string) error {
	return e.do(ctx, func() error {
		for _, id := range ids {
			e.m.Reread(handover.Key{Entity: object, ID: id})
		}
		return nil
	})
}

// published waits until the records of a list are read and what differed is published, and notes that.
func (e *errand) published(ctx context.Context, p *Part, list []listed) error {
	if len(list) == 0 {
		return nil
	}
	changed, err := e.settled(ctx)
	if err != nil {
		return err
	}
	e.counted(p, len(list), changed)
	return e.advance(ctx, func() {
		last := list[len(list)-1]
		p.Modstamp, p.ID = last.SystemModstamp.Time, last.ID
	})
}

// settled waits until nothing that was asked for is left to be read, and returns how many records differed since it was
// last called.
func (e *errand) settled(ctx context.Context) (changed int64, err error) {
	for {
		left := 0
		err := e.do(ctx, func() error {
			left = e.m.Rereading()
			changed = e.m.Counts().Corrected - e.corrected
			return nil
		})
		if err != nil || left == 0 {
			e.corrected += changed
			return changed, err
		}
		if err := retry.Sleep(ctx, tick/4); err != nil {
			return 0, err
		}
	}
}

// counted adds to what a part has done.
func (e *errand) counted(p *Part, read int, changed int64) {
	e.desk.alter(func() { p.Read, p.Changed = p.Read+int64(read), p.Changed+changed; e.timed(p) })
	e.cfg.Metrics.backfillRows.WithLabelValues(p.Object).Add(float64(read))
	e.cfg.Metrics.backfillChanged.WithLabelValues(p.Object).Add(float64(changed))
}

// named has the records read again that were named, those of them that fulfil the conditions.
func (e *errand) named(ctx context.Context, p *Part) error {
	if _, note := noteObjects[p.Object]; note {
		return nil
	}
	ids, conditional, size := e.q.named(p.Object), e.q.conditions() != "", e.cfg.BackfillRows
	if conditional {
		size = min(size, readUpTo)
	}
	for p.Named < len(ids) {
		chunk := ids[p.Named:min(len(ids), p.Named+size)]
		found := chunk
		if conditional {
			var err error
			if found, err = e.fulfil(ctx, p.Object, chunk); err != nil {
				return err
			}
		}
		if err := e.reread(ctx, p.Object, found); err != nil {
			return err
		}
		changed, err := e.settled(ctx)
		if err != nil {
			return err
		}
		e.counted(p, len(chunk), changed)
		if err := e.advance(ctx, func() { p.Named += len(chunk) }); err != nil {
			return err
		}
	}
	return nil
}

// fulfil returns those of some ids whose records fulfil the conditions, deleted ones too.
func (e *errand) fulfil(ctx context.Context, object string, ids []string) (out []string, err error) {
	soql := e.q.namedQuery(object, "Id", ids)
	err = e.call(ctx, func(ctx context.Context) error {
		out = out[:0]
		for raw, err := range e.api(workBackfill).Query(ctx, soql, sfapi.QueryOptions{All: true}) {
			if err != nil {
				return err
			}
			var row listed
			if err := json.Unmarshal(raw, &row); err != nil {
				return fmt.Errorf("read records of %s: %w", object, err)
			}
			out = append(out, row.ID)
		}
		return nil
	})
	return out, err
}

// job has a bulk job list the ids, which costs a call for many thousand rows. It reports false when Bulk cannot do it.
func (e *errand) job(ctx context.Context, p *Part) (listed bool, err error) {
	if p.Job == "" {
		var made sfapi.Job
		err := e.call(ctx, func(ctx context.Context) (err error) {
			made, err = e.api(workBackfill).CreateJob(ctx, e.q.jobQuery(p.Object), true)
			return err
		})
		if bulkFailed(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if err := e.advance(ctx, func() { p.Job = made.ID }); err != nil {
			return false, err
		}
	}
	err = e.call(ctx, func(ctx context.Context) error { return e.pages(ctx, p) })
	switch {
	case bulkFailed(err): // its results are gone, or it failed: queries list the ids from the first
		e.cfg.Logger.Warn("a bulk job could not list a backfill's records; queries do", "backfill", e.b.ID, "job", p.Job, "error", err)
		return false, e.advance(ctx, func() { p.Job, p.Locator, p.Read, p.Seconds = "", "", 0, 0 })
	case err != nil:
		return false, err
	}
	e.dropJob(p.Job, workBackfill)
	return true, nil
}

// bulkFailed reports whether an error means that Bulk does not serve, rather than the request itself being refused.
func bulkFailed(err error) bool {
	var gone *sfapi.JobError
	return errors.As(err, &gone) || err != nil && nextOf(err) == sfapi.NextUseREST
}

// pages has the ids of a job's result pages read again, from the first page that is not dealt with.
func (e *errand) pages(ctx context.Context, p *Part) error {
	ready, err := e.api(workBackfill).AwaitJob(ctx, p.Job, nil)
	if err != nil {
		return err
	}
	schema := change.NewSchema(p.Object, []change.Field{{Name: "Id"}})
	for page, err := range e.api(workBackfill).Pages(ctx, ready, p.Locator) {
		if err != nil {
			return err
		}
		before := p.Read
		if err := e.page(ctx, p, page.Rows(schema)); err != nil {
			e.desk.alter(func() { p.Read = before }) // the page is read again
			return err
		}
		if page.Last() {
			return nil
		}
		if err := e.advance(ctx, func() { p.Locator = page.Next }); err != nil {
			return err
		}
	}
	return nil
}

func (e *errand) page(ctx context.Context, p *Part, rows *sfapi.RowReader) error {
	ids := make([]string, 0, e.cfg.BackfillRows)
	for ended := false; !ended; {
		row, err := rows.Next()
		var bad *sfapi.RowError
		switch {
		case errors.Is(err, io.EOF):
			ended = true
		case errors.As(err, &bad):
			if err := e.rejectRow(ctx, "backfill/"+e.b.ID+"/"+p.Job, []byte(bad.Raw), bad); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		default:
			ids = append(ids, row.ID)
		}
		if len(ids) < e.cfg.BackfillRows && !ended {
			continue
		}
		if err := e.reread(ctx, p.Object, ids); err != nil {
			return err
		}
		changed, err := e.settled(ctx)
		if err != nil {
			return err
		}
		e.counted(p, len(ids), changed)
		e.show()
		ids = ids[:0]
	}
	return nil
}

package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// restJob stands in the place of a job's id for a snapshot that is read by REST, because Bulk refuses the object or the
// org has no Bulk API (facts 3.5).
const restJob = "REST"

// readREST reads a snapshot without a job: ids in their order, readLimit at a time, then their rows by id. Nothing of it
// lives on the server, so that it goes on behind the last id published, whatever happened meanwhile; and a row has as many
// columns as it likes, since they do not have to fit into an address.
func (l *loop) readREST(ctx context.Context, name string, j *job) error {
	l.countREST(ctx, name, j)
	for failed := 0; ; {
		more, err := l.readRESTPage(ctx, name, j)
		switch {
		case err == nil && !more:
			return l.endPages(ctx, name, j)
		case err == nil:
			failed = 0
			continue
		case ctx.Err() != nil:
			return err
		}
		switch nextOf(err) {
		case sfapi.NextRetry, sfapi.NextRestartQuery:
			if failed++; failed == pageTries {
				return fmt.Errorf("%w (attempt %d of %d)", err, failed, pageTries)
			}
			if err := retry.Sleep(ctx, retry.Backoff{}.Wait(failed)); err != nil {
				return err
			}
		case sfapi.NextWait:
			l.cfg.Logger.Warn("Salesforce's quota is used up; the snapshot waits", "entity", name, "error", err)
			if err := retry.Sleep(ctx, 5*time.Minute); err != nil {
				return err
			}
		case sfapi.NextDescribe:
			if failed++; failed == pageTries {
				return err
			}
			if err := l.describeAgain(ctx, name); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// countREST asks how many rows there will be, for those who watch. Not to know it is no harm.
func (l *loop) countREST(ctx context.Context, name string, j *job) {
	n, err := l.api(workSnapshot).Count(ctx, "SELECT COUNT() FROM "+name, sfapi.QueryOptions{})
	if err == nil {
		l.expect(ctx, j, sfapi.Job{RecordsProcessed: n})
	}
}

// readRESTPage publishes the rows behind the last id published; more says that there may be others.
func (l *loop) readRESTPage(ctx context.Context, name string, j *job) (more bool, err error) {
	var e *entity
	var after string
	if err := l.do(ctx, func() error { e, after = l.entities[name], j.Locator; return nil }); err != nil {
		return false, err
	}
	ids, err := l.idsAfter(ctx, name, after)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	r, broken, err := l.retrieve(ctx, workSnapshot, e, ids)
	if err != nil {
		return false, err
	}
	err = l.do(ctx, func() error {
		if more = l.jobs[name] == j; !more {
			return nil // the snapshot was given up
		}
		for _, b := range broken {
			if err := l.unreadableRow(ctx, b, r); err != nil {
				return err
			}
		}
		l.fit(r)
		live := r.list[:0]
		for _, row := range r.list {
			if !row.Gone && !row.Unreadable { // deleted since its id was listed: the sweep decides
				live = append(live, row)
			}
		}
		j.Locator, l.moved = ids[len(ids)-1], true
		j.Rows += int64(len(live))
		l.cfg.Metrics.rows.WithLabelValues(name).Add(float64(len(live)))
		l.sawRows(name, live)
		return l.m.Rows(name, live)
	})
	return more, err
}

// idsAfter lists the next ids in their order.
func (l *loop) idsAfter(ctx context.Context, name, after string) (ids []string, err error) {
	soql := fmt.Sprintf("SELECT Id FROM %s %s ORDER BY Id LIMIT %d", name, between(after, ""), readLimit)
	for raw, err := range l.api(workSnapshot).Query(ctx, soql, sfapi.QueryOptions{}) {
		if err != nil {
			return nil, err
		}
		var row struct {
			ID string `json:"Id"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return nil, fmt.Errorf("list ids of %s: %w", name, err)
		}
		ids = append(ids, row.ID)
	}
	return ids, nil
}

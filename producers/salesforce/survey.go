package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// listing is a read of a few columns of an entity's records, beside the loop: what reconciliation, polls, sweeps and
// refreshes look at before they have records read by id.
type listing struct {
	entity string
	schema *change.Schema // Id and what is compared
	clause string         // SOQL after FROM: conditions and order
	all    bool           // deleted and archived records too
	bulk   bool           // by a Bulk job, which costs a dozen calls and no more
	work   work
}

// columns makes the schema of a listing: Id and some of an entity's fields.
func (e *entity) columns(names ...string) *change.Schema {
	fields := []change.Field{{Name: "Id"}}
	for _, name := range names {
		f := change.Field{Name: name}
		switch i := e.schema.Index(name); {
		case i >= 0:
			f = e.schema.Fields[i]
		case name == "SystemModstamp":
			f.Type = change.TypeDatetime
		case name == "IsDeleted":
			f.Type = change.TypeBool
		}
		fields = append(fields, f)
	}
	return change.NewSchema(e.name, fields)
}

func (q listing) soql() string {
	return strings.TrimSpace("SELECT " + strings.Join(sfapi.FieldNames(q.schema), ", ") + " FROM " + q.entity + " " + q.clause)
}

// surveyJobFrom is from how many records on a Bulk job is cheaper than pages of 2,000, unless the configuration says otherwise.
const surveyJobFrom = 20_000

// listChunk is how many rows are one input of the loop, at most: so few that events do not wait for them.
const listChunk = 200

// list reads a listing and hands over its rows, up to listChunk at a time. The rows are the caller's.
func (l *loop) list(ctx context.Context, q listing, take func([]change.Row) error) error {
	c := &collector{loop: l, source: "list/" + q.entity, take: take}
	if q.bulk {
		err := l.listBulk(ctx, q, c)
		if next := nextOf(err); err == nil || next != sfapi.NextUseREST && next != sfapi.NextNarrow {
			return err
		}
	}
	return l.listREST(ctx, q, c)
}

func (l *loop) listREST(ctx context.Context, q listing, c *collector) error {
	decoder := sfapi.NewRowDecoder(q.schema, nil)
	for page, err := range l.api(q.work).QueryPages(ctx, q.soql(), sfapi.QueryOptions{All: q.all}) {
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			row, err := decoder.Row(record)
			if err := c.add(ctx, row, err); err != nil {
				return err
			}
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) listBulk(ctx context.Context, q listing, c *collector) error {
	job, err := l.api(q.work).CreateJob(ctx, q.soql(), q.all)
	if err != nil {
		return err
	}
	defer l.dropJob(job.ID, q.work)
	if job, err = l.api(q.work).AwaitJob(ctx, job.ID, nil); err != nil {
		return err
	}
	locator := ""
	for failed := 0; ; {
		before := locator
		locator, err = l.listPages(ctx, q, c, job, locator)
		var broken *sfapi.PageError
		if !errors.As(err, &broken) || broken.Next() != sfapi.NextRetry || ctx.Err() != nil {
			return err
		}
		if failed++; locator != before {
			failed = 1
		}
		if failed == pageTries {
			return fmt.Errorf("%w (attempt %d of %d)", err, failed, pageTries)
		}
		if err := retry.Sleep(ctx, retry.Backoff{}.Wait(failed)); err != nil {
			return err
		}
	}
}

// listPages reads a job's pages from locator on and returns the locator of the first that was not read to its end.
func (l *loop) listPages(ctx context.Context, q listing, c *collector, job sfapi.Job, locator string) (string, error) {
	for page, err := range l.api(q.work).Pages(ctx, job, locator) {
		if err != nil {
			return locator, err
		}
		for reader := page.Rows(q.schema); ; {
			row, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err := c.add(ctx, row, err); err != nil {
				return locator, err
			}
		}
		if err := c.flush(); err != nil {
			return locator, err
		}
		locator = page.Next
	}
	return locator, nil
}

// dropJob deletes a job that is read, beside whatever follows. Salesforce deletes after seven days what is left.
func (l *loop) dropJob(id string, w work) {
	l.group.Go(func() error {
		ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
		defer cancel()
		if err := l.api(w).DeleteJob(ctx, id); err != nil && ctx.Err() == nil {
			l.cfg.Logger.Debug("delete bulk job", "job", id, "error", err)
		}
		return nil
	})
}

// collector gathers rows into chunks.
type collector struct {
	*loop
	source string
	rows   []change.Row
	take   func([]change.Row) error
}

// add takes a row, or the error that came in its place: a row that cannot be read goes to the dead letters.
func (c *collector) add(ctx context.Context, row change.Row, err error) error {
	var bad *sfapi.RowError
	if errors.As(err, &bad) {
		return c.do(ctx, func() error { return c.reject(ctx, c.source, []byte(bad.Raw), bad) })
	}
	if err != nil {
		return err
	}
	row.Values = slices.Clone(row.Values)
	if c.rows = append(c.rows, row); len(c.rows) < listChunk {
		return nil
	}
	return c.flush()
}

func (c *collector) flush() error {
	rows := c.rows
	c.rows = nil
	if len(rows) == 0 {
		return nil
	}
	return c.take(rows)
}

// errWindow ends a survey: a snapshot of the entity is wanted, and shows what the survey was to find.
var errWindow = errors.New("a snapshot of the entity is taken")

// survey lists records of an entity and has those read by id of which differs says, in the loop, that they are not what
// is stored. It returns when all of them are published.
type survey struct {
	listing
	purpose handover.Purpose
	differs func(rec handover.Record, row change.Row) bool
	// passed, when not nil, is told in the loop of a row up to which everything is published, about every PollRows rows: where a survey that goes on after a crash need not begin again.
	passed func(last change.Row)
}

// survey makes one. A query that Salesforce finds too big for an answer, or for an address, becomes a Bulk job, which brings its
// rows in an order of its own.
func (l *loop) survey(ctx context.Context, s survey) error {
	err := l.surveyOnce(ctx, s)
	if nextOf(err) != sfapi.NextNarrow || s.bulk {
		return err
	}
	l.cfg.Logger.Warn("a listing was too big for a query; it is made by a Bulk job", "entity", s.entity, "error", err)
	s.bulk, s.passed = true, nil
	return l.surveyOnce(ctx, s)
}

func (l *loop) surveyOnce(ctx context.Context, s survey) error {
	since := 0
	err := l.list(ctx, s.listing, func(rows []change.Row) error {
		err := l.ask(ctx, s.entity, s.purpose, func() (keys []handover.Key, err error) {
			for _, row := range rows {
				k := handover.Key{Entity: s.entity, ID: row.ID}
				rec, err := l.records.Load(k)
				if err != nil {
					return nil, err
				}
				if s.differs(rec, row) {
					keys = append(keys, k)
				}
			}
			return keys, nil
		})
		if since += len(rows); err != nil || s.passed == nil || since < l.cfg.PollRows {
			return err
		}
		since = 0
		if err := l.resolved(ctx, s.entity, s.purpose); err != nil {
			return err
		}
		return l.do(ctx, func() error { s.passed(rows[len(rows)-1]); return nil })
	})
	if err != nil {
		return err
	}
	return l.resolved(ctx, s.entity, s.purpose)
}

// ask has the keys that choose names, in the loop, read by id, once there is room for them.
func (l *loop) ask(ctx context.Context, entity string, p handover.Purpose, choose func() ([]handover.Key, error)) error {
	for {
		full, open := false, false
		err := l.do(ctx, func() error {
			if _, open = l.m.Snapshots()[entity]; open {
				return nil
			}
			if full = l.m.Waiting(entity) > readLimit; full {
				return nil
			}
			keys, err := choose()
			for _, k := range keys {
				l.m.Ask(k, p)
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case open:
			return errWindow
		case !full:
			return nil
		}
		if err := retry.Sleep(ctx, tick); err != nil {
			return err
		}
	}
}

// resolved waits until everything that was asked for is read and published.
func (l *loop) resolved(ctx context.Context, entity string, p handover.Purpose) error {
	for {
		left := 0
		err := l.do(ctx, func() error { left = l.m.Asked(entity, p); return nil })
		if err != nil || left == 0 {
			return err
		}
		if err := retry.Sleep(ctx, tick); err != nil {
			return err
		}
	}
}

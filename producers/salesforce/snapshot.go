package salesforce

import (
	"context"
	"errors"
	"io"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// job is a snapshot's bulk job, as far as it must outlive a crash. (ID, Locator) is where reading goes on.
type job struct {
	ID       string
	Locator  string // of the first page that is not wholly published; empty for the first
	Rows     int64  // of this snapshot published so far
	Expected int64  // rows that the job has, as Salesforce says
	Done     bool   // every page is published: the sweep follows

	running bool // a goroutine reads it or sweeps
	scanned bool // the sweep has looked at every stored record
	failed  int  // jobs that failed in a row
}

// follow starts what the Machine wants and nobody does yet.
func (l *loop) follow(ctx context.Context) error {
	if err := l.answerForeign(ctx); err != nil {
		return err
	}
	for _, name := range entities {
		l.followReads(ctx, name)
		if err := l.followSnapshot(ctx, name); err != nil {
			return err
		}
	}
	return l.commit(ctx)
}

func (l *loop) followSnapshot(ctx context.Context, name string) error {
	s, ok := l.m.Snapshots()[name]
	if !ok || !l.subscribed {
		return nil
	}
	j := l.jobs[name]
	switch {
	case s.Phase == handover.Wanted:
		return l.openSnapshot(ctx, name)
	case j == nil || j.ID == "" && !j.running:
		l.m.AbandonSnapshot(name, "its bulk job was never created")
		return l.openSnapshot(ctx, name)
	case j.running || !l.m.CaughtUp():
	case s.Phase == handover.Reading:
		l.start(ctx, j, func(ctx context.Context) error { return l.readJob(ctx, name, j) })
	case !j.scanned:
		l.m.Sweep(name)
		asof := s.AsOf
		l.start(ctx, j, func(ctx context.Context) error { return l.sweep(ctx, name, j, asof) })
	case l.m.Swept(name):
		return l.closeSnapshot(ctx, name)
	}
	return nil
}

// start runs fn beside the loop; it is one of the goroutines whose error ends the producer.
func (l *loop) start(ctx context.Context, j *job, fn func(context.Context) error) {
	j.running = true
	l.group.Go(func() error {
		err := fn(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		return l.do(ctx, func() error { j.running = false; return nil })
	})
}

// openSnapshot opens the window, makes that durable, and then has the job created (H2, H4, H12).
func (l *loop) openSnapshot(ctx context.Context, name string) error {
	l.m.OpenSnapshot(name, l.now())
	failed := 0
	if old := l.jobs[name]; old != nil {
		failed = old.failed
	}
	j := &job{failed: failed}
	l.jobs[name] = j
	if err := l.commit(ctx); err != nil {
		return err
	}
	if err := l.storePosition(ctx, true); err != nil {
		return err
	}
	l.openHole(ctx, name)
	e := l.entities[name]
	l.start(ctx, j, func(ctx context.Context) error { return l.createJob(ctx, e, j) })
	return nil
}

func (l *loop) createJob(ctx context.Context, e *entity, j *job) error {
	if j.failed > 0 {
		if err := retry.Sleep(ctx, time.Duration(min(j.failed, 10))*time.Minute); err != nil {
			return err
		}
	}
	made, err := l.cfg.Client.CreateJob(ctx, e.soql(), false)
	if err != nil {
		return l.jobRefused(ctx, e, j, err)
	}
	return l.do(ctx, func() error {
		j.ID, l.due = made.ID, true
		return nil
	})
}

// jobRefused decides what follows when a job cannot be created: objects that Bulk does not serve are read by REST,
// columns that are gone are described again.
func (l *loop) jobRefused(ctx context.Context, e *entity, j *job, err error) error {
	switch nextOf(err) {
	case sfapi.NextUseREST:
		return l.readREST(ctx, e, j)
	case sfapi.NextDescribe:
		if err := l.describeAgain(ctx, e.name); err != nil {
			return err
		}
		return l.do(ctx, func() error { j.failed++; return nil }) // without an id the window is opened anew, with the new columns
	case sfapi.NextWait:
		l.cfg.Logger.Warn("Salesforce's quota is used up; the snapshot waits", "entity", e.name, "error", err)
		return l.do(ctx, func() error { j.failed = 10; return nil })
	}
	return err
}

// nextOf returns what may be done after an error of the Salesforce client.
func nextOf(err error) sfapi.Next {
	var answered interface{ Next() sfapi.Next }
	if errors.As(err, &answered) {
		return answered.Next()
	}
	return sfapi.NextStop
}

// readJob waits for the job and publishes its pages from where it was left.
func (l *loop) readJob(ctx context.Context, name string, j *job) error {
	ready, err := l.cfg.Client.AwaitJob(ctx, j.ID, func(seen sfapi.Job) { l.expect(ctx, j, seen) })
	if err == nil && !j.Done {
		marks := &marks{job: j}
		err = l.cfg.Client.EachPage(ctx, ready, j.Locator, l.cfg.PageParallel, func(ctx context.Context, index int, p *sfapi.Page) error {
			return l.readPage(ctx, name, marks, index, p)
		})
	}
	var gone *sfapi.JobError
	if errors.As(err, &gone) {
		l.cfg.Logger.Warn("bulk job cannot be read; a new one is created", "entity", name, "job", j.ID, "error", err)
		return l.do(ctx, func() error {
			if l.jobs[name] == j {
				l.m.AbandonSnapshot(name, err.Error())
				l.jobs[name] = &job{failed: j.failed + 1}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	return l.endPages(ctx, name, j)
}

// endPages begins the sweep.
func (l *loop) endPages(ctx context.Context, name string, j *job) error {
	return l.do(ctx, func() error {
		if l.jobs[name] == j {
			l.m.Sweep(name)
			j.Done, l.due = true, true
		}
		return nil
	})
}

func (l *loop) expect(ctx context.Context, j *job, seen sfapi.Job) {
	_ = l.do(ctx, func() error { // an error ends the loop, and with it ctx
		j.Expected = int64(seen.RecordsProcessed)
		return nil
	})
}

// marks finds the first page that is not wholly published: pages that are read in parallel end in any order.
type marks struct {
	job  *job
	next int            // index of the page that job.Locator names
	done map[int]string // pages after it that are published: the locator that follows each
}

// page notes, in the loop, that a page is published.
func (m *marks) page(index int, following string) {
	if m.done == nil {
		m.done = map[int]string{}
	}
	m.done[index] = following
	for {
		following, ok := m.done[m.next]
		if !ok || following == "" { // the last page has no locator behind it
			return
		}
		delete(m.done, m.next)
		m.job.Locator = following
		m.next++
	}
}

// rowBatch is how many rows are one input of the loop.
const rowBatch = 2000

func (l *loop) readPage(ctx context.Context, name string, m *marks, index int, p *sfapi.Page) error {
	e, err := l.entity(ctx, name)
	if err != nil {
		return err
	}
	reader := p.Rows(e.schema)
	rows := newRows(e, rowBatch)
	for {
		row, err := reader.Next()
		var bad *sfapi.RowError
		switch {
		case errors.As(err, &bad):
			if err := l.do(ctx, func() error {
				return l.reject(ctx, "snapshot/"+name+"/"+p.JobID+"/"+p.Locator, []byte(bad.Raw), bad)
			}); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			if err := l.apply(ctx, m.job, rows); err != nil {
				return err
			}
			return l.do(ctx, func() error { m.page(index, p.Next); return nil })
		case err != nil:
			return err
		}
		if rows.add(row); len(rows.list) == rowBatch {
			if err := l.apply(ctx, m.job, rows); err != nil {
				return err
			}
			rows = newRows(e, rowBatch)
		}
	}
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

// apply gives rows of a snapshot to the Machine and returns when they are durable.
func (l *loop) apply(ctx context.Context, j *job, r *rows) error {
	return l.do(ctx, func() error {
		name := r.entity.name
		if l.jobs[name] != j {
			return nil // the snapshot was given up
		}
		l.fit(r)
		j.Rows += int64(len(r.list))
		l.cfg.Metrics.rows.WithLabelValues(name).Add(float64(len(r.list)))
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

// readREST reads an object that Bulk refuses, by queries. It cannot be resumed: a crash begins it again.
func (l *loop) readREST(ctx context.Context, e *entity, j *job) error {
	l.cfg.Logger.Warn("Bulk API refuses the object; it is read by REST queries", "entity", e.name)
	decoder := sfapi.NewRowDecoder(e.schema, nil)
	for page, err := range l.cfg.Client.QueryPages(ctx, e.soql(), sfapi.QueryOptions{}) {
		if err != nil {
			return err
		}
		r := newRows(e, len(page.Records))
		for _, record := range page.Records {
			row, err := decoder.Row(record)
			if err != nil {
				if err := l.do(ctx, func() error { return l.reject(ctx, "snapshot/"+e.name, record, err) }); err != nil {
					return err
				}
				continue
			}
			r.add(row)
		}
		if err := l.apply(ctx, j, r); err != nil {
			return err
		}
	}
	return l.do(ctx, func() error {
		if l.jobs[e.name] == j {
			l.m.Sweep(e.name)
			j.ID, j.Done, l.due = "REST", true, true
		}
		return nil
	})
}

// sweep has every stored record read that the snapshot did not show (H11).
func (l *loop) sweep(ctx context.Context, name string, j *job, asof int64) error {
	var keys []handover.Key
	prefix := recordPrefix + name + "/"
	err := l.store.Scan([]byte(prefix), func(key, value []byte) error {
		s, err := parseStored(value)
		if err != nil {
			return err
		}
		if s.State == handover.Live && s.AsOf < asof {
			keys = append(keys, handover.Key{Entity: name, ID: string(key[len(prefix):])})
		}
		if len(keys) < readLimit {
			return nil
		}
		chunk := keys
		keys = nil
		return l.check(ctx, chunk)
	})
	if err != nil {
		return err
	}
	if err := l.check(ctx, keys); err != nil {
		return err
	}
	return l.do(ctx, func() error { j.scanned = true; return nil })
}

// check has a chunk of records looked at, and waits while too many are to be read.
func (l *loop) check(ctx context.Context, keys []handover.Key) error {
	for wait := false; ; wait = true {
		if wait {
			if err := retry.Sleep(ctx, tick); err != nil {
				return err
			}
		}
		full := false
		err := l.do(ctx, func() error {
			if len(keys) == 0 {
				return nil
			}
			if full = l.m.Waiting(keys[0].Entity) > readLimit; full {
				return nil
			}
			for _, k := range keys {
				rec, err := l.records.Load(k)
				if err != nil {
					return err
				}
				if _, open := l.m.Snapshots()[k.Entity]; open && l.m.Missing(k, rec) {
					l.m.Check(k)
				}
			}
			return nil
		})
		if err != nil || !full {
			return err
		}
	}
}

// closeSnapshot ends a snapshot: the topic equals the org as of its window, and what came since.
func (l *loop) closeSnapshot(ctx context.Context, name string) error {
	done := l.m.CloseSnapshot(name)
	j := l.jobs[name]
	delete(l.jobs, name)
	l.closeHole(ctx, name, done, j)
	if j.ID != "REST" {
		l.group.Go(func() error {
			if err := l.cfg.Client.DeleteJob(ctx, j.ID); err != nil && ctx.Err() == nil {
				l.cfg.Logger.Debug("delete bulk job", "job", j.ID, "error", err)
			}
			return nil
		})
	}
	if err := l.commit(ctx); err != nil {
		return err
	}
	return l.storePosition(ctx, true)
}

package salesforce

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// job is a snapshot's bulk job, as far as it must outlive a crash. (ID, Locator) is where reading goes on.
type job struct {
	ID       string // restJob when Bulk refuses the object
	Locator  string // of the first page that is not wholly published, empty for the first; of restJob the last id published
	Rows     int64  // of the pages before Locator
	Expected int64  // rows that the job has, as Salesforce says
	Done     bool   // every page is published: the sweep follows

	cancel  context.CancelFunc // ends the goroutine
	running bool               // a goroutine reads it or sweeps
	scanned bool               // the sweep has looked at every stored record
	failed  int                // jobs that failed in a row
	tooBig  bool               // for Bulk: it is read by REST
	ahead   int64              // rows applied of pages from Locator on: a crash has them read again
}

// drop ends what is done for the job: nobody waits for it any more.
func (j *job) drop() {
	if j.cancel != nil {
		j.cancel()
	}
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
	if !ok || !l.subscribed && l.noChannel == "" {
		return nil
	}
	j := l.jobs[name]
	switch {
	case l.asked.waits(name, s):
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
	ctx, cancel := context.WithCancel(ctx)
	j.running, j.cancel = true, cancel
	l.group.Go(func() error {
		defer cancel()
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
	j := &job{}
	if old := l.jobs[name]; old != nil {
		j.failed, j.tooBig = old.failed, old.tooBig
	}
	l.jobs[name] = j
	if err := l.commit(ctx); err != nil {
		return err
	}
	l.snapshotOpened(name)
	if err := l.storePosition(ctx, true); err != nil {
		return err
	}
	e := l.entities[name]
	l.start(ctx, j, func(ctx context.Context) error { return l.createJob(ctx, e, j) })
	return nil
}

func (l *loop) createJob(ctx context.Context, e *entity, j *job) error {
	if j.tooBig {
		return l.do(ctx, func() error { j.ID, l.due = restJob, true; return nil })
	}
	if j.failed > 0 {
		if err := retry.Sleep(ctx, time.Duration(min(j.failed, 10))*l.cfg.JobPause); err != nil {
			return err
		}
	}
	made, err := l.api(workSnapshot).CreateJob(ctx, e.soql(), false)
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
	case sfapi.NextUseREST, sfapi.NextNarrow:
		l.cfg.Logger.Warn("Bulk API refuses the query; the object is read by REST, ids first", "entity", e.name, "error", err)
		return l.do(ctx, func() error { j.ID, l.due = restJob, true; return nil })
	case sfapi.NextDescribe:
		l.cfg.Logger.Warn("a bulk job could not be created; the object is described again, and another job follows", "entity", e.name, "error", err)
		if err := l.describeAgain(ctx, e.name); err != nil {
			return err
		}
		return l.do(ctx, func() error { j.failed++; return nil }) // without an id the window is opened anew, with the new columns
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
	if j.ID == restJob {
		return l.readREST(ctx, name, j)
	}
	ready, err := l.api(workSnapshot).AwaitJob(ctx, j.ID, func(seen sfapi.Job) { l.expect(ctx, j, seen) })
	if err == nil && !j.Done {
		err = l.readPages(ctx, name, j, ready)
	}
	if errors.Is(err, errHeld) {
		return nil // it goes on from its locator when the backfill is resumed
	}
	var gone *sfapi.JobError
	if errors.As(err, &gone) {
		tooBig := gone.Next() == sfapi.NextNarrow
		l.cfg.Logger.Warn("bulk job cannot be read; it is replaced, by REST if it was too big", "entity", name, "job", j.ID, "too_big", tooBig, "error", err)
		return l.do(ctx, func() error {
			if l.jobs[name] == j {
				l.m.AbandonSnapshot(name, err.Error())
				l.jobs[name] = &job{failed: j.failed + 1, tooBig: tooBig}
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
			j.counted()
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

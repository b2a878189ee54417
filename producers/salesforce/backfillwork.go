package salesforce

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
)

// errand is the work on one backfill.
type errand struct {
	*clerk
	b *Backfill
	q *request

	corrected int64 // what the Machine had counted when it was last looked at

	since  time.Time     // up to here is in the part's seconds
	waited time.Duration // of the governor's pauses by then
}

// declined is an answer of Salesforce's that ends a backfill, and nothing else.
type declined struct{ error }

func (e *declined) Unwrap() error { return e.error }

// work does what is left of a backfill, part by part. A part's place is stored only after what it stands for is published.
func (c *clerk) work(ctx context.Context, b *Backfill, q *request) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	first := b.StartedAt.IsZero()
	c.desk.alter(func() {
		b.State = BackfillRunning
		if first {
			b.StartedAt = time.Now().UTC()
		}
	})
	if err := c.keep(ctx, b); err != nil {
		return err
	}
	if first {
		c.auditBackfill(ctx, b, "opened", "a backfill of "+b.Objects[0]+more(len(b.Objects)-1)+" begins")
	}
	e := &errand{clerk: c, b: b, q: q}
	if err := c.do(ctx, func() error { e.corrected = c.m.Counts().Corrected; return nil }); err != nil {
		return err
	}
	for i := range b.Parts {
		if err := e.part(ctx, &b.Parts[i]); err != nil {
			return err
		}
	}
	return nil
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return " and others"
}

// part does what is left of one object.
func (e *errand) part(ctx context.Context, p *Part) error {
	e.since, e.waited = time.Now(), e.governor.waited(workBackfill, workSnapshot, workBodies)
	for p.Phase != PhaseDone {
		bad := e.badRows.Load()
		next, err := e.phase(ctx, p)
		e.desk.alter(func() { p.Rejected += e.badRows.Load() - bad; e.timed(p) })
		if err != nil {
			return err
		}
		if err := e.advance(ctx, func() { p.Phase = next }); err != nil {
			return err
		}
	}
	return nil
}

// timed adds the time since it was last called to what a part took; what the governor held back is not counted.
func (e *errand) timed(p *Part) {
	now, waited := time.Now(), e.governor.waited(workBackfill, workSnapshot, workBodies)
	p.Seconds += max(0, now.Sub(e.since)-(waited-e.waited)).Seconds()
	e.since, e.waited = now, waited
}

// phase does one phase of a part and returns the one that follows.
func (e *errand) phase(ctx context.Context, p *Part) (next Phase, err error) {
	_, note := noteObjects[p.Object]
	switch p.Phase {
	case PhaseBegin:
		return e.begin(ctx, p)
	case PhaseSnapshot:
		err = e.snapshot(ctx, p)
	case PhaseNamed:
		if err = e.named(ctx, p); err == nil && note {
			err = e.namedNotes(ctx, p)
		}
	case PhaseJob:
		var listed bool
		if listed, err = e.job(ctx, p); err == nil && !listed {
			return PhaseRows, nil
		}
	case PhaseRows:
		if note {
			err = e.noteRows(ctx, p)
		} else {
			err = e.rows(ctx, p)
		}
	case PhaseDeleted:
		if note {
			err = e.noteDeletions(ctx, p)
		} else {
			err = e.deletions(ctx, p)
		}
	}
	return e.q.then(p.Object, p.Phase), err
}

// begin counts what there is to read, and chooses the way.
func (e *errand) begin(ctx context.Context, p *Part) (Phase, error) {
	if len(e.q.ids) > 0 {
		e.desk.alter(func() { p.Expected = int64(len(e.q.named(p.Object))) })
		return PhaseNamed, nil
	}
	if e.q.first(p.Object, 0, 0) == PhaseSnapshot {
		return PhaseSnapshot, nil
	}
	var n int
	err := e.call(ctx, func(ctx context.Context) (err error) {
		n, err = e.api(workBackfill).Count(ctx, e.q.countQuery(p.Object), sfapi.QueryOptions{All: listsDeleted(p.Object)})
		return err
	})
	e.desk.alter(func() { p.Expected = int64(n) })
	return e.q.first(p.Object, int64(n), int64(e.cfg.BackfillJob)), err
}

// listsDeleted reports whether a query of the object can show what is in the recycle bin.
func listsDeleted(object string) bool {
	o, note := noteObjects[object]
	return !note || o.listed
}

// advance changes how far a backfill is and stores that.
func (e *errand) advance(ctx context.Context, change func()) error {
	e.desk.alter(change)
	return e.keep(ctx, e.b)
}

// call asks Salesforce for something, again while it is not well. What it refuses for good is declined.
func (e *errand) call(ctx context.Context, ask func(context.Context) error) error {
	for failures := 1; ; failures++ {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, topic.ErrFenced) || errors.Is(err, topic.ErrClosed) {
			return err
		}
		wait, again := patience(err, failures)
		if !again {
			return &declined{err}
		}
		e.cfg.Logger.Warn("a backfill waits for Salesforce", "backfill", e.b.ID, "wait", wait, "error", err)
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// patience says whether an answer may pass, and how long to wait before asking again.
func patience(err error, failures int) (wait time.Duration, again bool) {
	switch nextOf(err) {
	case sfapi.NextRetry, sfapi.NextRefresh, sfapi.NextRestartQuery:
		again = true
	}
	if !again && !errors.Is(err, errTextsWait) { // the budget frees by itself
		return 0, false
	}
	return retry.Backoff{First: 2 * time.Second, Max: time.Minute}.Wait(failures), true
}

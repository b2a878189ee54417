package salesforce

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/producers/salesforce/handover"
)

// pauseLimit is how long a snapshot's window stays open while the backfill that wants it is paused, unless the configuration
// says otherwise. Its beginning holds the stream's position back, and Salesforce keeps events for 72 hours.
const pauseLimit = 24 * time.Hour

// errHeld ends the reading of a snapshot that a person has paused.
var errHeld = errors.New("the snapshot is paused")

// askedSnapshots is what the loop knows of snapshots that people asked for.
type askedSnapshots struct {
	held   map[string]time.Time // by entity: since when its pages are not read
	closed map[string]int64     // start of the newest snapshot that was closed
	rows   map[string]int64     // its rows
}

func newAskedSnapshots() askedSnapshots {
	return askedSnapshots{held: map[string]time.Time{}, closed: map[string]int64{}, rows: map[string]int64{}}
}

// snapshotReason is the reason of a backfill's snapshots.
func snapshotReason(id string) string { return handover.ReasonAsked + id }

// waits reports whether a snapshot's pages are not read for now: a person has paused it, and no hole needs it.
func (a *askedSnapshots) waits(name string, s handover.Snapshot) bool {
	return !a.held[name].IsZero() && handover.Asked(s.Reason) && (!s.Again || handover.Asked(s.Next))
}

// snapshot has the whole of an object read, and waits until that is published. A request that is made again after a
// crash finds the snapshot that it has asked for in the position, or none any more when it was closed.
func (e *errand) snapshot(ctx context.Context, p *Part) error {
	asked := p.Asked
	err := e.do(ctx, func() error {
		delete(e.asked.held, p.Object)
		if asked != 0 {
			return nil
		}
		asked = e.m.Position().AsOf
		e.m.WantSnapshot(p.Object, snapshotReason(e.b.ID))
		return e.storePosition(ctx, true)
	})
	if err != nil {
		return err
	}
	if p.Asked == 0 {
		if err := e.advance(ctx, func() { p.Asked = max(1, asked) }); err != nil {
			return err
		}
	}
	for kept := time.Now(); ; {
		done := false
		err := e.do(ctx, func() error {
			_, open := e.m.Snapshots()[p.Object]
			closed := e.asked.closed[p.Object] > p.Asked
			done = closed || !open
			j := e.jobs[p.Object]
			e.desk.alter(func() {
				switch {
				case closed:
					p.Read, p.Expected = e.asked.rows[p.Object], e.asked.rows[p.Object]
				case open && j != nil:
					p.Read, p.Expected = j.Rows, max(j.Expected, j.Rows)
				}
				e.timed(p)
			})
			return nil
		})
		if err != nil || done {
			return err
		}
		if time.Since(kept) > time.Second {
			if err := e.keep(ctx, e.b); err != nil {
				return err
			}
			kept = time.Now()
		}
		if err := retry.Sleep(ctx, tick); err != nil {
			return err
		}
	}
}

// letGo stops the snapshot that a paused or cancelled backfill waits for: a paused one keeps its window for a while.
func (c *clerk) letGo(ctx context.Context, b *Backfill) error {
	for i := range b.Parts {
		p := &b.Parts[i]
		if p.Phase != PhaseSnapshot {
			continue
		}
		err := c.do(ctx, func() error {
			s, ok := c.m.Snapshots()[p.Object]
			switch {
			case !ok:
				return nil
			case b.State == BackfillPaused && s.Reason == snapshotReason(b.ID):
				c.asked.held[p.Object] = time.Now()
				return nil
			case b.State == BackfillPaused:
				return nil
			}
			c.drop(p.Object, snapshotReason(b.ID))
			return c.storePosition(ctx, true)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drop gives up a snapshot that only one backfill wants, with its job.
func (l *loop) drop(name, reason string) {
	l.m.DropSnapshot(name, reason)
	if _, open := l.m.Snapshots()[name]; open {
		return
	}
	j := l.jobs[name]
	delete(l.asked.held, name)
	delete(l.jobs, name)
	l.book.Dropped(name)
	if j == nil || j.ID == "" || j.ID == "REST" {
		return
	}
	l.group.Go(func() error {
		if err := l.api(workBackfill).AbortJob(l.ctx, j.ID); err != nil && l.ctx.Err() == nil {
			l.cfg.Logger.Debug("abort bulk job", "job", j.ID, "error", err)
		}
		return nil
	})
}

// release ends pauses that have lasted too long: the snapshot is begun anew when the backfill is resumed.
func (c *clerk) release(ctx context.Context) error {
	for _, b := range c.desk.paused() {
		for i := range b.Parts {
			p := &b.Parts[i]
			if p.Phase != PhaseSnapshot || p.Asked == 0 {
				continue
			}
			long := false
			if err := c.do(ctx, func() error {
				held := c.asked.held[p.Object]
				long = !held.IsZero() && time.Since(held) > c.cfg.BackfillPause
				return nil
			}); err != nil {
				return err
			}
			if !long {
				continue
			}
			c.desk.alter(func() { p.Asked, p.Read, p.Seconds = 0, 0, 0 })
			if err := c.keep(ctx, b); err != nil {
				return err
			}
			if err := c.do(ctx, func() error {
				c.drop(p.Object, snapshotReason(b.ID))
				return c.storePosition(ctx, true)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

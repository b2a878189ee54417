package salesforce

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// reconciler compares what the org says was modified with what events told (H15), and judges silence (H16).
type reconciler struct {
	now         atomic.Bool // do it at once: something could not be read
	resubscribe func()
	renewed     time.Time            // when the subscription was last renewed because of silence; zero: never
	last        time.Time            // reconciliation
	polled      map[string]time.Time // last poll, or attempt at one, by entity
	heard       map[string]int64     // commit time of the last event at the last reconciliation, by entity
}

// beginFeeds makes the feeds of entities of which nothing is stored.
func (l *loop) beginFeeds() {
	l.feeds, l.advice = map[string]*feed{}, map[string]string{}
	l.reconciler.polled, l.reconciler.heard, l.reconciler.last = map[string]time.Time{}, map[string]int64{}, time.Now()
	for _, name := range entities {
		l.feeds[name] = &feed{}
	}
}

// followChanges looks for changes that no event told: of entities that are polled every few minutes, because none tells
// of theirs, of the others every quarter of an hour, because one may be missing (H15).
func (l *loop) followChanges(ctx context.Context) error {
	for {
		if retry.Sleep(ctx, tick) != nil {
			return nil
		}
		var polls, streamed []string
		if err := l.do(ctx, func() error { polls, streamed = l.dueChanges(time.Now()); return nil }); err != nil {
			return nil // ctx has ended
		}
		for _, name := range polls {
			l.changesFailed(ctx, l.poll(ctx, name))
		}
		if len(streamed) > 0 {
			l.changesFailed(ctx, l.reconcile(ctx, streamed))
		}
	}
}

func (l *loop) changesFailed(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, errWindow) {
		l.cfg.Logger.Warn("changed records could not be listed; they are asked for again", "error", err)
	}
}

// dueChanges returns which entities are to be polled and which reconciled now, and counts that as done: what fails is
// tried again when it is due again. A snapshot shows everything by itself.
func (l *loop) dueChanges(now time.Time) (polls, streamed []string) {
	r := &l.reconciler
	reconcile := now.Sub(r.last) >= l.cfg.ReconcileEvery || r.now.Load()
	for _, name := range entities {
		f := l.feeds[name]
		if _, open := l.m.Snapshots()[name]; open || f.Covered == 0 {
			continue
		}
		switch {
		case !f.Polled && reconcile:
			streamed = append(streamed, name)
		case f.Polled && (now.Sub(r.polled[name]) >= l.cfg.PollEvery || f.ending && l.granted > f.granted):
			polls = append(polls, name)
			r.polled[name] = now
		}
	}
	if len(streamed) > 0 && !r.now.Swap(false) && l.behind(now) {
		return polls, nil
	}
	if len(streamed) > 0 {
		r.last = now
	}
	return polls, streamed
}

// behind reports whether the stream is still being read up: what it has not told yet is not missing.
func (l *loop) behind(now time.Time) bool {
	return now.Sub(l.lastEvent) < 10*time.Second && l.now()-l.m.At() > time.Minute.Milliseconds()
}

// storedStamp is the SystemModstamp of the read that a record is from.
func (l *loop) storedStamp(name string, rec handover.Record) change.Value {
	if i := l.entities[name].schema.Index("SystemModstamp"); i >= 0 && i < len(rec.Values) {
		return rec.Values[i]
	}
	return change.Value{}
}

// poll reads what was changed and deleted since the last one, and ends the polling when the entity's events had been
// granted before it began. What it finds is routine.
func (l *loop) poll(ctx context.Context, name string) error {
	began := time.Now()
	granted := false
	if err := l.do(ctx, func() error {
		f := l.feeds[name]
		granted = f.ending && l.granted > f.granted
		return nil
	}); err != nil {
		return err
	}
	err := l.changes(ctx, name, handover.ForPoll, func(time.Time) func(handover.Record, change.Row) bool {
		return func(rec handover.Record, row change.Row) bool {
			return unseen(rec, l.storedStamp(name, rec), row.Get("SystemModstamp"), isDeleted(row))
		}
	})
	l.cfg.Metrics.polls.WithLabelValues(name).Inc()
	l.cfg.Metrics.pollSeconds.Observe(time.Since(began).Seconds())
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		if f := l.feeds[name]; granted && f.ending {
			l.endPolling(ctx, name)
		}
		until := l.now()
		for _, f := range l.feeds {
			if !f.Polled {
				return nil
			}
			until = min(until, f.Covered)
		}
		l.m.ReadTo(until) // nothing is left that only the stream would tell
		return nil
	})
}

// reconcile is H15 for entities whose events are followed, and H16.
func (l *loop) reconcile(ctx context.Context, names []string) error {
	before := map[string]int64{}
	if err := l.do(ctx, func() error {
		for _, name := range names {
			before[name] = l.m.Found(name, handover.ForRepair)
		}
		l.book.ReconciliationBegins(time.UnixMilli(l.now()).Add(-l.cfg.SafetyLag).UnixMilli())
		return nil
	}); err != nil {
		return err
	}
	start := time.UnixMilli(l.now())
	for _, name := range names {
		err := l.changes(ctx, name, handover.ForRepair, func(settled time.Time) func(handover.Record, change.Row) bool {
			return func(rec handover.Record, row change.Row) bool {
				listed := row.Get("SystemModstamp")
				switch {
				case listed.Int() > settled.UnixMilli(): // its event may be on the way; the next reconciliation lists it again
					return false
				case isDeleted(row):
					return rec.State == handover.Live
				}
				return handover.NeedsRepair(rec, l.storedStamp(name, rec), listed)
			}
		})
		if err != nil {
			return err
		}
	}
	return l.do(ctx, func() error {
		for _, h := range l.book.ReconciliationDone() {
			l.closed(ctx, h, "a reconciliation that covers it is done", nil)
		}
		return l.judge(ctx, names, before, start)
	})
}

// changes lists what was changed and deleted since it was last done and has read what differs. When all of that is
// published, it notes how far the entity is covered.
func (l *loop) changes(ctx context.Context, name string, p handover.Purpose, differs func(settled time.Time) func(handover.Record, change.Row) bool) error {
	start, err := l.serverTime(ctx)
	if err != nil {
		return err
	}
	settled := start.Add(-l.cfg.SafetyLag)
	var f feed
	var e *entity
	if err := l.do(ctx, func() error { f, e = *l.feeds[name], l.entities[name]; return nil }); err != nil {
		return err
	}
	err = l.survey(ctx, survey{
		listing: listing{entity: name, schema: e.columns("SystemModstamp", "IsDeleted"), clause: f.clause(), all: true, work: workPoll},
		purpose: p, differs: differs(settled),
		passed: func(last change.Row) {
			l.feeds[name].pass(last.Get("SystemModstamp").Int(), last.ID, settled)
			l.moved = true
		},
	})
	if err != nil {
		return err
	}
	gone, err := l.deletions(ctx, name, p, time.UnixMilli(f.Gone), settled)
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		l.feeds[name].over(settled, gone)
		l.moved = true
		return nil
	})
}

// narrowest is the shortest window that is halved: Salesforce wants more than a minute.
const narrowest = 4 * time.Minute

// deletedBetween lists what was deleted in a window, of which list asks for one piece: a piece with too many deletions is
// halved. Covered is how far the answer is without a gap.
func deletedBetween(from, to time.Time, list func(from, to time.Time) (sfapi.Deleted, error)) (sfapi.Deleted, error) {
	all, err := list(from, to)
	if nextOf(err) != sfapi.NextNarrow || to.Sub(from) < narrowest {
		return all, err
	}
	middle := from.Add(to.Sub(from) / 2).Truncate(time.Minute) // Salesforce tells whole minutes of how far a list reaches
	first, err := deletedBetween(from, middle, list)
	if err != nil {
		return first, err
	}
	second, err := deletedBetween(middle, to, list)
	second.Records = append(first.Records, second.Records...)
	if first.Covered.Before(middle) {
		second.Covered = first.Covered
	}
	return second, err
}

// deletions has read what is in the list of deletions, which alone tells of what was deleted for good, and is stored as
// live. covered is how far the list reaches.
func (l *loop) deletions(ctx context.Context, name string, p handover.Purpose, since, until time.Time) (covered time.Time, err error) {
	if until.Sub(since) <= time.Minute+time.Second { // Salesforce wants more than a minute, and cuts to seconds
		return since, nil
	}
	list, err := deletedBetween(since, until, func(from, to time.Time) (sfapi.Deleted, error) {
		return l.api(workPoll).Deleted(ctx, name, from, to)
	})
	if err != nil && nextOf(err) == sfapi.NextFullRead {
		return since, l.do(ctx, func() error {
			l.wantSnapshot(name, hole.UnknownDeletions, "the list of deletions does not reach back far enough")
			return nil
		})
	}
	if err != nil {
		return since, err
	}
	for chunk := range slices.Chunk(list.Records, listChunk) {
		err := l.ask(ctx, name, p, func() (keys []handover.Key, err error) {
			for _, d := range chunk {
				k := handover.Key{Entity: name, ID: d.ID}
				rec, err := l.records.Load(k)
				if err != nil {
					return nil, err
				}
				if rec.State == handover.Live {
					keys = append(keys, k)
				}
			}
			return keys, nil
		})
		if err != nil {
			return since, err
		}
	}
	return list.Covered, l.resolved(ctx, name, p)
}

// serverTime asks for Salesforce's clock, and sets ours by it.
func (l *loop) serverTime(ctx context.Context) (time.Time, error) {
	if err := l.setClock(ctx); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(l.now()), nil
}

package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// reconciler compares what the org says was modified with what events told (H15), and judges silence (H16).
type reconciler struct {
	now         atomic.Bool  // do it at once: something could not be read
	found       atomic.Int64 // differences that were repaired
	resubscribe func()
	renewed     bool // the subscription was renewed because of silence, and nothing else was tried since
}

// reconcileOverlap is how far a reconciliation reaches back behind the one before it: longer than any transaction.
const reconcileOverlap = 15 * time.Minute

// reconcile runs H15 every now and then.
func (l *loop) reconcile(ctx context.Context) error {
	since := time.UnixMilli(l.now()).Add(-reconcileOverlap)
	deletedSince := since
	for {
		for waited := time.Duration(0); waited < l.cfg.ReconcileEvery && !l.reconciler.now.Load(); waited += time.Second {
			if retry.Sleep(ctx, time.Second) != nil {
				return nil
			}
		}
		l.reconciler.now.Store(false)
		start, err := l.cfg.Client.ServerTime(ctx)
		if err != nil {
			l.reconcileFailed(ctx, err)
			continue
		}
		before := l.reconciler.found.Load()
		covered, ok := l.reconcileAll(ctx, since, deletedSince, start)
		if !ok {
			continue
		}
		since, deletedSince = start.Add(-reconcileOverlap), covered
		if err := l.judge(ctx, start, before); err != nil {
			return err
		}
	}
}

func (l *loop) reconcileFailed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		l.cfg.Logger.Warn("the reconciliation could not be done; it is tried again", "error", err)
	}
}

func (l *loop) reconcileAll(ctx context.Context, since, deletedSince, now time.Time) (covered time.Time, ok bool) {
	covered = now
	for _, name := range entities {
		if err := l.reconcileModified(ctx, name, since); err != nil {
			l.reconcileFailed(ctx, err)
			return covered, false
		}
		until, err := l.reconcileDeleted(ctx, name, deletedSince, now)
		if err != nil {
			l.reconcileFailed(ctx, err)
			return covered, false
		}
		if until.Before(covered) {
			covered = until
		}
	}
	return covered, true
}

// reconcileModified re-fetches what was modified without an event having said so.
func (l *loop) reconcileModified(ctx context.Context, name string, since time.Time) error {
	soql := fmt.Sprintf("SELECT Id, SystemModstamp FROM %s WHERE SystemModstamp >= %s", name, since.UTC().Format("2006-01-02T15:04:05Z"))
	for page, err := range l.api(workPoll).QueryPages(ctx, soql, sfapi.QueryOptions{}) {
		if err != nil {
			return err
		}
		err := l.do(ctx, func() error {
			if _, open := l.m.Snapshots()[name]; open {
				return nil // the snapshot shows it
			}
			for _, raw := range page.Records {
				var row struct {
					ID             string `json:"Id"`
					SystemModstamp sfapi.Timestamp
				}
				if err := json.Unmarshal(raw, &row); err != nil {
					return fmt.Errorf("read modified records of %s: %w", name, err)
				}
				k := handover.Key{Entity: name, ID: row.ID}
				rec, err := l.records.Load(k)
				if err != nil {
					return err
				}
				if handover.NeedsRepair(rec, row.SystemModstamp.UnixMilli()) {
					l.m.Ask(k, handover.ForRepair)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reconcileDeleted re-fetches what was deleted without an event having said so. covered is how far the list reaches.
func (l *loop) reconcileDeleted(ctx context.Context, name string, since, until time.Time) (covered time.Time, err error) {
	if until.Sub(since) <= time.Minute {
		return since, nil
	}
	list, err := l.api(workPoll).Deleted(ctx, name, since, until)
	if nextOf(err) == sfapi.NextFullRead && err != nil {
		return until, l.do(ctx, func() error {
			l.m.WantSnapshot(name, "the list of deletions does not reach back far enough")
			return nil
		})
	}
	if err != nil {
		return since, err
	}
	return list.Covered, l.do(ctx, func() error {
		for _, d := range list.Records {
			k := handover.Key{Entity: name, ID: d.ID}
			rec, err := l.records.Load(k)
			if err != nil {
				return err
			}
			if rec.State == handover.Live {
				l.m.Ask(k, handover.ForRepair)
			}
		}
		return nil
	})
}

// judge is H16: silence while records changed is a subscription that has died; renewing it comes first, giving the
// position up second. A reconciliation without findings proves that the stream was read to its end.
func (l *loop) judge(ctx context.Context, start time.Time, before int64) error {
	if err := retry.Sleep(ctx, 5*time.Second); err != nil { // what was found is being read
		return nil
	}
	return l.do(ctx, func() error {
		found := l.reconciler.found.Load() > before
		silent := time.Since(l.lastEvent) > l.cfg.SilenceLimit
		switch {
		case !found:
			l.reconciler.renewed = false
			l.m.ReadTo(start.Add(-time.Minute).UnixMilli())
		case !silent:
		case !l.reconciler.renewed:
			l.reconciler.renewed = true
			l.cfg.Logger.Warn("no event came although records changed; the subscription is renewed", "silent_for", time.Since(l.lastEvent))
			l.reconciler.resubscribe()
		default:
			l.reconciler.renewed = false
			l.lost("silent although records changed, also after the subscription was renewed")
			l.subscribed = false
			l.stream.from.Store(handover.ReplayAll)
			if err := l.storePosition(ctx, true); err != nil {
				return err
			}
			l.reconciler.resubscribe()
		}
		return nil
	})
}

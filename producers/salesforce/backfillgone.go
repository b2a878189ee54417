package salesforce

import (
	"context"
	"time"

	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// deletionsReach is how far back Salesforce lists deletions (facts 2.7), less a margin.
const deletionsReach = 15*24*time.Hour - time.Hour

// deletions has the records read again that were deleted in the window, which a query shows only while they are in the
// recycle bin.
func (e *errand) deletions(ctx context.Context, p *Part) error {
	from, to, cut := deletedWindow(e.q.since, e.q.until, e.instant())
	if cut {
		e.lacks(p.Object + ": Salesforce lists deletions of the last 15 days only; records that were deleted before and have left the recycle bin are found by a backfill without conditions")
	}
	gone, err := e.deletedBetween(ctx, p.Object, from, to)
	if err != nil {
		return err
	}
	for len(gone) > 0 {
		chunk := gone[:min(len(gone), e.cfg.BackfillRows)]
		gone = gone[len(chunk):]
		var known []string
		err := e.do(ctx, func() error {
			for _, d := range chunk {
				k := handover.Key{Entity: p.Object, ID: d.ID}
				rec, err := e.records.Load(k)
				if err != nil {
					return err
				}
				if rec.State == handover.Live {
					known = append(known, d.ID)
					e.m.Reread(k)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		changed, err := e.settled(ctx)
		if err != nil {
			return err
		}
		e.desk.alter(func() { p.Deleted += int64(len(known)) })
		e.counted(p, 0, changed)
	}
	return nil
}

// deletedWindow is the part of a window for which deletions are listed; cut says that it is not all of it.
func deletedWindow(since, until, now time.Time) (from, to time.Time, cut bool) {
	from, to = since, now
	if !until.IsZero() && until.Before(now) {
		to = until
	}
	if reach := now.Add(-deletionsReach); from.Before(reach) {
		from, cut = reach, true
	}
	if to.Sub(from) < 2*time.Minute { // Salesforce wants more than a minute between them
		from = to.Add(-2 * time.Minute)
	}
	return from, to, cut
}

// deletedBetween lists deletions as far as Salesforce still knows them.
func (e *errand) deletedBetween(ctx context.Context, object string, from, to time.Time) ([]sfapi.Deletion, error) {
	all, err := deletedBetween(from, to, func(from, to time.Time) (list sfapi.Deleted, err error) {
		err = e.call(ctx, func(ctx context.Context) (err error) {
			list, err = e.api(workBackfill).Deleted(ctx, object, from, to)
			return err
		})
		if err != nil && nextOf(err) == sfapi.NextFullRead {
			e.lacks(object + ": Salesforce's list of deletions does not reach back far enough; records that have left the recycle bin are found by a backfill without conditions")
			return sfapi.Deleted{}, nil
		}
		return list, err
	})
	return all.Records, err
}

// lacks notes what a backfill could not cover, for whoever asked.
func (e *errand) lacks(what string) {
	e.desk.alter(func() { e.b.Notes = append(e.b.Notes, what) })
}

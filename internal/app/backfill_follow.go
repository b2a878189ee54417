package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/config"
	"crosswalk/producers/salesforce"
)

// follower waits for what becomes of one backfill. It asks the position topic, which every producer's host can be read from.
type follower struct {
	app      *App
	platform *platform
	org      *config.Org
	id       string
	seen     func(salesforce.Backfill)
}

// takenWithin is how long a running producer may take to take a request up.
const takenWithin = 15 * time.Second

// taken waits until a producer has taken the request up. The backfill is the zero one when none has: nobody runs.
func (f *follower) taken(ctx context.Context) (salesforce.Backfill, error) {
	if f.platform.broker != nil {
		return salesforce.Backfill{}, nil // the embedded broker is this process's own: nobody else can run
	}
	waiting, cancel := context.WithTimeoutCause(ctx, takenWithin, errWaited)
	defer cancel()
	b, err := f.follow(waiting, func(*salesforce.Backfill) bool { return true })
	if errors.Is(err, errWaited) {
		return salesforce.Backfill{}, nil
	}
	return b, err
}

// follow looks at the backfill until it is as wanted.
func (f *follower) follow(ctx context.Context, wanted func(*salesforce.Backfill) bool) (salesforce.Backfill, error) {
	tick := time.NewTicker(5 * askEvery)
	defer tick.Stop()
	for {
		all, err := f.platform.backfills(ctx, f.org)
		if err != nil && ctx.Err() == nil {
			return salesforce.Backfill{}, err
		}
		if i := slices.IndexFunc(all, func(b salesforce.Backfill) bool { return b.ID == f.id }); i >= 0 {
			if f.seen != nil {
				f.seen(all[i])
			}
			if wanted(&all[i]) {
				return all[i], nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return salesforce.Backfill{ID: f.id}, context.Cause(ctx)
		}
	}
}

// until follows it to its end.
func (f *follower) until(ctx context.Context, over func(salesforce.BackfillState) bool) (salesforce.Backfill, error) {
	b, err := f.follow(ctx, func(b *salesforce.Backfill) bool { return over(b.State) })
	if err != nil {
		return b, err
	}
	return b, outcome(&b)
}

// outcome is nil when a backfill was done.
func outcome(b *salesforce.Backfill) error {
	switch b.State {
	case salesforce.BackfillFailed:
		return fmt.Errorf("%w: %s failed: %s", ErrBackfill, b.ID, b.Reason)
	case salesforce.BackfillCancelled:
		return fmt.Errorf("%w: %s was cancelled", ErrBackfill, b.ID)
	}
	return nil
}

var errBackfillOver = errors.New("the backfill is over")

// alone does the backfill in this process, which takes the org's task over for as long.
func (f *follower) alone(ctx context.Context) (salesforce.Backfill, error) {
	t, err := f.app.salesforceTask(f.platform, f.org)
	if err != nil {
		return salesforce.Backfill{}, err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var b salesforce.Backfill
	g, working := errgroup.WithContext(working)
	g.Go(func() error { return f.app.runTasks(working, f.platform, []task{t}) })
	g.Go(func() error {
		var err error
		if b, err = f.follow(working, func(b *salesforce.Backfill) bool { return b.State.Over() }); err == nil {
			err = errBackfillOver // ends the producer
		}
		return err
	})
	err = g.Wait()
	switch {
	case errors.Is(err, errBackfillOver):
		return b, outcome(&b)
	case ctx.Err() != nil:
		return salesforce.Backfill{ID: f.id}, ctx.Err()
	}
	return b, err
}

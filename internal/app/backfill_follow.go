package app

import (
	"context"
	"encoding/json"
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

// lookEvery is how often is looked whether a process that was to do the work still runs.
const lookEvery = 15 * time.Second

// held reports whether a process runs the org's Salesforce task, or is about to.
func (f *follower) held(ctx context.Context) (bool, error) {
	switch e := f.platform.endpoints; {
	case f.platform.broker != nil:
		return false, nil // the embedded broker is this process's own: nobody else can run
	case e.Embedded:
		return f.reported(ctx, e.Console)
	default:
		return f.platform.kafka.TaskHeld(ctx, f.app.cfg.Kafka.Group, salesforce.TaskName(f.org.Alias))
	}
}

// reported asks the process that runs on this data_dir whether the org's producer is one of its components.
func (f *follower) reported(ctx context.Context, console string) (bool, error) {
	text, err := ask(ctx, console+"/api/status")
	if err != nil {
		return false, err
	}
	var reply struct {
		Orgs map[string]map[string]json.RawMessage `json:"orgs"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return false, fmt.Errorf("read the status of the process that runs: %w", err)
	}
	return reply.Orgs[orgName(f.org)][Salesforce] != nil, nil
}

// finish waits until a producer has done the work: one that runs elsewhere, or, when there is none any more, one of this process.
func (f *follower) finish(ctx context.Context) (BackfillAnswer, error) {
	for {
		held, err := f.held(ctx)
		switch {
		case ctx.Err() != nil:
			return f.left("it is recorded, and the next 'crosswalk run' goes on with it")
		case err != nil:
			return BackfillAnswer{}, err
		case !held:
			return f.alone(ctx)
		}
		waiting, cancel := context.WithTimeoutCause(ctx, lookEvery, errWaited)
		b, err := f.follow(waiting, func(b *salesforce.Backfill) bool { return b.State.Over() })
		cancel()
		switch {
		case ctx.Err() != nil:
			return f.left("the process that runs goes on with it")
		case err == nil:
			return BackfillAnswer{Backfill: b}, outcome(&b)
		case !errors.Is(err, errWaited):
			return BackfillAnswer{}, err
		}
	}
}

// left is the answer when the command is ended before the backfill is.
func (f *follower) left(what string) (BackfillAnswer, error) {
	return BackfillAnswer{Backfill: salesforce.Backfill{ID: f.id}}, fmt.Errorf(
		"%w: this command was stopped; %s; see 'crosswalk backfill list', or give it up with 'crosswalk backfill cancel %s'", ErrBackfill, what, f.id)
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

// outcome is nil when a backfill was done, and all of it.
func outcome(b *salesforce.Backfill) error {
	switch b.State {
	case salesforce.BackfillFailed:
		return fmt.Errorf("%w: %s failed: %s", ErrBackfill, b.ID, b.Reason)
	case salesforce.BackfillCancelled:
		return fmt.Errorf("%w: %s was cancelled", ErrBackfill, b.ID)
	}
	if !b.Whole() {
		return ErrRejects
	}
	return nil
}

var errBackfillOver = errors.New("the backfill is over")

// alone does the backfill in this process, which takes the org's task over for as long.
func (f *follower) alone(ctx context.Context) (BackfillAnswer, error) {
	t, err := f.app.salesforceTask(f.platform, f.org)
	if err != nil {
		return BackfillAnswer{}, err
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
		return BackfillAnswer{Backfill: b}, outcome(&b)
	case ctx.Err() != nil:
		return f.left("it is recorded, and the next 'crosswalk run' or 'crosswalk backfill' goes on with it where it was")
	}
	return BackfillAnswer{Backfill: b}, err
}

// Package retry runs something again until it works, is refused for good, or the context ends.
//
// A client's one function that knows what is worth retrying marks the rest with Final; a server's Retry-After
// travels with the error through After. Do waits in between, exponentially longer, with jitter so that many
// processes that lost the same server do not come back in step. Waits use the standard library's timers, so a
// test inside testing/synctest passes through them in no time.
//
// The package imports nothing of ours, logs nothing and counts nothing: Backoff.Notify tells the caller.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Do calls attempt until it returns nil, and returns nil then.
//
// It gives up and returns attempt's error when that is marked Final, when Backoff.Attempts calls have been made,
// or when ctx ends; in the last case the result also is ctx's cause for errors.Is. An error that carries a
// Retry-After (see After) is waited for at least that long, whatever Backoff.Max says.
func Do(ctx context.Context, b Backoff, attempt func(context.Context) error) error {
	for n := 1; ; n++ {
		err := attempt(ctx)
		switch {
		case err == nil:
			return nil
		case IsFinal(err):
			return err
		case ctx.Err() != nil:
			return ended(ctx, err)
		case b.Attempts > 0 && n >= b.Attempts:
			return fmt.Errorf("%w (attempt %d of %d)", err, n, b.Attempts)
		}
		wait := b.Wait(n)
		if after, ok := AskedFor(err); ok {
			wait = max(wait, after)
		}
		if b.Notify != nil {
			b.Notify(err, n, wait)
		}
		if Sleep(ctx, wait) != nil {
			return ended(ctx, err)
		}
	}
}

// ended joins the last failure with the reason why there will be no further attempt.
func ended(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w (stopped trying: %w)", err, cause)
}

// Sleep waits for d, or until ctx ends: then it returns ctx's cause. It never returns nil for an ended ctx, so
// a loop that waits zero still stops.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

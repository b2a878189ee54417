package harness

import (
	"context"
	"time"

	"crosswalk/internal/judge"
)

// Settle reads until compare finds no difference. It gives up, and returns the differences, when nothing has been published for
// as long as patience. Between two looks it calls wait, whose error ends it.
func (f *Follower) Settle(ctx context.Context, patience time.Duration, wait func() error, compare func() ([]judge.Difference, error)) ([]judge.Difference, error) {
	moved, records := time.Now(), -1
	var different []judge.Difference
	for {
		if _, err := f.Read(ctx); err != nil {
			return different, err
		}
		if n := f.Records(); n != records {
			records, moved = n, time.Now()
			var err error
			if different, err = compare(); err != nil {
				return different, err
			}
		}
		if len(different) == 0 || time.Since(moved) > patience {
			return different, nil
		}
		if err := wait(); err != nil {
			return different, err
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return different, context.Cause(ctx)
		}
	}
}

package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Counts are the records that each topic has held.
func (f *Follower) Counts() map[string]int {
	out := map[string]int{}
	for name, h := range f.Histories {
		out[name] = h.Records
	}
	return out
}

// AwaitViews reads until customer.view has held so many records.
func (f *Follower) AwaitViews(ctx context.Context, records int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("a change was not in its view after 30 s"))
	defer cancel()
	for f.Histories["customer.view"].Records < records {
		if _, err := f.Read(ctx); err != nil {
			return fmt.Errorf("wait for a view: %w", err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Matched is an account of which there is a view.
func (f *Follower) Matched(ctx context.Context) (string, error) {
	rows, err := f.Rows(ctx, "customer.view")
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		view := rows[key]
		if accounts, ok := view["accounts"].([]any); ok && len(accounts) > 0 {
			if account, ok := accounts[0].(map[string]any); ok {
				id, _ := account["id"].(string)
				return id, nil
			}
		}
	}
	return "", fmt.Errorf("find a matched account: there are no views")
}

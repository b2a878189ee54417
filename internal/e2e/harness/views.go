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
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("a change was not in its view after two minutes"))
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

// Quiet makes two changes of an account that is in a view, one after the other, and lists the topics that since before hold
// other than the two rows and two views which these lead to. Two: what a start itself publishes has come when the second is
// there.
func (f *Follower) Quiet(ctx context.Context, before map[string]int, change func(account string, n int) error) ([]string, error) {
	account, err := f.Matched(ctx)
	if err != nil {
		return nil, err
	}
	expected := map[string]int{"salesforce.account": 2, "customer.view": 2}
	for i := range 2 {
		if err := change(account, i); err != nil {
			return nil, err
		}
		if err := f.AwaitViews(ctx, before["customer.view"]+1+i); err != nil {
			return nil, err
		}
	}
	var more []string
	for name, n := range f.Counts() {
		if n != before[name]+expected[name] {
			more = append(more, fmt.Sprintf("%s.%s has %d new records, not %d", f.org, name, n-before[name], expected[name]))
		}
	}
	return more, nil
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

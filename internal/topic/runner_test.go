package topic

import (
	"context"
	"log/slog"
	"slices"
	"testing"
)

// TestATaskOnItsWayIsClaimed gives a process a task for which it stands by, and does not let it stop standing by: the task is claimed
// all the same when the group joins again, else it would be given to another process as well.
func TestATaskOnItsWayIsClaimed(t *testing.T) {
	t.Parallel()
	stands, leave, runs := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := &runner{
		run: func(ctx context.Context, _ string) error { close(runs); <-ctx.Done(); return nil },
		follow: func(ctx context.Context, _ string) error {
			close(stands)
			<-ctx.Done()
			<-leave
			return nil
		},
		failed:  func(_ string, err error) error { return err },
		metrics: NewMetrics(nil), log: slog.New(slog.DiscardHandler),
		stopped: make(chan struct{}, 1), fatal: make(chan error, 1), tasks: map[string]*running{}, wanted: map[string]role{},
	}
	r.set(t.Context(), assignment{Follow: []string{"task"}})
	<-stands
	if got := r.owned(); len(got) != 0 {
		t.Errorf("it stands by, and claims %q", got)
	}
	r.set(t.Context(), assignment{Tasks: []string{"task"}})
	if got := r.owned(); !slices.Equal(got, []string{"task"}) {
		t.Errorf("it was given the task and has not begun: it claims %q", got)
	}
	close(leave)
	<-runs
	if got := r.owned(); !slices.Equal(got, []string{"task"}) {
		t.Errorf("it runs the task, and claims %q", got)
	}
	r.drain(nil)
	if got := r.owned(); len(got) != 0 {
		t.Errorf("it has stopped, and claims %q", got)
	}
}

package topic

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// runner runs the tasks of a process, each in a goroutine of its own.
type runner struct {
	run     func(ctx context.Context, task string) error
	failed  func(task string, err error) error
	metrics *Metrics
	log     *slog.Logger
	stopped chan struct{} // a task has stopped; one signal may stand for several
	fatal   chan error

	mu     sync.Mutex
	tasks  map[string]context.CancelFunc // running or stopping
	wanted map[string]bool
	ctx    context.Context // that tasks get: it carries the lease
}

// set makes the tasks run that are wanted, and those stop that are not.
func (r *runner) set(ctx context.Context, wanted []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
	r.wanted = map[string]bool{}
	for _, task := range wanted {
		r.wanted[task] = true
		if r.tasks[task] == nil {
			r.start(task)
		}
	}
	for task, cancel := range r.tasks {
		if !r.wanted[task] {
			cancel()
		}
	}
}

// start runs a task until it is cancelled. r.mu is held.
func (r *runner) start(task string) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.tasks[task] = cancel
	r.metrics.tasks.Inc()
	go func() {
		defer cancel()
		r.keep(ctx, task)
		r.mu.Lock()
		delete(r.tasks, task)
		r.metrics.tasks.Dec()
		if r.wanted[task] && r.ctx.Err() == nil {
			r.start(task) // it was given back while it stopped
		}
		r.mu.Unlock()
		select {
		case r.stopped <- struct{}{}:
		default:
		}
	}()
}

// keep runs a task again when it fails. A task that ends without an error while it is owned has nothing more to do.
func (r *runner) keep(ctx context.Context, task string) {
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 30*time.Second) {
		begun := time.Now()
		err := r.run(ctx, task)
		if err == nil || ctx.Err() != nil {
			<-ctx.Done()
			return
		}
		r.metrics.taskFailures.Inc()
		if err := r.failed(task, err); err != nil {
			select {
			case r.fatal <- err:
			default:
			}
			<-ctx.Done()
			return
		}
		if time.Since(begun) > time.Minute {
			pause = 200 * time.Millisecond
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// owned returns the tasks that run or have not finished stopping.
func (r *runner) owned() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.tasks))
}

// drain stops all tasks and waits until they have.
func (r *runner) drain() {
	r.set(context.Background(), nil)
	begun := time.Now()
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for len(r.owned()) > 0 {
		select {
		case <-r.stopped:
		case <-ticker.C:
			r.log.Warn("tasks have not stopped yet", "tasks", r.owned(), "seconds", int(time.Since(begun).Seconds()))
		}
	}
}

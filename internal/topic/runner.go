package topic

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// role is what a process does about a task.
type role int

const (
	idle  role = iota
	stand      // it stands by
	own        // it runs the task
)

// running is a task that runs, or for which this process stands by, or that has not finished either yet.
type running struct {
	role   role
	cancel context.CancelCauseFunc
}

// runner runs the tasks of a process, and stands by for others, each in a goroutine of its own. Of one task it does one
// thing at a time.
type runner struct {
	run     func(ctx context.Context, task string) error
	follow  func(ctx context.Context, task string) error
	failed  func(task string, err error) error
	metrics *Metrics
	log     *slog.Logger
	stopped chan struct{} // a task has stopped; one signal may stand for several
	fatal   chan error

	mu     sync.Mutex
	tasks  map[string]*running
	wanted map[string]role
	ctx    context.Context // that tasks get: it carries the lease
}

// set makes the tasks run that are given, stands by as is given, and stops all else.
func (r *runner) set(ctx context.Context, given assignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
	r.wanted = map[string]role{}
	for _, task := range given.Follow {
		r.wanted[task] = stand
	}
	for _, task := range given.Tasks {
		r.wanted[task] = own
	}
	for task, role := range r.wanted {
		if r.tasks[task] == nil {
			r.start(task, role)
		}
	}
	for task, t := range r.tasks {
		switch wanted := r.wanted[task]; {
		case t.role == stand && wanted == own:
			t.cancel(ErrPromoted)
		case t.role != wanted:
			t.cancel(context.Canceled)
		}
	}
}

// start takes a task up until it is cancelled. r.mu is held.
func (r *runner) start(task string, as role) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	r.tasks[task] = &running{as, cancel}
	gauge := r.metrics.tasks
	if as == stand {
		gauge = r.metrics.standbys
	}
	gauge.Inc()
	go func() {
		defer cancel(nil)
		if as == stand {
			r.keepFollowing(ctx, task)
		} else {
			r.keep(ctx, task)
		}
		r.mu.Lock()
		delete(r.tasks, task)
		gauge.Dec()
		if wanted := r.wanted[task]; wanted != idle && r.ctx.Err() == nil {
			r.start(task, wanted) // it changes its role, or was given back while it stopped
		}
		r.mu.Unlock()
		select {
		case r.stopped <- struct{}{}:
		default:
		}
	}()
}

// The pauses before something that failed is started again.
const (
	shortPause = 200 * time.Millisecond
	longPause  = 30 * time.Second
)

// keep runs a task again when it fails. A task that ends without an error while it is owned has nothing more to do.
func (r *runner) keep(ctx context.Context, task string) {
	for pause := shortPause; ; pause = min(2*pause, longPause) {
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
			pause = shortPause
		}
		if !rest(ctx, pause) {
			return
		}
	}
}

// keepFollowing stands by for a task, again when that fails.
func (r *runner) keepFollowing(ctx context.Context, task string) {
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		err := r.follow(ctx, task)
		if err == nil || ctx.Err() != nil {
			<-ctx.Done()
			return
		}
		r.log.Warn("standing by for a task failed and is started again", "task", task, "error", err)
		if !rest(ctx, pause) {
			return
		}
	}
}

// rest waits, and reports false when ctx ends before.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// owned returns the tasks that run, that have not finished stopping, or that begin as soon as this process no longer stands by
// for them. All of them are claimed: what nobody claims is given to somebody else.
func (r *runner) owned() []string {
	return r.which(func(task string, t *running) bool { return t.role == own || r.wanted[task] == own })
}

// follows returns the tasks for which this process stands by.
func (r *runner) follows() []string {
	return r.which(func(_ string, t *running) bool { return t.role == stand })
}

func (r *runner) which(is func(string, *running) bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Sorted(maps.Keys(r.tasks))
	return slices.DeleteFunc(out, func(task string) bool { return !is(task, r.tasks[task]) })
}

// drain stops all tasks but those that are followed and go on, and waits until they have.
func (r *runner) drain(following []string) {
	r.mu.Lock()
	ctx := r.ctx
	r.mu.Unlock()
	if ctx == nil {
		return // nothing was ever given
	}
	r.set(ctx, assignment{Follow: following})
	begun := time.Now()
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for left := r.left(following); len(left) > 0; left = r.left(following) {
		select {
		case <-r.stopped:
		case <-ticker.C:
			r.log.Warn("tasks have not stopped yet", "tasks", left, "seconds", int(time.Since(begun).Seconds()))
		}
	}
}

// left returns what has not stopped yet of what is not followed.
func (r *runner) left(following []string) []string {
	out := r.owned()
	for _, task := range r.follows() {
		if !slices.Contains(following, task) {
			out = append(out, task)
		}
	}
	return out
}

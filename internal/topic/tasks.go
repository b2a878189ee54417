package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// TasksConfig says which tasks the processes of a group share.
type TasksConfig struct {
	Group string
	Tasks []string // that this process is able to run; processes of a group may differ

	// Follow, when it is set, stands by for one of the tasks in Followable while another process runs it, until its ctx ends:
	// with the cause ErrPromoted when this process is to run the task now, which it begins as soon as Follow has returned.
	// When it ends with an error, it is started again after a pause. Standbys is how many processes stand by for each task
	// if there are so many.
	Follow     func(ctx context.Context, task string) error
	Followable []string
	Standbys   int

	// Session is how long a process may be silent before its tasks go to others; default 10 s. A broker may allow no
	// less than 6 s (group.min.session.timeout.ms).
	Session time.Duration

	// Failed is told the error with which a task ended although it is still owned. When it returns nil, the task is
	// started again after a pause that grows from 0.2 to 30 s; else RunTasks ends with what it returns. Default: log
	// and start again.
	Failed func(task string, err error) error
}

// ErrPromoted is why standing by for a task ends when its process is to run the task.
var ErrPromoted = errors.New("this process runs the task now")

// RunTasks takes part in the group until ctx ends, and runs the tasks that this process is given. A task runs in one
// process at a time: its ctx is cancelled when it is to go to another process, which gets it only after run has
// returned. Tasks that stay run on while the group changes. The ctx of a task carries the lease that writers made with
// it keep to (W1).
//
// When this process was silent for too long, others have taken its tasks; it then stops them, and brokers refuse what
// its writers still send (W2).
func (c *Client) RunTasks(ctx context.Context, config TasksConfig, run func(ctx context.Context, task string) error) error {
	if config.Group == "" || len(config.Tasks) == 0 {
		return errors.New("run tasks: a group and tasks are needed")
	}
	if config.Session == 0 {
		config.Session = 10 * time.Second
	}
	log := c.config.Logger
	if config.Failed == nil {
		config.Failed = func(task string, err error) error {
			log.Error("task failed and is started again", "task", task, "error", err)
			return nil
		}
	}
	o := &owner{
		config: config, log: log, metrics: c.config.Metrics,
		me: membership{client: c, group: config.Group, session: config.Session, generation: -1},
		runner: &runner{
			run: run, follow: config.Follow, failed: config.Failed, metrics: c.config.Metrics, log: log,
			stopped: make(chan struct{}, 1), fatal: make(chan error, 1), tasks: map[string]*running{},
		},
		joined: make(chan joined, 1), entered: make(chan membership, 1), beats: make(chan beat, 1),
	}
	o.renewLease(ctx)
	err := o.run(ctx)
	o.runner.drain(nil)
	if o.me.id != "" {
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.Session)
		defer cancel()
		if lerr := o.me.leave(leaving); lerr != nil {
			log.Debug("leave group failed", "group", config.Group, "error", lerr)
		}
	}
	return err
}

// owner is one process in a task group.
type owner struct {
	config  TasksConfig
	log     *slog.Logger
	metrics *Metrics
	me      membership
	runner  *runner
	lease   *Lease
	taskCtx context.Context

	joining bool
	stale   bool // the tasks that are owned have changed since the last join
	joined  chan joined
	entered chan membership
	beating bool
	beats   chan beat
	pause   backoff
	again   <-chan time.Time // when a failed join is tried again
}

// joined is how a join ended.
type joined struct {
	sent  time.Time
	given assignment
	err   error
}

// beat is how a sign of life was answered.
type beat struct {
	sent time.Time
	me   membership
	err  error
}

func (o *owner) renewLease(ctx context.Context) {
	o.lease = &Lease{session: o.config.Session}
	o.taskCtx = withLease(ctx, o.lease)
}

// run is the life of the member. Joining goes on beside it, because the coordinator answers only after all members
// have joined, and signs of life must go on meanwhile: the tasks that are owned stay owned.
func (o *owner) run(ctx context.Context) error {
	due := time.NewTicker(min(o.config.Session/5, 3*time.Second))
	defer due.Stop()
	check := time.NewTicker(o.config.Session / 20)
	defer check.Stop()
	o.join(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-o.runner.fatal:
			return err
		case o.me = <-o.entered:
		case j := <-o.joined:
			err = o.conclude(ctx, j)
		case <-o.runner.stopped:
			o.stale = true
		case <-o.again:
			o.again = nil
			o.join(ctx)
		case <-due.C:
			o.beat(ctx)
		case b := <-o.beats:
			err = o.answered(ctx, b)
		case <-check.C:
			// The coordinator counts from when the sign of life arrived, which is later: it has not given up yet.
			if o.lease.age() > o.config.Session*9/10 && len(o.runner.owned()) > 0 {
				o.lose(ctx)
			}
		}
		if err != nil {
			return fmt.Errorf("take part in group %s: %w", o.config.Group, err)
		}
		if o.stale && !o.joining && o.again == nil {
			o.join(ctx)
		}
	}
}

// join begins to join, claiming what is owned.
func (o *owner) join(ctx context.Context) {
	self := member{
		Tasks: o.config.Tasks, Owned: o.runner.owned(), Generation: o.me.generation,
		Followable: o.config.Followable, Follows: o.runner.follows(), Standbys: o.config.Standbys,
	}
	o.joining, o.stale = true, false
	me := o.me
	go func() {
		j := joined{sent: time.Now()}
		j.given, j.err = me.join(ctx, self, func(m membership) {
			j.sent = time.Now()
			o.entered <- m
		})
		o.joined <- j
	}()
}

// conclude acts on the end of a join.
func (o *owner) conclude(ctx context.Context, j joined) error {
	select {
	case o.me = <-o.entered:
	default:
	}
	o.joining = false
	switch code := errorCode(j.err); {
	case j.err == nil:
		o.pause = backoff{}
		o.lease.prove(j.sent)
		o.metrics.rebalances.Inc()
		o.log.Debug("tasks assigned", "group", o.config.Group, "generation", o.me.generation, "tasks", j.given.Tasks, "follows", j.given.Follow)
		o.runner.set(o.taskCtx, j.given)
		return nil
	case ctx.Err() != nil:
		return nil
	case code == kafka.RebalanceInProgress:
		o.stale = true // somebody else came while this one joined
		return nil
	case code == kafka.UnknownMemberId, code == kafka.IllegalGeneration, code == kafka.FencedInstanceID:
		o.me.id = ""
		o.lose(ctx)
		return nil
	case code == 0 || transient(code):
		o.log.Debug("join group failed", "group", o.config.Group, "error", j.err)
		o.pause.next = min(max(2*o.pause.next, 20*time.Millisecond), time.Second)
		o.again = time.After(o.pause.next)
		return nil
	case code == kafka.GroupAuthorizationFailed:
		return fmt.Errorf("this user may not use the group; grant READ on it: %w", code)
	case code == kafka.InvalidSessionTimeout:
		return fmt.Errorf("the broker does not allow a session of %s; see its group.min.session.timeout.ms: %w", o.config.Session, code)
	default:
		return j.err
	}
}

func errorCode(err error) kafka.Error {
	var code kafka.Error
	errors.As(err, &code)
	return code
}

// beat sends a sign of life, unless the one before is not answered yet.
func (o *owner) beat(ctx context.Context) {
	if o.me.id == "" || o.beating {
		return
	}
	o.beating = true
	b := beat{sent: time.Now(), me: o.me}
	go func() {
		b.err = b.me.heartbeat(ctx)
		o.beats <- b
	}()
}

// answered acts on the answer to a sign of life. A coordinator that says "rebalance in progress" still counts the process
// as a member with its claims, so this proves the lease as well.
func (o *owner) answered(ctx context.Context, b beat) error {
	o.beating = false
	if b.me.id != o.me.id {
		return nil // about a membership that is over
	}
	switch code := errorCode(b.err); {
	case b.err == nil:
		o.lease.prove(b.sent)
	case code == kafka.RebalanceInProgress:
		o.lease.prove(b.sent)
		o.stale = o.stale || !o.joining
	case code == kafka.IllegalGeneration && (o.joining || b.me.generation != o.me.generation):
		// it crossed the answer to a join
	case code == kafka.UnknownMemberId, code == kafka.IllegalGeneration, code == kafka.FencedInstanceID:
		o.me.id = ""
		o.lose(ctx)
	case code != 0 && !transient(code):
		return code
	default:
		o.log.Debug("heartbeat failed", "group", o.config.Group, "error", b.err)
	}
	return nil
}

// lose is called when others may own the tasks of this process: they are stopped, and it begins anew.
func (o *owner) lose(ctx context.Context) {
	if owned := o.runner.owned(); len(owned) > 0 {
		o.log.Warn("this process was silent too long and has lost its tasks", "group", o.config.Group, "tasks", slices.Clone(owned))
	}
	o.lease.lost.Store(true)
	o.runner.drain(o.runner.follows())
	o.me.generation = -1
	o.renewLease(ctx)
	o.stale = true
}

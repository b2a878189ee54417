package topictest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"crosswalk/internal/topic"
)

// crew watches which process runs which task.
type crew struct {
	env    *Env
	group  string
	tasks  []string
	events chan event
	all    sync.WaitGroup
	errs   chan error

	at    map[string]string // process by task
	count map[string]int    // tasks by process
}

type event struct {
	process, task string
	on            bool
}

func newCrew(e *Env, tasks int) *crew {
	c := &crew{
		env: e, group: e.name("group"), events: make(chan event, 1000), errs: make(chan error, 10),
		at: map[string]string{}, count: map[string]int{},
	}
	for i := range tasks {
		c.tasks = append(c.tasks, fmt.Sprintf("%s-%d", c.group, i))
	}
	return c
}

// process starts one that takes part until stop is called or ctx ends.
func (c *crew) process(ctx context.Context, name string, run func(ctx context.Context, client *topic.Client, task string) error, change ...func(*topic.Config)) (stop context.CancelFunc, err error) {
	client, err := c.env.dial(ctx, change...)
	if err != nil {
		return nil, err
	}
	ctx, stop = context.WithCancel(ctx)
	config := topic.TasksConfig{Group: c.group, Tasks: c.tasks, Session: c.env.Session}
	c.all.Go(func() {
		err := client.RunTasks(ctx, config, func(ctx context.Context, task string) error {
			c.events <- event{name, task, true}
			defer func() { c.events <- event{name, task, false} }()
			return run(ctx, client, task)
		})
		if err = errors.Join(err, client.Close()); err != nil {
			c.errs <- fmt.Errorf("process %s: %w", name, err)
		}
	})
	return stop, nil
}

// await follows the events until each process has its number of tasks. A task in two places is an error.
func (c *crew) await(ctx context.Context, want ...map[string]int) error {
	for {
		for _, spread := range want {
			if c.spread(spread) {
				return nil
			}
		}
		select {
		case e := <-c.events:
			if err := c.note(e); err != nil {
				return err
			}
		case err := <-c.errs:
			return err
		case <-ctx.Done():
			return fmt.Errorf("tasks are spread as %v, want %v: %w", c.count, want, ctx.Err())
		}
	}
}

func (c *crew) spread(want map[string]int) bool {
	for process, n := range want {
		if c.count[process] != n {
			return false
		}
	}
	return true
}

func (c *crew) note(e event) error {
	if !e.on {
		delete(c.at, e.task)
		c.count[e.process]--
		return nil
	}
	if other, running := c.at[e.task]; running {
		return fmt.Errorf("task %s runs in %s and %s", e.task, other, e.process)
	}
	c.at[e.task] = e.process
	c.count[e.process]++
	return nil
}

// end waits until all processes have ended.
func (c *crew) end() error {
	done := make(chan struct{})
	go func() { c.all.Wait(); close(done) }()
	for {
		select {
		case <-c.events:
		case err := <-c.errs:
			return err
		case <-done:
			return nil
		}
	}
}

// taskMoves has tasks that take a while to stop, some longer than others: until one has, nobody else may run it.
func taskMoves(ctx context.Context, e *Env) (err error) {
	idle := func(ctx context.Context, _ *topic.Client, task string) error {
		<-ctx.Done()
		<-time.After(e.Session / 20 * time.Duration(1+task[len(task)-1]%4))
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	c := newCrew(e, 9)
	defer func() { cancel(); err = errors.Join(err, c.end()) }()
	stopA, err := c.process(ctx, "a", idle)
	if err != nil {
		return err
	}
	if err := c.await(ctx, map[string]int{"a": 9}); err != nil {
		return err
	}
	if _, err := c.process(ctx, "b", idle); err != nil {
		return err
	}
	if err := c.await(ctx, map[string]int{"a": 5, "b": 4}); err != nil {
		return err
	}
	before := maps.Clone(c.at)
	stopC, err := c.process(ctx, "c", idle)
	if err != nil {
		return err
	}
	if err := c.await(ctx, map[string]int{"a": 3, "b": 3, "c": 3}); err != nil {
		return err
	}
	for task, process := range c.at {
		if process != "c" && before[task] != process {
			return fmt.Errorf("task %s moved from %s to %s although it could have stayed", task, before[task], process)
		}
	}
	stopA()
	if err := c.await(ctx, map[string]int{"a": 0, "b": 5, "c": 4}, map[string]int{"a": 0, "b": 4, "c": 5}); err != nil {
		return err
	}
	stopC()
	return c.await(ctx, map[string]int{"a": 0, "b": 9, "c": 0})
}

// silence cuts a process off while its task writes. It must stop by itself before another process starts the task, and
// nothing that it wrote may come behind the other's barrier.
func silence(ctx context.Context, e *Env) (err error) {
	client, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	name, err := e.compacted(ctx, client, "silence", 2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	c, s := newCrew(e, 1), &shift{topic: name, plain: client, began: make(chan string, 10)}
	defer func() { cancel(); err = errors.Join(err, c.end()) }()
	network := newFreezer()
	defer network.set(false)
	if _, err := c.process(ctx, "a", s.write("a"), network.between); err != nil {
		return err
	}
	if err := c.await(ctx, map[string]int{"a": 1}); err != nil {
		return err
	}
	<-s.began
	if _, err := c.process(ctx, "b", s.write("b")); err != nil {
		return err
	}
	network.set(true)
	silent := time.Now()
	if err := c.await(ctx, map[string]int{"a": 0, "b": 1}); err != nil {
		return err
	}
	e.Logf("task taken over %.1f session times after its owner fell silent", time.Since(silent).Seconds()/e.Session.Seconds())
	<-s.began
	network.set(false)
	cancel()
	if err := c.end(); err != nil {
		return err
	}
	return s.check(context.WithoutCancel(ctx))
}

// shift is a task that writes as long as it runs, in whatever process that is.
type shift struct {
	topic string
	plain *topic.Client
	began chan string

	mu        sync.Mutex
	writers   []*witness
	takeovers []*takeover
}

func (s *shift) write(process string) func(ctx context.Context, client *topic.Client, task string) error {
	return func(ctx context.Context, client *topic.Client, task string) error {
		w, err := client.NewWriter(ctx, topic.WriterConfig{Task: task, Topics: []string{s.topic}})
		if err != nil {
			return err
		}
		defer w.Close()
		x, err := s.begin(ctx, process, w)
		if err != nil {
			return err
		}
		for {
			for range 20 {
				if err := x.send(ctx); err != nil {
					return err
				}
			}
			if err := w.Flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (s *shift) begin(ctx context.Context, process string, w *topic.Writer) (*witness, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var old []string
	for _, x := range s.writers {
		old = append(old, x.name)
	}
	x := newWitness(fmt.Sprintf("%s%d", process, len(s.writers)), s.topic, w)
	t, err := taken(ctx, s.plain, s.topic, x.name, old...)
	if err != nil {
		return nil, err
	}
	s.writers, s.takeovers = append(s.writers, x), append(s.takeovers, t)
	s.began <- x.name
	return x, nil
}

func (s *shift) check(ctx context.Context) error {
	log, _, err := readAll(ctx, s.plain, s.topic)
	for _, x := range s.writers {
		err = errors.Join(err, x.check(log))
	}
	for _, t := range s.takeovers {
		err = errors.Join(err, t.check(log))
	}
	return err
}

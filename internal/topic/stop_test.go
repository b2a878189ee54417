package topic_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
)

const (
	childBroker  = "CROSSWALK_TOPIC_TEST_BROKER"
	childName    = "CROSSWALK_TOPIC_TEST_NAME"
	childSession = 3 * time.Second // longer than a process that is not stopped may be silent on a busy machine
)

// TestMain is a process that takes part in sharing one task when the variables are set: whenever it owns the task, it
// writes numbered records as fast as they are acknowledged, and prints when it has written some and
// when it ends to.
func TestMain(m *testing.M) {
	addr := os.Getenv(childBroker)
	if addr == "" {
		os.Exit(m.Run())
	}
	if err := share(context.Background(), addr, os.Getenv(childName)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func share(ctx context.Context, addr, name string) error {
	c, err := topic.Dial(ctx, topic.Config{Brokers: []string{addr}})
	if err != nil {
		return err
	}
	turn := 0
	config := topic.TasksConfig{
		Group: "group", Tasks: []string{"task"}, Session: childSession,
		Failed: func(_ string, err error) error { fmt.Fprintln(os.Stderr, name, err); return nil },
	}
	return c.RunTasks(ctx, config, func(ctx context.Context, task string) error {
		turn++
		defer fmt.Println("end", name)
		w, err := c.NewWriter(ctx, topic.WriterConfig{Task: task, Topics: []string{"t"}})
		if err != nil {
			return err
		}
		defer w.Close()
		for n := 0; ; n++ {
			r := topic.Record{Topic: "t", Key: []byte("key"), Value: fmt.Appendf(nil, "%s/%d %d", name, turn, n)}
			if err := w.Send(ctx, r, nil); err != nil {
				return err
			}
			if n%5 == 0 {
				if err := w.Flush(ctx); err != nil {
					return err
				}
				if n == 100 {
					fmt.Println("wrote", name)
				}
			}
		}
	})
}

// process is a child that shares the task.
type process struct {
	name string
	cmd  *exec.Cmd
	said chan string
}

func launch(t *testing.T, addr, name string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.CommandContext(t.Context(), os.Args[0]), said: make(chan string, 100)}
	p.cmd.Env = append(os.Environ(), childBroker+"="+addr, childName+"="+name)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.said <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		_ = p.cmd.Wait() // it was killed
	})
	return p
}

func (p *process) await(ctx context.Context, t *testing.T, what string) {
	t.Helper()
	for {
		select {
		case line := <-p.said:
			if line == what+" "+p.name {
				return
			}
			if !strings.HasSuffix(line, " "+p.name) { // an error
				t.Fatalf("process %s: %s", p.name, line)
			}
		case <-ctx.Done():
			t.Fatalf("process %s does not %s", p.name, what)
		}
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestStoppedProcessWritesNothingLate stops (SIGSTOP) the process that owns the task in the middle of its writing, and lets
// it go on after another one has taken over.
func TestStoppedProcessWritesNothingLate(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{MinSession: childSession})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	c, err := topic.Dial(ctx, topic.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Ensure(ctx, topic.Spec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	owner := launch(t, b.Addr(), "a")
	owner.await(ctx, t, "wrote")
	other := launch(t, b.Addr(), "b")
	for range 3 {
		owner.signal(t, syscall.SIGSTOP)
		other.await(ctx, t, "wrote")
		owner.signal(t, syscall.SIGCONT)
		owner.await(ctx, t, "end")
		owner, other = other, owner
	}
	owner.signal(t, syscall.SIGKILL)
	other.await(ctx, t, "wrote")
	other.signal(t, syscall.SIGKILL)
	checkTurns(ctx, t, c)
}

// checkTurns checks that each owner's records stand together, each once and none missing.
func checkTurns(ctx context.Context, t *testing.T, c *topic.Client) {
	t.Helper()
	last, next, over := "", 0, map[string]bool{}
	_, err := c.ReadAll(ctx, []string{"t"}, func(r topic.Record) error {
		name, number, _ := strings.Cut(string(r.Value), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("read number: %w", err)
		}
		if name != last {
			if over[name] {
				return fmt.Errorf("%s writes again after %s", name, last)
			}
			last, next, over[last] = name, 0, true
		}
		if n != next {
			return fmt.Errorf("record %d of %s follows %d", n, name, next-1)
		}
		next++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if len(over) < 4 {
		t.Errorf("only %d owners wrote", len(over))
	}
}

package topic_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
)

func TestTasksSmoke(t *testing.T) {
	b, err := broker.Start(broker.Config{MinSession: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var tasks []string
	for i := range 9 {
		tasks = append(tasks, fmt.Sprint("t", i))
	}
	type ev struct {
		p, task string
		on      bool
	}
	events := make(chan ev, 1000)
	var wg sync.WaitGroup
	start := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(ctx)
		c, err := topic.Dial(ctx, topic.Config{Brokers: []string{b.Addr()}, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("p", name)})
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.Close()
			err := c.RunTasks(ctx, topic.TasksConfig{Group: "g", Tasks: tasks, Session: 2 * time.Second}, func(ctx context.Context, task string) error {
				events <- ev{name, task, true}
				<-ctx.Done()
				events <- ev{name, task, false}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
		return cancel
	}
	at := map[string]string{}
	count := map[string]int{}
	until := func(want map[string]int) {
		for {
			ok := true
			for k, v := range want {
				if count[k] != v {
					ok = false
				}
			}
			if ok {
				t.Log("reached", want)
				return
			}
			select {
			case e := <-events:
				t.Log(e)
				if e.on {
					if at[e.task] != "" {
						t.Errorf("task %s at %s and %s", e.task, at[e.task], e.p)
					}
					at[e.task] = e.p
					count[e.p]++
				} else {
					at[e.task] = ""
					count[e.p]--
				}
			case <-ctx.Done():
				t.Fatal("timeout", count)
			}
		}
	}
	sa := start("a")
	until(map[string]int{"a": 9})
	start("b")
	until(map[string]int{"a": 5, "b": 4})
	start("c")
	until(map[string]int{"a": 3, "b": 3, "c": 3})
	sa()
	until(map[string]int{"a": 0, "b": 5, "c": 4})
	cancel()
	wg.Wait()
}

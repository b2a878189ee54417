package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
)

// TestFencedTaskIsStartedAgain: a task whose writer the broker refuses although the process owns it, as after a request of
// a former owner that arrives late, is taken up again by the same process, also when it has one org only.
func TestFencedTaskIsStartedAgain(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kafka.Close() }()
	if err := kafka.Ensure(ctx, topic.Spec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	standbys := 0
	a := New(&config.Config{
		Orgs:    []config.Org{{}},
		Kafka:   config.Kafka{Group: "g", SessionTimeout: 10 * time.Second},
		Matcher: config.Matcher{Standbys: &standbys},
	}, slog.New(slog.DiscardHandler))
	wrote := errors.New("the second start could write")
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	var starts atomic.Int32
	work := func(ctx context.Context) error {
		w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: "task", Topics: []string{"t"}})
		if err != nil {
			return err
		}
		defer w.Close()
		if starts.Add(1) == 1 { // the late request of a former owner
			late, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: "task", Topics: []string{"t"}})
			if err != nil {
				return err
			}
			late.Close()
		}
		if err := w.Write(ctx, topic.Record{Topic: "t", Key: []byte("a")}); err != nil {
			return err
		}
		end(wrote)
		return nil
	}
	if err := a.runTasks(life, &platform{kafka: kafka}, []task{{name: "task", run: work}}); err != nil {
		t.Errorf("the process ended: %v", err)
	}
	if !errors.Is(context.Cause(life), wrote) || starts.Load() != 2 {
		t.Errorf("%d starts, ended by %v", starts.Load(), context.Cause(life))
	}
}

// TestOneOrgsFailureLeavesTheOthersRunning: on the embedded broker too, an org whose login is refused is tried again, with
// growing pauses, beside the others; alone it ends the process, so that whoever started it sees why.
func TestOneOrgsFailureLeavesTheOthersRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("login refused")
		a := New(&config.Config{Orgs: []config.Org{{Alias: "emea"}, {Alias: "us"}}}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		tries, ended := 0, false
		failing := task{name: "emea", run: func(context.Context) error { tries++; return refused }}
		steady := task{name: "us", run: func(ctx context.Context) error { <-ctx.Done(); ended = true; return nil }}
		p := &platform{endpoints: Endpoints{Embedded: true}}
		if err := a.runTasks(ctx, p, []task{failing, steady}); err != nil || !ended || ctx.Err() == nil {
			t.Errorf("the others ended early: %v", err)
		}
		if tries < 100 || tries > 1000 {
			t.Errorf("tried %d times in an hour, want about every half minute", tries)
		}
		alone := New(&config.Config{Orgs: []config.Org{{}}}, slog.New(slog.DiscardHandler))
		if err := alone.runTasks(t.Context(), p, []task{failing}); !errors.Is(err, refused) {
			t.Errorf("the only org's failure is not told: %v", err)
		}
	})
}

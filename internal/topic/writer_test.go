package topic

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/broker"
)

// bundle is a broker, a client and a topic of one partition.
type bundle struct {
	broker  *broker.Broker
	client  *Client
	topic   string
	metrics *Metrics
	ctx     context.Context
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	x := &bundle{broker: b, topic: "t", metrics: NewMetrics(prometheus.NewRegistry()), ctx: ctx}
	if x.client, err = Dial(ctx, Config{Brokers: []string{b.Addr()}, Metrics: x.metrics}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(x.client.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := x.client.Ensure(ctx, Spec{Name: x.topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *bundle) writer(ctx context.Context, t *testing.T) *Writer {
	t.Helper()
	w, err := x.client.NewWriter(ctx, WriterConfig{Task: "task", Topics: []string{x.topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// keys returns the keys in the topic, in order.
func (x *bundle) keys(t *testing.T) string {
	t.Helper()
	ends, err := x.client.Offsets(x.ctx, x.topic)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.client.NewReader(x.ctx, ReaderConfig{Topics: []string{x.topic}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var keys []string
	for {
		f, err := r.Poll(x.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records {
			keys = append(keys, string(r.Key))
		}
		if f.CaughtUp(ends) {
			return strings.Join(keys, " ")
		}
	}
}

func TestWriterRepeatsWhatMayPass(t *testing.T) {
	t.Parallel()
	for _, code := range []int16{2, 3, 5, 6, 7, 13, 19, 20, 56, 74} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			x := setup(t)
			w := x.writer(x.ctx, t)
			x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: code, Times: 2})
			for _, key := range []string{"a", "b"} {
				if err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte(key)}); err != nil {
					t.Fatal(err)
				}
			}
			if got := x.keys(t); got != "a b" {
				t.Errorf("log holds %q, want each once", got)
			}
			if n := testutil.ToFloat64(x.metrics.retries); n != 2 {
				t.Errorf("%v retries counted, want 2", n)
			}
		})
	}
}

func TestWriterEndsOnWhatDoesNotPass(t *testing.T) {
	t.Parallel()
	for code, want := range map[int16]error{47: ErrFenced, 90: ErrFenced, 45: nil, 29: nil, -1: nil} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			x := setup(t)
			w := x.writer(x.ctx, t)
			x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: code, Times: 1})
			err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte("a")})
			if err == nil || (want != nil && !errors.Is(err, want)) || !strings.Contains(err.Error(), x.topic) {
				t.Errorf("Write = %v", err)
			}
			if again := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte("b")}); !errors.Is(again, err) {
				t.Errorf("the next Write = %v, want the first reason", again)
			}
			if again := w.Flush(x.ctx); !errors.Is(again, err) {
				t.Errorf("Flush = %v, want the first reason", again)
			}
			if got := x.keys(t); got != "" {
				t.Errorf("log holds %q", got)
			}
		})
	}
}

// TestRefusedAfterAnOpenTry: when an earlier try may have written the batch, its numbers must not be used for another.
func TestRefusedAfterAnOpenTry(t *testing.T) {
	t.Parallel()
	x := setup(t)
	w := x.writer(x.ctx, t)
	x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: 7, Times: 1})
	x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: 10, Times: 1})
	if err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte("a")}); err == nil {
		t.Fatal("no error although what is in the log is open")
	}
	if err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte("b")}); err == nil {
		t.Error("the writer goes on")
	}
}

func TestWriterSendsNothingWithoutALease(t *testing.T) {
	t.Parallel()
	x := setup(t)
	lease := &Lease{session: time.Hour}
	lease.prove(time.Now())
	w := x.writer(withLease(x.ctx, lease), t)
	lease.prove(time.Now().Add(-30 * time.Minute))
	var acked atomic.Bool
	err := w.Send(x.ctx, Record{Topic: x.topic, Key: []byte("a")}, func(Record, error) { acked.Store(true) })
	if err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(leasePoll)
	defer ticker.Stop()
	for testutil.ToFloat64(x.metrics.withheld) < 3 {
		select {
		case <-ticker.C:
		case <-x.ctx.Done():
			t.Fatal("the writer does not say that it waits")
		}
	}
	if got := x.keys(t); got != "" || acked.Load() {
		t.Fatalf("log holds %q", got)
	}
	lease.prove(time.Now())
	if err := w.Flush(x.ctx); err != nil {
		t.Fatal(err)
	}
	if got := x.keys(t); got != "a" {
		t.Fatalf("log holds %q", got)
	}
	lease.lost.Store(true)
	if err := w.Write(x.ctx, Record{Topic: x.topic, Key: []byte("b")}); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("Write after the loss = %v", err)
	}
	if got := x.keys(t); got != "a" {
		t.Errorf("log holds %q", got)
	}
	if _, err := x.client.NewWriter(withLease(x.ctx, lease), WriterConfig{Task: "task", Topics: []string{x.topic}}); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("NewWriter after the loss = %v", err)
	}
}

func TestWriterRefusesWhatHasNoPlace(t *testing.T) {
	t.Parallel()
	x := setup(t)
	w := x.writer(x.ctx, t)
	for _, r := range []Record{
		{Topic: x.topic},
		{Topic: x.topic, Key: []byte(BarrierKey)},
		{Topic: "other", Key: []byte("a")},
	} {
		if err := w.Send(x.ctx, r, nil); err == nil || !strings.Contains(err.Error(), r.Topic) {
			t.Errorf("Send(%q to %s) = %v", r.Key, r.Topic, err)
		}
	}
	w.Close()
	if err := w.Send(x.ctx, Record{Topic: x.topic, Key: []byte("a")}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close = %v", err)
	}
}

func TestSendWaitsForRoom(t *testing.T) {
	t.Parallel()
	x := setup(t)
	w, err := x.client.NewWriter(x.ctx, WriterConfig{Task: "task", Topics: []string{x.topic}, MaxBuffered: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	remove := x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: 6, Times: -1})
	big := Record{Topic: x.topic, Key: []byte("a"), Value: make([]byte, 200)}
	if err := w.Send(x.ctx, big, nil); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(x.ctx, 10*time.Millisecond)
	defer cancel()
	if err := w.Send(soon, big, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Send without room = %v", err)
	}
	remove()
	if err := w.Write(x.ctx, big); err != nil {
		t.Fatal(err)
	}
	x.broker.Fail(broker.Fault{Request: broker.Produce, Topic: x.topic, Code: 6, Times: -1})
	if err := w.Send(x.ctx, big, nil); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- w.Send(x.ctx, big, nil) }()
	w.Close()
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("Send that waited when the writer was closed = %v", err)
	}
}

// TestCallbacksComeInOrder: callbacks come once each, in the order of the offsets.
func TestCallbacksComeInOrder(t *testing.T) {
	t.Parallel()
	x := setup(t)
	w := x.writer(x.ctx, t)
	var offsets []int64
	for i := range 500 {
		err := w.Send(x.ctx, Record{Topic: x.topic, Key: []byte{byte(i + 1)}}, func(r Record, err error) {
			if err != nil {
				t.Error(err)
			}
			offsets = append(offsets, r.Offset)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(x.ctx); err != nil {
		t.Fatal(err)
	}
	for i, offset := range offsets {
		if offset != int64(i)+1 { // behind the barrier
			t.Fatalf("callback %d has offset %d", i, offset)
		}
	}
	if len(offsets) != 500 {
		t.Errorf("%d callbacks", len(offsets))
	}
}

package topic_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
)

func TestSmoke(t *testing.T) {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := topic.Dial(ctx, topic.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ensure(ctx, topic.Spec{Name: "a", Partitions: 4, Config: map[string]string{"cleanup.policy": "compact"}}, topic.Spec{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: "t", Topics: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("epoch", w.Epoch())
	for i := range 1000 {
		if err := w.Send(ctx, topic.Record{Topic: "a", Key: fmt.Appendf(nil, "k%d", i), Value: []byte("v"), Headers: []topic.Header{{Key: "h", Value: []byte("x")}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	offs, err := c.Offsets(ctx, "a", "b")
	t.Log(offs, err)
	r, err := c.NewReader(topic.ReaderConfig{Topics: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for {
		f, err := r.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(f.Records)
		if len(f.Records) > 0 {
			t.Log(f.Records[0], len(f.Records))
		}
		if f.CaughtUp(offs) {
			break
		}
	}
	t.Log(n)
	w2, err := c.NewWriter(ctx, topic.WriterConfig{Task: "t", Topics: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(w.Write(ctx, topic.Record{Topic: "a", Key: []byte("z")}))
	t.Log(w2.Write(ctx, topic.Record{Topic: "a", Key: []byte("z")}))
	w.Close()
	w2.Close()
	t.Log(c.Identity(ctx, "a", "b", "c"))
}

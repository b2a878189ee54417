package topictest

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"crosswalk/internal/topic"
)

// witness sends numbered records through one writer and remembers which were acknowledged and where.
type witness struct {
	name  string
	topic string
	w     *topic.Writer

	mu    sync.Mutex
	sent  int
	acked map[int]topic.Record
}

func newWitness(name, topicName string, w *topic.Writer) *witness {
	return &witness{name: name, topic: topicName, w: w, acked: map[int]topic.Record{}}
}

// send sends the next record. Its key, of which there are few, decides the partition.
func (x *witness) send(ctx context.Context) error {
	x.mu.Lock()
	n := x.sent
	x.sent++
	x.mu.Unlock()
	r := topic.Record{
		Topic: x.topic, Key: fmt.Appendf(nil, "key %d", n%17),
		Value: fmt.Appendf(nil, "%s %d %s", x.name, n, bytes.Repeat([]byte("."), n%300)),
	}
	return x.w.Send(ctx, r, func(r topic.Record, err error) {
		if err == nil {
			x.mu.Lock()
			x.acked[n] = r
			x.mu.Unlock()
		}
	})
}

// check compares what is in the log with what the witness knows: each record at most once, in the order of sending per
// key, none missing before one that is there, and each acknowledged one where it was said to be.
func (x *witness) check(log []topic.Record) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	at, last := map[int]topic.Record{}, map[string]int{}
	for _, r := range log {
		name, number, _ := strings.Cut(string(r.Value), " ")
		if name != x.name {
			continue
		}
		number, _, _ = strings.Cut(number, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("read number: %w", err)
		}
		if before, twice := at[n]; twice {
			return fmt.Errorf("writer %s: record %d is in partition %d at offsets %d and %d", name, n, r.Partition, before.Offset, r.Offset)
		}
		at[n] = r
		if before, ok := last[string(r.Key)]; ok && n != before+17 {
			return fmt.Errorf("writer %s: record %d follows %d under key %q", name, n, before, r.Key)
		} else if !ok && n >= 17 {
			return fmt.Errorf("writer %s: record %d is the first under key %q", name, n, r.Key)
		}
		last[string(r.Key)] = n
	}
	for n, want := range x.acked {
		got, ok := at[n]
		if !ok {
			return fmt.Errorf("writer %s: record %d was acknowledged and is not there", x.name, n)
		}
		if want.Partition != got.Partition || (want.Offset != topic.UnknownOffset && want.Offset != got.Offset) {
			return fmt.Errorf("writer %s: record %d was acknowledged at %d/%d and is at %d/%d", x.name, n, want.Partition, want.Offset, got.Partition, got.Offset)
		}
	}
	return nil
}

// takeover is the moment after a writer was made: nothing of the writers before it may lie at or behind these offsets.
type takeover struct {
	by   string
	ends []topic.Range
	old  map[string]bool
}

func (t *takeover) check(log []topic.Record) error {
	for _, r := range log {
		name, _, _ := strings.Cut(string(r.Value), " ")
		if t.old[name] && r.Offset >= t.ends[r.Partition].End {
			return fmt.Errorf("writer %s wrote offset %d of partition %d after %s had taken over", name, r.Offset, r.Partition, t.by)
		}
	}
	return nil
}

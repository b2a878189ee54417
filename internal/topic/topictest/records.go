package topictest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/topic"
)

func roundTrip(ctx context.Context, _ *Env, c *topic.Client, name string) error {
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}})
	if err != nil {
		return err
	}
	defer w.Close()
	at := time.UnixMilli(1_700_000_000_123)
	sent := []topic.Record{
		{Key: []byte("a"), Value: []byte("1"), Time: at},
		{Key: []byte("a"), Value: []byte{}, Time: at.Add(-time.Hour)},
		{Key: []byte("a"), Value: nil, Time: at, Headers: []topic.Header{{Key: "epoch", Value: []byte("1")}, {Key: "nil"}}},
		{Key: []byte{0xff, 0}, Value: bytes.Repeat([]byte("x"), 300_000), Time: at},
		{Key: []byte("ü"), Value: []byte("2"), Headers: []topic.Header{{Key: "epoch", Value: []byte{}}}},
	}
	var acked []topic.Record
	var mu sync.Mutex
	for i := range sent {
		sent[i].Topic = name
		err := w.Send(ctx, sent[i], func(r topic.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acked = append(acked, r)
			}
		})
		if err != nil {
			return err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	got, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	if len(got) != len(sent) || len(acked) != len(sent) {
		return fmt.Errorf("%d sent, %d acknowledged, %d read", len(sent), len(acked), len(got))
	}
	for _, r := range acked {
		i := slices.IndexFunc(got, func(g topic.Record) bool { return g.Partition == r.Partition && g.Offset == r.Offset })
		if i < 0 {
			return fmt.Errorf("acknowledged at partition %d offset %d, where there is nothing", r.Partition, r.Offset)
		}
		if diff := difference(got[i], r); diff != "" {
			return fmt.Errorf("record %q: %s", r.Key, diff)
		}
	}
	return nil
}

// difference says in what two records differ.
func difference(got, want topic.Record) string {
	switch {
	case got.Topic != want.Topic || !bytes.Equal(got.Key, want.Key):
		return fmt.Sprintf("is %s %q, want %s %q", got.Topic, got.Key, want.Topic, want.Key)
	case !bytes.Equal(got.Value, want.Value) || (got.Value == nil) != (want.Value == nil):
		return fmt.Sprintf("value is %.20q, want %.20q", got.Value, want.Value)
	case !got.Time.Equal(want.Time):
		return fmt.Sprintf("time is %s, want %s", got.Time, want.Time)
	case len(got.Headers) != len(want.Headers):
		return fmt.Sprintf("%d headers, want %d", len(got.Headers), len(want.Headers))
	}
	for i, h := range got.Headers {
		if h.Key != want.Headers[i].Key || !bytes.Equal(h.Value, want.Headers[i].Value) || (h.Value == nil) != (want.Headers[i].Value == nil) {
			return fmt.Sprintf("header %d is %v, want %v", i, h, want.Headers[i])
		}
	}
	return ""
}

func compressions(ctx context.Context, _ *Env, c *topic.Client, name string) error {
	var want []string
	for _, codec := range []topic.Compression{topic.None, topic.Gzip, topic.Snappy, topic.Lz4, topic.Zstd} {
		w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, Compression: codec})
		if err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
		for i := range 500 {
			key := fmt.Sprintf("%s %03d", codec, i)
			want = append(want, key)
			if err := w.Send(ctx, topic.Record{Topic: name, Key: []byte(key), Value: bytes.Repeat([]byte(key), 20)}, nil); err != nil {
				return err
			}
		}
		if err := w.Flush(ctx); err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
		w.Close()
	}
	got, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	var keys []string
	for _, r := range got {
		keys = append(keys, string(r.Key))
		if !bytes.Equal(r.Value, bytes.Repeat(r.Key, 20)) {
			return fmt.Errorf("%s came back as %.40q", r.Key, r.Value)
		}
	}
	return sameSet(keys, want)
}

// sameSet compares two lists whatever their order; each element must come as often in both.
func sameSet(got, want []string) error {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want) || (i < len(got) && got[i] < want[i]):
			return fmt.Errorf("%q came although it was not written (again)", got[i])
		case i >= len(got) || got[i] > want[i]:
			return fmt.Errorf("%q is missing", want[i])
		}
	}
	return nil
}

func resume(ctx context.Context, _ *Env, c *topic.Client, name string) error {
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, Compression: topic.Lz4})
	if err != nil {
		return err
	}
	defer w.Close()
	var keys []string
	var position topic.Position
	for round := range 5 {
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprintf("%d/%d", round, i))
			if err := w.Send(ctx, topic.Record{Topic: name, Key: []byte(want[i])}, nil); err != nil {
				return err
			}
		}
		if err := w.Flush(ctx); err != nil {
			return err
		}
		var got []topic.Record
		if got, position, err = readFrom(ctx, c, position, name); err != nil {
			return err
		}
		keys = keys[:0]
		for _, r := range got {
			keys = append(keys, string(r.Key))
		}
		if err := sameSet(keys, want); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	// A position in the middle of a batch yields only what is behind it.
	all, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	middle := all[len(all)/2]
	position[name][middle.Partition] = middle.Offset
	got, _, err := readFrom(ctx, c, position, name)
	if err != nil {
		return err
	}
	if len(got) == 0 || got[0].Offset != middle.Offset || !bytes.Equal(got[0].Key, middle.Key) {
		return fmt.Errorf("reading from offset %d began elsewhere", middle.Offset)
	}
	return nil
}

func outOfRange(ctx context.Context, e *Env, c *topic.Client, name string) error {
	_, _, err := readFrom(ctx, c, topic.Position{name: {0, 1000}}, name)
	var outside *topic.OffsetError
	if !errors.As(err, &outside) || outside.Partition != 1 || outside.Offset != 1000 || outside.First != 0 || outside.End != 0 {
		return fmt.Errorf("reading from offset 1000 of an empty partition: %w", err)
	}
	_, err = c.NewReader(ctx, topic.ReaderConfig{Topics: []string{e.name("absent")}})
	if err == nil {
		return errors.New("reading a topic that does not exist is no error")
	}
	return nil
}

func manyTopics(ctx context.Context, e *Env) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var names []string
	var specs []topic.Spec
	for i := range 12 {
		names = append(names, e.name(fmt.Sprint("many", i)))
		specs = append(specs, topic.Spec{Name: names[i], Partitions: 1 + i%5})
	}
	if err := c.Ensure(ctx, specs...); err != nil {
		return err
	}
	if err := c.Ensure(ctx, specs...); err != nil {
		return fmt.Errorf("ensure what exists: %w", err)
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: names[0], Topics: names, Linger: 5 * time.Millisecond, MaxBuffered: 64 << 10})
	if err != nil {
		return err
	}
	defer w.Close()
	var want []string
	for i := range 6000 {
		key := fmt.Sprint(i)
		want = append(want, names[i%12]+" "+key)
		if err := w.Send(ctx, topic.Record{Topic: names[i%12], Key: []byte(key), Value: bytes.Repeat([]byte("v"), i%200)}, nil); err != nil {
			return err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	got, _, err := readAll(ctx, c, names...)
	if err != nil {
		return err
	}
	var keys []string
	for _, r := range got {
		keys = append(keys, r.Topic+" "+string(r.Key))
	}
	return sameSet(keys, want)
}

func tooLarge(ctx context.Context, e *Env) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name := e.name("large")
	err = c.Ensure(ctx, topic.Spec{Name: name, Partitions: 1, Config: map[string]string{"max.message.bytes": "20000"}})
	if err != nil {
		return err
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, Linger: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	defer w.Close()
	refused, want := 0, []string{}
	var mu sync.Mutex
	for i := range 100 {
		r := topic.Record{Topic: name, Key: fmt.Appendf(nil, "%03d", i), Value: bytes.Repeat([]byte("v"), 1000)}
		if i == 37 || i == 80 {
			r.Value = bytes.Repeat([]byte("w"), 30_000)
		} else {
			want = append(want, string(r.Key))
		}
		err := w.Send(ctx, r, func(r topic.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, topic.ErrRefused) {
				refused++
			}
		})
		if err != nil {
			return err
		}
	}
	if err := w.Flush(ctx); !errors.Is(err, topic.ErrRefused) || !strings.Contains(err.Error(), name) {
		return fmt.Errorf("flush after a record that is too large: %w", err)
	}
	if err := w.Flush(ctx); err != nil {
		return fmt.Errorf("the error is told twice: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	got, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	var keys []string
	for _, r := range got {
		keys = append(keys, string(r.Key))
	}
	if !slices.Equal(keys, want) || refused != 2 {
		return fmt.Errorf("%d records refused, %d written in the order %v", refused, len(keys), keys)
	}
	return nil
}

package topictest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/segmentio/kafka-go"

	"crosswalk/internal/topic"
)

// Compare measures our Writer and Reader and kafka-go's, one after the other on the same topic of four partitions, with
// records of 300 bytes. It prints what each costs per record, and the CPU time as a part of kafka-go's. The broker must
// be another process, so that its work does not count.
func Compare(ctx context.Context, e *Env, records int, out io.Writer) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	b := &bench{env: e, client: c, load: load(records)}
	if b.topic, err = e.compacted(ctx, c, "bench", 4); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\trecords/s\tCPU ns/record\tallocs/record\tbytes/record\tCPU ratio\t")
	for _, pair := range [][2]contender{
		{{"kafka-go Writer", b.theyWrite}, {"topic.Writer", b.weWrite}},
		{{"kafka-go Reader", b.theyRead}, {"topic.Reader", b.weRead}},
	} {
		var base cost
		for _, who := range pair {
			got, err := measure(ctx, who)
			if err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
			if base == (cost{}) {
				base = got
			}
			n := float64(records)
			fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\t%.0f\t%.2f\t\n", who.name, n/got.elapsed.Seconds(),
				float64(got.cpu.Nanoseconds())/n, float64(got.mallocs)/n, float64(got.bytes)/n, float64(got.cpu)/float64(base.cpu))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return b.latency(ctx, out)
}

// latency writes 200 records a second, one at a time, and prints how long each takes until a reader has it.
func (b *bench) latency(ctx context.Context, out io.Writer) error {
	ends, err := b.client.Offsets(ctx, b.topic)
	if err != nil {
		return err
	}
	from := topic.Position{}
	for _, r := range ends[b.topic] {
		from[b.topic] = append(from[b.topic], r.End)
	}
	r, err := b.client.NewReader(ctx, topic.ReaderConfig{Topics: []string{b.topic}, From: from})
	if err != nil {
		return err
	}
	w, err := b.client.NewWriter(ctx, topic.WriterConfig{Task: b.topic, Topics: []string{b.topic}})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	defer w.Close()
	const rounds = 1000
	failed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := range rounds {
			<-tick.C
			sent := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
			if err := w.Send(ctx, topic.Record{Topic: b.topic, Key: b.load[i%len(b.load)].Key, Value: sent}, nil); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	var took []time.Duration
	for len(took) < rounds && err == nil {
		var f topic.Fetch
		f, err = r.Poll(ctx)
		for _, rec := range f.Records {
			took = append(took, time.Duration(time.Now().UnixNano()-int64(binary.BigEndian.Uint64(rec.Value))))
		}
	}
	if err = errors.Join(err, <-failed, r.Close()); err != nil {
		return err
	}
	slices.Sort(took)
	fmt.Fprintf(out, "topic.Writer to topic.Reader at 200 records/s: p50 %.1f ms, p99 %.1f ms\n",
		took[rounds/2].Seconds()*1e3, took[rounds*99/100].Seconds()*1e3)
	return nil
}

type bench struct {
	env    *Env
	client *topic.Client
	topic  string
	load   []topic.Record
}

// load returns records of 300 bytes whose keys look like record ids.
func load(n int) []topic.Record {
	value := []byte(strings.Repeat("0123456789abcdef", 18))[:282]
	records := make([]topic.Record, n)
	for i := range records {
		records[i] = topic.Record{Key: fmt.Appendf(nil, "001%015d", i), Value: value, Time: time.UnixMilli(1_700_000_000_000 + int64(i))}
	}
	return records
}

type contender struct {
	name string
	run  func(ctx context.Context) error
}

type cost struct {
	elapsed, cpu   time.Duration
	mallocs, bytes uint64
}

func measure(ctx context.Context, who contender) (cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), cpuTime()
	err := who.run(ctx)
	spent, elapsed := cpuTime()-cpu, time.Since(start)
	runtime.ReadMemStats(&after)
	return cost{elapsed, spent, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}, err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (b *bench) weWrite(ctx context.Context) error {
	w, err := b.client.NewWriter(ctx, topic.WriterConfig{Task: b.topic, Topics: []string{b.topic}})
	if err != nil {
		return err
	}
	defer w.Close()
	for i := range b.load {
		r := b.load[i]
		r.Topic = b.topic
		if err := w.Send(ctx, r, nil); err != nil {
			return err
		}
	}
	return w.Flush(ctx)
}

// theyWrite uses kafka-go's Writer as its documentation advises for throughput: large batches, many messages a call.
func (b *bench) theyWrite(ctx context.Context) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(b.env.Config.Brokers...), Topic: b.topic, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 3000, BatchBytes: 1_000_000, BatchTimeout: time.Millisecond, Transport: b.env.plain().Transport,
	}
	const chunk = 12_000
	messages := make([]kafka.Message, 0, chunk)
	for i := range b.load {
		r := &b.load[i]
		messages = append(messages, kafka.Message{Key: r.Key, Value: r.Value, Time: r.Time})
		if len(messages) == chunk || i == len(b.load)-1 {
			if err := w.WriteMessages(ctx, messages...); err != nil {
				return err
			}
			messages = messages[:0]
		}
	}
	return w.Close()
}

func (b *bench) weRead(ctx context.Context) error {
	r, err := b.client.NewReader(ctx, topic.ReaderConfig{Topics: []string{b.topic}})
	if err != nil {
		return err
	}
	for n := 0; n < len(b.load); {
		f, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		n += len(f.Records)
	}
	return r.Close()
}

// theyRead uses one kafka-go Reader a partition, as many as there are partitions, because without a group a Reader has one.
func (b *bench) theyRead(ctx context.Context) error {
	ends, err := b.client.Offsets(ctx, b.topic)
	if err != nil {
		return err
	}
	done := make(chan error)
	left := int64(len(b.load))
	for p, r := range ends[b.topic] {
		want := min(r.End-r.First, left/int64(len(ends[b.topic]))) // as many records in all as there are in the load
		go func() { done <- b.theyReadPartition(ctx, p, want) }()
	}
	for range ends[b.topic] {
		err = errors.Join(err, <-done)
	}
	return err
}

func (b *bench) theyReadPartition(ctx context.Context, partition int, want int64) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: b.env.Config.Brokers, Topic: b.topic, Partition: partition, MinBytes: 1, MaxBytes: 4 << 20, QueueCapacity: 1000,
	})
	for range want {
		if _, err := r.ReadMessage(ctx); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	return r.Close()
}

//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/customer"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

func inputs(o options) []string {
	var out []string
	for _, name := range []string{matcher.AccountTopic, matcher.ContactTopic, matcher.CustomerTopic} {
		out = append(out, topic.Name(o.Org, name))
	}
	return out
}

// outputs are the topics that a matcher without state reads besides its inputs.
func outputs(o options) []string {
	var out []string
	for _, name := range []string{matcher.ViewTopic, matcher.AmbiguousTopic, matcher.UnmatchedTopic} {
		out = append(out, topic.Name(o.Org, name))
	}
	return out
}

// copyAll fetches every input record and produces its bytes again.
func copyAll(ctx context.Context, o options) error {
	k, err := dial(ctx, o)
	if err != nil {
		return err
	}
	to := topic.Name(o.Org, "bench.copy")
	if err := k.Ensure(ctx, topic.Spec{Name: to, Partitions: o.Partitions}); err != nil {
		return err
	}
	m := newMeter()
	w, err := k.NewWriter(ctx, topic.WriterConfig{Task: "bench/copy/" + o.Org, Topics: []string{to}})
	if err != nil {
		return err
	}
	defer w.Close()
	events := int64(0)
	if _, err = k.ReadAll(ctx, inputs(o), func(r topic.Record) error {
		events++
		return w.Send(ctx, topic.Record{Topic: to, Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Time}, nil)
	}); err != nil {
		return err
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	return m.done("fetch and produce the same bytes", events)
}

// match is the matcher's part. It tells when it has caught up, then waits for a line that says that changes have been
// written, and tells when it has published what they lead to; it stops when its input ends.
func match(ctx context.Context, o options) error {
	if o.Profile != "" {
		stop, err := profile(o.Profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	k, err := dial(ctx, o)
	if err != nil {
		return err
	}
	work, read := "matcher on its state, after SIGKILL", inputs(o)
	if entries, err := os.ReadDir(o.State); err != nil || len(entries) == 0 {
		work, read = "matcher from topics alone", slices.Concat(inputs(o), outputs(o))
	}
	before, err := k.Offsets(ctx, read...)
	if err != nil { // there are no outputs yet
		work = "matcher's first build"
		if before, err = k.Offsets(ctx, inputs(o)...); err != nil {
			return err
		}
	}
	b := bench{o: o, kafka: k, meter: newMeter()}
	b.matcher, err = matcher.New(matcher.Config{
		Org: o.Org, Kafka: k, Registry: registry.NewClient(o.Registry), StateDir: o.State, Partitions: o.Partitions, Memory: int64(o.Memory) << 20,
		Link: &customer.Link{SalesforceField: "ERP_No__c", ERPField: "number", Cardinality: customer.CardinalityOneToOne, NearMiss: true},
	})
	if err != nil {
		return err
	}
	if o.Role == "stand" {
		return b.stand(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- b.matcher.Run(ctx) }()
	if err := b.await(ctx, work, total(before)); err != nil {
		return err
	}
	if err := b.changes(ctx); err != nil {
		return err
	}
	stop()
	return <-ended
}

// bench is a matcher that is measured.
type bench struct {
	o       options
	kafka   *topic.Client
	matcher *matcher.Matcher
	meter   meter
	covered int64 // input records that are published
}

// await waits until what all inputs lead to is published and committed.
func (b *bench) await(ctx context.Context, work string, events int64) error {
	ends, err := b.kafka.Offsets(ctx, inputs(b.o)...)
	if err != nil {
		return err
	}
	if err := b.matcher.Await(ctx, func(s matcher.Status) bool { return s.Covers(ends) }); err != nil {
		return err
	}
	seconds := time.Since(b.meter.at).Seconds()
	if err := b.matcher.Await(ctx, func(s matcher.Status) bool { return committed(s, ends) }); err != nil {
		return err // what the commit takes is counted, waiting for it is not
	}
	if events == 0 {
		events = total(ends) - b.covered
	}
	b.covered = total(ends)
	return b.meter.say(figures{Work: work, Events: events, Seconds: seconds})
}

// changes measures the backlog of changes, if there will be one.
func (b *bench) changes(ctx context.Context) error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return nil // the end is told instead
	}
	b.meter = newMeter()
	if err := b.await(ctx, "matcher on a backlog of changes", 0); err != nil {
		return err
	}
	pprof.StopCPUProfile() // this process will be killed
	_, err := io.Copy(io.Discard, in)
	return err
}

// stand stands by until the owner is killed, and takes over.
func (b *bench) stand(ctx context.Context) error {
	following, promote := context.WithCancelCause(ctx)
	defer promote(nil)
	ended := make(chan error, 1)
	go func() { ended <- b.matcher.Follow(following) }()
	read, err := b.kafka.Offsets(ctx, slices.Concat(inputs(b.o), outputs(b.o))...)
	if err != nil {
		return err
	}
	if err := b.matcher.Await(ctx, func(s matcher.Status) bool { return s.Phase == matcher.Standby }); err != nil {
		return err
	}
	if err := b.meter.done("standby becomes warm", total(read)); err != nil {
		return err
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	b.meter = newMeter()
	promote(topic.ErrPromoted)
	if err := <-ended; err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { ended <- b.matcher.Run(ctx) }()
	if err := b.await(ctx, "standby takes over", 1); err != nil {
		return err
	}
	stop()
	return <-ended
}

func profile(name string) (stop func(), err error) {
	f, err := os.CreateTemp(".", name+"-*.pprof")
	if err != nil {
		return nil, err
	}
	return pprof.StopCPUProfile, pprof.StartCPUProfile(f)
}

// committed reports whether the local state holds everything up to the ends.
func committed(s matcher.Status, ends map[string][]topic.Range) bool {
	return topic.Fetch{Next: s.Committed}.CaughtUp(ends)
}

func total(ends map[string][]topic.Range) (n int64) {
	for _, ranges := range ends {
		for _, r := range ranges {
			n += r.End - r.First
		}
	}
	return n
}

//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/broker"
	"crosswalk/internal/customer"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// serve is the broker's part: it ends when its input does.
func serve() error {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		return err
	}
	fmt.Println(b.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return b.Close()
}

func dial(ctx context.Context, o options) (*topic.Client, error) {
	return topic.Dial(ctx, topic.Config{Brokers: strings.Split(o.brokers, ",")})
}

func inputs(o options) []string {
	var out []string
	for _, name := range []string{matcher.AccountTopic, matcher.ContactTopic, matcher.CustomerTopic} {
		out = append(out, matcher.TopicName(o.org, name))
	}
	return out
}

// copyAll fetches every input record and produces its bytes again.
func copyAll(ctx context.Context, o options) error {
	k, err := dial(ctx, o)
	if err != nil {
		return err
	}
	to := matcher.TopicName(o.org, "bench.copy")
	if err := k.Ensure(ctx, topic.Spec{Name: to, Partitions: o.partitions}); err != nil {
		return err
	}
	m := newMeter()
	w, err := k.NewWriter(ctx, topic.WriterConfig{Task: "bench/copy/" + o.org, Topics: []string{to}})
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
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	k, err := dial(ctx, o)
	if err != nil {
		return err
	}
	work := "matcher from state on disk"
	if entries, err := os.ReadDir(o.state); err != nil || len(entries) == 0 {
		work = "matcher from topics alone"
	}
	meter := newMeter()
	m, err := matcher.New(matcher.Config{
		Org: o.org, Kafka: k, Registry: registry.NewClient(o.registry), StateDir: o.state, Partitions: o.partitions,
		Link: &customer.Link{SalesforceField: "ERP_No__c", ERPField: "number", Cardinality: customer.CardinalityOneToOne, NearMiss: true},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	covered := func(work string, before int64) (int64, error) {
		ends, err := k.Offsets(ctx, inputs(o)...)
		if err != nil {
			return 0, err
		}
		if err := m.Await(ctx, func(s matcher.Status) bool { return s.Covers(ends) && committed(s, ends) }); err != nil {
			return 0, err
		}
		events := total(ends)
		return events, meter.done(work, events-before)
	}
	events, err := covered(work, 0)
	if err != nil {
		return err
	}
	meter = newMeter()
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err == nil {
		if _, err := covered("matcher on changes as they come", events); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			return err
		}
	}
	stop()
	return <-ended
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

//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/bench/process"
	"crosswalk/internal/bench/rig"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// figures is what a part took.
type figures struct {
	Events int64   `json:"events"`
	CPU    float64 `json:"cpu"`  // seconds
	Peak   int64   `json:"peak"` // bytes, of the whole process
}

func (f *figures) print(what string) {
	fmt.Printf("%-36s %10d %14.2f %10.0f\n", what, f.Events, f.CPU*1e6/float64(f.Events), float64(f.Peak)/(1<<20))
}

// perform is one part in a process of its own.
func perform(ctx context.Context, o options) error {
	c, err := o.Dial(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.Kafka.Close() }() // the process ends
	switch o.Part {
	case "stream":
		return follow(ctx, o, c)
	case "receive":
		return receive(ctx, o, c)
	case "produce":
		return produce(ctx, o, c.Kafka)
	}
	return fmt.Errorf("no part %q", o.Part)
}

// follow runs the production producer until it is asked to end, and says when it follows the stream.
func follow(ctx context.Context, o options, c rig.Clients) error {
	p, err := salesforce.New(o.Producer(c, filepath.Join(o.Work, "state")))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	if err := p.Await(ctx, func(s salesforce.Status) bool { return s.Phase == "streaming" }); err != nil {
		return errors.Join(err, <-done)
	}
	finish, err := process.Profile(o.Profile, fmt.Sprintf("stream-%d", os.Getpid()))
	if err != nil {
		return err
	}
	if err := process.Print(figures{CPU: process.CPU()}); err != nil {
		return err
	}
	return errors.Join(<-done, finish())
}

// receive takes the events of the high rate as the producer did, and drops them.
func receive(ctx context.Context, o options, c rig.Clients) error {
	events, err := bayeux.New(bayeux.Config{
		URL: strings.TrimSuffix(o.Salesforce.InstanceURL, "/") + "/cometd/" + c.Salesforce.Version(), Token: c.Tokens.AccessToken,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var f figures
	sub := bayeux.Subscription{Channel: "/data/ChangeEvents", Replay: func() int64 { return bayeux.ReplayAll }}
	err = events.Run(ctx, []bayeux.Subscription{sub}, func(_ context.Context, batch []bayeux.Message) error {
		if f.Events += int64(len(batch)); f.Events >= o.Events {
			stop()
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.CPU = process.CPU()
	return process.Print(f)
}

// produce writes the records of the high rate to a topic of its own, in portions as a reply brings them. Reading them is
// measured only where it goes on beside.
func produce(ctx context.Context, o options, kafka *topic.Client) error {
	const portion = 500
	again := o.records() + ".again"
	if err := kafka.Ensure(ctx, topic.Spec{Name: again, Partitions: 4, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		return err
	}
	w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: o.Org + "/again", Topics: []string{again}})
	if err != nil {
		return err
	}
	defer w.Close()
	reader, err := kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{o.records()}, From: o.From})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	var f figures
	for f.Events < o.Events {
		fetch, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		cpu := process.CPU()
		for part := range slices.Chunk(fetch.Records, portion) {
			for _, r := range part {
				r.Topic = again
				if err := w.Send(ctx, r, nil); err != nil {
					return err
				}
			}
			if err := w.Flush(ctx); err != nil {
				return err
			}
		}
		f.Events += int64(len(fetch.Records))
		f.CPU += process.CPU() - cpu
	}
	return process.Print(f)
}

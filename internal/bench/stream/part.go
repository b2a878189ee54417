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
	"crosswalk/internal/registry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
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
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: []string{o.Brokers}})
	if err != nil {
		return err
	}
	defer func() { _ = kafka.Close() }() // the process ends
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: sfapi.Auth{
		Flow: sfapi.Password, LoginURL: o.Salesforce.LoginURL, ClientID: o.Salesforce.ClientID, ClientSecret: secret.String(o.Salesforce.ClientSecret),
		Username: o.Salesforce.Username, Password: secret.String(o.Salesforce.Password), AllowAnyHost: true,
	}})
	if err != nil {
		return err
	}
	client, err := sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true})
	if err != nil {
		return err
	}
	switch o.Part {
	case "stream":
		return follow(ctx, o, kafka, client, tokens)
	case "receive":
		return receive(ctx, o, client, tokens)
	case "produce":
		return produce(ctx, o, kafka)
	}
	return fmt.Errorf("no part %q", o.Part)
}

// follow runs the production producer until it is asked to end, and says when it follows the stream.
func follow(ctx context.Context, o options, kafka *topic.Client, client *sfapi.Client, tokens *sfapi.TokenSource) error {
	p, err := salesforce.New(salesforce.Config{
		Org: o.Org, Client: client, Tokens: tokens, Kafka: kafka, Registry: registry.NewClient(o.Registry), StateDir: filepath.Join(o.Work, "state"), Partitions: 4,
	})
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
func receive(ctx context.Context, o options, client *sfapi.Client, tokens *sfapi.TokenSource) error {
	c, err := bayeux.New(bayeux.Config{
		URL: strings.TrimSuffix(o.Salesforce.InstanceURL, "/") + "/cometd/" + client.Version(), Token: tokens.AccessToken,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var f figures
	sub := bayeux.Subscription{Channel: "/data/ChangeEvents", Replay: func() int64 { return bayeux.ReplayAll }}
	err = c.Run(ctx, []bayeux.Subscription{sub}, func(_ context.Context, batch []bayeux.Message) error {
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

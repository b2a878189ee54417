//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"crosswalk/internal/registry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// perform is one measured part; it prints its figures.
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
	var f figures
	switch o.Part {
	case "snapshot":
		f, err = snapshot(ctx, o, kafka, client, tokens)
	case "download":
		f, err = download(ctx, client)
	case "produce":
		f, err = produce(ctx, o, kafka)
	default:
		err = fmt.Errorf("no part %q", o.Part)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// snapshot runs the production producer from nothing until it streams.
func snapshot(ctx context.Context, o options, kafka *topic.Client, client *sfapi.Client, tokens *sfapi.TokenSource) (f figures, err error) {
	p, err := salesforce.New(salesforce.Config{
		Org: o.Org, Client: client, Tokens: tokens, Kafka: kafka, Registry: registry.NewClient(o.Registry), StateDir: o.State, Partitions: 4,
	})
	if err != nil {
		return f, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began, done := time.Now(), make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Status().Phase != "streaming" || p.Status().Counts.Rows < int64(o.Accounts+o.Contacts) {
		select {
		case err := <-done:
			return f, fmt.Errorf("the producer ended before its snapshot did: %w", err)
		case <-tick.C:
		}
	}
	f = figures{Rows: p.Status().Counts.Rows, Seconds: time.Since(began).Seconds()}
	stop()
	return f, <-done
}

// download reads the pages of the same queries and drops them.
func download(ctx context.Context, client *sfapi.Client) (f figures, err error) {
	began := time.Now()
	for _, object := range []string{"Account", "Contact"} {
		d, err := client.Describe(ctx, object)
		if err != nil {
			return f, err
		}
		fields := sfapi.FieldNames(sfapi.Schema(d, sfapi.Selection{}))
		job, err := client.CreateJob(ctx, "SELECT "+strings.Join(fields, ", ")+" FROM "+object, false)
		if err != nil {
			return f, err
		}
		if job, err = client.AwaitJob(ctx, job.ID, nil); err != nil {
			return f, err
		}
		for page, err := range client.Pages(ctx, job, "") {
			if err != nil {
				return f, err
			}
			n, err := io.Copy(io.Discard, page.Body)
			if cerr := page.Body.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return f, fmt.Errorf("read page: %w", err)
			}
			f.Bytes += n
		}
		f.Rows += int64(job.RecordsProcessed)
	}
	f.Seconds = time.Since(began).Seconds()
	return f, nil
}

// produce writes the records that the snapshot published to topics of its own. Reading them first is not measured.
func produce(ctx context.Context, o options, kafka *topic.Client) (f figures, err error) {
	var records []topic.Record
	names := []string{o.Org + ".salesforce.account", o.Org + ".salesforce.contact"}
	_, err = kafka.ReadAll(ctx, names, func(r topic.Record) error {
		r.Topic += ".again"
		r.Key, r.Value, r.Headers = slices.Clone(r.Key), slices.Clone(r.Value), slices.Clone(r.Headers)
		for i := range r.Headers {
			r.Headers[i].Value = slices.Clone(r.Headers[i].Value)
		}
		records = append(records, r)
		return nil
	})
	if err != nil {
		return f, err
	}
	for i := range names {
		names[i] += ".again"
		if err := kafka.Ensure(ctx, topic.Spec{Name: names[i], Partitions: 4, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
			return f, err
		}
	}
	w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: o.Org + "/again", Topics: names})
	if err != nil {
		return f, err
	}
	defer w.Close()
	began, cpu := time.Now(), cpuSeconds()
	for _, r := range records {
		if err := w.Send(ctx, r, func(topic.Record, error) {}); err != nil {
			return f, err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return f, err
	}
	return figures{Rows: int64(len(records)), Seconds: time.Since(began).Seconds(), CPU: cpuSeconds() - cpu}, nil
}

// cpuSeconds is what this process has used so far.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

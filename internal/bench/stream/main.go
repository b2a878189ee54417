//go:build unix

// Command stream measures the Salesforce producer's stream: change events of a simulated org over CometD, through the
// whole producer, to a topic, as another Kafka client reads it.
//
// Three things happen, each in processes of their own: events at a low rate, whose time from the org's send to the other
// client's read is taken; events at a high rate, for which the rate that was kept, the backlog when the org stopped, and
// the CPU seconds and memory of the producer's process are taken; and, to compare, a client that receives the same
// events and drops them, and one that produces the same records and nothing else.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/bench/stream -binary /tmp/crosswalk -brokers $(deploy/local/kafka start) -registry $(deploy/local/registry start)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"crosswalk/internal/bench/process"
	"crosswalk/internal/bench/rig"
	"crosswalk/internal/topic"
)

// options are the flags; the parts get them handed on.
type options struct {
	rig.Options
	Contacts, Rate, LowRate int
	For, LowFor             time.Duration
	InTurn                  bool           // contacts are changed one after the other
	From                    topic.Position // where the records of the high rate begin
	Events                  int64          // of the high rate
}

// records is the topic that the events come out of.
func (o *options) records() string { return o.Org + ".salesforce.contact" }

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.Contacts, "contacts", 60000, "number of contacts, a third as many accounts")
	flag.IntVar(&o.LowRate, "low-rate", 200, "events/s at which latency is measured")
	flag.DurationVar(&o.LowFor, "low-for", 30*time.Second, "for how long")
	flag.IntVar(&o.Rate, "rate", 10000, "events/s to be sustained")
	flag.DurationVar(&o.For, "for", time.Minute, "for how long")
	flag.BoolVar(&o.InTurn, "in-turn", false, "change the contacts one after the other, not all over the org")
	rig.Main("stream", &o, func(ctx context.Context) error { return conduct(ctx, o) }, func(ctx context.Context) error { return perform(ctx, o) })
}

// conduct starts what the parts need, drives the org, and prints what was seen.
func conduct(ctx context.Context, o options) error {
	end, err := o.Start(ctx)
	if err != nil {
		return err
	}
	defer end()
	endOrg, err := o.StartOrg(ctx, o.Contacts/3, o.Contacts, false)
	if err != nil {
		return err
	}
	defer endOrg()
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: []string{o.Brokers}})
	if err != nil {
		return err
	}
	defer func() { _ = kafka.Close() }() // the process ends
	return compare(ctx, kafka, o)
}

// compare runs the producer at both rates, then the two that do less.
func compare(ctx context.Context, kafka *topic.Client, o options) error {
	low, _, err := stream(ctx, kafka, &o, o.LowRate, o.LowFor)
	if err != nil {
		return err
	}
	high, f, err := stream(ctx, kafka, &o, o.Rate, o.For)
	if err != nil {
		return err
	}
	fmt.Printf("%-12s %10s %10s %12s %10s %10s %10s %10s\n", "asked for/s", "events", "sent/s", "published/s", "backlog", "p50 ms", "p99 ms", "max ms")
	low.print(o.LowRate)
	high.print(o.Rate)
	fmt.Printf("\n%-36s %10s %14s %10s\n", "part", "events", "CPU s/M events", "peak MiB")
	f.print("stream: receive, merge, keep, publish")
	against := ""
	for _, part := range []struct{ name, what, verb string }{
		{"receive", "receive the same events, drop them", "receiving"}, {"produce", "produce the same records only", "producing"},
	} {
		o.Part = part.name
		var g figures
		used, err := process.Self(ctx, o, &g)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		g.Peak = used.Peak
		g.print(part.what)
		against += fmt.Sprintf("stream against %-12s CPU ×%.2f\n", part.verb+":", g.CPU/float64(g.Events)/(f.CPU/float64(f.Events)))
	}
	fmt.Print(against)
	return nil
}

// stream runs the producer in a process of its own, drives the org at a rate, and says what was seen and what it took.
// The producer goes on from where the run before it ended.
func stream(ctx context.Context, kafka *topic.Client, o *options, rate int, lasting time.Duration) (seen, figures, error) {
	o.Part = "stream"
	given, err := json.Marshal(o)
	if err != nil {
		return seen{}, figures{}, fmt.Errorf("hand on options: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return seen{}, figures{}, fmt.Errorf("find this program: %w", err)
	}
	var ready figures // what it took until it followed the stream
	end, err := process.Start(ctx, &ready, self, "-part", string(given))
	if err != nil {
		return seen{}, figures{}, err
	}
	o.From, err = ends(ctx, kafka, o.records())
	if err != nil {
		end()
		return seen{}, figures{}, err
	}
	r, err := drive(ctx, kafka, o, rate, lasting)
	used := end()
	o.Events = r.sent
	return r, figures{Events: r.sent, CPU: used.CPU - ready.CPU, Peak: used.Peak}, err
}

func ends(ctx context.Context, kafka *topic.Client, name string) (topic.Position, error) {
	ranges, err := kafka.Offsets(ctx, name)
	if err != nil {
		return nil, err
	}
	p := topic.Position{}
	for _, r := range ranges[name] {
		p[name] = append(p[name], r.End)
	}
	return p, nil
}

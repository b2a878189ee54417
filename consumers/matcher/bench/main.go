//go:build unix

// Command bench measures the matcher on an embedded broker, on brokers that are given, or on an Apache Kafka that it
// starts itself.
//
// Each part runs in a process of its own, so that what it takes is its own: the filler that writes the inputs, a loop
// that fetches them and produces the same bytes again without looking at them, the matcher, and a prober that changes
// single records and waits for the view in which the change shows, and a standby. The matcher is measured when it reads full topics
// and publishes everything, when a backlog of changes is waiting for it, while single changes come, when a standby
// takes over after a SIGKILL, on its state after that, and after the loss of its state.
//
//	go run ./consumers/matcher/bench -kafka deploy/local/kafka -accounts 100000 -updates 500000
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

// options are the flags, and what the conductor adds to them for the parts.
type options struct {
	Kafka, Brokers, Profile                           string
	Accounts, Updates, Partitions, GOGC, Rate, Memory int
	Probe                                             time.Duration

	Role, Registry, Org, State string // set by the conductor
}

func main() {
	var o options
	part := flag.String("part", "", "what a part of the benchmark is to do (set by the program itself)")
	flag.StringVar(&o.Kafka, "kafka", "", "path of deploy/local/kafka: starts an Apache Kafka for this run and wipes it afterwards")
	flag.StringVar(&o.Brokers, "brokers", "", "host:port of brokers that run, with commas; neither: embedded")
	flag.IntVar(&o.Accounts, "accounts", 20000, "number of accounts; three times as many contacts, as many ERP customers")
	flag.IntVar(&o.Updates, "updates", 100000, "number of changes in the backlog")
	flag.DurationVar(&o.Probe, "probe", 5*time.Second, "how long single changes come")
	flag.IntVar(&o.Rate, "rate", 200, "single changes a second")
	flag.IntVar(&o.Partitions, "partitions", 4, "partitions of each topic")
	flag.IntVar(&o.GOGC, "gogc", 25, "garbage collection target of the matcher's process, in percent; the default is the program's")
	flag.IntVar(&o.Memory, "memory", 0, "matcher.memory_limit_mb: MiB that the state may take in memory; 0: no bound")
	flag.StringVar(&o.Profile, "profile", "", "prefix of files for the CPU profiles of the matcher's processes")
	flag.Parse()
	if *part != "" {
		if err := json.Unmarshal([]byte(*part), &o); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(2)
		}
	}
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch o.Role {
	case "":
		return conduct(ctx, o)
	case "broker":
		return serve()
	case "load", "change":
		return fill(ctx, o)
	case "copy":
		return copyAll(ctx, o)
	case "match", "stand":
		return match(ctx, o)
	case "probe":
		return probe(ctx, o)
	}
	return fmt.Errorf("there is no role %q", o.Role)
}

//go:build unix

// Package rig is what the benchmarks of the Salesforce producer have in common: the program that is its own parts (Main), the
// broker and the simulated org that they are measured with (Start, StartOrg), and the clients of a part (Dial).
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"crosswalk/internal/bench/process"
	"crosswalk/internal/registry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// Options are what every benchmark is told and tells its parts. A benchmark embeds them in its own.
type Options struct {
	Binary, Brokers, Registry, Profile string
	GOGC                               int
	Part                               string // which part this process is; none: it conducts
	Work                               string // a folder for the run
	Org                                string // alias, new for each run, so that topics are its own
	Salesforce                         process.Login
}

// Flags makes the flags of the options.
func (o *Options) Flags() {
	flag.StringVar(&o.Binary, "binary", "", "the built crosswalk")
	flag.StringVar(&o.Brokers, "brokers", "", "host:port of a broker; none: an embedded one in a process of its own")
	flag.StringVar(&o.Registry, "registry", "", "URL of the schema registry that belongs to it")
	flag.IntVar(&o.GOGC, "gogc", 50, "garbage collection target of the parts, in percent; the default is the program's")
	flag.StringVar(&o.Profile, "profile", "", "write CPU and allocation profiles of the parts to this folder")
}

// Main parses the flags and conducts the benchmark, or performs one part of it when the program was run by itself
// (process.Self) with options as JSON, which are then decoded into options. It ends the program: status 0 done, 1 failed.
func Main(name string, options any, conduct, perform func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	part := flag.String("part", "", "options of a part, as JSON (set by the program itself)")
	flag.Parse()
	err := error(nil)
	if *part == "" {
		err = conduct(ctx)
	} else if err = json.Unmarshal([]byte(*part), options); err == nil {
		err = perform(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Start makes the folder of the run and, when no brokers are given, starts an embedded broker and registry. end stops and
// deletes both.
func (o *Options) Start(ctx context.Context) (end func(), err error) {
	if o.Binary == "" {
		return nil, errors.New("-binary is missing; build one with go build -o /tmp/crosswalk ./cmd/crosswalk")
	}
	o.Org = fmt.Sprintf("bench%d", os.Getpid())
	if o.Work, err = os.MkdirTemp("", "crosswalk-bench-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	remove := func() { _ = os.RemoveAll(o.Work) } // left behind at worst
	if o.Brokers != "" {
		return remove, nil
	}
	var e process.Endpoints
	endBroker, err := process.Start(ctx, &e, o.Binary, "run", "console", "--json", "--data-dir", filepath.Join(o.Work, "broker"))
	if err != nil {
		remove()
		return nil, err
	}
	o.Brokers, o.Registry = e.Kafka, e.Registry
	return func() { endBroker(); remove() }, nil
}

// StartOrg starts a simulated org, to which the options point from then on. Unless gzip is wanted, the org answers
// uncompressed: its gzip would be slower than what is measured.
func (o *Options) StartOrg(ctx context.Context, accounts, contacts int, gzip bool) (end func(), err error) {
	stop, err := process.Start(ctx, &o.Salesforce, o.Binary, "simulator", "--seed", "1", "--accounts", fmt.Sprint(accounts), "--contacts", fmt.Sprint(contacts))
	if err != nil {
		return nil, err
	}
	end = func() { stop() }
	if err := o.Control(ctx, http.MethodPatch, "/settings", map[string]bool{"no_gzip": !gzip}, nil); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// Control sends a request to the simulated org's control address, as process.Control does.
func (o *Options) Control(ctx context.Context, method, path string, body, reply any) error {
	return process.Control(ctx, o.Salesforce.ControlURL, method, path, body, reply)
}

// Clients are a part's connections.
type Clients struct {
	Kafka      *topic.Client
	Salesforce *sfapi.Client
	Tokens     *sfapi.TokenSource
}

// Dial connects a part to the broker and the simulated org, and has it collect garbage as it was told. m counts the calls to the org; nil counts none. The caller closes
// Kafka.
func (o *Options) Dial(ctx context.Context, m *sfapi.Metrics) (c Clients, err error) {
	debug.SetGCPercent(o.GOGC)
	c.Tokens, err = sfapi.NewTokenSource(sfapi.TokenConfig{Auth: sfapi.Auth{
		Flow: sfapi.Password, LoginURL: o.Salesforce.LoginURL, ClientID: o.Salesforce.ClientID, ClientSecret: secret.String(o.Salesforce.ClientSecret),
		Username: o.Salesforce.Username, Password: secret.String(o.Salesforce.Password), AllowAnyHost: true,
	}})
	if err != nil {
		return c, err
	}
	if c.Salesforce, err = sfapi.New(sfapi.Config{Tokens: c.Tokens, AllowAnyHost: true, Metrics: m}); err != nil {
		return c, err
	}
	c.Kafka, err = topic.Dial(ctx, topic.Config{Brokers: []string{o.Brokers}})
	return c, err
}

// Producer is the configuration of the production producer, with its state in folder.
func (o *Options) Producer(c Clients, folder string) salesforce.Config {
	return salesforce.Config{
		Org: o.Org, Client: c.Salesforce, Tokens: c.Tokens, Kafka: c.Kafka, Registry: registry.NewClient(o.Registry), StateDir: folder, Partitions: 4,
	}
}

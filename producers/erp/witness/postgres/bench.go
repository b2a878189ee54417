package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/avro"
	"crosswalk/internal/broker"
	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/secret"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
	"crosswalk/schemas"
)

// bench is a database, a broker and a registry.
type bench struct {
	ctx      context.Context
	address  string // of the database
	server   string // starts and stops it
	broker   *broker.Broker
	kafka    *topic.Client
	registry *registry.Client
	walker   *avro.Walker
	orgs     int
}

func newBench(ctx context.Context, address, server string) (*bench, error) {
	b := &bench{ctx: ctx, address: address, server: server}
	var err error
	if b.broker, err = broker.Start(broker.Config{Partitions: 2}); err != nil {
		return nil, err
	}
	if b.kafka, err = topic.Dial(ctx, topic.Config{Brokers: []string{b.broker.Addr()}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	schemaServer, err := registry.NewServer(ctx, &registry.MemoryLog{})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = (&http.Server{Handler: schemaServer, ReadHeaderTimeout: 10 * time.Second}).Serve(listener) }()
	b.registry = registry.NewClient("http://" + listener.Addr().String())
	b.walker, err = avro.NewWalker(schemas.ERPCustomer)
	return b, err
}

func (b *bench) close() {
	_ = b.kafka.Close()
	_ = b.broker.Close()
}

// sql executes statements, each by itself.
func (b *bench) sql(statements ...string) error {
	conn, err := pgx.Connect(b.ctx, b.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(b.ctx) }()
	for _, s := range statements {
		if _, err := conn.Exec(b.ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// run starts or stops the server.
func (b *bench) run(verb string) error {
	text, err := exec.CommandContext(b.ctx, b.server, verb).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s the server: %w: %s", verb, err, text)
	}
	return nil
}

// task is an ERP task of an org of its own.
type task struct {
	*bench
	org    string
	source config.ERPSource
	p      *erp.Producer
	stop   func() error
}

// newTask makes a task; the source's name is pg.
func (b *bench) newTask(query, cursor string, edit func(*config.ERPSource)) *task {
	b.orgs++
	s := config.ERPSource{
		Name: "pg", Mode: "full", MaxDeleteShare: new(0.5),
		Postgres: config.Postgres{URL: secret.String(b.address), Query: query, Cursor: cursor, Interval: 20 * time.Millisecond, FullEvery: 100 * time.Millisecond},
	}
	if edit != nil {
		edit(&s)
	}
	s.Fill()
	return &task{bench: b, org: fmt.Sprint("org", b.orgs), source: s}
}

// start runs the task.
func (t *task) start() error {
	var err error
	t.p, err = erp.New(erp.Config{
		Org: t.org, Kafka: t.kafka, Registry: t.registry, Partitions: 2, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Metrics: erp.NewMetrics(prometheus.NewRegistry()),
	}, config.ERP{Sources: []config.ERPSource{t.source}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	done := make(chan error, 1)
	go func() { done <- t.p.Run(ctx) }()
	t.stop = func() error { cancel(); return <-done }
	return nil
}

// until waits for a state of the source, for at most 20 s.
func (t *task) until(what string, fits func(erp.State) bool) error {
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	if err := t.p.Await(ctx, func(s map[string]erp.State) bool { return fits(s["pg"]) }); err != nil {
		return fmt.Errorf("%s: %w; the source is %+v, the topic holds %s", what, err, t.p.Status()["pg"], t.names())
	}
	return nil
}

// holds waits until the topic holds these customers.
func (t *task) holds(want string) error {
	return t.until("wait for "+want, func(erp.State) bool { return t.names() == want })
}

// record is a record of the topic.
type record struct {
	key      string
	customer *avro.Customer
}

// records reads the whole topic.
func (t *task) records() ([]record, error) {
	var out []record
	exists, err := t.kafka.Exists(t.ctx, t.org+"."+erp.Topic)
	if err != nil || !exists {
		return nil, err
	}
	_, err = t.kafka.ReadAll(t.ctx, []string{t.org + "." + erp.Topic}, func(r topic.Record) error {
		one := record{key: string(r.Key)}
		if r.Value != nil {
			_, body, err := avro.Unframe(r.Value)
			if err != nil {
				return err
			}
			c, err := t.walker.Customer(slices.Clone(body))
			if err != nil {
				return err
			}
			one.customer = &c
		}
		out = append(out, one)
		return nil
	})
	return out, err
}

// names are the living customers: key=name.
func (t *task) names() string {
	all, err := t.records()
	if err != nil {
		return err.Error()
	}
	latest := map[string]string{}
	for _, r := range all {
		delete(latest, r.key)
		if r.customer != nil {
			latest[r.key] = r.key + "=" + r.customer.Name.String()
		}
	}
	var out []string
	for _, s := range latest {
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// letters are the reasons in the dead letter topic.
func (t *task) letters() (string, error) {
	var out []string
	_, err := t.kafka.ReadAll(t.ctx, []string{t.org + ".crosswalk.deadletter"}, func(r topic.Record) error {
		for _, h := range r.Headers {
			if h.Key == "reason" || h.Key == "column" {
				out = append(out, string(h.Value))
			}
		}
		return nil
	})
	return strings.Join(out, "|"), err
}

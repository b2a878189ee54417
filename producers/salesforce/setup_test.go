package salesforce_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/broker"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// bench is a simulated org, a broker and a registry, all in process and on the wire, and a producer's configuration.
type bench struct {
	t        testing.TB
	ctx      context.Context
	sim      *simulator.Simulator
	client   *sfapi.Client
	kafka    *topic.Client
	registry *registry.Client
	schemata string // the registry's address
	config   salesforce.Config
	schemas  map[int]*avro.RowCodec
}

// patience bounds how long a test waits for anything: long, since a machine may do much else, and what hangs is no faster found by less.
const patience = 20 * time.Minute

func setup(t testing.TB, config simulator.Config) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CROSSWALK_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	config.Logger = log
	b := &bench{t: t, ctx: ctx, schemas: map[int]*avro.RowCodec{}}
	var err error
	b.sim, err = simulator.New(config)
	b.must(err)
	b.live("simulator", b.sim.Run)
	ready, err := b.sim.AwaitReady(ctx)
	b.must(err)

	kafka, err := broker.Start(broker.Config{Partitions: 2, Logger: log})
	b.must(err)
	t.Cleanup(func() { b.must(kafka.Close()) })
	b.kafka, err = topic.Dial(ctx, topic.Config{Brokers: strings.Split(kafka.Addr(), ","), Logger: log})
	b.must(err)
	t.Cleanup(func() { b.must(b.kafka.Close()) })
	server, err := registry.NewServer(ctx, &registry.MemoryLog{})
	b.must(err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	b.schemata, b.registry = web.URL, registry.NewClient(web.URL)

	quick := retry.Backoff{First: 10 * time.Millisecond, Max: 100 * time.Millisecond, Attempts: 10}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: sfapi.Auth{
		Flow: "password", LoginURL: ready.LoginURL, ClientID: ready.ClientID, ClientSecret: secret.String(ready.ClientSecret),
		Username: ready.Username, Password: secret.String(ready.Password), AllowAnyHost: true,
	}, Logger: log})
	b.must(err)
	b.client, err = sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true, PageRows: pageRows(t), Logger: log, Retry: quick})
	b.must(err)
	b.config = salesforce.Config{
		Client: b.client, Tokens: tokens, Kafka: b.kafka, Registry: b.registry, StateDir: t.TempDir(), Logger: log,
		Notes: salesforce.Notes{Objects: []string{"Note", "Task"}, Every: 100 * time.Millisecond},
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// live runs something until the test ends.
func (b *bench) live(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("%s: %v", name, err)
		}
	})
}

// pageRows makes pages small in tests, and as Salesforce decides in benchmarks.
func pageRows(t testing.TB) int {
	if _, ok := t.(*testing.B); ok {
		return 0
	}
	return 50
}

// life is one run of a producer.
type life struct {
	*salesforce.Producer
	b      *bench
	stop   context.CancelFunc
	living context.Context // ends with the producer
	done   chan struct{}
	err    error // after done
	once   sync.Once
	gone   bool // its outcome was asked for
}

// start runs a producer.
func (b *bench) start() *life {
	b.t.Helper()
	p, err := salesforce.New(b.config)
	b.must(err)
	ctx, stop := context.WithCancel(context.Background())
	l := &life{Producer: p, b: b, stop: stop, done: make(chan struct{})}
	living, died := context.WithCancelCause(b.ctx)
	l.living = living
	go func() {
		defer close(l.done)
		l.err = p.Run(ctx)
		died(fmt.Errorf("the producer has ended: %v", l.err))
	}()
	b.t.Cleanup(l.end)
	return l
}

// end stops it as a kill would: whatever is not durable is gone.
func (l *life) end() {
	l.once.Do(func() {
		l.stop()
		<-l.done
		if l.err != nil && !l.gone {
			l.b.t.Errorf("producer: %v", l.err)
		}
	})
}

// outcome waits until the producer has ended by itself.
func (l *life) outcome() error {
	l.gone = true
	select {
	case <-l.done:
		return l.err
	case <-l.b.ctx.Done():
		return l.b.ctx.Err()
	}
}

// await waits until a producer's status is as wanted.
func (b *bench) await(p *life, wanted func(salesforce.Status) bool) {
	b.t.Helper()
	if err := p.Await(p.living, wanted); err != nil {
		b.t.Fatalf("%v (status %+v)", err, p.Status())
	}
}

// settle waits until everything that has happened in the org is published.
func (l *life) settle() {
	l.b.t.Helper()
	last := l.b.sim.Events().Last()
	err := l.Await(l.living, func(s salesforce.Status) bool {
		return s.Phase == "streaming" && s.ReplayID >= last && s.Waiting == 0 && s.Holes == 0
	})
	if err != nil {
		l.b.t.Fatalf("%v (the last event is %d; status %+v)", err, last, l.Status())
	}
}

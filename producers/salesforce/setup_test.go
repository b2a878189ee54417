package salesforce_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/broker"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// bench is a simulated org, a broker and a registry, all in process and on the wire, and a producer's configuration.
type bench struct {
	t        *testing.T
	ctx      context.Context
	sim      *simulator.Simulator
	client   *sfapi.Client
	kafka    *topic.Client
	registry *registry.Client
	config   salesforce.Config
	schemas  map[int]*avro.RowCodec
}

// patience bounds how long a test waits for anything.
const patience = 60 * time.Second

func setup(t *testing.T, config simulator.Config) *bench {
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
	b.registry = registry.NewClient(web.URL)

	quick := retry.Backoff{First: 10 * time.Millisecond, Max: 100 * time.Millisecond, Attempts: 10}
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: sfapi.Auth{
		Flow: "password", LoginURL: ready.LoginURL, ClientID: ready.ClientID, ClientSecret: secret.String(ready.ClientSecret),
		Username: ready.Username, Password: secret.String(ready.Password), AllowAnyHost: true,
	}, Logger: log})
	b.must(err)
	b.client, err = sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true, PageRows: 50, Logger: log, Retry: quick})
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

// records counts what topics hold.
func (b *bench) records(names ...string) (n int) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, names, func(topic.Record) error { n++; return nil })
	b.must(err)
	return n
}

// audits are the audit events, as kind, state and reason.
func (b *bench) audits() (out []string) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.audit"}, func(r topic.Record) error {
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		a, err := avro.DecodeAudit(schemas.Audit, body)
		if err == nil {
			out = append(out, a.Kind+" "+a.State+" "+*a.Reason)
		}
		return err
	})
	b.must(err)
	return out
}

// awaitNote waits until the topic has a note with this text; an empty one is a tombstone.
func (b *bench) awaitNote(p *life, id, text string) {
	b.t.Helper()
	walker, err := avro.NewWalker(schemas.Note)
	b.must(err)
	b.await(p, func(salesforce.Status) bool {
		last := "never published"
		_, err := b.kafka.ReadAll(b.ctx, []string{"salesforce.note"}, func(r topic.Record) error {
			if string(r.Key) != id {
				return nil
			}
			if last = ""; r.Value == nil {
				return nil
			}
			_, body, err := avro.Unframe(r.Value)
			if err != nil {
				return err
			}
			note, err := walker.Note(body)
			last = note.Text
			return err
		})
		b.must(err)
		return last == text
	})
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

// published is the latest record of every key of a topic, tombstones as nil, each value as text by field.
func (b *bench) published(name string) map[string]map[string]string {
	b.t.Helper()
	return b.read(name, true)
}

// latest is published without a look at the versions.
func (b *bench) latest(name string) map[string]map[string]string {
	b.t.Helper()
	return b.read(name, false)
}

func (b *bench) read(name string, rising bool) map[string]map[string]string {
	b.t.Helper()
	out := map[string]map[string]string{}
	versions := map[string]change.Version{}
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		v := versionOf(r)
		if rising && !versions[string(r.Key)].Less(v) {
			b.t.Errorf("I6: %s has version %v after %v", r.Key, v, versions[string(r.Key)])
		}
		versions[string(r.Key)] = v
		if r.Value == nil {
			out[string(r.Key)] = nil
			return nil
		}
		fields, err := b.decode(r.Value)
		out[string(r.Key)] = fields
		return err
	})
	b.must(err)
	return out
}

func versionOf(r topic.Record) (v change.Version) {
	for _, h := range r.Headers {
		switch h.Key {
		case "epoch":
			_, _ = fmt.Sscan(string(h.Value), &v.Epoch)
		case "rev":
			_, _ = fmt.Sscan(string(h.Value), &v.Rev)
		}
	}
	return v
}

func (b *bench) decode(value []byte) (map[string]string, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return nil, err
	}
	c := b.schemas[id]
	if c == nil {
		text, err := b.registry.Schema(b.ctx, id)
		if err != nil {
			return nil, err
		}
		if c, err = avro.ParseRowCodec(text); err != nil {
			return nil, err
		}
		b.schemas[id] = c
	}
	row, _, err := c.Decode(body)
	return fieldsOf(row), err
}

func fieldsOf(row change.Row) map[string]string {
	out := map[string]string{}
	for i, f := range row.Schema.Fields {
		out[f.Name] = row.Values[i].String()
	}
	return out
}

// truth is what the org has, asked through REST, without what events cannot carry.
func (b *bench) truth(object string) map[string]map[string]string {
	b.t.Helper()
	d, err := b.client.Describe(b.ctx, object)
	b.must(err)
	schema := sfapi.Schema(d, sfapi.Selection{})
	decoder := sfapi.NewRowDecoder(schema, sfapi.Components(d))
	out := map[string]map[string]string{}
	soql := "SELECT " + strings.Join(sfapi.FieldNames(schema), ", ") + " FROM " + object
	for raw, err := range b.client.Query(b.ctx, soql, sfapi.QueryOptions{}) {
		b.must(err)
		row, err := decoder.Row(raw)
		b.must(err)
		fields := fieldsOf(row)
		for _, f := range schema.Fields {
			if f.ReadOnly {
				delete(fields, f.Name)
			}
		}
		out[row.ID] = fields
	}
	return out
}

// compare holds a topic to the org, key by key and field by field (I1, I7).
func (b *bench) compare(object string) {
	b.t.Helper()
	got, want := b.published("salesforce."+strings.ToLower(object)), b.truth(object)
	wrong := 0
	for _, id := range slices.Sorted(maps.Keys(want)) {
		row := got[id]
		if row == nil {
			b.t.Errorf("I1: the topic does not have %s %s", object, id)
			wrong++
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(want[id])) {
			if row[name] != want[id][name] {
				b.t.Errorf("I1: %s %s has %s = %q in the topic, %q in the org", object, id, name, row[name], want[id][name])
				wrong++
			}
		}
		if wrong > 5 {
			b.t.FailNow()
		}
	}
	for id, row := range got {
		if _, live := want[id]; !live && row != nil {
			b.t.Errorf("I7: the topic has %s %s, the org does not", object, id)
		}
	}
}

package erp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/avro"
	"crosswalk/internal/broker"
	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// bench is a broker and a registry, in process and on the wire, and how an importer reaches them.
type bench struct {
	t        *testing.T
	ctx      context.Context
	kafka    *topic.Client
	registry *registry.Client
	config   Config
}

// patience bounds how long a test waits for anything.
const patience = 20 * time.Minute

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CROSSWALK_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	b := &bench{t: t, ctx: ctx}
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
	b.config = Config{
		Org: "acme", Kafka: b.kafka, Registry: b.registry, Partitions: 2, Quiet: 20 * time.Millisecond,
		Logger: log, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// file writes a file of customers and returns its path.
func (b *bench) file(text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "customers.csv")
	b.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// source is the mapping of the files of these tests.
func source(name, mode string) config.ERPSource {
	return config.ERPSource{
		Name: name, Mode: mode, Attributes: "all", MaxDeleteShare: new(0.5),
		Columns: map[string]string{"number": "No", "name": "Name", "balance": "Balance"},
	}
}

// record is one record of the topic as a subscriber sees it.
type record struct {
	key, op, source string
	epoch, rev      int64
	customer        *avro.Customer // nil: a tombstone
}

// records reads the whole topic, each partition in its order.
func (b *bench) records() []record {
	b.t.Helper()
	w, err := avro.NewWalker(schemas.ERPCustomer)
	b.must(err)
	var all []record
	_, err = b.kafka.ReadAll(b.ctx, []string{b.config.topics().customer}, func(r topic.Record) error {
		d := newDirectory()
		if err := d.read(r); err != nil {
			return err
		}
		k := d.keys[string(r.Key)]
		one := record{key: string(r.Key), source: d.sources[k.source], epoch: k.version.Epoch, rev: k.version.Rev}
		for _, h := range r.Headers {
			if h.Key == "op" {
				one.op = string(h.Value)
			}
		}
		if r.Value != nil {
			_, body, err := avro.Unframe(r.Value)
			if err != nil {
				return err
			}
			c, err := w.Customer(slices.Clone(body))
			if err != nil {
				return err
			}
			one.customer = &c
		}
		all = append(all, one)
		return nil
	})
	b.must(err)
	return all
}

// live is the latest name of each customer that is not deleted, in the order of the keys. On the way it holds the order
// of versions (I6 of the matching rules).
func (b *bench) live() string {
	b.t.Helper()
	latest := map[string]record{}
	for _, r := range b.records() {
		last, ok := latest[r.key]
		if ok && (r.epoch < last.epoch || r.epoch == last.epoch && r.rev <= last.rev) {
			b.t.Errorf("customer %s: version %d.%d after %d.%d", r.key, r.epoch, r.rev, last.epoch, last.rev)
		}
		latest[r.key] = r
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(latest)) {
		if c := latest[key].customer; c != nil {
			out = append(out, fmt.Sprintf("%s=%s", key, c.Name))
		}
	}
	return strings.Join(out, " ")
}

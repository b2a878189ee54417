package join_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// discard is a Publisher that counts.
type discard struct{ records, bytes int }

func (d *discard) Publish(o join.Output) error {
	d.records++
	d.bytes += len(o.Value)
	return nil
}

func (d *discard) Await() error { return nil }

// inputs makes the inputs of n Accounts with three Contacts each and n customers, about 300 bytes a record.
func inputs(b *testing.B, s *schemas, n int) []join.Input {
	b.Helper()
	var out []join.Input
	add := func(kind join.Kind, key string, fields customer.Fields) {
		for i := range 8 {
			fields[fmt.Sprint("Field", i, "__c")] = fmt.Sprintf("value %d of %s", i, key)
		}
		r := conformance.Record{Kind: kind, Key: key, Fields: fields, Version: change.Version{Epoch: 1, Rev: 1}}
		out = append(out, join.Input{Kind: kind, Key: []byte(key), Value: s.frame(b, r), Version: r.Version})
	}
	for i := range n {
		account := conformance.ID(fmt.Sprint("a", i))
		add(join.Account, account, customer.Fields{"X": fmt.Sprintf("C-%06d", i), "Name": "Acme Ltd"})
		for c := range 3 {
			add(join.Contact, conformance.ID(fmt.Sprint("c", i*3+c)), customer.Fields{"AccountId": account, "Name": "Jane Doe"})
		}
		add(join.Customer, fmt.Sprint("10/", i), customer.Fields{"Y": fmt.Sprintf("C-%06d", i), "Name": "Acme"})
	}
	return out
}

func engine(b *testing.B, s *schemas) *join.Engine {
	b.Helper()
	e := join.New(join.Config{Readers: s.reader, Frames: [join.Topics][]byte{avro.Frame(nil, 1), avro.Frame(nil, 2), avro.Frame(nil, 3)}})
	if err := e.SetLink(conformance.DefaultLink()); err != nil {
		b.Fatal(err)
	}
	return e
}

func apply(b *testing.B, e *join.Engine, in join.Input) {
	if _, err := e.Apply(in); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoad is the first consumption of accounts, contacts and customers, and what is published of them.
func BenchmarkLoad(b *testing.B) {
	s := &schemas{ids: map[string]int{}}
	in := inputs(b, s, 20000)
	b.ReportAllocs()
	for b.Loop() {
		e := engine(b, s)
		for _, i := range in {
			apply(b, e, i)
		}
		if err := e.Settle(0, &discard{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in)), "ns/event")
}

// BenchmarkUpdates is changes of random records, settled in batches of 1,000, and committed to memory.
func BenchmarkUpdates(b *testing.B) {
	s := &schemas{ids: map[string]int{}}
	in := inputs(b, s, 20000)
	e := engine(b, s)
	for _, i := range in {
		apply(b, e, i)
	}
	out := &discard{}
	if err := e.Settle(0, out); err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	store := newMemory()
	rev := int64(1)
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		for range 1000 {
			rev++
			i := in[rng.IntN(len(in))]
			i.Version.Rev = rev
			i.Value = append([]byte{}, i.Value...)
			i.Value[len(i.Value)-1] ^= 2 // the last byte of a text: still valid, another value
			apply(b, e, i)
			events++
		}
		if err := e.Settle(0, out); err != nil {
			b.Fatal(err)
		}
		if events%10000 == 0 {
			if err := e.Commit(store); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	b.ReportMetric(float64(out.bytes)/float64(max(1, out.records)), "bytes/output")
}

// BenchmarkMemory reports what a record takes in memory.
func BenchmarkMemory(b *testing.B) {
	s := &schemas{ids: map[string]int{}}
	in := inputs(b, s, 20000)
	size := 0
	for _, i := range in {
		size += len(i.Value)
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := engine(b, s)
		for _, i := range in {
			apply(b, e, i)
		}
		if err := e.Settle(0, &discard{}); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(in)), "bytes/record")
		b.ReportMetric(float64(size)/float64(len(in)), "valuebytes/record")
		runtime.KeepAlive(e)
	}
}

// BenchmarkRestart is the way back of a state from its log.
func BenchmarkRestart(b *testing.B) {
	s := &schemas{ids: map[string]int{}}
	in := inputs(b, s, 60000)
	e := engine(b, s)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(in), func(i, k int) { in[i], in[k] = in[k], in[i] })
	for _, i := range in {
		apply(b, e, i)
	}
	store := newMemory()
	if err := e.Settle(0, &discard{}); err != nil {
		b.Fatal(err)
	}
	if err := e.Commit(store); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e := join.New(join.Config{Readers: s.reader})
		if ok, err := e.Load(store, conformance.DefaultLink()); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in)), "ns/record")
}

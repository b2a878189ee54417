package join_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// memory is a Store that forgets nothing until it is told to.
type memory struct {
	m     map[string][]byte
	allow int // writes until the disk is full; -1: it never is
}

var errFull = errors.New("no space left on device")

func newMemory() *memory { return &memory{m: map[string][]byte{}, allow: -1} }

func (s *memory) Append(dst, key []byte) ([]byte, bool, error) {
	v, ok := s.m[string(key)]
	return append(dst, v...), ok, nil
}

func (s *memory) Scan(prefix []byte, fn func(key, value []byte) error) error {
	var keys []string
	for k := range s.m {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := fn([]byte(k), s.m[k]); err != nil {
			return err
		}
	}
	return nil
}

func (s *memory) Write(set []join.Pair, drop [][]byte) error {
	if s.allow == 0 {
		return errFull
	}
	s.allow--
	for _, p := range set {
		s.m[string(p.Key)] = bytes.Clone(p.Value)
	}
	for _, k := range drop {
		delete(s.m, string(k))
	}
	return nil
}

// schemas gives every schema an id, as a registry does.
type schemas struct {
	ids     map[string]int
	schemas []join.Schema
}

func (s *schemas) frame(t testing.TB, r conformance.Record) []byte {
	t.Helper()
	text := r.Schema()
	id, ok := s.ids[text]
	if !ok {
		w, err := avro.NewWalker(text)
		if err != nil {
			t.Fatalf("schema %s: %v", text, err)
		}
		id = len(s.schemas)
		s.ids[text] = id
		s.schemas = append(s.schemas, join.Schema{Walker: w, Plain: join.IsPlain(text)})
	}
	return append(avro.Frame(nil, id), r.Body()...)
}

func (s *schemas) reader(value []byte) (join.Schema, []byte, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return join.Schema{}, nil, err
	}
	if id >= len(s.schemas) {
		return join.Schema{}, nil, fmt.Errorf("no schema %d", id)
	}
	return s.schemas[id], body, nil
}

// published is the log of the three output topics. It is a Publisher that a crash can interrupt.
type published struct {
	outs     []conformance.Out
	versions []change.Version
	allow    int // how many records are taken before it fails; -1: all
}

var errKilled = errors.New("killed")

func (p *published) Publish(o join.Output) error {
	if p.allow == 0 {
		return errKilled
	}
	p.allow--
	out := conformance.Out{Topic: o.Topic, Key: string(o.Key)}
	if o.Value != nil {
		out.Value = bytes.Clone(o.Value[5:])
	}
	p.outs = append(p.outs, out)
	p.versions = append(p.versions, o.Version)
	return nil
}

func (p *published) Await() error { return nil }

// matcher runs an Engine as the matcher does, with topics and a disk that are slices and a map.
type matcher struct {
	t       testing.TB
	schemas *schemas
	store   *memory
	log     []join.Input // the inputs, in one order for all topics
	outs    published
	grace   int64
	bytes   int
	memory  int64 // bound of what the engine takes
	now     int64

	engine *join.Engine
	link   *customer.Link // the link that is asked for
	read   int            // inputs that the engine has applied
	epoch  int64

	fault fault // how it is broken on purpose
	saved saved // what the store knows besides the engine's log
}

type saved struct {
	read, seen int
	link       *customer.Link
}

func newMatcher(t testing.TB) *matcher {
	return startMatcher(&matcher{t: t, schemas: &schemas{ids: map[string]int{}}, store: newMemory(), link: conformance.DefaultLink(), outs: published{allow: -1}})
}

// newSmallMatcher has so little memory that every value is read from the log.
func newSmallMatcher(t testing.TB) *matcher {
	m := newMatcher(t)
	m.memory = 1
	return startMatcher(m)
}

func startMatcher(m *matcher) *matcher {
	m.start()
	return m
}

func (m *matcher) newEngine() *join.Engine {
	frame := func(id byte) []byte { return []byte{0, 0, 0, 0, id} }
	return join.New(join.Config{
		Readers: m.schemas.reader, ERPDeletedField: []string{conformance.ERPDeletedField}, OrphanGrace: m.grace, ViewMaxBytes: m.bytes, Memory: m.memory,
		Frames: [join.Topics][]byte{frame(1), frame(2), frame(3)},
	})
}

// start does what R34 says: state and outputs first, then the inputs to their end, then what differs is published.
func (m *matcher) start() {
	m.t.Helper()
	m.epoch++
	e := m.newEngine()
	m.engine = e
	loaded, err := e.Load(m.store, m.saved.link)
	if err != nil {
		m.t.Fatal(err)
	}
	if !loaded {
		m.saved = saved{}
	}
	e.Begin(m.epoch)
	from := m.saved.seen
	if m.fault == blindAfterCrash || m.fault == blindAfterLoss && !loaded {
		from = len(m.outs.outs)
	}
	for i := from; i < len(m.outs.outs); i++ {
		o := m.outs.outs[i]
		var value []byte
		if o.Value != nil {
			value = append([]byte{0, 0, 0, 0, byte(o.Topic) + 1}, o.Value...)
		}
		e.Observe(o.Topic, []byte(o.Key), value, m.outs.versions[i])
	}
	m.read = m.saved.read
	m.apply()
	if !sameLink(m.link, m.saved.link) || !loaded {
		if err := e.SetLink(m.link); err != nil {
			m.t.Fatal(err)
		}
	}
}

func sameLink(a, b *customer.Link) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// apply takes the inputs, some at a time after all of them have been read.
func (m *matcher) apply() {
	m.t.Helper()
	for m.read < len(m.log) {
		m.engine.Ahead(coming(m.log[m.read:]))
		var readings []join.Reading
		var room []byte
		for _, in := range m.log[m.read:min(len(m.log), m.read+join.AheadOf)] {
			var r join.Reading
			r, room = m.engine.Read(in, room)
			readings = append(readings, r)
		}
		for _, r := range readings {
			if _, err := m.engine.Take(m.log[m.read], r); err != nil {
				m.t.Fatal(err)
			}
			m.read++
		}
	}
	if err := m.engine.Spill(m.store); err != nil {
		m.t.Fatal(err)
	}
}

// coming is what a caller of Apply shows of the next inputs.
func coming(inputs []join.Input) (out []join.Coming) {
	for _, in := range inputs[:min(len(inputs), join.AheadOf)] {
		out = append(out, join.Coming{Kind: in.Kind, Key: in.Key})
	}
	return out
}

// put puts a step into the topics.
func (m *matcher) put(s conformance.Step) {
	m.t.Helper()
	for _, r := range s.Records {
		m.log = append(m.log, m.input(r))
	}
	if s.IsLink {
		m.link = s.Link
	}
}

// give puts a step into the topics and tells the engine.
func (m *matcher) give(s conformance.Step) {
	m.t.Helper()
	m.put(s)
	if s.IsLink {
		if err := m.engine.SetLink(s.Link); err != nil {
			m.t.Fatal(err)
		}
	}
	m.apply()
}

func (m *matcher) input(r conformance.Record) join.Input {
	in := join.Input{Kind: r.Kind, Key: []byte(r.Key), Version: r.Version, Time: m.now}
	if m.fault == noVersionCheck {
		in.Version = change.Version{Epoch: 1, Rev: int64(len(m.log)) + 1}
	}
	if r.Fields != nil {
		in.Value = m.schemas.frame(m.t, r)
	}
	return in
}

// settle publishes and commits, and returns what was published.
func (m *matcher) settle() []conformance.Out {
	m.t.Helper()
	from := len(m.outs.outs)
	if err := m.engine.Settle(m.now, &m.outs); err != nil {
		m.t.Fatal(err)
	}
	m.commit()
	return m.outs.outs[from:]
}

func (m *matcher) commit() {
	m.t.Helper()
	if err := m.engine.Commit(m.store); err != nil {
		m.t.Fatal(err)
	}
	m.saved = saved{read: m.read, seen: len(m.outs.outs), link: m.link}
}

// restart gives the engine up and starts another one, from the store or, when it is lost, from the topics.
func (m *matcher) restart(loseState bool) {
	m.t.Helper()
	if loseState {
		m.store = newMemory()
	}
	m.start()
}

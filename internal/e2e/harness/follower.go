package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// The topics of the pipeline, without the org's prefix.
var (
	Inputs  = []string{"salesforce.account", "salesforce.contact", "salesforce.note", "erp.customer"}
	Outputs = []string{"customer.view", "match.ambiguous", "match.unmatched"}
)

// Topics beside those of the join, without the org's prefix.
const (
	PositionTopic   = "crosswalk.position"
	deadLetterTopic = "crosswalk.deadletter"
)

// Follower reads all topics of the org from their beginning and keeps their histories.
type Follower struct {
	kafka    *topic.Client
	registry *registry.Client
	org      string
	next     topic.Position
	walkers  map[int]*avro.Walker

	Histories map[string]*History // by name without the prefix
	Positions *Positions
	Dead      []string // keys of the dead letter topic
}

// NewFollower returns a follower that has read nothing.
func NewFollower(kafka *topic.Client, reg *registry.Client, org string) *Follower {
	f := &Follower{kafka: kafka, registry: reg, org: org, walkers: map[int]*avro.Walker{}, Histories: map[string]*History{}, Positions: NewPositions()}
	for _, name := range Inputs {
		f.Histories[name] = NewHistory(name, false)
	}
	for _, name := range Outputs {
		f.Histories[name] = NewHistory(name, true)
	}
	return f
}

// topics are the full names of those that exist already.
func (f *Follower) topics(ctx context.Context) ([]string, error) {
	var out []string
	for _, name := range slices.Concat(Inputs, Outputs, []string{PositionTopic, deadLetterTopic}) {
		full := f.org + "." + name
		exists, err := f.kafka.Exists(ctx, full)
		if err != nil {
			return nil, err
		}
		if exists {
			out = append(out, full)
		}
	}
	return out, nil
}

// Read takes what the topics hold now beyond what was read before, and returns how many records that was.
func (f *Follower) Read(ctx context.Context) (int, error) {
	topics, err := f.topics(ctx)
	if err != nil || len(topics) == 0 {
		return 0, err
	}
	ends, err := f.kafka.Offsets(ctx, topics...)
	if err != nil {
		return 0, err
	}
	reader, err := f.kafka.NewReader(ctx, topic.ReaderConfig{Topics: topics, From: f.next})
	if err != nil {
		return 0, err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	taken := 0
	for {
		fetch, err := reader.Poll(ctx)
		if err != nil {
			return taken, err
		}
		for _, r := range fetch.Records {
			if err := f.take(ctx, r); err != nil {
				return taken, err
			}
			taken++
		}
		f.next = position(fetch.Next)
		if fetch.CaughtUp(ends) {
			return taken, nil
		}
	}
}

// position copies what the next Poll would overwrite.
func position(p topic.Position) topic.Position {
	out := make(topic.Position, len(p))
	for name, offsets := range p {
		out[name] = slices.Clone(offsets)
	}
	return out
}

// take gives a record to the history of its topic.
func (f *Follower) take(ctx context.Context, r topic.Record) error {
	name := r.Topic[len(f.org)+1:]
	switch {
	case f.Histories[name] != nil:
		f.Histories[name].Add(r)
	case name == deadLetterTopic:
		f.Dead = append(f.Dead, string(r.Key))
	case r.Value != nil:
		id, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		schema, err := f.registry.Schema(ctx, id)
		if err != nil {
			return err
		}
		p, err := avro.DecodePosition(schema, body)
		if err != nil {
			return err
		}
		f.Positions.Add(p, r.Time)
	}
	return nil
}

// each calls fn with the newest value of every live key of a topic.
func (f *Follower) each(ctx context.Context, name string, fn func(key string, w *avro.Walker, body []byte) error) error {
	h := f.Histories[name]
	for _, key := range slices.Sorted(maps.Keys(h.latest)) {
		if h.latest[key].value == nil {
			continue
		}
		id, body, err := avro.Unframe(h.latest[key].value)
		if err != nil {
			return fmt.Errorf("decode %s of %s: %w", key, name, err)
		}
		w := f.walkers[id]
		if w == nil {
			schema, err := f.registry.Schema(ctx, id)
			if err != nil {
				return err
			}
			if w, err = avro.NewWalker(schema); err != nil {
				return err
			}
			f.walkers[id] = w
		}
		if err := fn(key, w, body); err != nil {
			return fmt.Errorf("decode %s of %s: %w", key, name, err)
		}
	}
	return nil
}

// Rows are the live values of an input topic, their fields as views show them.
func (f *Follower) Rows(ctx context.Context, name string) (map[string]customer.Fields, error) {
	out := map[string]customer.Fields{}
	var text []byte
	err := f.each(ctx, name, func(key string, w *avro.Walker, body []byte) (err error) {
		if text, err = w.AppendJSON(text[:0], body); err != nil {
			return err
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		fields := customer.Fields{}
		if err := d.Decode(&fields); err != nil {
			return fmt.Errorf("read as JSON: %w", err)
		}
		delete(fields, "_change")
		out[key] = fields
		return nil
	})
	return out, err
}

// Records are all that the Inputs and Outputs of the join have held.
func (f *Follower) Records() int {
	n := 0
	for _, h := range f.Histories {
		n += h.Records
	}
	return n
}

// Compare lists where what is published differs from what must be.
func (f *Follower) Compare(ctx context.Context, j *judge.Judge, in naive.Inputs) ([]judge.Difference, error) {
	out, err := f.CompareJoin(ctx, j, in)
	if err != nil {
		return nil, err
	}
	for object, want := range map[string]map[string]naive.Record{"Account": in.Accounts, "Contact": in.Contacts} {
		rows, err := f.Rows(ctx, map[string]string{"Account": "salesforce.account", "Contact": "salesforce.contact"}[object])
		if err != nil {
			return nil, err
		}
		out = append(out, j.CompareRows(object, want, rows)...)
	}
	notes, err := f.Rows(ctx, "salesforce.note")
	if err != nil {
		return nil, err
	}
	return append(out, compareNotes(in.Notes, notes)...), nil
}

// CompareJoin lists where the outputs of the join differ from what the inputs lead to.
func (f *Follower) CompareJoin(ctx context.Context, j *judge.Judge, in naive.Inputs) ([]judge.Difference, error) {
	var views []customer.View
	var ambiguous []customer.Ambiguous
	var unmatched []customer.Unmatched
	err := f.each(ctx, "customer.view", func(_ string, w *avro.Walker, body []byte) error { return grow(&views)(w.View(body)) })
	if err == nil {
		err = f.each(ctx, "match.ambiguous", func(_ string, w *avro.Walker, body []byte) error { return grow(&ambiguous)(w.Ambiguous(body)) })
	}
	if err == nil {
		err = f.each(ctx, "match.unmatched", func(_ string, w *avro.Walker, body []byte) error { return grow(&unmatched)(w.Unmatched(body)) })
	}
	if err != nil {
		return nil, err
	}
	return j.Compare(naive.Compute(in), views, ambiguous, unmatched), nil
}

// grow appends a decoded value, or passes the error on.
func grow[T any](list *[]T) func(T, error) error {
	return func(v T, err error) error { *list = append(*list, v); return err }
}

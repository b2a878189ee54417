package erp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
)

// upstream is a topic that somebody else writes, and the task that follows it.
type upstream struct {
	*bench
	writer *topic.Writer
	source config.ERPSource
}

const upstreamTopic = "legacy.customers"

func (b *bench) upstream(edit func(*config.ERPSource)) *upstream {
	b.t.Helper()
	b.must(b.kafka.Ensure(b.ctx, topic.Spec{Name: upstreamTopic, Partitions: 2}))
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "legacy", Topics: []string{upstreamTopic}})
	b.must(err)
	b.t.Cleanup(w.Close)
	u := &upstream{bench: b, writer: w, source: config.ERPSource{
		Name: "legacy", Topic: config.SourceTopic{Name: upstreamTopic, Format: "json"}, MaxDeleteShare: new(0.9),
		Columns: map[string]string{"number": "_key", "name": "name"},
	}}
	if edit != nil {
		edit(&u.source)
	}
	u.source.Fill()
	return u
}

// write writes key=value records; a value of "-" is a tombstone.
func (u *upstream) write(records ...string) {
	u.t.Helper()
	for _, text := range records {
		key, value, _ := strings.Cut(text, "=")
		r := topic.Record{Topic: upstreamTopic, Key: []byte(key)}
		if value != "-" {
			r.Value = []byte(value)
		}
		u.must(u.writer.Write(u.ctx, r))
	}
}

// run follows the topic until all that it holds now is published, and stops as a kill would.
func (u *upstream) run() *Producer {
	u.t.Helper()
	p, err := New(u.config, config.ERP{Sources: []config.ERPSource{u.source}})
	u.must(err)
	ctx, cancel := context.WithCancel(u.ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	u.must(p.Await(u.ctx, func(map[string]State) bool { return u.position() == u.end() }))
	cancel()
	u.must(<-done)
	return p
}

// position is what the task has stored.
func (u *upstream) position() string {
	u.t.Helper()
	name, text := u.config.topics().position, ""
	exists, err := u.kafka.Exists(u.ctx, name)
	u.must(err)
	if !exists {
		return ""
	}
	_, err = u.kafka.ReadAll(u.ctx, []string{name}, func(r topic.Record) error {
		if string(r.Key) != "acme/erp/legacy" {
			return nil
		}
		text = "" // if it cannot be read
		id, body, err := avro.Unframe(r.Value)
		if err != nil {
			return nil
		}
		schema, err := u.registry.Schema(u.ctx, id)
		if err != nil {
			return nil
		}
		p, _ := avro.DecodePosition(schema, body)
		text = p.Detail[positionOffsets]
		return nil
	})
	u.must(err)
	return text
}

func (u *upstream) end() string {
	u.t.Helper()
	ranges, err := u.kafka.Offsets(u.ctx, upstreamTopic)
	u.must(err)
	var ends []string
	for _, p := range ranges[upstreamTopic] {
		ends = append(ends, fmt.Sprint(p.End))
	}
	return fmt.Sprintf(`{"%s":[%s]}`, upstreamTopic, strings.Join(ends, ","))
}

// letters are the reasons of the dead letters by key.
func (b *bench) letters() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	_, err := b.kafka.ReadAll(b.ctx, []string{b.config.topics().deadletter}, func(r topic.Record) error {
		for _, h := range r.Headers {
			if h.Key == "reason" {
				out[string(r.Key)] = string(h.Value)
			}
		}
		return nil
	})
	b.must(err)
	return out
}

func TestFollowATopic(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(nil)
	u.write(`C1={"name":"Acme"}`, `C2={"name":"Beta","due":{"open":1.50}}`, `C1={"name":"Acme Ltd"}`, `C3={"name":"Gamma"}`, `C3=-`, `C4=nonsense`)
	u.run()
	if live := u.live(); live != "C1=Acme Ltd C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
	if n := len(u.records()); n != 2 {
		t.Errorf("%d records: what was overwritten already is not published", n)
	}
	letters := u.letters()
	if len(letters) != 1 {
		t.Errorf("dead letters %v", letters)
	}
	for key, reason := range letters {
		if !strings.HasPrefix(key, upstreamTopic+"/") || !strings.Contains(reason, "cannot be decoded") {
			t.Errorf("dead letter %s: %s", key, reason)
		}
	}
	u.run() // nothing new
	if n := len(u.records()); n != 2 {
		t.Errorf("%d records after a quiet restart", n)
	}
	u.write(`C2=-`, `C5={"name":"Eps"}`)
	u.run()
	if live := u.live(); live != "C1=Acme Ltd C5=Eps" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestFollowGoesOnWhileItRuns(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(nil)
	p, err := New(u.config, config.ERP{Sources: []config.ERPSource{u.source}})
	u.must(err)
	ctx, cancel := context.WithCancel(u.ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for i := range 5 {
		u.write(fmt.Sprintf(`C1={"name":"v%d"}`, i), fmt.Sprintf(`D%d={"name":"x"}`, i))
		u.must(p.Await(u.ctx, func(map[string]State) bool { return u.position() == u.end() }))
	}
	// An import by hand of another source in between.
	_, err = u.imported("ar", "delta", importHead+"A1,By hand,1,\n")
	u.must(err)
	u.write(`C1={"name":"last"}`)
	u.must(p.Await(u.ctx, func(map[string]State) bool { return u.position() == u.end() }))
	cancel()
	u.must(<-done)
	if live := u.live(); live != "A1=By hand C1=last D0=x D1=x D2=x D3=x D4=x" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestFollowFromTheBeginningIsAFullList(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(func(s *config.ERPSource) { s.Mode = "full" })
	_, err := ImportFile(u.ctx, u.config, Import{Path: u.file(importHead + "C1,Old,1,\nC2,Gone,1,\n"), Source: source("legacy", "delta")})
	u.must(err)
	u.write(`C1={"name":"Acme"}`)
	u.run()
	if live := u.live(); live != "C1=Acme" {
		t.Errorf("the topic holds %s", live)
	}
	// The position is of another topic now, or lies outside of it: nothing is lost, all is read again.
	s, err := takeOver(u.ctx, &u.config)
	u.must(err)
	u.must(s.store(u.ctx, positionOf("legacy"), map[string]string{positionOffsets: `{"` + upstreamTopic + `":[99,99]}`}))
	s.writer.Close()
	u.write(`C2={"name":"Beta"}`)
	u.run()
	if live := u.live(); live != "C1=Acme C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestFollowAvro(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(func(s *config.ERPSource) { s.Topic.Format = "avro"; s.Columns = nil })
	schema := change.NewSchema("Account", []change.Field{
		{Name: "Id"}, {Name: "name"}, {Name: "balance", Type: change.TypeDecimal}, {Name: "number"}, {Name: "updated_at", Type: change.TypeDatetime},
	})
	codec, err := avro.NewRowCodec(schema)
	u.must(err)
	id, err := u.registry.Register(u.ctx, upstreamTopic+"-value", codec.Schema())
	u.must(err)
	amount, err := change.DecimalValue("1234567890123456.78")
	u.must(err)
	row := change.Row{Schema: schema, ID: "1", Values: make([]change.Value, 5)}
	for name, v := range map[string]change.Value{
		"Id": change.StringValue("1"), "name": change.StringValue("Acme"), "balance": amount, "number": change.StringValue("C1"), "updated_at": change.DatetimeValue(1_000),
	} {
		row.Values[schema.Index(name)] = v
	}
	value, err := codec.Append(avro.Frame(nil, id), row, change.Meta{Op: change.OpCreate})
	u.must(err)
	u.must(u.writer.Write(u.ctx,
		topic.Record{Topic: upstreamTopic, Key: []byte("C1"), Value: value},
		topic.Record{Topic: upstreamTopic, Key: []byte("C2"), Value: avro.Frame(nil, 999)},
		topic.Record{Topic: upstreamTopic, Key: []byte("C3"), Value: []byte("text")},
		topic.Record{Topic: upstreamTopic, Key: []byte("C4")}))
	u.run()
	records := u.records()
	if len(records) != 1 || records[0].customer.Balance != amount || records[0].customer.UpdatedAt != change.DatetimeValue(1_000) {
		t.Errorf("records %+v", records)
	}
	if letters := slices.Collect(maps.Values(u.letters())); len(letters) != 2 {
		t.Errorf("dead letters %v", letters)
	}
}

func TestFollowSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	u := newBench(t).upstream(func(s *config.ERPSource) { s.Topic.Name = "no.such.topic" })
	p, err := New(u.config, config.ERP{Sources: []config.ERPSource{u.source}})
	u.must(err)
	ctx, cancel := context.WithCancel(u.ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	u.must(p.Await(u.ctx, func(s map[string]State) bool {
		return strings.Contains(s["legacy"].Error, "follows topic no.such.topic, which does not exist")
	}))
	cancel()
	u.must(<-done)
}

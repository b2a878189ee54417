package salesforce_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

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
		if err == nil && a.OpenedAt != nil && a.Time < *a.OpenedAt {
			b.t.Errorf("%s is %s %d ms before it was opened", a.ID, a.State, *a.OpenedAt-a.Time)
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
		r, there := b.last("salesforce.note")[id]
		switch {
		case !there:
			return false
		case r.Value == nil:
			return text == ""
		}
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return false
		}
		note, err := walker.Note(body)
		return err == nil && note.Text == text
	})
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

// positionStored is what the next owner finds of a stream, as far as tests look at it.
type positionStored struct {
	Position struct{ At int64 }
	Feeds    map[string]feedStored
}

// feedStored is what it finds of an entity.
type feedStored struct {
	Covered    int64
	Stamp      int64
	ID         string
	SweepAfter string
}

// awaitStoredPosition waits until the stored position is as wanted.
func (b *bench) awaitStoredPosition(p *life, wanted func(positionStored) bool) {
	b.t.Helper()
	b.await(p, func(salesforce.Status) bool {
		var stored positionStored
		_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.position"}, func(r topic.Record) error {
			id, body, err := avro.Unframe(r.Value)
			if err != nil || string(r.Key) != "default/stream" {
				return err
			}
			text, err := b.registry.Schema(b.ctx, id)
			if err != nil {
				return err
			}
			position, err := avro.DecodePosition(text, body)
			if err != nil {
				return err
			}
			stored = positionStored{}
			return json.Unmarshal([]byte(position.Detail["handover"]), &stored)
		})
		b.must(err)
		return wanted(stored)
	})
}

// awaitFeed waits until what is stored of an entity is as wanted.
func (b *bench) awaitFeed(p *life, name string, wanted func(feedStored) bool) {
	b.t.Helper()
	b.awaitStoredPosition(p, func(s positionStored) bool { return wanted(s.Feeds[name]) })
}

// headers are those of every record of a key, in their order.
func (b *bench) headers(name, key string) (out []map[string]string) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		if string(r.Key) != key {
			return nil
		}
		of := map[string]string{}
		for _, h := range r.Headers {
			of[h.Key] = string(h.Value)
		}
		out = append(out, of)
		return nil
	})
	b.must(err)
	return out
}

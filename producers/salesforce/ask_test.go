package salesforce_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/simulator"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// years reach back behind everything that the simulated org has.
const years = 20 * 365 * 24 * time.Hour

// toll lets some requests through and holds the others back until it is lifted.
type toll struct {
	match string

	mu     sync.Mutex
	left   int
	free   bool
	lifted chan struct{} // closed by lift; nil while nobody waits
}

func (g *toll) fault(r *http.Request) *simulator.Fault {
	query, _ := url.QueryUnescape(r.URL.RawQuery)
	if !strings.Contains(r.URL.Path+"?"+query, g.match) {
		return nil
	}
	g.mu.Lock()
	if g.left--; g.free || g.left >= 0 {
		g.mu.Unlock()
		return nil
	}
	if g.lifted == nil {
		g.lifted = make(chan struct{})
	}
	lifted := g.lifted
	g.mu.Unlock()
	select {
	case <-lifted:
	case <-r.Context().Done():
	}
	return nil
}

func (g *toll) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free = true
	if g.lifted != nil {
		close(g.lifted)
		g.lifted = nil
	}
}

func (g *toll) leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free, g.left = false, n
}

func first(faults ...*simulator.Fault) *simulator.Fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}

func call(r simulator.Request) string {
	query, _ := url.QueryUnescape(r.Query)
	return r.Path + "?" + query
}

func ago(d time.Duration) *int64 {
	at := time.Now().Add(-d).UnixMilli()
	return &at
}

func text(s string) *string { return &s }

// short are ids in their 15 characters.
func short(ids []string) (out []string) {
	for _, id := range ids {
		out = append(out, id[:15])
	}
	return out
}

// damage writes a whole row, that of the record like, with a wrong value under a key, as a former owner might have.
func (b *bench) damage(object, like, key string) {
	b.t.Helper()
	name := "salesforce." + strings.ToLower(object)
	var value []byte
	var version change.Version
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		if string(r.Key) == like && r.Value != nil {
			value = slices.Clone(r.Value)
		}
		if string(r.Key) == key {
			version = versionOf(r)
		}
		return nil
	})
	b.must(err)
	_, err = b.decode(value) // for the codec
	b.must(err)
	schema, body, err := avro.Unframe(value)
	b.must(err)
	row, meta, err := b.schemas[schema].Decode(body)
	b.must(err)
	row.ID = key
	for i, f := range row.Schema.Fields {
		switch f.Name {
		case "Id":
			row.Values[i] = change.StringValue(key)
		case "BillingCity":
			row.Values[i] = change.StringValue("damaged")
		}
	}
	value, err = b.schemas[schema].Append(avro.Frame(nil, schema), row, meta)
	b.must(err)
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "damage", Topics: []string{name}})
	b.must(err)
	defer w.Close()
	header := func(k string, n int64) topic.Header {
		return topic.Header{Key: k, Value: strconv.AppendInt(nil, n, 10)}
	}
	b.must(w.Write(b.ctx, topic.Record{Topic: name, Key: []byte(key), Value: value, Headers: []topic.Header{
		header("epoch", version.Epoch), header("rev", version.Rev+1), header("pos", 0), header("asof", 1), {Key: "op", Value: []byte("refetch")},
	}}))
}

// control writes a control record.
func (b *bench) control(c avro.Control, name string) {
	b.t.Helper()
	by := "tester"
	c.RequestedBy, c.Detail = &by, map[string]string{}
	if c.RequestedAt == 0 {
		c.RequestedAt = time.Now().UnixMilli()
	}
	id, err := b.registry.Register(b.ctx, "crosswalk.control-value", schemas.Control)
	b.must(err)
	value, err := c.Append(avro.Frame(nil, id))
	b.must(err)
	b.say(salesforce.ControlKey("", c.Kind, name), value)
}

// say writes anything into the control topic.
func (b *bench) say(key string, value []byte) {
	b.t.Helper()
	b.must(b.kafka.Ensure(b.ctx, topic.Spec{Name: "crosswalk.control", Config: map[string]string{"cleanup.policy": "compact"}}))
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "control/default", Topics: []string{"crosswalk.control"}})
	b.must(err)
	defer w.Close()
	b.must(w.Write(b.ctx, topic.Record{Topic: "crosswalk.control", Key: []byte(key), Value: value}))
}

// ask asks for a backfill.
func (b *bench) ask(id string, ask avro.Backfill) {
	b.t.Helper()
	b.control(avro.Control{Kind: salesforce.AskBackfill, ID: id, Backfill: &ask}, id)
}

// steer pauses, resumes or cancels one; n counts what was asked of it, so that each is later than the one before.
func (b *bench) steer(kind, id string, n int) {
	b.t.Helper()
	c := avro.Control{Kind: kind, ID: fmt.Sprint(kind, n), RequestedAt: time.Now().UnixMilli() + int64(n)}
	if id != "" {
		c.Task = &id
	}
	b.control(c, id)
}

// awaitBackfill waits until a backfill is in a state, and returns it.
func (b *bench) awaitBackfill(p *life, id string, state salesforce.BackfillState) (found salesforce.Backfill) {
	b.t.Helper()
	b.await(p, func(s salesforce.Status) bool {
		for _, f := range s.Backfills {
			if f.ID == id {
				found = f
			}
		}
		return found.ID == id && (found.State == state || found.State.Over())
	})
	if found.State != state {
		b.t.Fatalf("the backfill is %s, want %s: %+v", found.State, state, found)
	}
	return found
}

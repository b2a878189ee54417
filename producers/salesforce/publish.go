package salesforce

import (
	"context"
	"fmt"
	"sync"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// publish encodes one publication and sends it. Its bytes are also what the local state keeps.
func (l *loop) publish(ctx context.Context, p *handover.Publication) error {
	e := l.entities[p.Key.Entity]
	var value []byte
	if p.Values != nil {
		from := len(l.arena)
		l.arena = avro.Frame(l.arena, e.schemaID)
		var err error
		l.arena, err = e.codec.Append(l.arena, change.Row{Schema: e.schema, ID: p.Key.ID, Values: filled(p.Values)}, p.Meta)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", p.Key.Entity, p.Key.ID, err)
		}
		value = l.arena[from:len(l.arena):len(l.arena)]
	}
	if s := l.records.step[p.Key]; s != nil && s.Version == p.Headers.Version {
		s.value = value
	}
	at := p.Meta.CommitTimestamp
	if at == 0 {
		at = p.Headers.AsOf
	}
	record := l.envelope.record(e.name, e.topic, p.Key.ID, p.Headers, at)
	record.Value = value
	return l.writer.Send(ctx, record, l.acked)
}

// acked takes note of what became of a row.
func (l *loop) acked(r topic.Record, err error) {
	l.offsets.acked(r, err)
	l.refusals.acked(r, err)
}

// filled returns values with null for what events cannot carry and no read has brought yet: a whole row has every
// column, and such a field is left out of I1 until its first read, which follows.
func filled(values []change.Value) []change.Value {
	for i, v := range values {
		if v.Kind() != change.Absent {
			continue
		}
		out := append([]change.Value(nil), values...)
		for j := i; j < len(out); j++ {
			if out[j].Kind() == change.Absent {
				out[j] = change.NullValue()
			}
		}
		return out
	}
	return values
}

// lag observes how long the events of a step took from their commit to the acknowledgement.
func (l *loop) lag(pubs []handover.Publication) {
	now := l.now()
	for i := range pubs {
		if at := pubs[i].Meta.CommitTimestamp; at > 0 {
			l.cfg.Metrics.lag.Observe(max(0, float64(now-at)/1000))
		}
	}
}

// offsets are what the local state reflects: the next offset of each partition. The writer calls acked from its own
// goroutine. A record of somebody else between ours shows as a jump.
type offsets struct {
	mu      sync.Mutex
	next    topic.Position
	foreign []span
}

// span is a run of records that somebody else wrote.
type span struct {
	topic     string
	partition int32
	from, to  int64
}

func (o *offsets) acked(r topic.Record, err error) {
	if err != nil || r.Offset == topic.UnknownOffset {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	parts := o.next[r.Topic]
	if int(r.Partition) >= len(parts) {
		return // not one of the topics that the state is about
	}
	if next := parts[r.Partition]; r.Offset > next {
		o.foreign = append(o.foreign, span{r.Topic, r.Partition, next, r.Offset})
	}
	parts[r.Partition] = max(parts[r.Partition], r.Offset+1)
}

// takeForeign returns the runs that were found since the last call.
func (o *offsets) takeForeign() []span {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.foreign
	o.foreign = nil
	return found
}

// giveBack returns runs that could not be read.
func (o *offsets) giveBack(spans []span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.foreign = append(o.foreign, spans...)
}

// foreigners reports whether runs were found that nobody has taken yet.
func (o *offsets) foreigners() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.foreign) > 0
}

// reach takes note of the topic's ends, so that what others wrote behind our last record is a run, too. Everything of ours must be
// acknowledged.
func (o *offsets) reach(ends map[string][]topic.Range) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, parts := range o.next {
		for i, p := range ends[name] {
			if i < len(parts) && p.End > parts[i] {
				o.foreign = append(o.foreign, span{name, int32(i), parts[i], p.End})
				parts[i] = p.End
			}
		}
	}
}

// reflected is snapshot, but not behind what others wrote and nobody has answered yet: a crash must find it again.
func (o *offsets) reflected() topic.Position {
	out := o.snapshot()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.foreign {
		out[s.topic][s.partition] = min(out[s.topic][s.partition], s.from)
	}
	return out
}

func (o *offsets) snapshot() topic.Position {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(topic.Position, len(o.next))
	for name, parts := range o.next {
		out[name] = append([]int64(nil), parts...)
	}
	return out
}

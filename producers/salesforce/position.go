package salesforce

import (
	"context"
	"encoding/json"
	"fmt"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
	"crosswalk/schemas"
)

// The sources of crosswalk.position.
const (
	streamSource = "stream"
	channel      = "/data/ChangeEvents" // one channel for all entities (H1)
)

// detailKey is where a position's record keeps the whole of it, for the next owner; its other members are for people
// and tools.
const detailKey = "handover"

// detail is what outlives a crash beside what the columns of crosswalk.position say.
type detail struct {
	Position handover.Position
	Jobs     map[string]*job
	Feeds    map[string]*feed
	Book     []hole.Hole
	Schemas  map[string]int // ids of the schemas that rows are written under, by entity
}

// fixedSchemas are the registered schemas of the topics whose shape is fixed.
type fixedSchemas struct {
	position, audit, note int
}

func (f *fixedSchemas) register(ctx context.Context, p *Producer) (err error) {
	for _, s := range []struct {
		id          *int
		topic, text string
	}{
		{&f.position, p.topics.position, schemas.Position},
		{&f.audit, p.topics.audit, schemas.Audit},
		{&f.note, p.topics.note, schemas.Note},
	} {
		if *s.id, err = p.cfg.Registry.Register(ctx, s.topic+"-value", s.text); err != nil {
			return err
		}
	}
	return nil
}

// writePosition writes the stream's position and waits until it is acknowledged.
func (l *loop) writePosition(ctx context.Context, p handover.Position) error {
	whole, err := json.Marshal(detail{Position: p, Jobs: l.jobs, Book: l.book.Open(), Schemas: l.schemaIDs(), Feeds: l.feeds})
	if err != nil {
		return fmt.Errorf("encode position: %w", err)
	}
	owner, owned := l.Task(), l.writer.Epoch()
	name, resume := channel, p.Resume()
	record := avro.Position{
		Org: l.org(), Source: streamSource, Epoch: p.Epoch, Owner: &owner, OwnerEpoch: &owned, Channel: &name,
		ReplayID: nullable(p.ReplayID), Anchor: nullable(p.T0), UpdatedAt: l.now(), Detail: map[string]string{detailKey: string(whole)},
		SchemaFields: map[string][]string{},
	}
	if len(p.Snapshots) > 0 && resume > 0 {
		record.WindowReplayID = &resume
	}
	for _, e := range entities {
		for _, f := range l.entities[e].schema.Fields {
			record.SchemaFields[e] = append(record.SchemaFields[e], f.Name)
		}
		s, ok := p.Snapshots[e]
		if !ok {
			continue
		}
		snap := avro.Snapshot{Entity: e, State: string(s.Phase), StartedAt: nullable(s.AsOf)}
		if j := l.jobs[e]; j != nil {
			snap.JobID, snap.Locator = &j.ID, &j.Locator
			snap.RowsPublished, snap.RowsExpected = j.Rows, nullable(j.Expected)
		}
		record.Snapshots = append(record.Snapshots, snap)
	}
	value, err := record.Append(avro.Frame(nil, l.fixed.position))
	if err != nil {
		return err
	}
	key := l.org() + "/" + streamSource
	err = l.writer.Write(ctx, topic.Record{Topic: l.topics.position, Key: []byte(key), Value: value, Headers: l.stamp(p.Epoch, "position.update", key)})
	if err != nil {
		return fmt.Errorf("store position: %w", err)
	}
	return nil
}

func nullable(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func (l *loop) schemaIDs() map[string]int {
	ids := map[string]int{}
	for name, e := range l.entities {
		ids[name] = e.schemaID
	}
	return ids
}

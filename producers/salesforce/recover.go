package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"crosswalk/internal/state"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// meta says what the local state reflects. It is committed with the records.
type meta struct {
	Topics  map[string]string // identity of each topic: a topic made anew is another one
	Offsets topic.Position    // records below are reflected
	SavedAt int64             // a copy older than the topics remember deletions is of no use
	Epoch   int64             // greatest epoch, and
	Pos     map[int64]int64   // greatest pos of each epoch, of all records
}

// copyLife is how old a local copy may be: well below the 96 hours for which tombstones are kept (C2).
const copyLife = 48 * time.Hour

// begin logs in, describes, brings the state up from the local copy or the topics, and makes the Machine (H12).
func (l *loop) begin(ctx context.Context) error {
	l.book, l.wantedAt = hole.NewBook(l.org(), nil), map[string]time.Time{}
	l.beginFeeds()
	if err := l.fixed.register(ctx, l.Producer); err != nil {
		return err
	}
	if err := l.setClock(ctx); err != nil {
		return err
	}
	control, err := l.readControl(ctx)
	if err != nil {
		return err
	}
	for _, name := range entities {
		e, err := l.describe(ctx, name, l.link)
		if err != nil {
			return err
		}
		l.entities[name] = e
		l.codecs[e.schemaID] = e.codec
		l.tellStrangers(e)
	}
	position, err := l.readPosition(ctx)
	if err != nil {
		return err
	}
	if err := l.recallBackfills(ctx); err != nil {
		return err
	}
	l.update(func(s *Status) { s.Phase = "recovering" })
	l.records = &records{ctx: ctx, loop: l, store: l.store, known: newBloom(), warm: newWarm(), step: map[handover.Key]*stored{}}
	found, foreign, err := l.rebuild(ctx)
	if err != nil {
		return err
	}
	target := int64(0)
	for epoch, pos := range found.Pos {
		if epoch >= position.Lineage {
			target = max(target, pos)
		}
	}
	l.m = handover.New(position, handover.Config{
		Records: l.records, SkipMargin: skipMargin.Milliseconds(), Seen: found.Epoch, Target: target,
	})
	for _, name := range entities {
		l.m.SetSchema(l.entities[name].schema)
	}
	l.group.Go(func() error { return control.run(l.ctx) })
	l.linkField()
	l.columnsSince(ctx, l.hadColumns)
	l.tryRefused(l.rebuilt)
	return l.resume(ctx, position, foreign)
}

// skipMargin is how long before T0 an event must have been committed to be skipped (H3): far longer than any
// transaction takes to be delivered.
const skipMargin = 15 * time.Minute

// resume decides from where the stream is read, and stores that this process goes on.
func (l *loop) resume(ctx context.Context, position handover.Position, foreign []foreignRecord) error {
	from := position.Resume()
	switch now := l.now(); {
	case position.Lineage == 0:
		l.m.Begin(now)
		from = handover.ReplayNew
	case position.Expired(now, l.cfg.Retention.Milliseconds()):
		from = handover.ReplayAll
		l.lost(hole.ExpiredPosition, "the position is older than the retention of events")
	}
	l.stream = newStream(l, from)
	for _, name := range entities {
		if _, open := l.m.Snapshots()[name]; !open && l.feeds[name].Covered == 0 {
			l.feeds[name].reach(l.now())
		}
	}
	if err := l.storePosition(ctx, true); err != nil {
		return err
	}
	for _, f := range foreign {
		if err := l.answer(f); err != nil {
			return err
		}
	}
	return l.commit(ctx)
}

// setClock learns how far this machine's clock is from the server's.
func (l *loop) setClock(ctx context.Context) error {
	before := time.Now()
	server, err := l.cfg.Client.ServerTime(ctx)
	if err != nil {
		return err
	}
	skew := server.Sub(before)
	if skew > -time.Second && skew <= 0 {
		skew = -time.Second // the server tells whole seconds, rounded down
	}
	l.clockSkew.Store(int64(skew))
	return nil
}

// rebuild reads what the local copy does not reflect, all of the topics when the copy is of no use.
func (l *loop) rebuild(ctx context.Context) (meta, []foreignRecord, error) {
	names := []string{l.topics.entity["Account"], l.topics.entity["Contact"]}
	identity, err := l.cfg.Kafka.Identity(ctx, names...)
	if err != nil {
		return meta{}, nil, err
	}
	ends, err := l.cfg.Kafka.Offsets(ctx, names...)
	if err != nil {
		return meta{}, nil, err
	}
	found, err := l.localCopy(identity, ends)
	if err != nil {
		return meta{}, nil, err
	}
	if err := l.knowKeys(); err != nil {
		return meta{}, nil, err
	}
	l.offsets.next = found.Offsets
	r := &rebuilder{loop: l, meta: &found, entity: map[string]string{}}
	for name, t := range l.topics.entity {
		r.entity[t] = name
	}
	err = r.read(ctx, names, ends)
	return found, r.foreign, err
}

// localCopy returns what the local state reflects, and empties it when that cannot be proved to be at least as new as
// the topics.
func (l *loop) localCopy(identity map[string]string, ends map[string][]topic.Range) (meta, error) {
	data, ok, err := l.store.Get([]byte(metaKey))
	if err != nil {
		return meta{}, err
	}
	var m meta
	if ok && json.Unmarshal(data, &m) == nil && m.fits(identity, ends) {
		return m, nil
	}
	l.rebuilt = true
	batch := l.store.NewBatch()
	batch.DeletePrefix([]byte(recordPrefix))
	batch.DeletePrefix([]byte(childPrefix))
	batch.Delete([]byte(metaKey))
	if err := batch.Commit(); err != nil {
		return meta{}, err
	}
	m = meta{Topics: identity, Offsets: topic.Position{}, Pos: map[int64]int64{}}
	for name, parts := range ends {
		for _, p := range parts {
			m.Offsets[name] = append(m.Offsets[name], p.First)
		}
	}
	return m, nil
}

func (m *meta) fits(identity map[string]string, ends map[string][]topic.Range) bool {
	if !maps.Equal(m.Topics, identity) || time.Since(time.UnixMilli(m.SavedAt)) > copyLife {
		return false
	}
	for name, parts := range ends {
		if len(m.Offsets[name]) != len(parts) {
			return false
		}
		for i, p := range parts {
			if next := m.Offsets[name][i]; next > p.End || next < p.First {
				return false
			}
		}
	}
	return m.Pos != nil
}

// knowKeys fills the filter of stored keys.
func (l *loop) knowKeys() error {
	return l.store.Scan([]byte(recordPrefix), func(key, _ []byte) error {
		l.records.known.add(key)
		return nil
	})
}

// rebuilder takes the records of the topics into the local state.
type rebuilder struct {
	*loop
	meta    *meta
	entity  map[string]string // by topic
	foreign []foreignRecord
}

const rebuildBatch = 5000

func (r *rebuilder) read(ctx context.Context, names []string, ends map[string][]topic.Range) error {
	reader, err := r.cfg.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: names, From: r.meta.Offsets})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	var f topic.Fetch
	f.Next = r.meta.Offsets
	for !f.CaughtUp(ends) {
		if f, err = reader.Poll(ctx); err != nil {
			return err
		}
		for _, rec := range f.Records {
			if err := r.take(rec); err != nil {
				return err
			}
		}
		r.offsets.next = f.Next
		if len(r.records.step) >= rebuildBatch || f.CaughtUp(ends) {
			if err := r.commitRebuilt(); err != nil {
				return err
			}
		}
	}
	r.offsets.next = r.offsets.snapshot()
	return nil
}

func (r *rebuilder) commitRebuilt() error {
	defer r.records.forget()
	batch := r.store.NewBatch()
	r.records.flush(batch)
	if err := r.putMeta(batch); err != nil {
		batch.Discard()
		return err
	}
	return batch.Commit()
}

// take applies one record of the topic: the highest version counts, wherever it stands (W3).
func (r *rebuilder) take(rec topic.Record) error {
	k := handover.Key{Entity: r.entity[rec.Topic], ID: string(rec.Key)}
	s, err := r.recordOf(k, rec)
	if err != nil {
		return err
	}
	r.note(s.Version.Epoch, s.Pos)
	old, err := r.records.Load(k)
	if err != nil {
		return err
	}
	if s.Version.Less(old.Version) {
		r.foreign = append(r.foreign, foreignRecord{key: k, value: s.value, rec: s.Record})
		return nil
	}
	if s.Version == old.Version {
		return nil
	}
	s.dirty = true
	r.records.put(k, s)
	return nil
}

func (r *rebuilder) note(epoch, pos int64) {
	r.meta.Epoch = max(r.meta.Epoch, epoch)
	r.meta.Pos[epoch] = max(r.meta.Pos[epoch], pos)
	r.seen = *r.meta
}

// recordOf reads a record of a topic of rows. Its memory is its own.
func (l *loop) recordOf(k handover.Key, rec topic.Record) (*stored, error) {
	h, commit, err := parseHeaders(rec)
	if err != nil {
		return nil, err
	}
	s := &stored{Record: handover.Record{State: handover.Deleted, Version: h.Version, Pos: h.Pos, AsOf: h.AsOf, Commit: commit}}
	if rec.Value == nil {
		return s, nil
	}
	s.State, s.value = handover.Live, append([]byte(nil), rec.Value...)
	s.Values, _, err = l.decode(l.ctx, l.entities[k.Entity], s.value)
	if err != nil {
		return nil, fmt.Errorf("read record %d of %s partition %d: %w", rec.Offset, rec.Topic, rec.Partition, err)
	}
	return s, nil
}

// putMeta adds to batch what the state reflects once it is committed.
func (l *loop) putMeta(batch *state.Batch) error {
	m := l.seen
	if l.m != nil {
		m.Epoch = max(m.Epoch, l.m.Epoch())
	}
	m.Offsets, m.SavedAt = l.offsets.snapshot(), time.Now().UnixMilli()
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode what the state reflects: %w", err)
	}
	batch.Set([]byte(metaKey), data)
	return nil
}

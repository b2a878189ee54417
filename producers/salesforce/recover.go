package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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

// begin logs in, describes, brings the state up from the local copy or the topics, and makes the Machine (H12). It starts nothing, so
// that nothing is left of a start that fails; what people ask for is followed from where control has been read to.
func (l *loop) begin(ctx context.Context) (*control, error) {
	l.book, l.wantedAt = hole.NewBook(l.org(), nil), map[string]time.Time{}
	l.beginFeeds()
	if err := l.fixed.register(ctx, l.Producer); err != nil {
		return nil, err
	}
	if err := l.setClock(ctx); err != nil {
		return nil, err
	}
	control, err := l.readControl(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range entities {
		e, err := l.describe(ctx, name, l.link)
		if err != nil {
			return nil, err
		}
		l.entities[name] = e
		l.codecs[e.schemaID] = e.codec
		l.tellStrangers(e)
	}
	if err := l.inherit(ctx); err != nil {
		return nil, err
	}
	position, err := l.readPosition(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.recallBackfills(ctx); err != nil {
		return nil, err
	}
	l.update(func(s *Status) { s.Phase = "recovering" })
	l.records = &records{ctx: ctx, loop: l, store: l.store, known: newBloom(), warm: newWarm(), step: map[handover.Key]*stored{}}
	found, foreign, err := l.rebuild(ctx, position.High)
	if err != nil {
		return nil, err
	}
	target := int64(0)
	for epoch, pos := range found.Pos {
		if epoch >= position.Lineage {
			target = max(target, pos)
		}
	}
	l.m = handover.New(position, handover.Config{
		Records: l.records, SkipMargin: skipMargin.Milliseconds(), Seen: max(found.Epoch, l.left.epoch), Target: target,
	})
	for _, name := range entities {
		l.m.SetSchema(l.entities[name].schema)
	}
	l.linkField()
	l.columnsSince(ctx, l.hadColumns)
	l.tryRefused(l.rebuilt)
	l.readHollow()
	return control, l.resume(ctx, position, foreign)
}

// skipMargin is how long before T0 an event must have been committed to be skipped (H3): far longer than any
// transaction takes to be delivered.
const skipMargin = 15 * time.Minute

// resume decides from where the stream is read, and stores that this process goes on.
func (l *loop) resume(ctx context.Context, position handover.Position, foreign []foreignRecord) error {
	from := position.Resume()
	switch now := l.now(); {
	case l.left.lost != nil:
		from = handover.ReplayAll
		l.losePosition()
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
	l.offsets.takeForeign()
	for _, f := range foreign {
		if err := l.answer(ctx, f); err != nil {
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
// high is the greatest replay id that a former process is known to have consumed.
func (l *loop) rebuild(ctx context.Context, high int64) (meta, []foreignRecord, error) {
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
	r := &rebuilder{loop: l, meta: &found, high: high, strange: map[handover.Key]foreignRecord{}}
	err = r.read(ctx, names, ends)
	return found, append(r.foreign, slices.Collect(maps.Values(r.strange))...), err
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

// knowKeys fills the filter of stored keys, and finds those of which the topic has nothing that can be read.
func (l *loop) knowKeys() error {
	return l.store.Scan([]byte(recordPrefix), func(key, value []byte) error {
		l.records.known.add(key)
		s, err := parseStored(value)
		if err == nil && s.hollow() {
			l.hollow[storedKey(key)] = "as a former process has found"
		}
		return err
	})
}

// putMeta adds to batch what the state reflects once it is committed.
func (l *loop) putMeta(batch *state.Batch) error {
	m := l.seen
	if l.m != nil {
		m.Epoch = max(m.Epoch, l.m.Epoch())
	}
	m.Offsets, m.SavedAt = l.offsets.reflected(), time.Now().UnixMilli()
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode what the state reflects: %w", err)
	}
	batch.Set([]byte(metaKey), data)
	return nil
}

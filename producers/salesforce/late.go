package salesforce

import (
	"context"
	"errors"
	"fmt"

	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// foreignRecord is a record in the topic with a lower version than one before it (W3), or one that cannot be used.
type foreignRecord struct {
	key     handover.Key
	at      span
	value   []byte
	rec     handover.Record
	why     error  // of one that cannot be read
	strange bool   // its key is no id
	place   string // of that one
}

func spanOf(rec topic.Record) span { return span{rec.Topic, rec.Partition, rec.Offset, rec.Offset + 1} }

// answer repairs a record of another producer (W3).
func (l *loop) answer(ctx context.Context, f foreignRecord) error {
	l.cfg.Metrics.repaired.Inc()
	if f.strange {
		return l.removeStrange(ctx, f)
	}
	if f.why != nil {
		return l.answerDamaged(f)
	}
	l.cfg.Logger.Warn("a former producer wrote late; the record is published again", "entity", f.key.Entity, "id", f.key.ID)
	rec, err := l.records.Load(f.key)
	if err != nil {
		return err
	}
	if rec.State == handover.Unknown {
		l.records.put(f.key, &stored{value: f.value})
	}
	return l.m.Foreign(f.key, f.rec)
}

// answerDamaged publishes a known record again in the place of one that cannot be read; an unknown one is read first.
func (l *loop) answerDamaged(f foreignRecord) error {
	l.noteDamaged(f.key.Entity, f.key.ID, f.why)
	answered, err := l.m.Damaged(f.key, f.rec.Version)
	if answered {
		l.sawAgain(f.key.Entity, f.key.ID)
	}
	return err
}

// watchEnds compares the ends of the topics of rows with what was acknowledged, so that what a former owner writes late is found in
// partitions, too, to which nothing of ours goes (W3).
func (l *loop) watchEnds(ctx context.Context) error {
	for retry.Sleep(ctx, l.cfg.LateEvery) == nil {
		ends, err := l.cfg.Kafka.Offsets(ctx, l.topics.entity["Account"], l.topics.entity["Contact"])
		if err != nil {
			l.cfg.Logger.Debug("the ends of the topics could not be asked for", "error", err)
			continue
		}
		// Whatever of ours is before these ends was sent before them, and is acknowledged when the next input is taken.
		if l.submit(ctx, func() error { l.offsets.reach(ends); return nil }) != nil {
			return nil // ctx has ended
		}
	}
	return nil
}

// answerForeign looks at what stands between our own records in the topics.
func (l *loop) answerForeign(ctx context.Context) error {
	for _, s := range l.offsets.takeForeign() {
		if err := l.readSpan(ctx, s, func(rec topic.Record) error { return l.takeForeign(ctx, rec) }); err != nil {
			return err
		}
	}
	return l.followLosses(ctx)
}

// readSpan gives the records of a run to take.
func (l *loop) readSpan(ctx context.Context, s span, take func(topic.Record) error) error {
	ends, err := l.cfg.Kafka.Offsets(ctx, s.topic)
	if err != nil {
		return err
	}
	from := topic.Position{}
	for _, p := range ends[s.topic] {
		from[s.topic] = append(from[s.topic], p.End)
	}
	from[s.topic][s.partition] = s.from
	reader, err := l.cfg.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{s.topic}, From: from})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	for next := s.from; next < s.to; {
		f, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		for _, rec := range f.Records {
			if rec.Partition != s.partition || rec.Offset < s.from || rec.Offset >= s.to {
				continue
			}
			if err := take(rec); err != nil {
				return err
			}
		}
		next = f.Next[s.topic][s.partition]
	}
	return nil
}

// takeForeign answers one record that is not ours.
func (l *loop) takeForeign(ctx context.Context, rec topic.Record) error {
	k := l.keyOf(rec)
	if !isRecord(k.Entity, k.ID) {
		return l.takeStrange(ctx, k, rec)
	}
	s, why := l.recordOf(k, rec)
	if why != nil && !isDamage(why) {
		return why
	}
	if s.Version.Epoch > l.m.Epoch() {
		return errors.Join(topic.ErrFenced, fmt.Errorf("record %d of %s partition %d has a later epoch", rec.Offset, rec.Topic, rec.Partition))
	}
	switch {
	case why != nil:
		if err := l.post(ctx, letterOf(k, rec, why)); err != nil {
			return err
		}
	case s.Version.Epoch == l.m.Epoch():
		return nil
	}
	return l.answer(ctx, foreignRecord{key: k, value: s.value, rec: s.Record, why: why})
}

// takeStrange answers one whose key is no id. A tombstone under such a key is nothing.
func (l *loop) takeStrange(ctx context.Context, k handover.Key, rec topic.Record) error {
	if rec.Value == nil {
		return nil
	}
	h, _, _ := parseHeaders(rec) // as far as they can be read
	if err := l.post(ctx, letterOf(k, rec, damaged("its key %.80q is no id of %s", k.ID, k.Entity))); err != nil {
		return err
	}
	return l.answer(ctx, foreignRecord{key: k, place: place(rec), rec: handover.Record{Version: h.Version}, strange: true})
}

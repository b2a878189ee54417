package salesforce

import (
	"context"
	"errors"
	"fmt"

	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// foreignRecord is a record in the topic with a lower version than one before it (W3).
type foreignRecord struct {
	key   handover.Key
	value []byte
	rec   handover.Record
}

// answer repairs a record of another producer (W3).
func (l *loop) answer(f foreignRecord) error {
	l.cfg.Logger.Warn("a former producer wrote late; the record is published again", "entity", f.key.Entity, "id", f.key.ID)
	rec, err := l.records.Load(f.key)
	if err != nil {
		return err
	}
	if rec.State == handover.Unknown {
		l.records.put(f.key, &stored{value: f.value})
	}
	l.cfg.Metrics.repaired.Inc()
	return l.m.Foreign(f.key, f.rec)
}

// answerForeign looks at what stands between our own records in the topics.
func (l *loop) answerForeign(ctx context.Context) error {
	for _, s := range l.offsets.takeForeign() {
		if err := l.readSpan(ctx, s, l.takeForeign); err != nil {
			return err
		}
	}
	return nil
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

func (l *loop) takeForeign(rec topic.Record) error {
	for name, t := range l.topics.entity {
		if t != rec.Topic {
			continue
		}
		k := handover.Key{Entity: name, ID: string(rec.Key)}
		s, err := l.recordOf(k, rec)
		if err != nil {
			return err
		}
		switch {
		case s.Version.Epoch > l.m.Epoch():
			return errors.Join(topic.ErrFenced, fmt.Errorf("record %d of %s partition %d has a later epoch", rec.Offset, rec.Topic, rec.Partition))
		case s.Version.Epoch < l.m.Epoch():
			return l.answer(foreignRecord{key: k, value: s.value, rec: s.Record})
		}
	}
	return nil
}

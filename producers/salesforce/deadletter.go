package salesforce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// reject puts what cannot be read into the dead letter topic, as it came, with the reason (R4). The rest goes on.
func (l *loop) reject(ctx context.Context, source string, raw []byte, why error) error {
	l.cfg.Logger.Warn("bad input goes to the dead letter topic", "source", source, "error", why)
	return l.bury(ctx, source, raw, []topic.Header{{Key: "reason", Value: []byte(why.Error())}})
}

// rejectRecord rejects a record of a topic that others write; it is named by its place, as the matcher names it.
func (l *loop) rejectRecord(ctx context.Context, r topic.Record, why error) error {
	l.cfg.Logger.Warn("a record cannot be read and goes to the dead letter topic", "record", place(r), "error", why)
	return l.buryAs(ctx, place(r), place(r), r.Value, []topic.Header{{Key: "reason", Value: []byte(why.Error())}})
}

// rejectRow rejects a row that somebody has read; backfills count those.
func (l *loop) rejectRow(ctx context.Context, source string, raw []byte, why error) error {
	l.badRows.Add(1)
	return l.reject(ctx, source, raw, why)
}

// bury writes a dead letter. What follows from it is durable only after the next Flush.
func (l *loop) bury(ctx context.Context, source string, raw []byte, headers []topic.Header) error {
	return l.buryAs(ctx, l.org()+"/"+source, source, raw, headers)
}

// buryAs is bury under another key.
func (l *loop) buryAs(ctx context.Context, key, source string, raw []byte, headers []topic.Header) error {
	l.cfg.Metrics.rejected.Inc()
	if raw == nil {
		raw = []byte{} // null would be a tombstone
	}
	l.unflushed.Store(true)
	headers = append(headers, topic.Header{Key: "source", Value: []byte(source)}, topic.Header{Key: "org", Value: []byte(l.org())})
	if !slices.ContainsFunc(headers, func(h topic.Header) bool { return h.Key == "ce_specversion" }) { // else they are the record's own
		headers = append(headers, l.stamp(1, "deadletter", key)...)
	}
	err := l.writer.Send(ctx, topic.Record{Topic: l.topics.deadletter, Key: []byte(key), Value: raw, Headers: headers}, l.refusals.acked)
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	return nil
}

// refusal is a record that the broker does not take for what it is: too large, or invalid.
type refusal struct {
	record topic.Record
	why    error
}

// refusals collects them from the writer's callbacks, which must not wait.
type refusals struct {
	mu   sync.Mutex
	list []refusal
}

// acked is the callback of what nobody else wants to know of.
func (r *refusals) acked(rec topic.Record, err error) {
	if err == nil || !errors.Is(err, topic.ErrRefused) {
		return // any other error ends the writer, and Flush tells it
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, refusal{rec, err})
}

// take returns what was refused since the last call.
func (r *refusals) take() []refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// flush waits until everything sent is acknowledged or refused. A refused record is no reason to end: its callback has
// it, and what becomes of it is decided by whoever sent it.
func (l *loop) flush(ctx context.Context) error {
	if err := l.writer.Flush(ctx); err != nil && !errors.Is(err, topic.ErrRefused) {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// settleRefusals answers what the broker refused: a row goes to the dead letter topic, is a hole until another version of it
// is taken, and stays marked so that the next event or read of it is published even when it changes nothing. A dead
// letter that is refused is written again without its value.
func (l *loop) settleRefusals(ctx context.Context) error {
	for list := l.refusals.take(); len(list) > 0; list = l.refusals.take() {
		for _, r := range list {
			if err := l.settleRefusal(ctx, r); err != nil {
				return err
			}
		}
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) settleRefusal(ctx context.Context, r refusal) error {
	for name, t := range l.topics.entity {
		if t == r.record.Topic {
			return l.refused(ctx, handover.Key{Entity: name, ID: string(r.record.Key)}, r)
		}
	}
	switch {
	case r.record.Topic == l.topics.deadletter && len(r.record.Value) > 0:
		return l.buryBare(ctx, r)
	default:
		l.cfg.Logger.Error("the broker does not take a record", "topic", r.record.Topic, "key", string(r.record.Key), "error", r.why)
		return nil
	}
}

// refused buries a row that the broker does not take.
func (l *loop) refused(ctx context.Context, k handover.Key, r refusal) error {
	l.cfg.Logger.Warn("the broker does not take a record; it goes to the dead letter topic, and its next version is tried",
		"entity", k.Entity, "id", k.ID, "bytes", len(r.record.Value), "error", r.why)
	h, _, err := parseHeaders(r.record)
	if err != nil {
		return err
	}
	if s := l.records.step[k]; s != nil && s.Version == h.Version {
		s.Refused, s.dirty = true, true
	}
	l.badRows.Add(1)
	l.book.Note(hole.Finding{
		Entity: k.Entity, Reason: hole.RefusedRecord, Repair: hole.ByVersion, IDs: []string{k.ID}, Lineage: l.m.Lineage(),
		Why: "the broker does not take records of " + k.Entity + " for what they are: " + r.why.Error() + "; see the dead letter topic, and max.message.bytes of " + r.record.Topic,
	}, l.now())
	return l.bury(ctx, "refused/"+k.Entity+"/"+k.ID, r.record.Value, refusalHeaders(r))
}

// refusalHeaders say what was refused, where and why, before the record's own headers.
func refusalHeaders(r refusal) []topic.Header {
	headers := []topic.Header{
		{Key: "reason", Value: []byte(r.why.Error())},
		{Key: "topic", Value: []byte(r.record.Topic)},
		{Key: "key", Value: append([]byte(nil), r.record.Key...)},
		{Key: "value_bytes", Value: strconv.AppendInt(nil, int64(len(r.record.Value)), 10)},
	}
	return append(headers, r.record.Headers...)
}

// buryBare writes a dead letter again without the value that made it too large; a header says so.
func (l *loop) buryBare(ctx context.Context, r refusal) error {
	l.unflushed.Store(true)
	r.record.Value = []byte{}
	r.record.Headers = append(r.record.Headers, topic.Header{Key: "value", Value: []byte("left out: the broker does not take it here either")})
	if err := l.writer.Send(ctx, r.record, l.refusals.acked); err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	return nil
}

// taken closes holes of records that were refused before, or read again, and are among what is now acknowledged.
func (l *loop) taken(ctx context.Context, pubs []handover.Publication) error {
	for i := range pubs {
		k := pubs[i].Key
		if s := l.records.step[k]; s != nil && s.Refused {
			continue
		}
		for _, h := range l.book.Taken(k.Entity, k.ID) {
			l.closed(ctx, h, "the broker has taken another version of each record", nil)
		}
	}
	return l.closeReread(ctx)
}

// tryRefused has records read again that a former process could not publish: perhaps the topic takes them now. When the local
// state was lost with them, and there are more than are known by id, a snapshot finds them.
func (l *loop) tryRefused(rebuilt bool) {
	for _, name := range entities {
		ids, all := l.book.Refused(name)
		for _, id := range ids {
			l.m.Require(handover.Key{Entity: name, ID: id})
		}
		if !all && rebuilt {
			l.wantSnapshot(name, hole.RefusedRecord, "the local state was lost with records that the broker had refused")
		}
	}
}

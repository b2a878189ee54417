package erp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// taskSource is the position of the task as a whole: it holds the epoch, and no cursor.
const taskSource = "erp"

// positionOf is the name under which a source keeps its cursor.
func positionOf(source string) string { return taskSource + "/" + source }

// readPositions reads where the sources stand. A position that cannot be read is a lost one: its bytes go to the dead letter topic, and its
// source is read from its beginning.
func (s *session) readPositions(ctx context.Context) error {
	last := map[string]topic.Record{}
	_, err := s.cfg.Kafka.ReadAll(ctx, []string{s.topics.position}, func(r topic.Record) error {
		source, ours := strings.CutPrefix(string(r.Key), s.cfg.org()+"/")
		if !ours || source != taskSource && !strings.HasPrefix(source, positionOf("")) {
			return nil
		}
		s.formerly = max(s.formerly, epochOf(r))
		delete(last, source)
		if r.Value != nil {
			r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value)
			last[source] = r
		}
		return nil
	})
	if err != nil {
		return err
	}
	for source, r := range last {
		p, why, err := s.readPosition(ctx, source, r.Value)
		switch {
		case err != nil:
			return err
		case why != nil:
			if err := s.lose(ctx, source, r, why); err != nil {
				return err
			}
		default:
			s.positions[source] = p
		}
	}
	return nil
}

// epochOf is the epoch that a record's headers tell; 0 when they tell none that could be exceeded.
func epochOf(r topic.Record) (epoch int64) {
	for _, h := range r.Headers {
		if n, err := strconv.ParseInt(string(h.Value), 10, 64); h.Key == "epoch" && err == nil && n < 1<<60 {
			epoch = max(epoch, n)
		}
	}
	return epoch
}

// readPosition decodes a position. why says what is wrong with it; err is a failure that is not its own.
func (s *session) readPosition(ctx context.Context, source string, value []byte) (p avro.Position, why, err error) {
	id, body, why := avro.Unframe(value)
	if why != nil {
		return p, why, nil
	}
	text, err := s.cfg.Registry.Schema(ctx, id)
	switch {
	case registry.IsNotFound(err), errors.Is(err, registry.ErrNotAvro):
		return p, err, nil
	case err != nil:
		return p, nil, err
	}
	if p, why = avro.DecodePosition(text, body); why == nil && p.Source != source {
		why = fmt.Errorf("it is the position of %q", p.Source)
	}
	return p, why, nil
}

// lose tells of a position that cannot be read.
func (s *session) lose(ctx context.Context, source string, r topic.Record, why error) error {
	s.cfg.Metrics.lost.Inc()
	s.cfg.Logger.Warn("a stored position cannot be read: it goes to the dead letter topic, and its source is read from its beginning",
		"org", s.cfg.org(), "source", source, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", why)
	key := fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	return s.bury(ctx, source, key, "", why.Error(), r.Value)
}

// taskOf is the name of the task that serves an org's sources, and its transactional id.
func taskOf(org string) string { return "crosswalk/" + topic.OrgName(org) + "/erp" }

// cursor returns what a source stored last; nil when it has stored nothing.
func (s *session) cursor(source string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.positions[positionOf(source)].Detail
}

// store writes a position and waits until it is acknowledged. Everything that it stands for must be acknowledged before.
func (s *session) store(ctx context.Context, name string, cursor map[string]string) error {
	owner, owned := taskOf(s.cfg.Org), s.writer.Epoch()
	p := avro.Position{
		Org: s.cfg.org(), Source: name, Epoch: s.epoch, Owner: &owner, OwnerEpoch: &owned, UpdatedAt: time.Now().UnixMilli(), Detail: cursor,
	}
	value, err := p.Append(avro.Frame(nil, s.positionID))
	if err != nil {
		return err
	}
	key := s.cfg.org() + "/" + name
	headers := s.cfg.Kafka.Stamp(s.epoch, s.cfg.Org, taskSource, "position.update", key)
	if err := s.write(ctx, topic.Record{Topic: s.topics.position, Key: []byte(key), Value: value, Headers: headers}); err != nil {
		return fmt.Errorf("store position of %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.positions[name] = p
	return nil
}

// refuse puts what a source without files could not make a customer of into the dead letter topic, as it came (R4). key
// names the row: the same row refused again replaces its letter.
func (s *session) refuse(ctx context.Context, source, key, column, reason string, raw []byte) error {
	return s.bury(ctx, positionOf(source), key, column, reason, raw)
}

// bury writes a dead letter.
func (s *session) bury(ctx context.Context, source, key, column, reason string, raw []byte) error {
	if raw == nil {
		raw = []byte{} // not a deletion of the letter
	}
	h := func(name, value string) topic.Header { return topic.Header{Key: name, Value: []byte(value)} }
	headers := []topic.Header{h("org", s.cfg.org()), h("source", source), h("column", column), h("reason", reason)}
	headers = append(headers, s.cfg.Kafka.Stamp(1, s.cfg.Org, taskSource, "deadletter", key)...)
	err := s.write(ctx, topic.Record{Topic: s.topics.deadletter, Key: []byte(key), Value: raw, Headers: headers})
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	return nil
}

// write writes records and waits for them.
func (s *session) write(ctx context.Context, records ...topic.Record) error {
	err := s.writer.Write(ctx, records...)
	if errors.Is(err, topic.ErrFenced) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(err)
		return s.broken
	}
	return err
}

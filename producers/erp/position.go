package erp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
)

// taskSource is the position of the task as a whole: it holds the epoch, and no cursor.
const taskSource = "erp"

// positionOf is the name under which a source keeps its cursor.
func positionOf(source string) string { return taskSource + "/" + source }

// readPositions reads where the sources stand.
func (s *session) readPositions(ctx context.Context) error {
	_, err := s.cfg.Kafka.ReadAll(ctx, []string{s.topics.position}, func(r topic.Record) error {
		if r.Value == nil {
			return nil
		}
		id, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		text, err := s.cfg.Registry.Schema(ctx, id)
		if err != nil {
			return err
		}
		p, err := avro.DecodePosition(text, body)
		if err == nil && p.Org == s.cfg.Org {
			s.positions[p.Source] = p
		}
		return err
	})
	return err
}

// cursor returns what a source stored last; nil when it has stored nothing.
func (s *session) cursor(source string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.positions[positionOf(source)].Detail
}

// store writes a position and waits until it is acknowledged. Everything that it stands for must be acknowledged before.
func (s *session) store(ctx context.Context, name string, cursor map[string]string) error {
	owner, owned := "crosswalk/"+s.cfg.Org+"/erp", s.writer.Epoch()
	p := avro.Position{
		Org: s.cfg.Org, Source: name, Epoch: s.epoch, Owner: &owner, OwnerEpoch: &owned, UpdatedAt: time.Now().UnixMilli(), Detail: cursor,
	}
	value, err := p.Append(avro.Frame(nil, s.positionID))
	if err != nil {
		return err
	}
	if err := s.write(ctx, topic.Record{Topic: s.topics.position, Key: []byte(s.cfg.Org + "/" + name), Value: value}); err != nil {
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
	if raw == nil {
		raw = []byte{} // not a deletion of the letter
	}
	h := func(name, value string) topic.Header { return topic.Header{Key: name, Value: []byte(value)} }
	err := s.write(ctx, topic.Record{Topic: s.topics.deadletter, Key: []byte(key), Value: raw, Headers: []topic.Header{
		h("org", s.cfg.Org), h("source", positionOf(source)), h("column", column), h("reason", reason),
	}})
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

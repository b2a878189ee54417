package erp

import (
	"cmp"
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
		if err == nil && topic.OrgName(p.Org) == s.cfg.org() && newer(p, s.positions[p.Source]) {
			s.positions[p.Source] = p
		}
		return err
	})
	return err
}

// newer compares two positions of a source by who stored them when: an org without an alias has once had another key, under which
// an old one may lie.
func newer(p, than avro.Position) bool {
	return cmp.Or(cmp.Compare(p.Epoch, than.Epoch), cmp.Compare(p.UpdatedAt, than.UpdatedAt)) >= 0
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
	if raw == nil {
		raw = []byte{} // not a deletion of the letter
	}
	h := func(name, value string) topic.Header { return topic.Header{Key: name, Value: []byte(value)} }
	headers := []topic.Header{h("org", s.cfg.org()), h("source", positionOf(source)), h("column", column), h("reason", reason)}
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

package matcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// take takes one record of an input or of the control topic, or, when it stands by, of an output.
func (s *session) take(ctx context.Context, r *topic.Record) error {
	kind := s.names.kind(r.Topic)
	switch {
	case r.Topic == s.names.control:
		return s.takeControl(ctx, r)
	case kind == 0:
		s.observe(r)
		return nil
	}
	in, made, err := inputOf(kind, r)
	verdict := join.Refused
	if err == nil {
		verdict, err = s.engine.Apply(in)
	}
	return s.judge(ctx, kind, r, made, verdict, err)
}

// judge does what follows from what became of an input that tells of a change made then.
func (s *session) judge(ctx context.Context, kind join.Kind, r *topic.Record, made int64, verdict join.Verdict, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // not the record's fault
	}
	if s.out != nil { // what a standby takes, the owner counts
		s.metrics.input(kind, verdict)
	}
	if verdict == join.Refused {
		return s.refuse(ctx, r, err)
	}
	s.refresh(kind, made)
	return nil
}

var (
	errNoKey  = errors.New("the record has no key")
	errBadKey = errors.New("the record's key is not valid UTF-8")
)

// inputOf is the record as the join sees it, and when the change that it tells of was made, in milliseconds.
func inputOf(kind join.Kind, r *topic.Record) (in join.Input, made int64, err error) {
	if len(r.Key) == 0 {
		return in, 0, errNoKey
	}
	if !utf8.Valid(r.Key) {
		return in, 0, errBadKey
	}
	s := stampOf(r)
	v, err := s.version(r.Offset)
	return join.Input{Kind: kind, Key: r.Key, Value: r.Value, Version: v, Time: r.Time.UnixMilli()}, s.made(r.Time), err
}

// stamp is those of a record's headers that say which version it is and of when; nil is a header that it does not have.
type stamp struct{ epoch, rev, asOf, time []byte }

func stampOf(r *topic.Record) (s stamp) {
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case "epoch":
			s.epoch = h.Value
		case "rev":
			s.rev = h.Value
		case "asof":
			s.asOf = h.Value
		case "ce_time":
			s.time = h.Value
		}
	}
	return s
}

// VersionOf reads a record's version. One without any has epoch 1 and its offset (R1).
func VersionOf(r *topic.Record) (change.Version, error) { return stampOf(r).version(r.Offset) }

func (s stamp) version(offset int64) (v change.Version, err error) {
	switch {
	case s.epoch == nil && s.rev == nil:
		return change.Version{Epoch: 1, Rev: offset}, nil
	case s.epoch == nil || s.rev == nil:
		return v, errors.New("of the headers epoch and rev there is only one")
	}
	if v.Epoch, err = strconv.ParseInt(string(s.epoch), 10, 64); err != nil {
		return change.Version{}, fmt.Errorf("header epoch is %q, not a number", s.epoch)
	}
	if v.Rev, err = strconv.ParseInt(string(s.rev), 10, 64); err != nil {
		return change.Version{}, fmt.Errorf("header rev is %q, not a number", s.rev)
	}
	return v, nil
}

// made is when the change that the record tells of was made, or the read of it was started, as its headers say; else when the
// record was written. In milliseconds.
func (s stamp) made(written time.Time) int64 {
	newest := int64(0)
	if s.asOf != nil {
		if n, err := strconv.ParseInt(string(s.asOf), 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	if s.time != nil {
		if t, err := time.Parse(time.RFC3339Nano, string(s.time)); err == nil {
			newest = max(newest, t.UnixMilli())
		}
	}
	if newest == 0 {
		return written.UnixMilli()
	}
	return newest
}

// refresh notes how new the side of an input is now.
func (s *session) refresh(kind join.Kind, made int64) {
	side := &s.now.Freshness.Salesforce
	if kind == join.Customer {
		side = &s.now.Freshness.ERP
	}
	*side = max(*side, made)
}

// refuse sends a record that cannot be decoded to the dead-letter topic, as it came, with where it came from and why (R4).
func (s *session) refuse(ctx context.Context, r *topic.Record, reason error) error {
	s.now.DeadLetter++
	key := fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	if s.reported[key] {
		return nil
	}
	letter := s.deadLetter(key, r, reason)
	if s.out == nil {
		s.refused[key] = letter
		return nil
	}
	return s.sendDeadLetter(ctx, letter)
}

// sendRefused sends the dead letters that could not be sent before this was the writer, unless a former owner has.
func (s *session) sendRefused(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(s.refused)) {
		if err := s.sendDeadLetter(ctx, s.refused[key]); err != nil {
			return err
		}
	}
	clear(s.refused)
	return nil
}

func (s *session) sendDeadLetter(ctx context.Context, letter topic.Record) error {
	reason := ""
	for _, h := range letter.Headers {
		if h.Key == "reason" {
			reason = string(h.Value)
		}
	}
	s.config.Logger.Warn("an input cannot be decoded and goes to the dead-letter topic", "position", string(letter.Key), "reason", reason)
	return s.out.send(ctx, letter)
}

// deadLetter is a copy of a record as it came, with where it came from and why it is refused.
func (s *session) deadLetter(key string, r *topic.Record, reason error) topic.Record {
	value := append([]byte{}, r.Value...) // never nil: no deletion of the dead letter
	headers := []topic.Header{
		{Key: "topic", Value: []byte(r.Topic)},
		{Key: "partition", Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		{Key: "offset", Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: "reason", Value: []byte(strings.ToValidUTF8(reason.Error(), "\ufffd"))},
		{Key: "key", Value: bytes.Clone(r.Key)},
		{Key: "epoch", Value: []byte("1")}, // the version of what has none (R1)
		{Key: "rev", Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: strconv.AppendInt([]byte(url.PathEscape(key)+"-1-"), r.Offset, 10)},
		{Key: "ce_type", Value: []byte("crosswalk.deadletter")},
		{Key: "ce_source", Value: []byte(source(s.config.Org))},
		{Key: "ce_time", Value: appendTime(nil, time.Now())},
		{Key: "ce_subject", Value: []byte(key)},
	}
	return topic.Record{Topic: s.names.deadLetter, Key: []byte(key), Value: value, Headers: headers}
}

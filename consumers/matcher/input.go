package matcher

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// take takes one record of an input or of the control topic.
func (s *session) take(ctx context.Context, r *topic.Record) error {
	if r.Topic == s.names.control {
		return s.takeControl(ctx, r)
	}
	kind := s.names.kinds[r.Topic]
	verdict, err := s.apply(kind, r)
	if ctx.Err() != nil {
		return ctx.Err() // not the record's fault
	}
	s.metrics.input(kind, verdict)
	if verdict == join.Refused {
		return s.refuse(ctx, r, err)
	}
	s.refresh(kind, r)
	return nil
}

var errNoKey = errors.New("the record has no key")

func (s *session) apply(kind join.Kind, r *topic.Record) (join.Verdict, error) {
	if len(r.Key) == 0 {
		return join.Refused, errNoKey
	}
	v, err := VersionOf(r)
	if err != nil {
		return join.Refused, err
	}
	return s.engine.Apply(join.Input{Kind: kind, Key: r.Key, Value: r.Value, Version: v, Time: r.Time.UnixMilli()})
}

// VersionOf reads a record's version. One without any has epoch 1 and its offset (R1).
func VersionOf(r *topic.Record) (change.Version, error) {
	v := change.Version{Epoch: 1, Rev: r.Offset}
	found := 0
	for i := range r.Headers {
		h := &r.Headers[i]
		var at *int64
		switch h.Key {
		case "epoch":
			at = &v.Epoch
		case "rev":
			at = &v.Rev
		default:
			continue
		}
		n, err := strconv.ParseInt(string(h.Value), 10, 64)
		if err != nil {
			return change.Version{}, fmt.Errorf("header %s is %q, not a number", h.Key, h.Value)
		}
		*at = n
		found++
	}
	if found == 1 {
		return change.Version{}, errors.New("of the headers epoch and rev there is only one")
	}
	return v, nil
}

// refresh notes how new the record's side is now.
func (s *session) refresh(kind join.Kind, r *topic.Record) {
	side := &s.now.Freshness.Salesforce
	if kind == join.Customer {
		side = &s.now.Freshness.ERP
	}
	*side = max(*side, timeOf(r))
}

// timeOf is when the change that the record tells of was made, or the read of it was started, as its headers say; else
// when the record was written. In milliseconds.
func timeOf(r *topic.Record) int64 {
	newest := int64(0)
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case "asof":
			if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				newest = max(newest, n)
			}
		case "ce_time":
			if t, err := time.Parse(time.RFC3339Nano, string(h.Value)); err == nil {
				newest = max(newest, t.UnixMilli())
			}
		}
	}
	if newest == 0 {
		return r.Time.UnixMilli()
	}
	return newest
}

// refuse sends a record that cannot be decoded to the dead-letter topic, as it came, with where it came from and why (R4).
func (s *session) refuse(ctx context.Context, r *topic.Record, reason error) error {
	s.now.DeadLetter++
	key := fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	if s.reported[key] {
		return nil
	}
	s.config.Logger.Warn("an input cannot be decoded and goes to the dead-letter topic",
		"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "reason", reason)
	value := r.Value
	if value == nil {
		value = []byte{} // not a deletion of the dead letter
	}
	headers := []topic.Header{
		{Key: "topic", Value: []byte(r.Topic)},
		{Key: "partition", Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		{Key: "offset", Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: "reason", Value: []byte(strings.ToValidUTF8(reason.Error(), "\ufffd"))},
		{Key: "key", Value: r.Key},
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte(url.PathEscape(key))},
		{Key: "ce_type", Value: []byte("crosswalk.deadletter")},
		{Key: "ce_source", Value: []byte(source(s.config.Org))},
		{Key: "ce_time", Value: appendTime(nil, time.Now())},
		{Key: "ce_subject", Value: []byte(key)},
	}
	return s.out.send(ctx, topic.Record{Topic: s.names.deadLetter, Key: []byte(key), Value: value, Headers: headers})
}

package salesforce

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
)

// ControlTopic is where people ask, without the org's prefix.
const ControlTopic = "crosswalk.control"

// The kinds of control record that a producer acts on.
const (
	AskActivate = "identifier_activate" // another link: its field may be one that events cannot carry (H-30)
	AskBackfill = "backfill"
	AskPause    = "pause" // this and the next two: a backfill, or all of them when no task is named
	AskResume   = "resume"
	AskCancel   = "cancel"
)

// ControlKey is the key of a control record: the newest of each kind about each thing counts. name is empty for what
// an org has but one of.
func ControlKey(org, kind, name string) string { return controlKey(topic.OrgName(org), kind, name) }

func controlKey(org, kind, name string) string {
	if name == "" {
		return org + "/" + kind
	}
	return org + "/" + kind + "/" + name
}

// formerKey is the key that ControlKey once was for an org without an alias; equal to it for every other org.
func formerKey(org, kind, name string) string {
	if org != "" {
		return ControlKey(org, kind, name)
	}
	return controlKey("", kind, name)
}

// BackfillOf returns the id of the backfill of the org that a control record's key asks for.
func BackfillOf(org string, key []byte) (id string, ok bool) {
	if id, ok = strings.CutPrefix(string(key), ControlKey(org, AskBackfill, "")+"/"); ok {
		return id, true
	}
	return strings.CutPrefix(string(key), formerKey(org, AskBackfill, "")+"/")
}

// control follows what people ask for.
type control struct {
	*loop
	next    topic.Position // where the topic is read on
	renamed bool           // the activation has a record under ControlKey: its former key counts no more
}

// readControl learns what was asked for so far: which link is set, and what is to be read again.
func (l *loop) readControl(ctx context.Context) (*control, error) {
	c := &control{loop: l}
	l.link = l.cfg.LinkField
	var err error
	c.next, err = l.cfg.Kafka.ReadAll(ctx, []string{l.topics.control}, func(r topic.Record) error {
		return c.take(ctx, &r, func(field string) error { l.link = field; return nil })
	})
	return c, err
}

// run follows what is asked for from now on.
func (c *control) run(ctx context.Context) error {
	reader, err := c.cfg.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{c.topics.control}, From: c.next})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	for {
		f, err := reader.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			if err := c.insist(ctx, &f.Records[i]); err != nil {
				return err
			}
		}
	}
}

// insist takes a record, and waits for the registry when that does not answer.
func (c *control) insist(ctx context.Context, r *topic.Record) error {
	for failures := 1; ; failures++ {
		err := c.take(ctx, r, func(field string) error { return c.activate(ctx, field) })
		if ctx.Err() != nil || err == nil || errors.Is(err, topic.ErrFenced) || errors.Is(err, topic.ErrClosed) {
			return err
		}
		c.cfg.Logger.Warn("what was asked for cannot be read yet; it is tried again", "topic", r.Topic, "offset", r.Offset, "error", err)
		if err := retry.Sleep(ctx, retry.Backoff{Max: time.Minute}.Wait(failures)); err != nil {
			return err
		}
	}
}

// take acts on one record. One that cannot be decoded goes to the dead letter topic, and nothing stops.
func (c *control) take(ctx context.Context, r *topic.Record, activate func(field string) error) error {
	switch string(r.Key) {
	case ControlKey(c.cfg.Org, AskActivate, ""):
		c.renamed = true
	case formerKey(c.cfg.Org, AskActivate, ""):
		if c.renamed {
			return nil
		}
	}
	if r.Value == nil {
		switch string(r.Key) {
		case ControlKey(c.cfg.Org, AskActivate, ""), formerKey(c.cfg.Org, AskActivate, ""):
			return activate(c.cfg.LinkField)
		}
		if id, ok := BackfillOf(c.cfg.Org, r.Key); ok {
			c.desk.forget(id)
		}
		return nil
	}
	record, err := c.decodeControl(ctx, r.Value)
	var damaged *damagedControl
	switch {
	case errors.As(err, &damaged):
		letter := *r
		letter.Value = slices.Clone(r.Value)
		return c.rejectRecord(ctx, letter, err)
	case err != nil:
		return err
	case topic.OrgName(record.Org) != c.org():
		return nil
	}
	switch record.Kind {
	case AskActivate:
		field := ""
		if record.Link != nil {
			field = record.Link.SalesforceField
		}
		return activate(field)
	case AskBackfill:
		c.desk.ask(requestOf(&record))
	case AskPause, AskResume, AskCancel:
		c.desk.steer(steerOf(&record))
	}
	return nil
}

// damagedControl is a control record that cannot be decoded.
type damagedControl struct{ error }

func (e *damagedControl) Unwrap() error { return e.error }

func (c *control) decodeControl(ctx context.Context, value []byte) (avro.Control, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return avro.Control{}, &damagedControl{err}
	}
	text, err := c.cfg.Registry.Schema(ctx, id)
	if registry.IsNotFound(err) {
		return avro.Control{}, &damagedControl{err}
	}
	if err != nil {
		return avro.Control{}, err
	}
	record, err := avro.DecodeControl(text, body)
	if err != nil {
		return record, &damagedControl{err}
	}
	return record, nil
}

// activate takes up another link field: from now on every event is followed by a re-fetch, or no longer.
func (c *control) activate(ctx context.Context, field string) error {
	return c.do(ctx, func() error {
		c.link = field
		c.linkField()
		return nil
	})
}

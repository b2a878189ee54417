package salesforce

import (
	"context"
	"slices"
	"strings"

	"crosswalk/internal/avro"
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
func ControlKey(org, kind, name string) string {
	key := topic.OrgName(org) + "/" + kind
	if name == "" {
		return key
	}
	return key + "/" + name
}

// BackfillOf returns the id of the backfill of the org that a control record's key asks for.
func BackfillOf(org string, key []byte) (id string, ok bool) {
	return strings.CutPrefix(string(key), ControlKey(org, AskBackfill, "")+"/")
}

// control follows what people ask for.
type control struct {
	*loop
	next topic.Position // where the topic is read on
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
			err := c.take(ctx, &f.Records[i], func(field string) error { return c.activate(ctx, field) })
			if err != nil {
				return unlessEnded(ctx, err)
			}
		}
	}
}

// take acts on one record. One that cannot be decoded goes to the dead letter topic, and nothing stops.
func (c *control) take(ctx context.Context, r *topic.Record, activate func(field string) error) error {
	link := string(r.Key) == ControlKey(c.cfg.Org, AskActivate, "")
	if r.Value == nil {
		if link {
			return activate(c.cfg.LinkField)
		}
		if id, ok := BackfillOf(c.cfg.Org, r.Key); ok {
			c.desk.forget(id)
		}
		return nil
	}
	record, err := c.decodeControl(ctx, r.Value)
	switch {
	case isDamage(err):
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
		if !link {
			return nil
		}
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

// decodeControl decodes a control record. One that cannot be decoded is a *damage.
func (c *control) decodeControl(ctx context.Context, value []byte) (avro.Control, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return avro.Control{}, damaged("%w", err)
	}
	text, err := c.registered(ctx, id)
	if err != nil {
		return avro.Control{}, err
	}
	record, err := avro.DecodeControl(text, body)
	if err != nil {
		return record, damaged("%w", err)
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

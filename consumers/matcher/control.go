package matcher

import (
	"context"
	"fmt"
	"slices"

	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// Activation is the kind of control record that sets the link.
const Activation = "identifier_activate"

// control follows what people ask for.
type control struct {
	org        string
	configured *customer.Link
	schemas    *schemaCache
	link       *customer.Link // that applies: the last activation, else what is configured
	next       []int64        // where the topic is read on
}

// ControlKey is the key of an org's activation in crosswalk.control.
func ControlKey(org string) string { return topic.OrgName(org) + "/" + Activation }

// apply takes a record of the control topic. Records for others, and of other kinds, are none of the matcher's business.
func (c *control) apply(r *topic.Record) error {
	ours := string(r.Key) == ControlKey(c.org)
	if r.Value == nil {
		if ours {
			c.link = c.configured
		}
		return nil
	}
	id, body, err := avro.Unframe(r.Value)
	if err != nil {
		return err
	}
	s, err := c.schemas.find(id)
	if err != nil {
		return err
	}
	record, err := avro.DecodeControl(s.text, body)
	if err != nil || !ours || topic.OrgName(record.Org) != topic.OrgName(c.org) || record.Kind != Activation {
		return err
	}
	if record.Link == nil {
		c.link = nil
		return nil
	}
	link := customer.Link{
		SalesforceField: record.Link.SalesforceField, ERPField: record.Link.ERPField,
		Cardinality: customer.Cardinality(record.Link.Cardinality), NearMiss: record.Link.NearMiss,
	}
	if err := link.Validate(); err != nil {
		return fmt.Errorf("an activation that cannot be done: %w", err)
	}
	c.link = &link
	return nil
}

// readControl reads what was asked for so far.
func (s *session) readControl(ctx context.Context) error {
	next, err := s.config.Kafka.ReadAll(ctx, []string{s.names.control}, func(r topic.Record) error { return s.followControl(ctx, &r) })
	if err != nil {
		return err
	}
	s.control.next = slices.Clone(next[s.names.control])
	return nil
}

// followControl applies a control record; one that cannot be decoded is refused like any input.
func (s *session) followControl(ctx context.Context, r *topic.Record) error {
	err := s.control.apply(r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return s.refuse(ctx, r, err)
	}
	return nil
}

// takeControl acts on a control record while the matcher runs.
func (s *session) takeControl(ctx context.Context, r *topic.Record) error {
	if err := s.followControl(ctx, r); err != nil {
		return err
	}
	if s.building {
		return nil // the link is set when the inputs are read
	}
	return s.setLink(s.control.link)
}

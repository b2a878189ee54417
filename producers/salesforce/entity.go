package salesforce

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/sfapi"
)

// entity is what is known of Account or Contact at the moment: its columns and how they are written. Immutable.
type entity struct {
	name     string
	topic    string
	schema   *change.Schema
	codec    *avro.RowCodec
	schemaID int // of codec, in the registry
	decoder  *sfapi.RowDecoder
	// calculated are the columns that are formulas or roll-ups: events do not tell when they change.
	calculated []string

	described map[string]bool // every field and compound that describe told of, also what is not selected
	strangers []string        // sentences about configured fields that describe did not tell of
	seen      *seenFields
}

// seenFields is what events said of an entity's fields, and what was said of them. The loop alone touches it.
type seenFields struct {
	schema string          // id of the last event's schema (facts 5.1)
	fields map[string]bool // not described, and asked for
	told   map[string]bool // strangers that were told of
}

// describe asks for the fields of an entity and registers the schema that follows from them. link is the Account field that
// holds the identifier: it is a column whatever is chosen.
func (l *loop) describe(ctx context.Context, name, link string) (*entity, error) {
	d, err := l.api(workNeeded).Describe(ctx, name)
	if err != nil {
		return nil, err
	}
	chosen := l.cfg.Fields[name]
	if name == "Account" && link != "" {
		chosen.Needed = append(slices.Clone(chosen.Needed), link)
	}
	e := &entity{name: name, topic: l.topics.entity[name], schema: sfapi.Schema(d, chosen), strangers: chosen.Strangers(d)}
	e.decoder = sfapi.NewRowDecoder(e.schema, sfapi.Components(d))
	for _, f := range d.Fields {
		if f.Calculated && e.schema.Index(f.Name) >= 0 {
			e.calculated = append(e.calculated, f.Name)
		}
	}
	e.described, e.seen = describedNames(d), &seenFields{fields: map[string]bool{}, told: map[string]bool{}}
	subject := e.topic + "-value"
	_, _, previous, err := l.cfg.Registry.Latest(ctx, subject)
	switch {
	case registry.IsNotFound(err):
		e.codec, err = avro.NewRowCodec(e.schema)
	case err == nil:
		e.codec, err = avro.EvolveRowCodec(e.schema, previous)
	}
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	if e.schemaID, err = l.cfg.Registry.Register(ctx, subject, e.codec.Schema()); err != nil {
		return nil, err
	}
	return e, nil
}

func describedNames(d *sfapi.Describe) map[string]bool {
	names := map[string]bool{}
	for _, f := range d.Fields {
		names[f.Name] = true
		if f.CompoundFieldName != "" {
			names[f.CompoundFieldName] = true
		}
	}
	return names
}

// same reports whether two descriptions have the same columns.
func (e *entity) same(other *entity) bool { return slices.Equal(e.schema.Fields, other.schema.Fields) }

// soql selects all columns of the entity.
func (e *entity) soql() string {
	return "SELECT " + strings.Join(sfapi.FieldNames(e.schema), ", ") + " FROM " + e.name
}

// codecOf returns the codec of a registered schema.
func (l *loop) codecOf(ctx context.Context, id int) (*avro.RowCodec, error) {
	if c := l.codecs[id]; c != nil {
		return c, nil
	}
	text, err := l.cfg.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := avro.ParseRowCodec(text)
	if err == nil {
		l.codecs[id] = c
	}
	return c, err
}

// decode reads a published value into the columns of the entity's current schema; what it does not have is absent.
func (l *loop) decode(ctx context.Context, e *entity, framed []byte) ([]change.Value, change.Meta, error) {
	id, body, err := avro.Unframe(framed)
	if err != nil {
		return nil, change.Meta{}, err
	}
	c, err := l.codecOf(ctx, id)
	if err != nil {
		return nil, change.Meta{}, err
	}
	row, meta, err := c.Decode(body)
	return move(row.Values, row.Schema, e.schema), meta, err
}

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
	refused   []string        // columns whose type the registry does not take after a former one
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
	e := &entity{
		name: name, topic: l.topics.entity[name], strangers: chosen.Strangers(d), described: describedNames(d),
		seen: &seenFields{fields: map[string]bool{}, told: map[string]bool{}},
	}
	if err := l.register(ctx, e, sfapi.Schema(d, chosen)); err != nil {
		return nil, err
	}
	e.decoder = sfapi.NewRowDecoder(e.schema, sfapi.Components(d))
	for _, f := range d.Fields {
		if f.Calculated && e.schema.Index(f.Name) >= 0 {
			e.calculated = append(e.calculated, f.Name)
		}
	}
	return e, nil
}

// register makes the wanted columns those of the entity, under a schema that the registry takes. When it does not take the
// new type of a column, because of its compatibility level, that column is left out: subscribers read on without it (H13).
func (l *loop) register(ctx context.Context, e *entity, wanted *change.Schema) error {
	subject := e.topic + "-value"
	codec, before, err := l.evolve(ctx, subject, wanted)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", e.name, err)
	}
	id, err := l.cfg.Registry.Register(ctx, subject, codec.Schema())
	if registry.IsIncompatible(err) {
		narrow, refused := withoutRetyped(wanted, before)
		if len(refused) == 0 {
			return err
		}
		if codec, err = avro.EvolveRowCodec(narrow, before...); err != nil {
			return fmt.Errorf("schema of %s: %w", e.name, err)
		}
		e.refused = refused
		id, err = l.cfg.Registry.Register(ctx, subject, codec.Schema())
	}
	if err != nil {
		return err
	}
	e.schema, e.codec, e.schemaID = codec.Fields(), codec, id
	return nil
}

// evolve makes the codec of an entity's columns that follows on the versions that the subject has; before are those that it
// was made from. A column that was away for a while may have had another type in an old version, under which records still
// lie in the topic: all of them count when there is a new one.
func (l *loop) evolve(ctx context.Context, subject string, wanted *change.Schema) (codec *avro.RowCodec, before []string, err error) {
	_, _, latest, err := l.cfg.Registry.Latest(ctx, subject)
	switch {
	case registry.IsNotFound(err):
		codec, err = avro.NewRowCodec(wanted)
		return codec, nil, err
	case err != nil:
		return nil, nil, err
	}
	before = []string{latest}
	if codec, err = avro.EvolveRowCodec(wanted, before...); err != nil || codec.Schema() == latest {
		return codec, before, err
	}
	if before, err = l.cfg.Registry.Versions(ctx, subject); err != nil {
		return nil, nil, err
	}
	codec, err = avro.EvolveRowCodec(wanted, before...)
	return codec, before, err
}

// withoutRetyped leaves out the columns that had another type in one of the former versions, and names them.
func withoutRetyped(wanted *change.Schema, before []string) (narrow *change.Schema, left []string) {
	var fields []change.Field
	for _, f := range wanted.Fields {
		retyped := slices.ContainsFunc(before, func(text string) bool {
			was, err := avro.ParseRowSchema(text)
			if err != nil {
				return false // somebody else's
			}
			i := was.Index(f.Name)
			return i >= 0 && was.Fields[i].Type != f.Type
		})
		if retyped {
			left = append(left, f.Name)
			continue
		}
		fields = append(fields, f)
	}
	return change.NewSchema(wanted.Entity, fields), left
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
	text, err := l.registered(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := avro.ParseRowCodec(text)
	if err != nil {
		return nil, damaged("its schema %d is not one of rows: %w", id, err)
	}
	l.codecs[id] = c
	return c, nil
}

// decode reads the published value of a record into the columns of the entity's current schema; what it does not have is
// absent. A value that cannot be read is a *damage.
func (l *loop) decode(ctx context.Context, e *entity, id string, framed []byte) ([]change.Value, error) {
	schemaID, body, err := avro.Unframe(framed)
	if err != nil {
		return nil, damaged("%w", err)
	}
	c, err := l.codecOf(ctx, schemaID)
	if err != nil {
		return nil, err
	}
	row, err := c.Row(body)
	if err != nil {
		return nil, damaged("%w", err)
	}
	if row.ID != id {
		return nil, damaged("it is the row of %q", row.ID)
	}
	return move(row.Values, row.Schema, e.schema), nil
}

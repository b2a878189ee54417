package avro

import (
	"fmt"

	"github.com/linkedin/goavro/v2"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
)

// RowCodec encodes and decodes the rows of one entity under one schema. It is immutable and safe for concurrent use.
type RowCodec struct {
	text   string
	schema *change.Schema
	fields []rowField // in the order of the wire
	change *changePlan
}

// NewRowCodec makes the codec of an entity that has no registered schema yet.
func NewRowCodec(s *change.Schema) (*RowCodec, error) { return EvolveRowCodec(s) }

// EvolveRowCodec makes the codec of an entity whose previous schemas, as registered, are given: at least the latest one. A
// field that is new there is nullable with default null, one that vanished is left out, and one of another type keeps the
// branches that it had, so that the registry accepts the schema under BACKWARD and records under the old one resolve.
func EvolveRowCodec(s *change.Schema, previous ...string) (*RowCodec, error) {
	var nodes []*schema.Node
	for _, text := range previous {
		n, err := schema.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("make codec of %s: read previous schema: %w", s.Entity, err)
		}
		nodes = append(nodes, n)
	}
	c, err := ParseRowCodec(rowSchema(s, nodes))
	if err != nil {
		return nil, fmt.Errorf("make codec of %s: %w", s.Entity, err)
	}
	// The witness: what we made must be a schema to others too.
	if _, err := goavro.NewCodec(c.text); err != nil {
		return nil, fmt.Errorf("make codec of %s: the schema is refused: %w", s.Entity, err)
	}
	c.schema = s
	return c, nil
}

// ParseRowCodec makes the codec for rows that were written under a registered schema.
func ParseRowCodec(text string) (*RowCodec, error) {
	n, err := schema.Parse(text)
	if err != nil {
		return nil, err
	}
	s, err := rowFields(n)
	if err != nil {
		return nil, err
	}
	root, err := compile(n)
	if err != nil {
		return nil, err
	}
	c := &RowCodec{text: text, schema: s}
	for i, f := range root.fields {
		if f.name == changeField {
			if c.change, err = newChangePlan(f.step); err != nil {
				return nil, err
			}
			c.fields = append(c.fields, rowField{index: -1})
			continue
		}
		rf, err := newRowField(f, s.Fields[s.Index(f.name)].Type, n.Fields[i].Type)
		if err != nil {
			return nil, err
		}
		rf.index = s.Index(f.name)
		c.fields = append(c.fields, rf)
	}
	if c.change == nil {
		return nil, fmt.Errorf("read row schema: %s has no %s", n.FullName(), changeField)
	}
	return c, nil
}

// Schema returns the schema as JSON, to be registered.
func (c *RowCodec) Schema() string { return c.text }

// Fields returns the fields of the rows.
func (c *RowCodec) Fields() *change.Schema { return c.schema }

// Append appends the row as an Avro body. The row's schema must be the codec's. A value may be of a type that its field had in
// one of the previous schemas. One that is absent, of another kind, too large for the schema or not UTF-8 is an error that names
// the field; dst is then unchanged.
func (c *RowCodec) Append(dst []byte, row change.Row, meta change.Meta) ([]byte, error) {
	if row.Schema != c.schema && !sameFields(row.Schema, c.schema) || len(row.Values) != len(c.schema.Fields) {
		return dst, fmt.Errorf("encode %s %s: the row has other fields than the schema it is to be written under", c.schema.Entity, row.ID)
	}
	out := dst
	var err error
	for i := range c.fields {
		f := &c.fields[i]
		if f.index < 0 {
			out, err = c.change.append(out, &meta)
		} else {
			out, err = f.append(out, &row.Values[f.index])
		}
		if err != nil {
			return dst, fmt.Errorf("encode %s %s: field %s: %w", c.schema.Entity, row.ID, c.nameOf(f), err)
		}
	}
	return out, nil
}

func sameFields(a, b *change.Schema) bool {
	if a == nil || len(a.Fields) != len(b.Fields) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || a.Fields[i].Type != b.Fields[i].Type {
			return false
		}
	}
	return true
}

// Decode reads an Avro body that was written under the codec's schema. Its texts are parts of one string: a Value that
// is kept keeps the whole row's bytes.
func (c *RowCodec) Decode(body []byte) (row change.Row, meta change.Meta, err error) {
	row, err = c.decode(body, &meta)
	if err != nil {
		return change.Row{}, change.Meta{}, err
	}
	return row, meta, nil
}

// Row is Decode that walks over what made the row.
func (c *RowCodec) Row(body []byte) (change.Row, error) { return c.decode(body, nil) }

// decode fills meta unless that is nil.
func (c *RowCodec) decode(body []byte, meta *change.Meta) (change.Row, error) {
	r := &reader{b: body}
	row := change.Row{Schema: c.schema, Values: make([]change.Value, len(c.schema.Fields))}
	text := string(body)
	for i := range c.fields {
		f := &c.fields[i]
		var err error
		switch {
		case f.index >= 0:
			row.Values[f.index], err = f.read(r, text)
		case meta != nil:
			err = c.change.read(r, text, meta)
		default:
			err = r.skip(c.change.step, 0)
		}
		if err != nil {
			return change.Row{}, fmt.Errorf("decode %s: field %s: %w", c.schema.Entity, c.nameOf(f), err)
		}
	}
	if r.i != len(body) {
		return change.Row{}, fmt.Errorf("decode %s: %w", c.schema.Entity, errTooLong)
	}
	if i := c.schema.Index("Id"); i >= 0 {
		row.ID = row.Values[i].Str()
	}
	return row, nil
}

func (c *RowCodec) nameOf(f *rowField) string {
	if f.index < 0 {
		return changeField
	}
	return c.schema.Fields[f.index].Name
}

package avro

import (
	"fmt"
	"strconv"
	"time"

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

// rowField is how one field is written and read.
type rowField struct {
	index    int // in schema.Fields; -1 for _change
	typ      change.Type
	required bool // not a union: Id
	text     bool // values of the field's type are written as text: see rowBranches
	branches []*step
	// of is the branch of the union for each kind of value, or -1. A value that has not been read again since its field
	// got another type keeps the branch that it had.
	of [change.Datetime + 1]int
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

func newRowField(f stepField, typ change.Type, node *schema.Node) (rowField, error) {
	rf := rowField{typ: typ, branches: []*step{f.step}}
	for i := range rf.of {
		rf.of[i] = -1
	}
	if node.Kind != schema.Union {
		rf.required, rf.of[change.String] = true, 0
		if node.Kind != schema.String || typ != change.TypeString {
			return rf, fmt.Errorf("read row schema: the field %s is required and not a string", f.name)
		}
		return rf, nil
	}
	rf.branches = f.step.branches
	for i, b := range rf.branches {
		if k := kindOf(b); k != change.Absent {
			rf.of[k] = i
		}
	}
	if own := rowKinds[typ]; rf.of[own] < 0 {
		rf.text, rf.of[own], rf.of[change.String] = true, rf.of[change.String], -1
	}
	if rf.of[rowKinds[typ]] < 0 || rf.of[change.Null] < 0 {
		return rf, fmt.Errorf("read row schema: the union of the field %s has no null or no branch for a %s", f.name, rowTypes[typ].name)
	}
	return rf, nil
}

// kindOf is the kind of value that a branch of a row's union holds; Absent when it is none of ours.
func kindOf(s *step) change.Kind {
	switch {
	case s.kind == schema.Null:
		return change.Null
	case s.kind == schema.Boolean:
		return change.Bool
	case s.kind == schema.String:
		return change.String
	case s.kind == schema.Long && s.logical == plain:
		return change.Int
	case s.kind == schema.Long && s.logical == timestampMillis:
		return change.Datetime
	case s.kind == schema.Int && s.logical == date:
		return change.Date
	case s.kind == schema.Int && s.logical == timeMillis:
		return change.Time
	case s.kind == schema.Bytes && s.logical == decimal:
		return change.Decimal
	}
	return change.Absent
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
			name := changeField
			if f.index >= 0 {
				name = c.schema.Fields[f.index].Name
			}
			return dst, fmt.Errorf("encode %s %s: field %s: %w", c.schema.Entity, row.ID, name, err)
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

// rowKinds are the kinds of value that fit a type.
var rowKinds = [...]change.Kind{
	change.TypeString: change.String, change.TypeBool: change.Bool, change.TypeInt: change.Int, change.TypeDecimal: change.Decimal,
	change.TypeDate: change.Date, change.TypeTime: change.Time, change.TypeDatetime: change.Datetime,
}

func (f *rowField) append(dst []byte, v *change.Value) ([]byte, error) {
	kind := v.Kind()
	branch := f.of[kind]
	if branch < 0 {
		return dst, fmt.Errorf("a %s cannot be %s", rowTypes[f.typ].name, v)
	}
	if !f.required {
		dst = appendLong(dst, int64(branch))
	}
	if f.text && kind == rowKinds[f.typ] {
		return appendString(dst, v.String()), nil
	}
	switch kind {
	case change.Null:
		return dst, nil
	case change.String:
		return appendText(dst, v.Str())
	case change.Decimal:
		out, err := appendDecimal(dst, v.Str(), f.branches[branch].scale)
		if err != nil {
			return dst, fmt.Errorf("the number %s %w: decimal(%d,%d)", v.Str(), err, rowPrecision, f.branches[branch].scale)
		}
		return out, nil
	case change.Bool:
		return appendBool(dst, v.Bool()), nil
	case change.Date, change.Time:
		if n := v.Int(); n != int64(int32(n)) {
			return dst, fmt.Errorf("%d does not fit 32 bits", n)
		}
	}
	return appendLong(dst, v.Int()), nil
}

// Decode reads an Avro body that was written under the codec's schema. Its texts are parts of one string: a Value that
// is kept keeps the whole row's bytes.
func (c *RowCodec) Decode(body []byte) (change.Row, change.Meta, error) {
	r := &reader{b: body}
	row := change.Row{Schema: c.schema, Values: make([]change.Value, len(c.schema.Fields))}
	var meta change.Meta
	text := string(body)
	for i := range c.fields {
		f := &c.fields[i]
		var err error
		name := changeField
		if f.index < 0 {
			err = c.change.read(r, text, &meta)
		} else {
			name = c.schema.Fields[f.index].Name
			row.Values[f.index], err = f.read(r, text)
		}
		if err != nil {
			return change.Row{}, change.Meta{}, fmt.Errorf("decode %s: field %s: %w", c.schema.Entity, name, err)
		}
	}
	if r.i != len(body) {
		return change.Row{}, change.Meta{}, fmt.Errorf("decode %s: %w", c.schema.Entity, errTooLong)
	}
	if i := c.schema.Index("Id"); i >= 0 {
		row.ID = row.Values[i].Str()
	}
	return row, meta, nil
}

func (f *rowField) read(r *reader, text string) (change.Value, error) {
	s := f.branches[0]
	if !f.required {
		branch, err := r.index(len(f.branches), errBranch)
		if err != nil {
			return change.Value{}, err
		}
		s = f.branches[branch]
	}
	v, err := r.value(s, text)
	if err != nil || !f.text || s.kind != schema.String {
		return v, err
	}
	return parseText(f.typ, v.Str())
}

// value reads a scalar of a row. text is the body as a string.
func (r *reader) value(s *step, text string) (change.Value, error) {
	switch s.kind {
	case schema.Null:
		return change.NullValue(), nil
	case schema.String:
		b, err := r.bytes()
		return change.StringValue(text[r.i-len(b) : r.i]), err
	case schema.Boolean:
		b, err := r.bool()
		return change.BoolValue(b), err
	case schema.Bytes:
		b, err := r.decimal(s)
		if err != nil {
			return change.Value{}, err
		}
		return change.DecimalValue(string(b))
	case schema.Int:
		n, err := r.int()
		if s.logical == timeMillis {
			return change.TimeValue(n), err
		}
		return change.DateValue(n), err
	case schema.Long:
		n, err := r.long()
		if s.logical == timestampMillis {
			return change.DatetimeValue(n), err
		}
		return change.IntValue(n), err
	}
	return change.Value{}, fmt.Errorf("a %s is no value of a row", s.kind)
}

// parseText reads a value that was written as text because its Avro type had another meaning before.
func parseText(typ change.Type, text string) (change.Value, error) {
	layouts := map[change.Type]string{
		change.TypeDate: time.DateOnly, change.TypeTime: "15:04:05.000Z", change.TypeDatetime: "2006-01-02T15:04:05.000Z",
	}
	if typ == change.TypeInt {
		n, err := strconv.ParseInt(text, 10, 64)
		return change.IntValue(n), err
	}
	t, err := time.Parse(layouts[typ], text)
	if err != nil {
		return change.Value{}, err
	}
	switch typ {
	case change.TypeDate:
		return change.DateValue(t.Unix() / 86400), nil
	case change.TypeTime:
		return change.TimeValue(t.Sub(t.Truncate(24 * time.Hour)).Milliseconds()), nil
	}
	return change.DatetimeValue(t.UnixMilli()), nil
}

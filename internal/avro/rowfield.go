package avro

import (
	"fmt"
	"strconv"
	"time"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
)

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
		b, err := r.string()
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

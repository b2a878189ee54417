package avro

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// FieldValue is one value of a record whose shape only its writer knows: a scalar, an object or a list.
type FieldValue struct {
	Scalar change.Value
	Object []Attribute  // not nil for an object
	List   []FieldValue // not nil for a list
}

// Attribute is a named FieldValue.
type Attribute struct {
	Name  string
	Value FieldValue
}

// find returns the value of the named attribute, or an absent one.
func find(list []Attribute, name string) FieldValue {
	for i := range list {
		if list[i].Name == name {
			return list[i].Value
		}
	}
	return FieldValue{}
}

// text returns a string; "" for null, for what is absent and for what is none.
func (v FieldValue) text() string {
	if v.Scalar.Kind() != change.String {
		return ""
	}
	return v.Scalar.Str()
}

// texts returns the strings of a list, which is never nil.
func (v FieldValue) texts() []string {
	out := make([]string, 0, len(v.List))
	for _, item := range v.List {
		out = append(out, item.text())
	}
	return out
}

// native returns the value as customer.Fields hold it.
func (v FieldValue) native() any {
	switch {
	case v.Object != nil:
		return map[string]any(v.fields())
	case v.List != nil:
		list := make([]any, 0, len(v.List))
		for _, item := range v.List {
			list = append(list, item.native())
		}
		return list
	}
	switch v.Scalar.Kind() {
	case change.Absent, change.Null:
		return nil
	case change.Bool:
		return v.Scalar.Bool()
	case change.Int:
		return v.Scalar.Int()
	case change.Decimal:
		return customer.Decimal(v.Scalar.Str())
	}
	return v.Scalar.String()
}

// fields returns an object's values by name.
func (v FieldValue) fields() customer.Fields {
	out := make(customer.Fields, len(v.Object))
	for _, a := range v.Object {
		out[a.Name] = a.Value.native()
	}
	return out
}

// Record decodes the whole body: the record's fields in the order of the wire, every value with its type. Enum symbols, bytes
// (as base64), NaN, infinities, and times finer than a millisecond become strings.
func (w *Walker) Record(body []byte) ([]Attribute, error) {
	r := reader{b: body}
	v, err := r.fieldValue(w.root, 0)
	if err == nil && r.i != len(body) {
		err = errTooLong
	}
	return v.Object, w.undecodable(err)
}

func (r *reader) fieldValue(s *step, depth int) (FieldValue, error) {
	if depth > maxNesting {
		return FieldValue{}, errDepth
	}
	s, err := r.branch(s)
	if err != nil {
		return FieldValue{}, err
	}
	switch s.kind {
	case schema.Record:
		object := make([]Attribute, 0, len(s.fields))
		for _, f := range s.fields {
			v, err := r.fieldValue(f.step, depth+1)
			if err != nil {
				return FieldValue{}, err
			}
			object = append(object, Attribute{f.name, v})
		}
		return FieldValue{Object: object}, nil
	case schema.Map:
		object := []Attribute{}
		err := r.items(s, func(key []byte) error {
			v, err := r.fieldValue(s.elem, depth+1)
			object = append(object, Attribute{string(key), v})
			return err
		})
		return FieldValue{Object: object}, err
	case schema.Array:
		list := []FieldValue{}
		err := r.items(s, func([]byte) error {
			v, err := r.fieldValue(s.elem, depth+1)
			list = append(list, v)
			return err
		})
		return FieldValue{List: list}, err
	}
	v, err := r.changeValue(s)
	return FieldValue{Scalar: v}, err
}

// changeValue reads a scalar.
func (r *reader) changeValue(s *step) (change.Value, error) {
	switch s.kind {
	case schema.Null:
		return change.NullValue(), nil
	case schema.Boolean:
		b, err := r.bool()
		return change.BoolValue(b), err
	case schema.Int, schema.Long:
		n, err := r.whole(s)
		return wholeValue(s.logical, n), err
	case schema.String:
		b, err := r.bytes()
		return change.StringValue(string(b)), err
	case schema.Enum:
		i, err := r.index(len(s.symbols), errSymbol)
		if err != nil {
			return change.Value{}, err
		}
		return change.StringValue(s.symbols[i]), nil
	case schema.Float, schema.Double:
		err := r.float(s)
		if errors.Is(err, errNotFinite) {
			return change.StringValue(string(r.text)), nil
		}
		if err != nil {
			return change.Value{}, err
		}
		return change.DecimalValue(string(r.text))
	}
	if s.logical == decimal {
		text, err := r.decimal(s)
		if err != nil {
			return change.Value{}, err
		}
		return change.DecimalValue(string(text))
	}
	b, err := r.raw(s)
	return change.StringValue(base64.StdEncoding.EncodeToString(b)), err
}

func wholeValue(l logical, n int64) change.Value {
	switch {
	case l == plain:
		return change.IntValue(n)
	case l == date:
		return change.DateValue(n)
	case l == timeMillis:
		return change.TimeValue(n)
	case l == timestampMillis:
		return change.DatetimeValue(n)
	case l == timeMicros && n%1000 == 0:
		return change.TimeValue(n / 1000)
	case l == timestampMicros && n%1000 == 0:
		return change.DatetimeValue(n / 1000)
	case l == timestampNanos && n%1_000_000 == 0:
		return change.DatetimeValue(n / 1_000_000)
	}
	return change.StringValue(string(appendTemporal(nil, l, n)))
}

// appendFieldValue appends a value as a field value of the schemas: dates and times as ISO 8601 text, a number beyond
// decimal(38,18) as the text of its digits.
func appendFieldValue(dst []byte, v FieldValue, depth int) ([]byte, error) {
	if depth > maxNesting/4 {
		return dst, errDepth
	}
	switch {
	case v.Object != nil:
		return appendObject(append(dst, fvMap), v.Object, depth)
	case v.List != nil:
		dst = append(dst, fvList)
		if len(v.List) > 0 {
			dst = appendLong(dst, int64(len(v.List)))
		}
		var err error
		for i, item := range v.List {
			if dst, err = appendFieldValue(dst, item, depth+1); err != nil {
				return dst, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return append(dst, 0), nil
	}
	switch v.Scalar.Kind() {
	case change.Absent, change.Null:
		return append(dst, fvNull), nil
	case change.Bool:
		return appendBool(append(dst, fvBool), v.Scalar.Bool()), nil
	case change.Int:
		return appendLong(append(dst, fvLong), v.Scalar.Int()), nil
	case change.Decimal:
		neg, size, err := parseDecimal(v.Scalar.Str(), fieldScale)
		if err == nil {
			return appendUnscaled(append(dst, fvDecimal), neg, size), nil
		}
	}
	return appendText(append(dst, fvString), v.Scalar.String())
}

// appendObject appends a map of field values in the order of the names. What is absent is left out.
func appendObject(dst []byte, list []Attribute, depth int) ([]byte, error) {
	byName := func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(list, byName) {
		list = slices.SortedStableFunc(slices.Values(list), byName)
	}
	left := func(i int) bool { // of two attributes with one name the last counts
		a := &list[i]
		nothing := a.Value.Object == nil && a.Value.List == nil && a.Value.Scalar.Kind() == change.Absent
		return nothing || i+1 < len(list) && a.Name == list[i+1].Name
	}
	count := int64(0)
	for i := range list {
		if !left(i) {
			count++
		}
	}
	if count > 0 {
		dst = appendLong(dst, count)
	}
	for i := range list {
		if left(i) {
			continue
		}
		var err error
		if dst, err = appendText(dst, list[i].Name); err == nil {
			dst, err = appendFieldValue(dst, list[i].Value, depth+1)
		}
		if err != nil {
			return dst, fmt.Errorf("%.60q: %w", list[i].Name, err)
		}
	}
	return append(dst, 0), nil
}

// appendText appends a string, which must be UTF-8.
func appendText(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("the text %.60q is not UTF-8", s)
	}
	return appendString(dst, s), nil
}

package join

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
)

// Schema is what is needed to read values written under one schema.
type Schema struct {
	Walker *avro.Walker
	Plain  bool // as IsPlain says of it
}

// Readers finds the Schema that a framed value names, and the body behind the frame.
type Readers func(value []byte) (s Schema, body []byte, err error)

// A live record's value is kept as the fields that a view shows of it, an Avro map of field values: a view is then put
// together by copying, no schema is needed to read the state, and what no output shows (_change) takes no memory. Such a map
// says of a field whether it was a text or a number, which is all that another link has to know of it later (R7, R8), as long
// as the schema is plain. A value under another schema is kept as it came.
//
// A kept value begins with one of these; in a note, whether its text is cut and its links stand before the fields.
const (
	keptShort  byte = iota // the fields, shortened by their shape
	keptFields             // the fields
	keptRaw                // the framed value
)

// IsPlain reports whether the fields of a view tell numbers, texts and all else apart as the schema's own types do. They do
// not for floats, which may be infinite, and for bytes, which they show as text.
func IsPlain(schema string) bool {
	var v any
	return json.Unmarshal([]byte(schema), &v) == nil && plainType(v)
}

// plainType looks at a type wherever JSON may hold one: a name, a union, or an object with its parts.
func plainType(v any) bool {
	switch v := v.(type) {
	case string:
		return !slices.Contains([]string{"float", "double", "bytes", "fixed"}, v)
	case []any:
		return !slices.ContainsFunc(v, func(branch any) bool { return !plainType(branch) })
	case map[string]any:
		if v["logicalType"] == "decimal" {
			scale, _ := v["scale"].(float64)
			return scale <= fieldScale
		}
		for _, part := range []string{"type", "items", "values"} {
			if t, ok := v[part]; ok && !plainType(t) {
				return false
			}
		}
		fields, _ := v["fields"].([]any)
		return plainType(fields)
	}
	return true
}

// keep appends the form in which a value is kept. It reads the whole body, so that one that is not of its schema is an error.
func (e *Engine) keep(dst []byte, kind Kind, s Schema, value, body []byte, links []string) (out []byte, err error) {
	if !s.Plain {
		return append(append(dst, keptRaw), value...), s.Walker.Check(body)
	}
	if kind != Note {
		if id, ok := e.shapes.of(s.Walker); ok {
			return e.keepValues(dst, id, s, body)
		}
	}
	cut := false
	if kind == Note {
		e.fields, cut, err = s.Walker.AppendNote(e.fields[:0], body, customer.MaxNoteRunes)
	} else {
		e.fields, err = s.Walker.AppendFields(e.fields[:0], body)
	}
	if err != nil {
		return dst, err
	}
	form := len(dst)
	dst = append(dst, keptShort)
	if kind == Note {
		dst = append(dst, boolByte(cut))
		dst = binary.AppendUvarint(dst, uint64(len(links)))
		for _, link := range links {
			dst = appendText(dst, link)
		}
	}
	if out, ok := e.shapes.shorten(dst, e.fields); ok {
		return out, nil
	}
	dst[form] = keptFields
	return append(dst, e.fields...), nil
}

// keepValues appends the values of a record whose shape is known beforehand.
func (e *Engine) keepValues(dst []byte, shape uint32, s Schema, body []byte) (out []byte, err error) {
	if e.fields, e.lengths, err = s.Walker.AppendValues(e.fields[:0], e.lengths[:0], body); err != nil {
		return dst, err
	}
	dst = binary.AppendUvarint(append(dst, keptShort), uint64(shape))
	for _, n := range e.lengths {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return append(dst, e.fields...), nil
}

// appendKept appends the fields of a kept value that is no note.
func (e *Engine) appendKept(dst, kept []byte) ([]byte, error) {
	if kept[0] != keptRaw {
		return e.appendFields(dst, kept[0], kept[1:]), nil
	}
	s, body, err := e.readers(kept[1:])
	if err != nil {
		return dst, err
	}
	return s.Walker.AppendFields(dst, body)
}

func (e *Engine) appendFields(dst []byte, form byte, fields []byte) []byte {
	if form == keptShort {
		return e.shapes.lengthen(dst, fields)
	}
	return append(dst, fields...)
}

// appendKeptNote appends the fields of a note, and reports whether its text is cut.
func (e *Engine) appendKeptNote(dst, kept []byte) (out []byte, cut bool, err error) {
	if kept[0] != keptRaw {
		_, fields := keptLinks(kept)
		return e.appendFields(dst, kept[0], fields), kept[1] == 1, nil
	}
	s, body, err := e.readers(kept[1:])
	if err != nil {
		return dst, false, err
	}
	return s.Walker.AppendNote(dst, body, customer.MaxNoteRunes)
}

// keptLinks returns a note's links and the fields that follow them.
func keptLinks(kept []byte) (links []string, fields []byte) {
	f := fieldReader{b: kept[2:]}
	for range f.uvarint() {
		if f.bad {
			break
		}
		links = append(links, string(f.bytes()))
	}
	return links, f.b
}

// linksOf returns the links of a note that is kept.
func (e *Engine) linksOf(kept []byte) ([]string, error) {
	if kept[0] != keptRaw {
		links, _ := keptLinks(kept)
		return links, nil
	}
	s, body, err := e.readers(kept[1:])
	if err != nil {
		return nil, err
	}
	return s.Walker.Strings(body, "links")
}

// valueOf returns the field at the path of a kept value that is no note, as the identifier rules see it.
func (e *Engine) valueOf(kept []byte, path []string) (rule.Value, error) {
	switch kept[0] {
	case keptShort:
		f := fieldReader{b: e.shapes.find(kept[1:], path[0])}
		if len(f.b) == 0 {
			return rule.Value{}, nil
		}
		return f.at(path[1:]), nil
	case keptFields:
		f := fieldReader{b: kept[1:]}
		return f.lookup(path), nil
	}
	s, body, err := e.readers(kept[1:])
	if err != nil {
		return rule.Value{}, err
	}
	v, err := s.Walker.Lookup(body, path...)
	return RuleValue(v), err
}

// RuleValue says what a Walker found in the words of the identifier rules (R8).
func RuleValue(v avro.Value) rule.Value {
	switch v.Kind {
	case avro.Absent:
		return rule.Value{}
	case avro.Null:
		return rule.Value{Kind: rule.Null}
	case avro.Text:
		return rule.Value{Kind: rule.Text, Text: v.Text}
	case avro.Number:
		return rule.Value{Kind: rule.Number, Text: v.Text}
	}
	return rule.Value{Kind: rule.Other}
}

// sameKept reports whether a value is what is kept already.
func (e *Engine) sameKept(id uint32, kept []byte) bool {
	r := e.records.at(id)
	switch {
	case !r.is(live):
		return false
	case r.is(away):
		d := e.digests.of(kept)
		return bytes.HasPrefix(e.row(id).value, d[:])
	}
	return bytes.Equal(e.row(id).value, kept)
}

package org

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// state says where a version of a record is in its life.
type state uint8

const (
	live    state = iota
	deleted       // in the recycle bin: queryAll shows it, undelete brings it back
	purged        // gone: only getDeleted remembers it
)

// version is one committed state of a record. Versions of a record form a chain from the newest to the oldest;
// all but the link are immutable.
type version struct {
	seq     uint64 // number of the commit that made it
	older   *version
	packed  string // see pack
	cascade uint64 // number of the cascade that deleted it; 0 otherwise
	state   state
}

// pack writes the values that are not null as (index, length, text) triples in ascending index.
func pack(values []string) string {
	n := 0
	for _, v := range values {
		if v != "" {
			n += len(v) + 4
		}
	}
	out := make([]byte, 0, n)
	for i, v := range values {
		if v != "" {
			out = binary.AppendUvarint(out, uint64(i))
			out = binary.AppendUvarint(out, uint64(len(v)))
			out = append(out, v...)
		}
	}
	return unsafe.String(unsafe.SliceData(out), len(out)) // out is not kept
}

// packedField finds one value of a packed row; "" is null.
func packedField(packed string, index int) string {
	for at := 0; at < len(packed); {
		i, n := uvarint(packed[at:])
		at += n
		length, n := uvarint(packed[at:])
		at += n
		if int(i) == index {
			return packed[at : at+int(length)]
		}
		if int(i) > index {
			return ""
		}
		at += int(length)
	}
	return ""
}

// unpack spreads a packed row over values, which must have room for each field.
func unpack(packed string, values []string) {
	for at := 0; at < len(packed); {
		i, n := uvarint(packed[at:])
		at += n
		length, n := uvarint(packed[at:])
		at += n
		values[i] = packed[at : at+int(length)]
		at += int(length)
	}
}

func uvarint(s string) (uint64, int) {
	var x uint64
	for i := range len(s) {
		if s[i] < 0x80 {
			return x | uint64(s[i])<<(7*i), i + 1
		}
		x |= uint64(s[i]&0x7f) << (7 * i)
	}
	return 0, 1
}

// Row is one record as a View sees it. It is valid as long as the View.
type Row struct {
	view View
	t    *table
	slot uint32
	v    *version // nil: the row is as the seed made it
}

// Object is the object that the row belongs to.
func (r Row) Object() *Object { return r.t.object }

// Slot is the row's number within its object, the same for ever.
func (r Row) Slot() uint32 { return r.slot }

// ID is the row's 18-character id.
func (r Row) ID() string { return r.t.id(r.slot) }

// Deleted reports a row in the recycle bin.
func (r Row) Deleted() bool { return r.v != nil && r.v.state != live }

// Append adds the canonical text of a field to dst; false, and nothing added, when it is null.
func (r Row) Append(dst []byte, f *Field) ([]byte, bool) {
	if f.Formula != nil {
		n := len(dst)
		dst = f.Formula.append(dst, r)
		return dst, len(dst) > n
	}
	if r.v == nil {
		return r.t.gen.append(dst, f, r.slot)
	}
	if f == r.t.object.sys.id {
		return r.t.appendID(dst, r.slot), true
	}
	if f.Kind == Bool {
		return r.appendBool(dst, f), true
	}
	text := packedField(r.v.packed, f.Index)
	return append(dst, text...), text != ""
}

func (r Row) appendBool(dst []byte, f *Field) []byte {
	if f == r.t.object.sys.isDeleted {
		if r.v.state != live {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	if packedField(r.v.packed, f.Index) == "true" {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

// Text is Append for one value: its canonical text, false when it is null.
func (r Row) Text(f *Field) (string, bool) {
	if r.v != nil && f.Formula == nil && f.Kind != Bool && f != r.t.object.sys.id {
		text := packedField(r.v.packed, f.Index)
		return text, text != ""
	}
	b, ok := r.Append(nil, f)
	return string(b), ok
}

// Cells reads many fields of one row after the other: it finds them all at once instead of one by one.
// It may be used for row after row; its zero value is ready.
type Cells struct {
	row    Row
	values []string
}

// Load makes r the row that Append reads.
func (c *Cells) Load(r Row) {
	c.row = r
	if r.v == nil {
		return
	}
	n := len(r.t.object.fields.Load().all)
	c.values = slices.Grow(c.values[:0], n)[:n]
	clear(c.values)
	unpack(r.v.packed, c.values)
}

// Append adds the canonical text of a field to dst; null adds nothing.
func (c *Cells) Append(dst []byte, f *Field) []byte {
	if c.row.v == nil && f.Formula == nil {
		dst, _ = c.row.t.gen.append(dst, f, c.row.slot)
		return dst
	}
	if c.row.v == nil || f.Kind == Bool || f.Formula != nil || f == c.row.t.object.sys.id {
		dst, _ = c.row.Append(dst, f)
		return dst
	}
	return append(dst, c.values[f.Index]...)
}

// Parent follows a reference field within the same View. Rows in the recycle bin are followed too, as Salesforce does.
func (r Row) Parent(f *Field) (Row, bool) {
	id, ok := r.Text(f)
	if !ok {
		return Row{}, false
	}
	for _, name := range f.ReferenceTo {
		if ob, ok := r.view.org.Object(name); ok {
			if p, ok := r.view.Find(ob, id); ok {
				return p, true
			}
		}
	}
	return Row{}, false
}

// values spreads the row's stored fields, one text per field index.
func (r Row) values() []string {
	fields := r.t.object.fields.Load().all
	out := make([]string, len(fields))
	if r.v != nil {
		unpack(r.v.packed, out)
		return out
	}
	for _, f := range fields {
		if f != r.t.object.sys.id && f.Formula == nil && f != r.t.object.sys.isDeleted {
			if b, ok := r.t.gen.append(nil, f, r.slot); ok && string(b) != "false" {
				out[f.Index] = string(b)
			}
		}
	}
	return out
}

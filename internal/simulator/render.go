package simulator

import (
	"crosswalk/internal/simulator/jsontext"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// renderer writes rows as REST's JSON. It keeps a scratch buffer between rows.
type renderer struct {
	base    string // /services/data/v66.0
	scratch []byte
	catalog catalog
}

// attributes opens a record: {"attributes":{"type":"Account","url":"…"}.
func (w *renderer) attributes(dst []byte, r org.Row) []byte {
	name := r.Object().Name
	dst = append(dst, `{"attributes":{"type":"`...)
	dst = append(dst, name...)
	dst = append(dst, `","url":"`...)
	dst = append(dst, w.base...)
	dst = append(dst, "/sobjects/"...)
	dst = append(dst, name...)
	dst = append(dst, '/')
	dst = append(dst, r.ID()...)
	return append(dst, `"}`...)
}

// record writes a row with the selected columns; columns of the same parent share one nested object.
func (w *renderer) record(dst []byte, r org.Row, columns []soql.Column) []byte {
	return append(w.members(w.attributes(dst, r), r, columns, 0), '}')
}

// members writes the columns whose first depth steps lead to r.
func (w *renderer) members(dst []byte, r org.Row, columns []soql.Column, depth int) []byte {
	for i, c := range columns {
		if len(c.Path) == depth {
			dst = append(dst, ',')
			dst = w.member(dst, r, c.Field)
			continue
		}
		ref := c.Path[depth]
		if i > 0 && seen(columns[:i], ref, depth) {
			continue
		}
		dst = jsontext.AppendString(append(dst, ','), c.Names[depth])
		dst = append(dst, ':')
		parent, ok := r.Parent(ref)
		if !ok {
			dst = append(dst, "null"...)
			continue
		}
		var below []soql.Column
		for _, other := range columns {
			if len(other.Path) > depth && other.Path[depth] == ref {
				below = append(below, other)
			}
		}
		dst = w.attributes(dst, parent)
		dst = append(w.members(dst, parent, below, depth+1), '}')
	}
	return dst
}

// seen reports whether an earlier column goes through the same reference.
func seen(columns []soql.Column, ref *org.Field, depth int) bool {
	for _, c := range columns {
		if len(c.Path) > depth && c.Path[depth] == ref {
			return true
		}
	}
	return false
}

// member writes "Name":value.
func (w *renderer) member(dst []byte, r org.Row, f *org.Field) []byte {
	dst = append(dst, '"')
	dst = append(dst, f.Name...)
	dst = append(dst, `":`...)
	if own, ok := r.Object().Field(f.Name); ok { // a polymorphic parent has a field of its own by that name
		return w.value(dst, r, own)
	}
	return append(dst, "null"...)
}

func (w *renderer) value(dst []byte, r org.Row, f *org.Field) []byte {
	switch f.Kind {
	case org.Compound:
		return w.compound(dst, r, f)
	case org.Blob:
		return jsontext.AppendString(dst, w.base+"/sobjects/"+r.Object().Name+"/"+r.ID()+"/"+f.Name)
	}
	var ok bool
	w.scratch, ok = r.Append(w.scratch[:0], f)
	if !ok {
		return append(dst, "null"...)
	}
	switch f.Kind {
	case org.Bool, org.Int:
		return append(dst, w.scratch...)
	case org.Number:
		return appendNumber(dst, w.scratch)
	case org.Datetime: // REST writes +0000 where Bulk writes Z (facts 2.7)
		dst = append(dst, '"')
		dst = append(dst, w.scratch[:len(w.scratch)-1]...)
		return append(dst, `+0000"`...)
	}
	return jsontext.AppendString(dst, string(w.scratch))
}

// compound writes an address in lower camel case; null when no component has a value (facts 2.6).
func (w *renderer) compound(dst []byte, r org.Row, f *org.Field) []byte {
	start, some := len(dst), false
	dst = append(dst, '{')
	for i, part := range r.Object().Components(f.Name) {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := part.ComponentName()
		dst = append(dst, '"', name[0]|0x20)
		dst = append(dst, name[1:]...)
		dst = append(dst, `":`...)
		n := len(dst)
		if w.catalog.Visible(r.Object(), part) {
			dst = w.value(dst, r, part)
		} else {
			dst = append(dst, "null"...)
		}
		some = some || string(dst[n:]) != "null"
	}
	if !some {
		return append(dst[:start], "null"...)
	}
	return append(dst, '}')
}

// appendNumber writes a double with a fraction.
func appendNumber(dst, text []byte) []byte {
	dst = append(dst, text...)
	for _, c := range text {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendFlat writes all readable fields of a row, nulls included: the truth that tests compare with.
func (w *renderer) appendFlat(dst []byte, r org.Row, fields []*org.Field) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, f.Name...)
		dst = append(dst, `":`...)
		var ok bool
		w.scratch, ok = r.Append(w.scratch[:0], f)
		switch {
		case !ok:
			dst = append(dst, "null"...)
		case f.Kind == org.Bool || f.Kind == org.Int || f.Kind == org.Number:
			dst = append(dst, w.scratch...)
		default:
			dst = jsontext.AppendString(dst, string(w.scratch))
		}
	}
	return append(dst, '}')
}

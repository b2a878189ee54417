package avro

import (
	"slices"
	"unicode/utf8"

	"crosswalk/internal/avro/schema"
)

// The branches of a field value, as they are written: union of null, boolean, long, decimal(38,18), string, AttributeMap and
// AttributeList.
const (
	fvNull byte = 2 * iota
	fvBool
	fvLong
	fvDecimal
	fvString
	fvMap
	fvList
)

// fieldScale is the scale of a field value's decimals.
const fieldScale = 18

// AppendFields appends the record's fields as an Avro map of field values, sorted by name: the `fields` of a view. _change and
// the fields named in except are left out. The same values give the same bytes, however their writer laid them out.
//
// Dates and times become ISO 8601 text, floats their shortest digits, enum symbols text, bytes base64 text; a number beyond
// decimal(38,18) becomes the text of its digits. Maps and records become AttributeMaps sorted by name, of a key
// that is there twice the last one.
func (w *Walker) AppendFields(dst, body []byte, except ...string) ([]byte, error) {
	out, _, err := w.appendFields(dst, body, 0, except)
	return out, err
}

// AppendNote appends the fields of a note as AppendFields does, without id and links. Its text is cut after maxRunes
// code points; cut reports whether it was.
func (w *Walker) AppendNote(dst, body []byte, maxRunes int) (out []byte, cut bool, err error) {
	return w.appendFields(dst, body, maxRunes, []string{"id", "links"})
}

func (w *Walker) appendFields(dst, body []byte, maxRunes int, except []string) (out []byte, cut bool, err error) {
	fw := w.pool.Get().(*fieldWriter)
	defer w.pool.Put(fw)
	fw.r = reader{b: body, text: fw.r.text}
	fw.out, fw.spans, fw.maxRunes, fw.cut = dst, fw.spans[:0], maxRunes, false
	err = fw.root(w.root, except)
	if err == nil && fw.r.i != len(body) {
		err = errTooLong
	}
	out, cut = fw.out, fw.cut
	fw.r.b, fw.out = nil, nil
	if err != nil {
		return dst, false, w.undecodable(err)
	}
	return out, cut, nil
}

// fieldWriter copies values as field values. An object's entries are written as they come and put in order at its end.
type fieldWriter struct {
	r        reader
	out      []byte
	spans    []span // entries of the objects that are being written, innermost last
	sort     []byte // room to reorder entries in
	ends     []int  // of values: where each begins and the one before it ends
	maxRunes int    // of a field named text at the top; 0 is no bound
	cut      bool
}

// span is where an entry, key and value, stands in out.
type span struct {
	key      []byte // part of the body or of the schema
	from, to int
}

// root writes the fields of the whole record.
func (w *fieldWriter) root(s *step, except []string) error {
	count := 0
	for i := range s.fields {
		if !leftOut(s.fields[i].name, except) {
			count++
		}
	}
	if count > 0 {
		w.out = appendLong(w.out, int64(count))
	}
	first := len(w.spans)
	for i := range s.fields {
		f := &s.fields[i]
		if leftOut(f.name, except) {
			if err := w.r.skip(f.step, 0); err != nil {
				return err
			}
			continue
		}
		from := len(w.out)
		w.out = append(w.out, f.encoded...)
		var err error
		if w.maxRunes > 0 && f.name == "text" {
			err = w.text(f.step)
		} else {
			err = w.value(f.step, 0)
		}
		if err != nil {
			return err
		}
		w.note(s, f, from)
	}
	w.inOrder(first)
	w.out = append(w.out, 0)
	return nil
}

func leftOut(name string, except []string) bool {
	return name == changeField || slices.Contains(except, name)
}

// note remembers where a field stands, when the record's fields have to be put in order.
func (w *fieldWriter) note(s *step, f *stepField, from int) {
	if !s.sorted {
		w.spans = append(w.spans, span{f.encoded[len(f.encoded)-len(f.name):], from, len(w.out)})
	}
}

// text writes a text of at most maxRunes code points.
func (w *fieldWriter) text(s *step) error {
	at := w.r.i
	t, err := w.r.branch(s)
	if err != nil {
		return err
	}
	if t.kind != schema.String {
		w.r.i = at
		return w.value(s, 0)
	}
	b, err := w.r.string()
	if err != nil {
		return err
	}
	end, runes := 0, 0
	for end < len(b) && runes < w.maxRunes {
		_, n := utf8.DecodeRune(b[end:])
		end += n
		runes++
	}
	w.cut = end < len(b)
	w.out = appendBytes(append(w.out, fvString), b[:end])
	return nil
}

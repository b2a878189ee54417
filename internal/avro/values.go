package avro

import (
	"unicode/utf8"

	"crosswalk/internal/avro/schema"
)

// FieldNames returns the names under which AppendFields writes the fields of every record of this schema, each as an Avro
// string, one after the other in their order.
func (w *Walker) FieldNames() []byte {
	var names []byte
	for _, i := range w.root.order {
		names = append(names, w.root.fields[i].encoded...)
	}
	return names
}

// AppendValues appends the values of the fields, each as AppendFields writes it, in the order of FieldNames, and their
// lengths in bytes to lengths.
func (w *Walker) AppendValues(dst []byte, lengths []int, body []byte) ([]byte, []int, error) {
	fw := w.pool.Get().(*fieldWriter)
	defer w.pool.Put(fw)
	fw.r = reader{b: body, text: fw.r.text}
	fw.out, fw.spans = dst, fw.spans[:0]
	lengths, err := fw.values(w.root, lengths)
	if err == nil && fw.r.i != len(body) {
		err = errTooLong
	}
	out := fw.out
	fw.r.b, fw.out = nil, nil
	if err != nil {
		return dst, nil, w.undecodable(err)
	}
	return out, lengths, nil
}

// values writes the values of the whole record's fields without their names.
func (w *fieldWriter) values(s *step, lengths []int) ([]int, error) {
	start := len(w.out)
	w.ends = append(w.ends[:0], start)
	for i := range s.fields {
		f := &s.fields[i]
		var err error
		if f.name == changeField {
			err = w.r.skip(f.step, 0)
		} else if out, next, ok := appendShort(w.out, w.r.b, w.r.i, f.step); ok {
			w.out, w.r.i = out, next
		} else {
			err = w.value(f.step, 0)
		}
		if err != nil {
			return nil, err
		}
		w.ends = append(w.ends, len(w.out))
	}
	for _, i := range s.order {
		lengths = append(lengths, w.ends[i+1]-w.ends[i])
	}
	if s.sorted {
		return lengths, nil
	}
	w.sort = append(w.sort[:0], w.out[start:]...)
	w.out = w.out[:start]
	for _, i := range s.order {
		w.out = append(w.out, w.sort[w.ends[i]-start:w.ends[i+1]-start]...)
	}
	return lengths, nil
}

// appendShort copies null or a text of less than 64 bytes, as most values are, which stand on the wire almost as in a field
// value, and returns where the next value begins. It reports false, and has copied nothing, of everything else and of what cannot
// be: fieldWriter.value deals with that.
func appendShort(dst, body []byte, at int, s *step) (_ []byte, next int, ok bool) {
	if at >= len(body) {
		return dst, at, false
	}
	if s.kind == schema.Union {
		branch := body[at]
		if branch&1 != 0 || int(branch>>1) >= len(s.branches) {
			return dst, at, false
		}
		s = s.branches[branch>>1]
		at++
	}
	if s.kind == schema.Null {
		return append(dst, fvNull), at, true
	}
	if s.kind != schema.String || at >= len(body) || body[at]&0x81 != 0 {
		return dst, at, false
	}
	end := at + 1 + int(body[at]>>1)
	if end > len(body) || !utf8.Valid(body[at+1:end]) {
		return dst, at, false
	}
	return append(append(dst, fvString), body[at:end]...), end, true
}

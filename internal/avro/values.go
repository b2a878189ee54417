package avro

import (
	"bytes"
	"slices"
)

// FieldNames returns the names under which AppendFields writes the fields of every record of this schema, each as an Avro
// string, one after the other in their order.
func (w *Walker) FieldNames() []byte {
	var names [][]byte
	for i := range w.root.fields {
		if f := &w.root.fields[i]; f.name != changeField {
			names = append(names, f.encoded)
		}
	}
	slices.SortFunc(names, func(a, b []byte) int { return bytes.Compare(nameOf(a), nameOf(b)) })
	return bytes.Join(names, nil)
}

// nameOf is the text of a name that is encoded as an Avro string.
func nameOf(encoded []byte) []byte {
	r := reader{b: encoded}
	name, _ := r.bytes() // it was encoded by us
	return name
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
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == changeField {
			if err := w.r.skip(f.step, 0); err != nil {
				return nil, err
			}
			continue
		}
		from := len(w.out)
		if err := w.value(f.step, 0); err != nil {
			return nil, err
		}
		if s.sorted {
			lengths = append(lengths, len(w.out)-from)
		} else {
			w.spans = append(w.spans, span{nameOf(f.encoded), from, len(w.out)})
		}
	}
	if s.sorted {
		return lengths, nil
	}
	slices.SortFunc(w.spans, func(a, b span) int { return bytes.Compare(a.key, b.key) })
	w.sort = append(w.sort[:0], w.out[start:]...)
	w.out = w.out[:start]
	for _, sp := range w.spans {
		lengths = append(lengths, sp.to-sp.from)
		w.out = append(w.out, w.sort[sp.from-start:sp.to-start]...)
	}
	return lengths, nil
}

package avro

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
	for i := range s.fields {
		f := &s.fields[i]
		from := len(w.out)
		if f.name == changeField {
			if err := w.r.skip(f.step, 0); err != nil {
				return nil, err
			}
		} else if err := w.value(f.step, 0); err != nil {
			return nil, err
		}
		w.spans = append(w.spans, span{from: from, to: len(w.out)})
	}
	for _, i := range s.order {
		lengths = append(lengths, w.spans[i].to-w.spans[i].from)
	}
	if s.sorted {
		return lengths, nil
	}
	w.sort = append(w.sort[:0], w.out[start:]...)
	w.out = w.out[:start]
	for _, i := range s.order {
		w.out = append(w.out, w.sort[w.spans[i].from-start:w.spans[i].to-start]...)
	}
	return lengths, nil
}

package avro

import (
	"bytes"

	"crosswalk/internal/avro/schema"
)

// Leaves calls fn with every value of the body that a path can name and that is no object, in the order of the wire, and with what
// Lookup returns for that path. The path has dots between its steps; it is valid until fn returns. Left out are _change,
// and fields whose own name is empty or holds a dot: no path names them. A list is one leaf of the kind Other. Of a map's key
// that is there twice, both are given, the one that counts last.
func (w *Walker) Leaves(body []byte, fn func(path []byte, v Value)) error {
	l := leafReader{reader: reader{b: body}, fn: fn}
	err := l.walk(w.root, 0)
	if err == nil && l.i != len(body) {
		err = errTooLong
	}
	return w.undecodable(err)
}

type leafReader struct {
	reader
	path []byte
	fn   func(path []byte, v Value)
}

func (l *leafReader) walk(s *step, depth int) error {
	if depth > maxNesting {
		return errDepth
	}
	s, err := l.branch(s)
	if err != nil {
		return err
	}
	switch s.kind {
	case schema.Record:
		for i := range s.fields {
			f := &s.fields[i]
			name := f.encoded[len(f.encoded)-len(f.name):]
			if err := l.member(name, f.step, depth); err != nil {
				return err
			}
		}
		return nil
	case schema.Map:
		return l.items(s, func(key []byte) error { return l.member(key, s.elem, depth) })
	}
	v, err := l.scalar(s)
	if err == nil {
		l.fn(l.path, v)
	}
	return err
}

// member walks over one named value of a record or a map.
func (l *leafReader) member(name []byte, s *step, depth int) error {
	if len(name) == 0 || bytes.IndexByte(name, '.') >= 0 || depth == 0 && string(name) == changeField {
		return l.skip(s, depth+1)
	}
	at := len(l.path)
	if at > 0 {
		l.path = append(l.path, '.')
	}
	l.path = append(l.path, name...)
	err := l.walk(s, depth+1)
	l.path = l.path[:at]
	return err
}

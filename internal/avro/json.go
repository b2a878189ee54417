package avro

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"crosswalk/internal/avro/schema"
)

// ToJSON renders a body that was written under a schema as JSON for people and tools: see Walker.AppendJSON.
func ToJSON(text string, body []byte) ([]byte, error) {
	w, err := NewWalker(text)
	if err != nil {
		return nil, err
	}
	return w.AppendJSON(nil, body)
}

// AppendJSON appends the body as plain JSON, without the names of union branches: decimals are exact numbers, dates and times
// ISO 8601 texts, bytes base64, NaN and the infinities texts. Text that is not UTF-8 has U+FFFD in its place. Records of
// customer.view, match.ambiguous and match.unmatched have the form that the matching rules give them (A7).
func (w *Walker) AppendJSON(dst, body []byte) ([]byte, error) {
	j := jsonWriter{r: reader{b: body}, out: dst}
	err := j.value(w.root, 0)
	if err == nil && j.r.i != len(body) {
		err = errTooLong
	}
	if err != nil {
		return dst, w.undecodable(err)
	}
	return j.out, nil
}

type jsonWriter struct {
	r   reader
	out []byte
}

func (w *jsonWriter) value(s *step, depth int) error {
	if depth > maxNesting {
		return errDepth
	}
	s, err := w.r.branch(s)
	if err != nil {
		return err
	}
	switch s.kind {
	case schema.Record:
		w.out = append(w.out, '{')
		if err := w.members(s, depth); err != nil {
			return err
		}
		w.out = append(w.out, '}')
		return nil
	case schema.Map:
		w.out = append(w.out, '{')
		err = w.entries(s, depth)
		w.out = append(w.out, '}')
		return err
	case schema.Array:
		w.out = append(w.out, '[')
		err = w.r.items(s, func([]byte) error {
			w.comma()
			return w.value(s.elem, depth+1)
		})
		w.out = append(w.out, ']')
		return err
	}
	return w.scalar(s)
}

// comma separates from what went before, unless that opened the list or the object.
func (w *jsonWriter) comma() {
	if last := w.out[len(w.out)-1]; last != '{' && last != '[' {
		w.out = append(w.out, ',')
	}
}

func (w *jsonWriter) members(s *step, depth int) error {
	for i := range s.fields {
		f := &s.fields[i]
		switch f.json {
		case jsonInline:
			t, err := w.r.branch(f.step)
			if err == nil && t.kind == schema.Map {
				err = w.entries(t, depth)
			} else if err == nil {
				err = w.r.skip(t, depth)
			}
			if err != nil {
				return err
			}
			continue
		case jsonOmitNull:
			at := w.r.i
			t, err := w.r.branch(f.step)
			if err != nil {
				return err
			}
			if t.kind == schema.Null {
				continue
			}
			w.r.i = at
		}
		w.comma()
		w.out = append(appendJSONText(w.out, []byte(f.name)), ':')
		if err := w.value(f.step, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *jsonWriter) entries(s *step, depth int) error {
	return w.r.items(s, func(key []byte) error {
		w.comma()
		w.out = append(appendJSONText(w.out, key), ':')
		return w.value(s.elem, depth+1)
	})
}

func (w *jsonWriter) scalar(s *step) error {
	switch s.kind {
	case schema.Null:
		w.out = append(w.out, "null"...)
		return nil
	case schema.String:
		b, err := w.r.bytes()
		w.out = appendJSONText(w.out, b)
		return err
	case schema.Float, schema.Double:
		err := w.r.float(s)
		if errors.Is(err, errNotFinite) {
			w.out = appendJSONText(w.out, w.r.text)
			return nil
		}
		w.out = append(w.out, w.r.text...)
		return err
	case schema.Bytes, schema.Fixed:
		if s.logical == decimal {
			text, err := w.r.decimal(s)
			w.out = append(w.out, text...)
			return err
		}
		b, err := w.r.raw(s)
		w.out = append(w.out, '"')
		w.out = append(base64.StdEncoding.AppendEncode(w.out, b), '"')
		return err
	}
	v, err := w.r.scalar(s)
	if err != nil {
		return err
	}
	switch v.Kind {
	case Number:
		w.out = append(w.out, v.Text...)
	case Bool:
		if v.True {
			w.out = append(w.out, "true"...)
		} else {
			w.out = append(w.out, "false"...)
		}
	default:
		w.out = appendJSONText(w.out, []byte(v.Text))
	}
	return nil
}

// appendJSONText appends a JSON string. Control characters and what JavaScript takes for line ends are escaped.
func appendJSONText(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0 // what stands from here to i is copied as it is
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			dst = append(dst, text[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		wrong := r == utf8.RuneError && n == 1
		if wrong || r == '\u2028' || r == '\u2029' {
			dst = append(dst, text[from:i]...)
			if wrong {
				dst = append(dst, "\ufffd"...)
			} else {
				dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&15])
			}
			from = i + n
		}
		i += n
	}
	return append(append(dst, text[from:]...), '"')
}

package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"crosswalk/internal/avro/schema"
)

// value copies one value.
func (w *fieldWriter) value(s *step, depth int) error {
	if depth > maxNesting {
		return errDepth
	}
	s, err := w.r.branch(s)
	if err != nil {
		return err
	}
	switch s.kind {
	case schema.Null:
		w.out = append(w.out, fvNull)
		return nil
	case schema.Boolean:
		b, err := w.r.bool()
		w.out = appendBool(append(w.out, fvBool), b)
		return err
	case schema.Int, schema.Long:
		n, err := w.r.whole(s)
		if err != nil {
			return err
		}
		if s.logical == plain {
			w.out = appendLong(append(w.out, fvLong), n)
			return nil
		}
		w.out = append(w.out, fvString, 0)
		from := len(w.out)
		w.out = appendTemporal(w.out, s.logical, n)
		w.out[from-1] = byte(2 * (len(w.out) - from)) // less than 64 bytes: a length of one byte
		return nil
	case schema.String:
		b, err := w.r.string()
		w.out = appendBytes(append(w.out, fvString), b)
		return err
	case schema.Enum:
		i, err := w.r.index(len(s.symbols), errSymbol)
		if err != nil {
			return err
		}
		w.out = appendString(append(w.out, fvString), s.symbols[i])
		return nil
	case schema.Float, schema.Double:
		return w.float(s)
	case schema.Bytes, schema.Fixed:
		return w.bytes(s)
	case schema.Array:
		return w.list(s, depth)
	case schema.Map:
		return w.object(s, depth)
	}
	return w.record(s, depth)
}

func (w *fieldWriter) float(s *step) error {
	err := w.r.float(s)
	if errors.Is(err, errNotFinite) {
		w.out = appendBytes(append(w.out, fvString), w.r.text)
		return nil
	}
	if err != nil {
		return err
	}
	w.number(w.r.text)
	return nil
}

// number writes decimal digits, as text when they do not fit.
func (w *fieldWriter) number(text []byte) {
	neg, size, err := parseDecimal(string(text), fieldScale)
	if err != nil {
		w.out = appendBytes(append(w.out, fvString), text)
		return
	}
	w.out = appendUnscaled(append(w.out, fvDecimal), neg, size)
}

func (w *fieldWriter) bytes(s *step) error {
	if s.logical != decimal {
		b, err := w.r.raw(s)
		if err != nil {
			return err
		}
		w.out = appendLong(append(w.out, fvString), int64(base64.StdEncoding.EncodedLen(len(b))))
		w.out = base64.StdEncoding.AppendEncode(w.out, b)
		return nil
	}
	b, err := w.r.unscaled(s)
	if err != nil {
		return err
	}
	if len(b) <= 16 && s.scale <= fieldScale {
		neg, u := unscaled(b)
		if u, err = u.shift(fieldScale - s.scale); err == nil && u.less(bound38) {
			w.out = appendUnscaled(append(w.out, fvDecimal), neg, u)
			return nil
		}
	}
	w.r.text = appendDecimalText(w.r.text[:0], b, s.scale)
	w.number(w.r.text)
	return nil
}

func (w *fieldWriter) list(s *step, depth int) error {
	w.out = append(w.out, fvList)
	start, count := len(w.out), int64(0)
	err := w.r.items(s, func([]byte) error {
		count++
		return w.value(s.elem, depth+1)
	})
	w.close(start, count)
	return err
}

func (w *fieldWriter) object(s *step, depth int) error {
	w.out = append(w.out, fvMap)
	start, first := len(w.out), len(w.spans)
	err := w.r.items(s, func(key []byte) error {
		from := len(w.out)
		w.out = appendBytes(w.out, key)
		if err := w.value(s.elem, depth+1); err != nil {
			return err
		}
		w.spans = append(w.spans, span{key, from, len(w.out)})
		return nil
	})
	if err != nil {
		return err
	}
	w.close(start, w.inOrder(first))
	return nil
}

func (w *fieldWriter) record(s *step, depth int) error {
	w.out = append(w.out, fvMap)
	start, first := len(w.out), len(w.spans)
	for i := range s.fields {
		f := &s.fields[i]
		from := len(w.out)
		w.out = append(w.out, f.encoded...)
		if err := w.value(f.step, depth+1); err != nil {
			return err
		}
		w.note(s, f, from)
	}
	w.inOrder(first)
	w.close(start, int64(len(s.fields)))
	return nil
}

// close puts the count of items before them, as one block, and ends the list.
func (w *fieldWriter) close(start int, count int64) {
	if count > 0 {
		var head [binary.MaxVarintLen64]byte
		w.out = slices.Insert(w.out, start, appendLong(head[:0], count)...)
	}
	w.out = append(w.out, 0)
}

// inOrder puts the entries from the first span on in the order of their keys, of a key that is there twice the last one, forgets
// their spans and returns how many entries there are.
func (w *fieldWriter) inOrder(first int) int64 {
	spans := w.spans[first:]
	w.spans = w.spans[:first]
	sorted := true
	for i := 1; i < len(spans) && sorted; i++ {
		sorted = bytes.Compare(spans[i-1].key, spans[i].key) < 0
	}
	if sorted {
		return int64(len(spans))
	}
	start := spans[0].from
	w.sort = append(w.sort[:0], w.out[start:]...)
	slices.SortStableFunc(spans, func(a, b span) int { return bytes.Compare(a.key, b.key) })
	w.out = w.out[:start]
	count := int64(0)
	for i, sp := range spans {
		if i+1 < len(spans) && bytes.Equal(sp.key, spans[i+1].key) {
			continue
		}
		w.out = append(w.out, w.sort[sp.from-start:sp.to-start]...)
		count++
	}
	return count
}

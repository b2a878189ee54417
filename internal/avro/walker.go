package avro

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"crosswalk/internal/avro/schema"
)

// Walker reads bodies that were written under one schema, whoever wrote them, without decoding them into anything. It is
// immutable and safe for concurrent use.
type Walker struct {
	name string
	root *step
	pool sync.Pool // *fieldWriter
}

// NewWalker compiles a writer's schema, which must be a record.
func NewWalker(text string) (*Walker, error) {
	n, err := schema.Parse(text)
	if err != nil {
		return nil, err
	}
	if n.Kind != schema.Record {
		return nil, fmt.Errorf("read schema: the value is a %s, not a record", n.Kind)
	}
	root, err := compile(n)
	if err != nil {
		return nil, fmt.Errorf("read schema %s: %w", n.FullName(), err)
	}
	return &Walker{name: n.FullName(), root: root, pool: sync.Pool{New: func() any { return &fieldWriter{} }}}, nil
}

// Kind says what a Lookup found.
type Kind uint8

// The kinds of a Value. The zero Kind is Absent.
const (
	Absent Kind = iota // the field, or a step of the path to it, is not in the record
	Null
	Text   // string, enum symbol; a date or time as ISO 8601 text
	Number // int, long, float, double, decimal
	Bool
	Other // array, map, record, bytes, NaN, infinity
)

// Value is what a Lookup found.
type Value struct {
	Kind Kind
	// Text is a Text's content, byte for byte, or a Number's digits: exact, in plain decimal notation, without exponent,
	// leading zeros or trailing zeros after the point. A float has the shortest digits that read back as the same float.
	Text string
	True bool // of a Bool
}

// Lookup returns the value at the path: the name of a field, then names within it. Objects inside a map of field values are
// records like any other. The body is read no further than to the value, so an error says that what comes before it cannot be
// decoded; no error does not mean that the rest can (Check).
func (w *Walker) Lookup(body []byte, path ...string) (Value, error) {
	r := reader{b: body}
	s, err := r.find(w.root, path)
	if err != nil || s == nil {
		return Value{}, w.undecodable(err)
	}
	v, err := r.scalar(s)
	return v, w.undecodable(err)
}

// Strings returns the array of strings at the path; nil when there is null or nothing. An item or a value of another type
// is an error.
func (w *Walker) Strings(body []byte, path ...string) ([]string, error) {
	r := reader{b: body}
	s, err := r.find(w.root, path)
	if err != nil || s == nil || s.kind == schema.Null {
		return nil, w.undecodable(err)
	}
	if s.kind != schema.Array {
		return nil, w.undecodable(fmt.Errorf("%v: a %s where a list of strings was expected", path, s.kind))
	}
	var out []string
	err = r.items(s, func([]byte) error {
		item, err := r.branch(s.elem)
		if err != nil {
			return err
		}
		if item.kind != schema.String {
			return fmt.Errorf("%v: a %s in a list of strings", path, item.kind)
		}
		b, err := r.bytes()
		out = append(out, string(b))
		return err
	})
	return out, w.undecodable(err)
}

// Check reads the whole body and reports whether it fits the schema to the last byte.
func (w *Walker) Check(body []byte) error {
	r := reader{b: body}
	err := r.skip(w.root, 0)
	if err == nil && r.i != len(body) {
		err = errTooLong
	}
	if err != nil {
		return w.undecodable(fmt.Errorf("%w, at byte %d of %d", err, r.i, len(body)))
	}
	return nil
}

func (w *Walker) undecodable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("decode %s: %w", w.name, err)
}

// branch reads the branch of a union, if s is one, and looks through the records that wrap objects and lists of field values.
func (r *reader) branch(s *step) (*step, error) {
	if s.kind == schema.Union {
		i, err := r.index(len(s.branches), errBranch)
		if err != nil {
			return nil, err
		}
		s = s.branches[i]
	}
	if s.wrapper {
		s = s.fields[0].step
	}
	return s, nil
}

// find moves to the value at the path and returns its step, no union any more; nil when it is not there.
func (r *reader) find(s *step, path []string) (*step, error) {
	for _, name := range path {
		s2, err := r.branch(s)
		if err != nil {
			return nil, err
		}
		switch s2.kind {
		case schema.Record:
			i := s2.field(name)
			if i < 0 {
				return nil, nil
			}
			for _, f := range s2.fields[:i] {
				if err := r.skip(f.step, 0); err != nil {
					return nil, err
				}
			}
			s = s2.fields[i].step
		case schema.Map:
			there, err := r.findKey(s2, name)
			if err != nil || !there {
				return nil, err
			}
			s = s2.elem
		default:
			return nil, nil
		}
	}
	return r.branch(s)
}

// findKey moves to the value under a key of a map; to the last one when a writer has put the key twice, as other readers do.
func (r *reader) findKey(s *step, name string) (bool, error) {
	at := -1
	err := r.items(s, func(key []byte) error {
		if string(key) == name {
			at = r.i
		}
		return r.skip(s.elem, 0)
	})
	if err != nil || at < 0 {
		return false, err
	}
	r.i = at
	return true, nil
}

// scalar reads the value of a step that branch returned.
func (r *reader) scalar(s *step) (Value, error) {
	switch s.kind {
	case schema.Null:
		return Value{Kind: Null}, nil
	case schema.Boolean:
		b, err := r.bool()
		return Value{Kind: Bool, True: b}, err
	case schema.String:
		b, err := r.string()
		return Value{Kind: Text, Text: string(b)}, err
	case schema.Enum:
		i, err := r.index(len(s.symbols), errSymbol)
		if err != nil {
			return Value{}, err
		}
		return Value{Kind: Text, Text: s.symbols[i]}, nil
	case schema.Int, schema.Long:
		n, err := r.whole(s)
		if err != nil || s.logical == plain {
			return Value{Kind: Number, Text: strconv.FormatInt(n, 10)}, err
		}
		return Value{Kind: Text, Text: string(appendTemporal(nil, s.logical, n))}, nil
	case schema.Float, schema.Double:
		err := r.float(s)
		if errors.Is(err, errNotFinite) {
			return Value{Kind: Other}, nil
		}
		return Value{Kind: Number, Text: string(r.text)}, err
	}
	if s.logical == decimal {
		text, err := r.decimal(s)
		return Value{Kind: Number, Text: string(text)}, err
	}
	return Value{Kind: Other}, r.skip(s, 0)
}

func (r *reader) whole(s *step) (int64, error) {
	if s.kind == schema.Int {
		return r.int()
	}
	return r.long()
}

var errNotFinite = errors.New("not a number, or infinite")

// float reads a float or a double and leaves its digits in r.text: plain decimal notation, as few as read back as the
// same value. For NaN and the infinities it leaves their name and returns errNotFinite.
func (r *reader) float(s *step) error {
	size := 64
	if s.kind == schema.Float {
		size = 32
	}
	b, err := r.take(int64(size / 8))
	if err != nil {
		return err
	}
	var f float64
	if size == 32 {
		f = float64(math.Float32frombits(uint32(littleEndian(b))))
	} else {
		f = math.Float64frombits(littleEndian(b))
	}
	switch {
	case math.IsNaN(f):
		r.text = append(r.text[:0], "NaN"...)
		return errNotFinite
	case math.IsInf(f, 1):
		r.text = append(r.text[:0], "Infinity"...)
		return errNotFinite
	case math.IsInf(f, -1):
		r.text = append(r.text[:0], "-Infinity"...)
		return errNotFinite
	case f == 0: // and not -0
		r.text = append(r.text[:0], '0')
		return nil
	}
	r.text = strconv.AppendFloat(r.text[:0], f, 'f', -1, size)
	return nil
}

func littleEndian(b []byte) uint64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

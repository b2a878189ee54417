package join

import (
	"encoding/binary"
	"slices"
	"strings"

	"crosswalk/internal/avro"
)

// A shape is the names of a map's entries, which all records of one schema have in common: they are kept once, and of
// each record the values alone.
type shape struct {
	names [][]byte // as Avro strings, in order; behind each there is room for piece bytes
	size  int      // bytes of all names
}

// shapes numbers the shapes. They are few: one for each version of a schema.
type shapes struct {
	all   []shape
	byKey map[string]uint32
	known map[*avro.Walker]uint32 // the shape of what is written under a schema
	key   []byte                  // buffer used again
	saved int                     // how many the store has
}

// maxShapes bounds what records that all differ in their fields can make us remember; beyond it names are kept with them.
const maxShapes = 4096

var shapesKey = []byte("shapes")

// of returns the shape of all that is written under a schema; false when there are too many shapes.
func (s *shapes) of(w *avro.Walker) (uint32, bool) {
	if id, ok := s.known[w]; ok {
		return id, true
	}
	key := string(w.FieldNames())
	id, ok := s.byKey[key]
	if !ok {
		if len(s.all) == maxShapes {
			return 0, false
		}
		id = s.add(key)
	}
	if s.known == nil {
		s.known = map[*avro.Walker]uint32{}
	}
	s.known[w] = id
	return id, true
}

// shorten appends a map of field values as its shape's number, the lengths of its values, and the values. It reports
// false, and appends nothing, when there are too many shapes.
func (s *shapes) shorten(dst, m []byte) ([]byte, bool) {
	f := fieldReader{b: m}
	var values [64][]byte
	list := values[:0]
	s.key = s.key[:0]
	f.items(func() bool {
		start := f.b
		f.bytes()
		s.key = append(s.key, start[:len(start)-len(f.b)]...)
		start = f.b
		f.skip()
		list = append(list, start[:len(start)-len(f.b)])
		return true
	})
	id, ok := s.byKey[string(s.key)]
	if !ok {
		if f.bad || len(s.all) == maxShapes {
			return dst, false
		}
		id = s.add(string(s.key))
	}
	dst = binary.AppendUvarint(dst, uint64(id))
	for _, v := range list {
		dst = binary.AppendUvarint(dst, uint64(len(v)))
	}
	for _, v := range list {
		dst = append(dst, v...)
	}
	return dst, true
}

// add numbers the shape whose encoded names, one after the other, are key.
func (s *shapes) add(key string) uint32 {
	if s.byKey == nil {
		s.byKey = map[string]uint32{}
	}
	var names [][]byte
	f := fieldReader{b: []byte(key)}
	for len(f.b) > 0 {
		start := f.b
		f.bytes()
		name := start[:len(start)-len(f.b)]
		names = append(names, append(make([]byte, 0, len(name)+piece), name...))
	}
	id := uint32(len(s.all))
	s.all = append(s.all, shape{names, len(key)})
	s.byKey[key] = id
	return id
}

// shortened is a record's values apart.
type shortened struct {
	shape
	lengths fieldReader // of the values, as uvarints
	values  []byte
}

func (s *shapes) open(short []byte) shortened {
	f := fieldReader{b: short}
	id := f.uvarint()
	if f.bad || id >= uint64(len(s.all)) {
		return shortened{}
	}
	out := shortened{shape: s.all[id], lengths: f}
	at := 0
	for left := len(out.names); left > 0 && at < len(f.b); at++ { // behind the last byte of so many lengths
		if f.b[at] < 0x80 {
			left--
		}
	}
	out.values = f.b[at:]
	return out
}

// next returns the value of the next name.
func (s *shortened) next() []byte {
	n := s.lengths.uvarint()
	if n > uint64(len(s.values)) {
		s.lengths.bad = true
		return nil
	}
	v := s.values[:n]
	s.values = s.values[n:]
	return v
}

// lengthen appends the map that was shortened. Names and values are short and many: they are copied in pieces of a fixed
// length where there is room behind them, which takes a fraction of the time of a copy of just the right length.
func (s *shapes) lengthen(dst, short []byte) []byte {
	x := s.open(short)
	dst = appendCount(dst, len(x.names))
	lengths, values := x.lengths.b, x.values
	at := len(dst)
	dst = slices.Grow(dst, x.size+len(values)+piece+1)
	dst = dst[:cap(dst)]
	for _, name := range x.names {
		if len(lengths) == 0 {
			break
		}
		n := int(lengths[0])
		if n < 0x80 {
			lengths = lengths[1:]
		} else {
			long, w := binary.Uvarint(lengths)
			n, lengths = int(long), lengths[w:]
		}
		n = min(max(n, 0), len(values))
		if len(name) <= piece {
			copyPiece(dst[at:], name[:piece])
		} else {
			copy(dst[at:], name)
		}
		at += len(name)
		if n <= piece && len(values) >= piece {
			copyPiece(dst[at:], values)
		} else {
			copy(dst[at:], values[:n])
		}
		at += n
		values = values[n:]
	}
	return append(dst[:at], 0)
}

// piece is the fixed length in which names and values are copied.
const piece = 32

// copyPiece copies the first piece of src, in two halves that each fit into a register of the processor.
func copyPiece(dst, src []byte) {
	*(*[piece / 2]byte)(dst) = *(*[piece / 2]byte)(src)
	*(*[piece / 2]byte)(dst[piece/2:]) = *(*[piece / 2]byte)(src[piece/2:])
}

// find returns the value under a name, nil when there is none.
func (s *shapes) find(short []byte, name string) []byte {
	x := s.open(short)
	length := varintLen(int64(len(name))) // of what stands before an encoded name
	for _, encoded := range x.names {
		v := x.next()
		if len(encoded) == length+len(name) && string(encoded[length:]) == name {
			return v
		}
	}
	return nil
}

// pair is the shapes as the store keeps them, and whether it has to.
func (s *shapes) pair() (Pair, bool) {
	if s.saved == len(s.all) {
		return Pair{}, false
	}
	var b []byte
	for _, sh := range s.all {
		var key strings.Builder
		for _, name := range sh.names {
			key.Write(name)
		}
		b = appendText(b, key.String())
	}
	return Pair{shapesKey, b}, true
}

// load takes the shapes that the store has.
func (s *shapes) load(b []byte) bool {
	f := fieldReader{b: b}
	for len(f.b) > 0 && !f.bad {
		s.add(string(f.bytes()))
	}
	s.saved = len(s.all)
	return !f.bad
}

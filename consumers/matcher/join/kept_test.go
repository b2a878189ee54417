package join

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// fieldsOf writes a map of texts as AppendFields does.
func fieldsOf(pairs ...string) []byte {
	b := appendCount(nil, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		b = appendText(b, pairs[i])
		b = appendText(appendVarint(b, fieldText), pairs[i+1])
	}
	return append(b, 0)
}

func TestShortenedFieldsComeBack(t *testing.T) {
	t.Parallel()
	var s shapes
	for i, m := range [][]byte{
		fieldsOf(), fieldsOf("A", "1"), fieldsOf("A", "2"), fieldsOf("A", "1", "B", ""),
		{2, 2, 'A', 0, 0},
		{2, 2, 'A', 2 * fieldMap, 2, 2, 'x', 2 * fieldLong, 14, 0, 0},
		{2, 2, 'A', 2 * fieldList, 2, 2 * fieldBool, 1, 0, 0},
		fieldsOf("A", string(make([]byte, 300))),
	} {
		short, ok := s.shorten(nil, m)
		if !ok || !bytes.Equal(s.lengthen(nil, short), m) {
			t.Errorf("map %d does not come back: %x is %x", i, m, s.lengthen(nil, short))
		}
	}
	if len(s.all) != 3 {
		t.Errorf("%d shapes, want 3", len(s.all))
	}
	var again shapes
	pair, _ := s.pair()
	if !again.load(pair.Value) || len(again.all) != 3 {
		t.Errorf("%d shapes after loading, want 3", len(again.all))
	}
	if again.load([]byte{9}) {
		t.Error("damaged shapes are loaded")
	}
}

// Names and values are copied in pieces of a fixed length: what stands behind each must come out whole, with and without memory
// behind it.
func TestFieldsAroundTheLengthOfAPiece(t *testing.T) {
	t.Parallel()
	var s shapes
	for n := range 3 * piece {
		for _, tail := range []string{"", "end", strings.Repeat("e", 2*piece)} {
			m := fieldsOf(strings.Repeat("A", n+1), strings.Repeat("v", n), "B", "short", "C", strings.Repeat("w", n), "D", tail)
			short, ok := s.shorten(nil, m)
			if !ok {
				t.Fatal("there are too many shapes")
			}
			for _, dst := range [][]byte{nil, []byte("before"), make([]byte, 1, 4*len(m))} {
				got := s.lengthen(dst, slices.Clip(short))
				if !bytes.Equal(got[:len(dst)], dst) || !bytes.Equal(got[len(dst):], m) {
					t.Fatalf("%d bytes: %x is %x", n, m, got)
				}
			}
		}
	}
}

// With too many shapes the names stay with their values, and everything else is as it was.
func TestTooManyShapes(t *testing.T) {
	t.Parallel()
	var s shapes
	for i := range maxShapes {
		if _, ok := s.shorten(nil, fieldsOf(fmt.Sprint("F", i), "x")); !ok {
			t.Fatalf("shape %d is refused", i)
		}
	}
	if _, ok := s.shorten(nil, fieldsOf("one more", "x")); ok {
		t.Error("there is no bound")
	}
	e := New(Config{})
	e.shapes = s
	kept := append([]byte{keptFields}, fieldsOf("one more", "C1")...)
	v, err := e.valueOf(kept, []string{"one more"})
	if err != nil || v != (rule.Value{Kind: rule.Text, Text: "C1"}) {
		t.Errorf("the value is %+v, %v", v, err)
	}
	if out, err := e.appendKept(nil, kept); err != nil || !bytes.Equal(out, kept[1:]) {
		t.Errorf("the fields are %x, %v", out, err)
	}
}

func TestIsPlain(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]bool{
		`{"type":"record","name":"R","fields":[{"name":"double","type":["null","string"]},{"name":"n","type":{"type":"long","logicalType":"timestamp-millis"}}]}`: true,
		`{"type":"record","name":"R","fields":[{"name":"d","type":["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}]}]}`:                 true,
		`{"type":"record","name":"R","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":20}}]}`:                          false,
		`{"type":"record","name":"R","fields":[{"name":"d","type":["null","double"]}]}`:                                                                           false,
		`{"type":"record","name":"R","fields":[{"name":"m","type":{"type":"map","values":"float"}}]}`:                                                             false,
		`{"type":"record","name":"R","fields":[{"name":"r","type":{"type":"record","name":"S","fields":[{"name":"b","type":"bytes"}]}}]}`:                         false,
		`{"type":"record","name":"R","fields":[{"name":"l","type":{"type":"array","items":{"type":"fixed","name":"F","size":4}}}]}`:                               false,
		`not JSON`: false,
	} {
		if got := IsPlain(schema); got != want {
			t.Errorf("IsPlain(%s) = %v", schema, got)
		}
	}
}

func TestFieldLookup(t *testing.T) {
	t.Parallel()
	m := []byte{12}
	m = append(appendText(m, "b"), 2*fieldBool, 1)
	m = appendBytes(append(appendText(m, "d"), 2*fieldDecimal), []byte{0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x64, 0x00, 0x00})
	m = append(appendText(m, "l"), 2*fieldList, 0)
	m = append(appendText(m, "n"), 2*fieldNull)
	m = append(appendText(m, "o"), 2*fieldMap)
	m = append(m, fieldsOf("x", "C1")...)
	m = appendVarint(append(appendText(m, "w"), 2*fieldLong), -5)
	m = append(m, 0)
	for path, want := range map[string]rule.Value{
		"b": {Kind: rule.Other}, "l": {Kind: rule.Other}, "o": {Kind: rule.Other}, "n": {Kind: rule.Null}, "w": {Kind: rule.Number, Text: "-5"},
		"o.x": {Kind: rule.Text, Text: "C1"}, "o.y": {}, "z": {}, "w.x": {}, "d": {Kind: rule.Number, Text: "1"},
	} {
		f := fieldReader{b: m}
		got := f.lookup(customer.Link{ERPField: path}.ERPPath())
		if got != want || f.bad {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	for text, digits := range map[string][]byte{
		"1": {0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x64, 0x00, 0x00}, "-1": {0xf2, 0x1f, 0x49, 0x4c, 0x58, 0x9c, 0x00, 0x00}, "0": {},
	} {
		if got := decimalText(digits); got != text {
			t.Errorf("decimal %x is %s, want %s", digits, got, text)
		}
	}
}

// What stands on the disk may be damaged: it must not lead to a panic or a hang.
func FuzzKept(f *testing.F) {
	f.Add(fieldsOf("A", "1", "B", "2"))
	f.Add([]byte{0, 2, 2, 2})
	f.Fuzz(func(_ *testing.T, b []byte) {
		r := fieldReader{b: b}
		r.lookup([]string{"A", "x"})
		var s shapes
		s.add(string(fieldsOf("A", "1")[1:3]))
		if short, ok := s.shorten(nil, b); ok {
			s.lengthen(nil, short)
		}
		s.find(b, "A")
		s.lengthen(nil, b)
		_ = eachEntry(b, func(entry) error { return nil })
	})
}

package avro

import (
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"crosswalk/internal/avro/schema"
	"crosswalk/schemas"
)

// zooSchema has every type that Avro has, in an order that is not that of the names.
const zooSchema = `{"type":"record","name":"zoo.Zoo","fields":[
	{"name":"z_string","type":"string"},
	{"name":"nothing","type":["null","string"]},
	{"name":"optional","type":["null","string"]},
	{"name":"second","type":["string","null"]},
	{"name":"flag","type":"boolean"},
	{"name":"int","type":"int"},
	{"name":"long","type":"long"},
	{"name":"float","type":"float"},
	{"name":"double","type":"double"},
	{"name":"tiny","type":"double"},
	{"name":"negzero","type":"double"},
	{"name":"nan","type":"double"},
	{"name":"inf","type":"float"},
	{"name":"bytes","type":"bytes"},
	{"name":"fixed","type":{"type":"fixed","name":"F","size":3}},
	{"name":"money","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":10}},
	{"name":"coin","type":{"type":"fixed","name":"C","size":4,"logicalType":"decimal","precision":9,"scale":2}},
	{"name":"huge","type":{"type":"bytes","logicalType":"decimal","precision":60,"scale":2}},
	{"name":"enum","type":{"type":"enum","name":"E","symbols":["A","B"]}},
	{"name":"date","type":{"type":"int","logicalType":"date"}},
	{"name":"time","type":{"type":"int","logicalType":"time-millis"}},
	{"name":"stamp","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"}},
	{"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}},
	{"name":"uuid","type":{"type":"string","logicalType":"uuid"}},
	{"name":"array","type":{"type":"array","items":["null","long","string"]}},
	{"name":"map","type":{"type":"map","values":"string"}},
	{"name":"empty","type":{"type":"map","values":"int"}},
	{"name":"tree","type":{"type":"record","name":"Tree","fields":[{"name":"value","type":"int"},{"name":"next","type":["null","Tree"]}]}},
	{"name":"_change","type":["null","string"]}
]}`

func zooValue() map[string]any {
	huge, _ := new(big.Rat).SetString("1234567890123456789012345678901234567890.25")
	return map[string]any{
		"z_string": "Grüße", "nothing": nil, "optional": "o", "second": "s", "flag": true, "int": int32(-5), "long": int64(math.MinInt64),
		"float": float32(0.1), "double": 1e21, "tiny": 5e-324, "negzero": math.Copysign(0, -1), "nan": math.NaN(), "inf": float32(math.Inf(-1)),
		"bytes": []byte{0, 255}, "fixed": []byte("abc"), "money": big.NewRat(-12345, 100), "coin": big.NewRat(7, 4), "huge": huge, "enum": "B",
		"date": time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), "time": 10*time.Hour + time.Millisecond,
		"stamp": time.UnixMilli(-1).UTC(), "micros": time.UnixMicro(1_795_000_000_123_456).UTC(), "local": time.UnixMilli(1_795_000_000_123).UTC(),
		"uuid":  "123e4567-e89b-12d3-a456-426614174000",
		"array": []any{nil, int64(1), "x"}, "map": map[string]any{"b": "2", "a": "1", "é": "3"}, "empty": map[string]any{},
		"tree": map[string]any{"value": int32(1), "next": map[string]any{"value": int32(2), "next": nil}}, "_change": "never",
	}
}

func zoo(t testing.TB) (*Walker, []byte) {
	t.Helper()
	body, err := avro.MustParse(zooSchema).Encode(zooValue())
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWalker(zooSchema)
	if err != nil {
		t.Fatal(err)
	}
	return w, body
}

func TestLookup(t *testing.T) {
	t.Parallel()
	w, body := zoo(t)
	text := func(s string) Value { return Value{Kind: Text, Text: s} }
	number := func(s string) Value { return Value{Kind: Number, Text: s} }
	for path, want := range map[string]Value{
		"z_string": text("Grüße"), "nothing": {Kind: Null}, "optional": text("o"), "second": text("s"), "flag": {Kind: Bool, True: true},
		"int": number("-5"), "long": number("-9223372036854775808"), "float": number("0.1"), "double": number("1000000000000000000000"),
		"tiny": number("0." + strings.Repeat("0", 323) + "5"), "negzero": number("0"), "nan": {Kind: Other}, "inf": {Kind: Other},
		"bytes": {Kind: Other}, "fixed": {Kind: Other}, "money": number("-123.45"), "coin": number("1.75"),
		"huge": number("1234567890123456789012345678901234567890.25"), "enum": text("B"), "date": text("2026-11-21"), "time": text("10:00:00.001Z"),
		"stamp": text("1969-12-31T23:59:59.999Z"), "micros": text("2026-11-18T11:06:40.123456Z"), "local": text("2026-11-18T11:06:40.123"),
		"uuid": text("123e4567-e89b-12d3-a456-426614174000"), "array": {Kind: Other}, "map": {Kind: Other}, "map.é": text("3"), "map.x": {},
		"tree": {Kind: Other}, "tree.value": number("1"), "tree.next.value": number("2"), "tree.next.next": {Kind: Null}, "tree.next.next.value": {},
		"nope": {}, "z_string.x": {}, "array.0": {}, "nothing.x": {},
	} {
		if got, err := w.Lookup(body, strings.Split(path, ".")...); got != want || err != nil {
			t.Errorf("Lookup(%s) = %+v, %v; want %+v", path, got, err, want)
		}
	}
}

// fields decodes an Avro map of field values with goavro, and gives back plain values.
func fields(t testing.TB, encoded []byte) map[string]any {
	t.Helper()
	codec, err := goavro.NewCodec(fieldsSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	native, rest, err := codec.NativeFromBinary(encoded)
	if err != nil || len(rest) != 0 {
		t.Fatalf("goavro cannot read the fields: %v, %d bytes left of %x", err, len(rest), encoded)
	}
	return plainValue(native).(map[string]any)
}

// fieldsSchema is the type of `fields` in a view.
func fieldsSchema(t testing.TB) string {
	t.Helper()
	n, err := schema.Parse(schemas.CustomerView)
	if err != nil {
		t.Fatal(err)
	}
	return n.Fields[2].Type.Fields[1].Type.Text()
}

func plainValue(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, v := range m {
		branch := k
		if len(m) != 1 {
			branch = ""
		}
		switch branch {
		case "string", "long", "boolean":
			return v
		case "bytes.decimal":
			return strings.TrimRight(strings.TrimRight(v.(*big.Rat).FloatString(18), "0"), ".") + "d"
		case "crosswalk.AttributeMap":
			return plainValue(v.(map[string]any)["fields"])
		case "crosswalk.AttributeList":
			var list []any
			for _, item := range v.(map[string]any)["items"].([]any) {
				list = append(list, plainValue(item))
			}
			return list
		}
		out[k] = plainValue(v)
	}
	return out
}

func TestAppendFields(t *testing.T) {
	t.Parallel()
	w, body := zoo(t)
	got, err := w.AppendFields([]byte("kept"), body, "flag", "int")
	if err != nil || string(got[:4]) != "kept" {
		t.Fatal(err)
	}
	want := map[string]any{
		"z_string": "Grüße", "nothing": nil, "optional": "o", "second": "s", "long": int64(math.MinInt64),
		"float": "0.1d", "double": "1000000000000000000000", "tiny": "0." + strings.Repeat("0", 323) + "5", "negzero": "0d", "nan": "NaN", "inf": "-Infinity",
		"bytes": "AP8=", "fixed": "YWJj", "money": "-123.45d", "coin": "1.75d", "huge": "1234567890123456789012345678901234567890.25",
		"enum": "B", "date": "2026-11-21", "time": "10:00:00.001Z", "stamp": "1969-12-31T23:59:59.999Z", "micros": "2026-11-18T11:06:40.123456Z",
		"local": "2026-11-18T11:06:40.123", "uuid": "123e4567-e89b-12d3-a456-426614174000",
		"array": []any{nil, int64(1), "x"}, "map": map[string]any{"a": "1", "b": "2", "é": "3"}, "empty": map[string]any{},
		"tree": map[string]any{"value": int64(1), "next": map[string]any{"value": int64(2), "next": nil}},
	}
	if have := fields(t, got[4:]); !reflect.DeepEqual(have, want) {
		t.Errorf("AppendFields\n got %v\nwant %v", have, want)
	}
	for i, key := range keys(t, got[4:]) {
		if i > 0 && key <= keys(t, got[4:])[i-1] {
			t.Errorf("%q stands after %q", key, keys(t, got[4:])[i-1])
		}
	}
}

// keys reads the keys of an Avro map of field values in the order in which they stand.
func keys(t testing.TB, encoded []byte) []string {
	t.Helper()
	s, err := compile(mustNode(fieldsSchema(t)))
	if err != nil {
		t.Fatal(err)
	}
	r := reader{b: encoded}
	var out []string
	if err := r.items(s, func(key []byte) error {
		out = append(out, string(key))
		return r.skip(s.elem, 0)
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// Two writers that lay the same values out differently (order of map entries, sizes of blocks) give the same bytes (R25).
func TestAppendFieldsIsOfValuesAlone(t *testing.T) {
	t.Parallel()
	w, err := NewWalker(`{"type":"record","name":"R","fields":[{"name":"m","type":{"type":"map","values":{"type":"array","items":"int"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	one := []byte{4, 2, 'a', 4, 2, 4, 0, 2, 'b', 0, 0}
	other := []byte{2, 2, 'b', 2, 8, 0, 3, 6, 2, 'b', 0, 1, 14, 2, 'a', 2, 2, 1, 2, 4, 0, 0}
	a, err := w.AppendFields(nil, one)
	if err != nil {
		t.Fatal(err)
	}
	// blocks of one, b twice (the last counts), a block that says its size, a list in two blocks
	b, err := w.AppendFields(nil, other)
	if err == nil {
		t.Fatalf("a block that ends elsewhere than it says is taken: %x", b)
	}
	other[7], other[12] = 8, 0
	other = []byte{2, 2, 'b', 2, 8, 0, 1, 6, 2, 'b', 0, 2, 2, 'a', 2, 2, 1, 2, 4, 0, 0}
	if b, err = w.AppendFields(nil, other); err != nil || string(a) != string(b) {
		t.Errorf("\n%x\n%x, %v", a, b, err)
	}
	if v, err := w.Lookup(other, "m", "b"); v.Kind != Other || err != nil {
		t.Errorf("Lookup = %+v, %v", v, err)
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	const text = `{"type":"record","name":"R","fields":[{"name":"links","type":["null",{"type":"array","items":["null","string"]}]},{"name":"n","type":"int"}]}`
	w, err := NewWalker(text)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(links any) []byte {
		b, err := avro.MustParse(text).Encode(map[string]any{"links": links, "n": 1})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if got, err := w.Strings(encode([]any{"a", "b"}), "links"); !reflect.DeepEqual(got, []string{"a", "b"}) || err != nil {
		t.Errorf("Strings = %v, %v", got, err)
	}
	if got, err := w.Strings(encode(nil), "links"); got != nil || err != nil {
		t.Errorf("Strings of null = %v, %v", got, err)
	}
	if got, err := w.Strings(encode(nil), "nope"); got != nil || err != nil {
		t.Errorf("Strings of nothing = %v, %v", got, err)
	}
	if got, err := w.Strings(encode([]any{nil}), "links"); err == nil {
		t.Errorf("Strings of nulls = %v", got)
	}
	if got, err := w.Strings(encode(nil), "n"); err == nil {
		t.Errorf("Strings of a number = %v", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	w, body := zoo(t)
	if err := w.Check(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(append(body[:len(body):len(body)], 0)); err == nil || !strings.Contains(err.Error(), "left over") {
		t.Errorf("a byte too many: %v", err)
	}
	for i := range body {
		if err := w.Check(body[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole", i, len(body))
		}
	}
	for text, bad := range map[string]string{
		`{"type":"array","items":"null"}`:            "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", // nine quintillion nulls
		`{"type":"array","items":"int"}`:             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", // as many, the least number
		`{"type":"map","values":"int"}`:              "\x02\xfe\xff\xff\xff\x0f",                     // a key of four gigabytes
		`"string"`:                                   "\x01",
		`["null","string"]`:                          "\x02\x04\xc3\x28", // no UTF-8
		`{"type":"map","values":"null"}`:             "\x02\x02\xff\x00", // a key that is none
		`"boolean"`:                                  "\x02",
		`["null","int"]`:                             "\x04",
		`"int"`:                                      "\xfe\xff\xff\xff\x7f",
		`{"type":"enum","name":"E","symbols":["A"]}`: "\x02",
	} {
		w, err := NewWalker(`{"type":"record","name":"R","fields":[{"name":"f","type":` + text + `}]}`)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Check([]byte(bad)); err == nil {
			t.Errorf("%x is taken for a %s", bad, text)
		}
		if _, err := w.AppendFields(nil, []byte(bad)); err == nil {
			t.Errorf("%x is copied as a %s", bad, text)
		}
		if _, _, err := w.AppendValues(nil, nil, []byte(bad)); err == nil {
			t.Errorf("the values of %x are copied as a %s", bad, text)
		}
	}
	deep, err := NewWalker(`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := deep.Check([]byte(strings.Repeat("\x02", 1_000_000))); err == nil || !strings.Contains(err.Error(), "too deeply") {
		t.Errorf("a million levels: %v", err)
	}
}

func FuzzWalker(f *testing.F) {
	w, body := zoo(f)
	f.Add(body)
	f.Add(body[:50])
	witness := avro.MustParse(zooSchema)
	f.Fuzz(func(t *testing.T, body []byte) {
		checked := w.Check(body)
		out, err := w.AppendFields(nil, body)
		if (checked == nil) != (err == nil) {
			t.Fatalf("Check: %v, AppendFields: %v", checked, err)
		}
		for _, path := range [][]string{{"_change"}, {"map", "a"}, {"tree", "next", "next", "value"}, {"array", "x"}} {
			if _, err := w.Lookup(body, path...); err != nil && checked == nil {
				t.Fatalf("Lookup(%v): %v", path, err)
			}
		}
		if checked != nil {
			return
		}
		keys(t, out)
		var v any
		if rest, err := witness.Decode(body, &v); err != nil || len(rest) != 0 {
			t.Fatalf("twmb does not read it: %v, %d bytes left", err, len(rest))
		}
	})
}

// The values, put together with the names, are what AppendFields writes, whatever the order of the fields on the wire.
func TestAppendValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","long"]},
			{"name":"_change","type":"string"},{"name":"c","type":{"type":"array","items":"string"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"c","type":"string"},{"name":"long_name","type":["null","long"]},
			{"name":"_change","type":"string"},{"name":"b","type":{"type":"array","items":"string"}}]}`,
	} {
		w, err := NewWalker(text)
		if err != nil {
			t.Fatal(err)
		}
		body := []byte{4, 'h', 'i', 2, 84, 2, 'x', 4, 2, 'p', 2, 'q', 0}
		want, err := w.AppendFields(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		values, lengths, err := w.AppendValues([]byte("kept"), nil, body)
		if err != nil || string(values[:4]) != "kept" || len(lengths) != 3 {
			t.Fatalf("AppendValues gives %q, %v, %v", values, lengths, err)
		}
		got, names, values := appendLong(nil, 3), reader{b: w.FieldNames()}, values[4:]
		for _, n := range lengths {
			name, err := names.bytes()
			if err != nil {
				t.Fatal(err)
			}
			got = append(appendBytes(got, name), values[:n]...)
			values = values[n:]
		}
		if got = append(got, 0); string(got) != string(want) {
			t.Errorf("with their names the values are\n%x, want\n%x", got, want)
		}
		for _, bad := range [][]byte{body[:len(body)-1], append(slices.Clone(body), 0)} {
			if _, _, err := w.AppendValues(nil, nil, bad); err == nil {
				t.Errorf("%x is taken", bad)
			}
		}
	}
}

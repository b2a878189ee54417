package conformance

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// Schema returns an Avro schema made for this record alone: a record with just its fields, nested records for nested
// objects, and a _change, which no output may show (R25).
func (r Record) Schema() string {
	return recordSchema("Row", r.whole())
}

// Body returns the record as Avro of that schema.
func (r Record) Body() []byte { return appendFields(nil, r.whole()) }

// whole is the record's fields as the topic has them.
func (r Record) whole() map[string]any {
	out := maps.Clone(map[string]any(r.Fields))
	out["_change"] = map[string]any{"op": "UPDATE", "sequence_number": r.Version.Rev}
	if r.Kind == join.Note {
		out["links"] = r.Links
	}
	return out
}

func recordSchema(name string, fields map[string]any) string {
	var list []string
	for _, field := range names(fields) {
		list = append(list, fmt.Sprintf(`{"name":%q,"type":%s}`, field, typeOf(name+"_"+field, fields[field])))
	}
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(list, ","))
}

// names returns the fields in an order that is not that of their names: readers must not rely on one.
func names(fields map[string]any) []string {
	out := slices.Sorted(maps.Keys(fields))
	slices.Reverse(out)
	return out
}

func typeOf(name string, v any) string {
	switch v := v.(type) {
	case nil:
		return `["null","string"]`
	case bool:
		return `["null","boolean"]`
	case int64:
		return `"long"`
	case customer.Decimal:
		if strings.Contains(string(v), "E") {
			return `"double"`
		}
		return fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":38,"scale":%d}`, scaleOf(v))
	case string:
		return `"string"`
	case []string:
		return `{"type":"array","items":"string"}`
	case map[string]any:
		return recordSchema(name, v)
	}
	panic(fmt.Sprintf("no schema for %T", v))
}

func scaleOf(d customer.Decimal) int {
	_, fraction, _ := strings.Cut(string(d), ".")
	return len(fraction)
}

func appendFields(b []byte, fields map[string]any) []byte {
	for _, name := range names(fields) {
		b = appendValue(b, fields[name])
	}
	return b
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 0)
	case bool:
		if v {
			return append(b, 2, 1)
		}
		return append(b, 2, 0)
	case int64:
		return binary.AppendVarint(b, v)
	case customer.Decimal:
		return appendDecimal(b, v)
	case string:
		return append(binary.AppendVarint(b, int64(len(v))), v...)
	case []string:
		for _, item := range v { // a block of its own for each, as a writer may do
			b = appendValue(append(b, 2), item)
		}
		return append(b, 0)
	case map[string]any:
		return appendFields(b, v)
	}
	panic(fmt.Sprintf("no encoding for %T", v))
}

func appendDecimal(b []byte, d customer.Decimal) []byte {
	if strings.Contains(string(d), "E") {
		f, _ := strconv.ParseFloat(string(d), 64)
		b, _ = binary.Append(b, binary.LittleEndian, f)
		return b
	}
	n, _ := new(big.Int).SetString(strings.ReplaceAll(string(d), ".", ""), 10)
	raw := n.Bytes()
	if n.Sign() < 0 { // two's complement of enough bytes
		size := len(raw) + 1
		raw = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size))).Bytes()
	} else {
		raw = append([]byte{0}, raw...)
	}
	return append(binary.AppendVarint(b, int64(len(raw))), raw...)
}

// Canonical returns the record's fields as a view shows them: decimals in their canonical digits.
func (r Record) Canonical() customer.Fields { return canonical(r.Fields) }

func canonical(fields map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		switch v := v.(type) {
		case customer.Decimal:
			d, err := change.DecimalValue(string(v))
			if err != nil {
				panic(err)
			}
			out[name] = customer.Decimal(d.Str())
		case map[string]any:
			out[name] = canonical(v)
		default:
			out[name] = v
		}
	}
	return out
}

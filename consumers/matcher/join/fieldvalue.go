package join

import (
	"encoding/binary"
	"math/big"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/change"
)

// fieldScale is the scale of a field value's decimals.
const fieldScale = 18

// The branches of a field value.
const (
	fieldNull = iota
	fieldBool
	fieldLong
	fieldDecimal
	fieldText
	fieldMap
	fieldList
)

// fieldReader reads the maps of field values that AppendFields writes.
type fieldReader struct {
	b   []byte
	bad bool
}

func (f *fieldReader) long() int64 {
	n, w := binary.Varint(f.b)
	if w <= 0 {
		f.b, f.bad = nil, true
		return 0
	}
	f.b = f.b[w:]
	return n
}

func (f *fieldReader) uvarint() uint64 {
	n, w := binary.Uvarint(f.b)
	if w <= 0 {
		f.b, f.bad = nil, true
		return 0
	}
	f.b = f.b[w:]
	return n
}

func (f *fieldReader) bytes() []byte {
	n := f.long()
	if n < 0 || n > int64(len(f.b)) {
		f.b, f.bad = nil, true
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

// items calls fn at the start of each item of a map or list until it returns false.
func (f *fieldReader) items(fn func() bool) {
	for n := f.long(); n != 0 && !f.bad; n = f.long() {
		if n < 0 { // the block's size in bytes follows
			n = -n
			f.long()
		}
		for range n {
			if f.bad || !fn() {
				return
			}
		}
	}
}

// lookup returns the field at the path.
func (f *fieldReader) lookup(path []string) (v rule.Value) {
	f.items(func() bool {
		name := f.bytes()
		if string(name) != path[0] {
			f.skip()
			return true
		}
		v = f.at(path[1:])
		return false
	})
	return v
}

// at returns the value, or the one at the path within it.
func (f *fieldReader) at(path []string) rule.Value {
	if len(path) == 0 {
		return f.value()
	}
	if f.long() == fieldMap {
		return f.lookup(path)
	}
	return rule.Value{}
}

func (f *fieldReader) value() rule.Value {
	switch f.long() {
	case fieldNull:
		return rule.Value{Kind: rule.Null}
	case fieldLong:
		return rule.Value{Kind: rule.Number, Text: string(big.NewInt(f.long()).Append(nil, 10))}
	case fieldDecimal:
		return rule.Value{Kind: rule.Number, Text: decimalText(f.bytes())}
	case fieldText:
		return rule.Value{Kind: rule.Text, Text: string(f.bytes())}
	}
	return rule.Value{Kind: rule.Other}
}

// decimalText writes a decimal's two's complement digits out.
func decimalText(b []byte) string {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	v, err := change.DecimalValue(n.String() + "E-18")
	if err != nil {
		return "NaN" // cannot be: the digits are our own
	}
	return v.Str()
}

func (f *fieldReader) skip() {
	switch f.long() {
	case fieldNull:
	case fieldBool:
		f.b = f.b[min(1, len(f.b)):]
	case fieldLong:
		f.long()
	case fieldDecimal, fieldText:
		f.bytes()
	case fieldMap:
		f.items(func() bool { f.bytes(); f.skip(); return true })
	case fieldList:
		f.items(func() bool { f.skip(); return true })
	default:
		f.b, f.bad = nil, true
	}
}

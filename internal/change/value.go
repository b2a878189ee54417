package change

import (
	"fmt"
	"strconv"
	"time"
)

// Kind says what a Value holds.
type Kind uint8

// The kinds of a Value. The zero Kind is Absent: the field is not part of the row, which is not the same as null (H13, R8).
const (
	Absent Kind = iota
	Null
	Bool
	Int      // 64-bit integer
	Decimal  // exact decimal number, kept as its text
	String   // UTF-8 text; Salesforce has no empty string, a Bulk "" is Null
	Date     // days since 1970-01-01
	Time     // milliseconds since midnight UTC
	Datetime // milliseconds since 1970-01-01T00:00:00Z
)

// Value is one field's value. It is comparable with ==: two values are the same when kind and content are.
// A Decimal must be built with DecimalValue, which brings its text to one form.
type Value struct {
	kind Kind
	num  int64
	str  string
}

// NullValue is the explicit null.
func NullValue() Value { return Value{kind: Null} }

// BoolValue holds b.
func BoolValue(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.num = 1
	}
	return v
}

// IntValue holds n.
func IntValue(n int64) Value { return Value{kind: Int, num: n} }

// StringValue holds s unchanged, byte for byte.
func StringValue(s string) Value { return Value{kind: String, str: s} }

// DateValue holds a calendar day as days since 1970-01-01.
func DateValue(days int64) Value { return Value{kind: Date, num: days} }

// TimeValue holds a time of day as milliseconds since midnight.
func TimeValue(ms int64) Value { return Value{kind: Time, num: ms} }

// DatetimeValue holds an instant as milliseconds since the Unix epoch.
func DatetimeValue(ms int64) Value { return Value{kind: Datetime, num: ms} }

// DecimalValue holds the number written in text ("-12.50", "1.5E3"), exactly and in one canonical form:
// no exponent, no leading zeros, no trailing zeros after the point, no "-0".
func DecimalValue(text string) (Value, error) {
	s, err := canonicalDecimal(text)
	if err != nil {
		return Value{}, err
	}
	return Value{kind: Decimal, str: s}, nil
}

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// Bool returns the content of a Bool.
func (v Value) Bool() bool { return v.num != 0 }

// Int returns the number of an Int, the days of a Date, the milliseconds of a Time or Datetime.
func (v Value) Int() int64 { return v.num }

// Str returns the text of a String or the canonical digits of a Decimal.
func (v Value) Str() string { return v.str }

// IsNull reports an explicit null.
func (v Value) IsNull() bool { return v.kind == Null }

// String renders v for people and logs; it is not a wire format.
func (v Value) String() string {
	switch v.kind {
	case Absent:
		return "absent"
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(v.num != 0)
	case Int:
		return strconv.FormatInt(v.num, 10)
	case Decimal, String:
		return v.str
	case Date:
		return time.UnixMilli(v.num * 86400000).UTC().Format(time.DateOnly)
	case Time:
		return time.UnixMilli(v.num).UTC().Format("15:04:05.000Z")
	case Datetime:
		return time.UnixMilli(v.num).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return fmt.Sprintf("Kind(%d)", v.kind)
}

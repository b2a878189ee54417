package sfapi

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"crosswalk/internal/change"
)

// RowError is a row that cannot be decoded: the others are not affected. The caller takes it to the dead letters.
type RowError struct {
	Row    int    // number of the row within its page, from 1; 0 for a single record
	Field  string // API name; empty when the row as a whole is wrong
	Reason string // what is wrong, with the beginning of the value
	Raw    string // the row as it came
	ID     string // 18-character id of the record, so that it can be asked for otherwise; empty when the row does not tell
}

func (e *RowError) Error() string {
	where := "record"
	if e.Row > 0 {
		where = "row " + strconv.Itoa(e.Row)
	}
	if e.Field != "" {
		where += ", field " + e.Field
	}
	return "decode " + where + ": " + e.Reason
}

// parseText turns the text of a CSV cell or a JSON string into a value of the type. Salesforce has no empty strings: an
// empty text is null (facts 3.3).
func parseText(t change.Type, s string) (change.Value, error) {
	if s == "" {
		return change.NullValue(), nil
	}
	switch t {
	case change.TypeBool:
		switch s {
		case "true":
			return change.BoolValue(true), nil
		case "false":
			return change.BoolValue(false), nil
		}
	case change.TypeInt:
		return parseInt(s)
	case change.TypeDecimal:
		return change.DecimalValue(s)
	case change.TypeDate:
		if days, ok := parseDate(s); ok {
			return change.DateValue(days), nil
		}
	case change.TypeTime:
		if ms, rest, ok := parseClock(s); ok && (rest == "" || rest == "Z") {
			return change.TimeValue(ms), nil
		}
	case change.TypeDatetime:
		if ms, ok := parseDatetime(s); ok {
			return change.DatetimeValue(ms), nil
		}
	default:
		return change.StringValue(s), nil
	}
	return change.Value{}, fmt.Errorf("%s is not a %s", excerpt(s), typeName(t))
}

// parseInt also takes what Salesforce writes for whole numbers of other types: 12.0, 1.2E1.
func parseInt(s string) (change.Value, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return change.IntValue(n), nil
	}
	d, err := change.DecimalValue(s)
	if err == nil {
		n, err := strconv.ParseInt(d.Str(), 10, 64)
		if err == nil {
			return change.IntValue(n), nil
		}
	}
	return change.Value{}, fmt.Errorf("%s is not a whole number of 64 bits", excerpt(s))
}

func typeName(t change.Type) string {
	switch t {
	case change.TypeBool:
		return "boolean"
	case change.TypeInt:
		return "whole number"
	case change.TypeDecimal:
		return "decimal number"
	case change.TypeDate:
		return "date"
	case change.TypeTime:
		return "time"
	case change.TypeDatetime:
		return "datetime"
	}
	return "text"
}

// excerpt quotes the beginning of a value for an error message.
func excerpt(s string) string {
	const most = 40
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}

const millisPerDay = 24 * 60 * 60 * 1000

// text is what the parsers below take: they run on every cell, and must not copy.
type text interface{ ~string | ~[]byte }

// parseDatetime reads 2026-11-20T21:20:00.000Z and its relatives: with or without a fraction, Z, +0000, +00:00, -05:30.
// It returns milliseconds since 1970.
func parseDatetime[T text](s T) (ms int64, ok bool) {
	if len(s) < 20 || s[10] != 'T' {
		return 0, false
	}
	days, ok := parseDate(s[:10])
	if !ok {
		return 0, false
	}
	clock, zone, ok := parseClock(s[11:])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(zone)
	return days*millisPerDay + clock - offset, ok
}

// parseDate reads 2026-11-20 and returns days since 1970-01-01.
func parseDate[T text](s T) (days int64, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, okY := digits(s[:4])
	m, okM := digits(s[5:7])
	d, okD := digits(s[8:10])
	if !okY || !okM || !okD || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, false
	}
	return civilDays(y, m, d), true
}

// parseClock reads 15:04:05 with an optional fraction and returns milliseconds since midnight and what follows.
func parseClock[T text](s T) (ms int64, rest T, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0, rest, false
	}
	h, okH := digits(s[:2])
	m, okM := digits(s[3:5])
	sec, okS := digits(s[6:8])
	if !okH || !okM || !okS || h > 23 || m > 59 || sec > 59 {
		return 0, rest, false
	}
	ms = (h*3600 + m*60 + sec) * 1000
	rest = s[8:]
	if len(rest) == 0 || rest[0] != '.' {
		return ms, rest, true
	}
	n, weight := 1, int64(100)
	for ; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
		ms += int64(rest[n]-'0') * weight
		weight /= 10
	}
	return ms, rest[n:], n > 1
}

// parseZone reads Z, +0000 or +00:00 and returns the offset from UTC in milliseconds.
func parseZone[T text](s T) (ms int64, ok bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) < 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, okH := digits(s[1:3])
	rest := s[3:]
	if rest[0] == ':' {
		rest = rest[1:]
	}
	m, okM := digits(rest)
	if !okH || !okM || len(rest) != 2 || h > 23 || m > 59 {
		return 0, false
	}
	ms = (h*60 + m) * 60 * 1000
	if s[0] == '-' {
		ms = -ms
	}
	return ms, true
}

func digits[T text](s T) (n int64, ok bool) {
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func monthDays(y, m int64) int64 {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// civilDays counts days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is last.
func civilDays(y, m, d int64) int64 {
	if m <= 2 {
		y, m = y-1, m+12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - 719468
}

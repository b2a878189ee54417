package org

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Fields are a record's values on their way in, by API name: string, bool, json.Number, float64, int or nil.
type Fields map[string]any

// Layouts of dates and times, in the canonical text and on the wire of Bulk and change events.
const (
	DateLayout     = "2006-01-02"
	TimeLayout     = "15:04:05.000Z"
	DatetimeLayout = "2006-01-02T15:04:05.000Z"
)

// Error is a refused change, with the errorCode that Salesforce would send and the fields that it is about.
type Error struct {
	Code, Message string
	Fields        []string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// canonical brings a value on its way in to the text that is stored; null is "".
func (f *Field) canonical(v any) (string, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		text = v.UTC().Format(DatetimeLayout)
	default:
		return "", f.refuseValue(fmt.Sprint(v))
	}
	if text == "" {
		return "", nil
	}
	return f.canonicalText(text)
}

func (f *Field) refuseValue(text string) *Error {
	e := refuse("JSON_PARSER_ERROR", "Cannot deserialize instance of %s from VALUE_STRING value %s or request may be missing a required field", f.Type, text)
	e.Fields = []string{f.Name}
	return e
}

func (f *Field) canonicalText(text string) (string, error) {
	switch f.Kind {
	case Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return "", f.refuseValue(text)
		}
		return strconv.FormatBool(b), nil
	case Int, Number:
		return f.canonicalNumber(text)
	case Date, Datetime, Time:
		return f.canonicalTime(text)
	case ID:
		id, ok := NormalizeID(text)
		if !ok {
			return "", &Error{Code: "MALFORMED_ID", Message: f.Label + ": id value of incorrect type: " + text, Fields: []string{f.Name}}
		}
		return id, nil
	case Compound:
		return "", &Error{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "Unable to create/update fields: " + f.Name, Fields: []string{f.Name}}
	case Text:
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return "", f.refuseValue(strconv.Quote(text))
		}
		if f.Length > 0 && len(text) > f.Length && utf8.RuneCountInString(text) > f.Length {
			return "", &Error{Code: "STRING_TOO_LONG", Message: fmt.Sprintf("%s: data value too large: %.80s (max length=%d)", f.Label, text, f.Length), Fields: []string{f.Name}}
		}
	}
	return text, nil
}

// canonicalNumber writes a number plainly, rounded to the field's scale, without zeros that say nothing.
func (f *Field) canonicalNumber(text string) (string, error) {
	r := new(big.Rat)
	if len(text) > 64 || strings.ContainsAny(text, "/xXpP_") || tooLargeExponent(text) {
		return "", f.refuseValue(text)
	}
	if _, ok := r.SetString(text); !ok {
		return "", f.refuseValue(text)
	}
	scale := f.Scale
	if f.Kind == Int {
		if !r.IsInt() {
			return "", f.refuseValue(text)
		}
		scale = 0
	}
	out := r.FloatString(scale)
	if strings.IndexByte(out, '.') >= 0 {
		out = strings.TrimRight(strings.TrimRight(out, "0"), ".")
	}
	if out == "-0" {
		out = "0"
	}
	return out, nil
}

// tooLargeExponent keeps "1e999999999" from being written out.
func tooLargeExponent(text string) bool {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return false
	}
	n, err := strconv.Atoi(text[i+1:])
	return err != nil || n > 40 || n < -40
}

// timeLayouts are the spellings of a datetime that come in: Bulk's, REST's, with any offset, with or without fraction.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"}

// ParseDatetime reads a datetime in any spelling that Salesforce accepts.
func ParseDatetime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (f *Field) canonicalTime(text string) (string, error) {
	switch f.Kind {
	case Datetime:
		if t, ok := ParseDatetime(text); ok {
			return stamp(t), nil
		}
		if t, err := time.Parse(DateLayout, text); err == nil {
			return stamp(t), nil
		}
	case Date:
		if t, err := time.Parse(DateLayout, text); err == nil {
			return t.Format(DateLayout), nil
		}
		if t, ok := ParseDatetime(text); ok {
			return t.Format(DateLayout), nil
		}
	default:
		for _, layout := range []string{"15:04:05.999999999Z", "15:04:05.999999999", "15:04"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.Format(TimeLayout), nil
			}
		}
	}
	return "", f.refuseValue(text)
}

// stamp writes a moment as it is stored: cut to the second (facts 2.5).
func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(DatetimeLayout) }

// Value is a stored text as change events and JSON know it: string, bool, json.Number or nil for null.
// Numbers that are not integers by type always carry a fraction (facts 5.3).
func (f *Field) Value(text string, ok bool) any {
	if !ok {
		return nil
	}
	switch f.Kind {
	case Bool:
		return text == "true"
	case Int:
		return json.Number(text)
	case Number:
		if strings.IndexByte(text, '.') < 0 {
			text += ".0"
		}
		return json.Number(text)
	}
	return text
}

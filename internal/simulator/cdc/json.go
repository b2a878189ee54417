package cdc

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendValue appends a field value of describe type kind. Doubles show a fraction (3.0) and datetimes end in Z (facts 5.3).
func appendValue(dst []byte, v any, kind string) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case json.Number:
		return appendNumber(dst, string(v), kind)
	case string:
		if kind == "datetime" {
			if t, ok := strings.CutSuffix(v, "+0000"); ok {
				v = t + "Z"
			}
		}
		return appendString(dst, v)
	}
	// Only values that the org should not hold come here; they must still not break the message.
	text, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...)
	}
	if kind != "" && text[0] != '"' && text[0] != '{' && text[0] != '[' {
		return appendNumber(dst, string(text), kind)
	}
	return append(dst, text...)
}

func appendNumber(dst []byte, text, kind string) []byte {
	if !json.Valid([]byte(text)) {
		return appendString(dst, text)
	}
	dst = append(dst, text...)
	switch kind {
	case "double", "currency", "percent":
		if !strings.ContainsAny(text, ".eE") {
			dst = append(dst, ".0"...)
		}
	}
	return dst
}

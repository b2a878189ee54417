package cdc

import (
	"encoding/json"
	"strings"

	"crosswalk/internal/simulator/jsontext"
)

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
		return jsontext.AppendString(dst, v)
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
		return jsontext.AppendString(dst, text)
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

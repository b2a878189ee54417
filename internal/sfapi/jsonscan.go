package sfapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// errNotObject says that a record is not one JSON object in UTF-8.
var errNotObject = errors.New("it is not a JSON object in UTF-8")

// checkObject must accept a text before eachMember may walk it.
func checkObject(raw []byte) error {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) || !utf8.Valid(raw) {
		return errNotObject
	}
	return nil
}

// eachMember calls fn for each member of a JSON object that checkObject accepted: with the key as text between its
// quotes, escapes undone, and the value as sent. Slices are parts of raw.
func eachMember(raw []byte, fn func(key, value []byte) error) error {
	p := skipSpace(raw, 0) + 1 // {
	for {
		p = skipSpace(raw, p)
		if raw[p] == '}' {
			return nil
		}
		end := skipValue(raw, p)
		key := raw[p+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(jsonText(raw[p:end]))
		}
		p = skipSpace(raw, end) + 1 // :
		p = skipSpace(raw, p)
		end = skipValue(raw, p)
		if err := fn(key, raw[p:end]); err != nil {
			return err
		}
		p = skipSpace(raw, end)
		if raw[p] == ',' {
			p++
		}
	}
}

func skipSpace(raw []byte, p int) int {
	for raw[p] == ' ' || raw[p] == '\n' || raw[p] == '\t' || raw[p] == '\r' {
		p++
	}
	return p
}

// skipValue returns where the value that begins at p ends.
func skipValue(raw []byte, p int) int {
	switch raw[p] {
	case '"':
		return skipString(raw, p)
	case '{', '[':
		for depth := 0; ; {
			switch raw[p] {
			case '"':
				p = skipString(raw, p)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			p++
			if depth == 0 {
				return p
			}
		}
	}
	for p < len(raw) && bytes.IndexByte([]byte(",}] \n\t\r"), raw[p]) < 0 {
		p++
	}
	return p
}

func skipString(raw []byte, p int) int {
	for p++; raw[p] != '"'; p++ {
		if raw[p] == '\\' {
			p++
		}
	}
	return p + 1
}

// jsonText returns the text of a JSON string, quotes included in raw.
func jsonText(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "" // not reached for a text that json.Valid accepted
	}
	return s
}

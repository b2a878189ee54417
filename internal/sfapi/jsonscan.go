package sfapi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
)

// errNotObject says that a record is not one JSON object in UTF-8.
var errNotObject = errors.New("it is not a JSON object in UTF-8")

// eachMember calls fn for each member of the JSON object raw: with the key as text between its quotes, escapes undone,
// and the value as sent, never empty. Slices are parts of raw. What it walks over is checked as far as it must be to
// find the next member; a record that came through encoding/json is valid all over.
func eachMember(raw []byte, fn func(key, value []byte) error) error {
	p := skipSpace(raw, 0)
	if p == len(raw) || raw[p] != '{' {
		return errNotObject
	}
	for first := true; ; first = false {
		p = skipSpace(raw, p+1)
		if p < len(raw) && raw[p] == '}' && first {
			return trailing(raw, p+1)
		}
		if p == len(raw) || raw[p] != '"' {
			return errNotObject
		}
		end := skipString(raw, p)
		if end < 0 {
			return errNotObject
		}
		key := raw[p+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			text, err := jsonText(raw[p:end])
			if err != nil {
				return err
			}
			key = []byte(text)
		}
		p = skipSpace(raw, end)
		if p == len(raw) || raw[p] != ':' {
			return errNotObject
		}
		p = skipSpace(raw, p+1)
		end = skipValue(raw, p)
		if end < 0 {
			return errNotObject
		}
		if err := fn(key, raw[p:end]); err != nil {
			return err
		}
		p = skipSpace(raw, end)
		switch {
		case p < len(raw) && raw[p] == '}':
			return trailing(raw, p+1)
		case p == len(raw) || raw[p] != ',':
			return errNotObject
		}
	}
}

// trailing allows nothing but space after an object.
func trailing(raw []byte, p int) error {
	if skipSpace(raw, p) != len(raw) {
		return errNotObject
	}
	return nil
}

func skipSpace(raw []byte, p int) int {
	for p < len(raw) && (raw[p] == ' ' || raw[p] == '\n' || raw[p] == '\t' || raw[p] == '\r') {
		p++
	}
	return p
}

// skipValue returns where the value that begins at p ends, or -1.
func skipValue(raw []byte, p int) int {
	if p == len(raw) {
		return -1
	}
	switch raw[p] {
	case '"':
		return skipString(raw, p)
	case '{', '[':
		return skipNested(raw, p)
	}
	begin := p
	for p < len(raw) && !endsScalar[raw[p]] {
		p++
	}
	if p == begin {
		return -1
	}
	return p
}

var endsScalar = [256]bool{',': true, '}': true, ']': true, ' ': true, '\n': true, '\t': true, '\r': true, ':': true, '"': true, '{': true, '[': true}

// skipNested finds the end of an object or array by its brackets.
func skipNested(raw []byte, p int) int {
	depth := 0
	for p < len(raw) {
		switch raw[p] {
		case '"':
			if p = skipString(raw, p); p < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return p + 1
			}
		}
		p++
	}
	return -1
}

// skipString returns where the string that begins at p ends, or -1. It looks at eight bytes at a time.
func skipString(raw []byte, p int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	p++
	for p+8 <= len(raw) {
		word := binary.LittleEndian.Uint64(raw[p:])
		quote, escape := word^(ones*'"'), word^(ones*'\\')
		// The high bit of a byte of these is set where the byte is zero; above the first such byte it may be set wrongly.
		found := ((quote-ones)&^quote | (escape-ones)&^escape) & highs
		if found == 0 {
			p += 8
			continue
		}
		p += bits.TrailingZeros64(found) / 8
		if raw[p] == '"' {
			return p + 1
		}
		p += 2
	}
	for ; p < len(raw); p++ {
		switch raw[p] {
		case '"':
			return p + 1
		case '\\':
			p++
		}
	}
	return -1
}

// jsonText returns the text of a JSON string, quotes included in raw.
func jsonText(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", errNotObject
	}
	return s, nil
}

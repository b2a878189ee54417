package rows

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
)

// maxDepth bounds the nesting of a value.
const maxDepth = 64

// ParseJSON parses one JSON value (RFC 8259) with exact numbers (R9): whole ones of 64 bits as Int, all others as Decimal.
// It refuses what would change a value silently: a member that stands twice, half of a surrogate pair, NUL, bytes that are not UTF-8.
func ParseJSON(text []byte) (avro.FieldValue, error) {
	if !utf8.Valid(text) {
		return avro.FieldValue{}, errors.New("not UTF-8")
	}
	p := parser{b: text}
	v, err := p.value(0)
	if err != nil {
		return avro.FieldValue{}, err
	}
	return v, p.end()
}

// parser parses one value. Its text is UTF-8.
type parser struct {
	b      []byte
	i      int
	fields []avro.Attribute // of the last row: used again
}

// object parses a row.
func (p *parser) object(text []byte) ([]avro.Attribute, error) {
	p.b, p.i = text, 0
	p.space()
	if p.peek() != '{' {
		return nil, p.errorf("a row must be a JSON object: {\"number\": …}")
	}
	p.i++
	fields, err := p.members(p.fields[:0], 1)
	if err != nil {
		return nil, err
	}
	p.fields = fields
	return fields, p.end()
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", utf8.RuneCount(p.b[:min(p.i, len(p.b))])+1, fmt.Sprintf(format, args...))
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	p.space()
	if p.i < len(p.b) {
		return p.errorf("there is more behind the end of the value; write one object a line")
	}
	return nil
}

func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\r' || p.b[p.i] == '\n') {
		p.i++
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *parser) value(depth int) (avro.FieldValue, error) {
	if depth > maxDepth {
		return avro.FieldValue{}, p.errorf("values are nested more than %d deep", maxDepth)
	}
	p.space()
	switch c := p.peek(); {
	case c == '{':
		p.i++
		object, err := p.members([]avro.Attribute{}, depth+1)
		return avro.FieldValue{Object: object}, err
	case c == '[':
		p.i++
		return p.list(depth + 1)
	case c == '"':
		s, err := p.text()
		return avro.FieldValue{Scalar: change.StringValue(s)}, err
	case c == '-' || c >= '0' && c <= '9':
		v, err := p.number()
		return avro.FieldValue{Scalar: v}, err
	}
	for word, v := range map[string]change.Value{"null": change.NullValue(), "true": change.BoolValue(true), "false": change.BoolValue(false)} {
		if bytes.HasPrefix(p.b[p.i:], []byte(word)) {
			p.i += len(word)
			return avro.FieldValue{Scalar: v}, nil
		}
	}
	if p.i >= len(p.b) {
		return avro.FieldValue{}, p.errorf("the text ends too early")
	}
	return avro.FieldValue{}, p.errorf("this is no JSON value")
}

// members parses an object behind its opening brace.
func (p *parser) members(object []avro.Attribute, depth int) ([]avro.Attribute, error) {
	for p.space(); p.peek() != '}'; p.space() {
		if len(object) > 0 {
			if p.peek() != ',' {
				return nil, p.errorf("a comma or } is missing")
			}
			p.i++
			p.space()
		}
		if p.peek() != '"' {
			return nil, p.errorf("a member's name in quotes is missing")
		}
		at := p.i
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(object, func(a avro.Attribute) bool { return a.Name == name }) {
			p.i = at
			return nil, p.errorf("the member %q stands twice", name)
		}
		p.space()
		if p.peek() != ':' {
			return nil, p.errorf("a colon is missing behind the name %q", name)
		}
		p.i++
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		object = append(object, avro.Attribute{Name: name, Value: v})
	}
	p.i++
	return object, nil
}

// list parses an array behind its opening bracket.
func (p *parser) list(depth int) (avro.FieldValue, error) {
	list := []avro.FieldValue{}
	for p.space(); p.peek() != ']'; p.space() {
		if len(list) > 0 {
			if p.peek() != ',' {
				return avro.FieldValue{}, p.errorf("a comma or ] is missing")
			}
			p.i++
		}
		v, err := p.value(depth)
		if err != nil {
			return avro.FieldValue{}, err
		}
		list = append(list, v)
	}
	p.i++
	return avro.FieldValue{List: list}, nil
}

// number parses a number without passing through a binary float.
func (p *parser) number() (change.Value, error) {
	start := p.i
	digits := func() int {
		from := p.i
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.i++
		}
		return p.i - from
	}
	if p.peek() == '-' {
		p.i++
	}
	leading := p.peek()
	n := digits()
	ok, whole := n == 1 || n > 1 && leading != '0', true
	if p.peek() == '.' {
		p.i++
		whole, ok = false, digits() > 0 && ok
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		whole, ok = false, digits() > 0 && ok
	}
	text := string(p.b[start:p.i])
	if !ok {
		p.i = start
		return change.Value{}, p.errorf("%.40q is no JSON number", text)
	}
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return change.IntValue(n), nil
		}
	}
	v, err := change.DecimalValue(text)
	if err != nil {
		p.i = start
		return change.Value{}, p.errorf("%v", err)
	}
	return v, nil
}

// text parses a string.
func (p *parser) text() (string, error) {
	p.i++
	rest := p.b[p.i:]
	n := bytes.IndexAny(rest, "\"\\")
	if n >= 0 && rest[n] == '"' { // nothing is escaped
		if at := bytes.IndexFunc(rest[:n], func(c rune) bool { return c < ' ' }); at >= 0 {
			p.i += at
			return "", p.errorf("a control character stands inside a text; write it as \\n, \\t or \\u…")
		}
		p.i += n + 1
		return string(rest[:n]), nil
	}
	var s strings.Builder
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			return s.String(), nil
		case c < ' ':
			return "", p.errorf("a control character stands inside a text; write it as \\n, \\t or \\u…")
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			s.WriteRune(r)
		default:
			s.WriteByte(c)
			p.i++
		}
	}
	return "", p.errorf("a text is not closed")
}

// escape parses an escaped character.
func (p *parser) escape() (rune, error) {
	if p.i+1 >= len(p.b) {
		return 0, p.errorf("a text is not closed")
	}
	c := p.b[p.i+1]
	if c != 'u' {
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		n := strings.IndexByte(from, c)
		if n < 0 {
			return 0, p.errorf("\\%c is no JSON escape", c)
		}
		p.i += 2
		return rune(to[n]), nil
	}
	r, err := p.unit()
	if err != nil {
		return 0, err
	}
	if utf16.IsSurrogate(r) {
		if p.peek() == '\\' && p.i+1 < len(p.b) && p.b[p.i+1] == 'u' {
			second, err := p.unit()
			if err != nil {
				return 0, err
			}
			if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
				return pair, nil
			}
		}
		return 0, p.errorf("an escape is half of a surrogate pair")
	}
	if r == 0 {
		return 0, p.errorf("the text contains a NUL character")
	}
	return r, nil
}

// unit parses \uXXXX.
func (p *parser) unit() (rune, error) {
	if p.i+6 > len(p.b) {
		return 0, p.errorf("an escape is cut off")
	}
	n, err := strconv.ParseUint(string(p.b[p.i+2:p.i+6]), 16, 16)
	if err != nil {
		return 0, p.errorf("%q is no JSON escape", p.b[p.i:p.i+6])
	}
	p.i += 6
	return rune(n), nil
}

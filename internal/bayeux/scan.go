package bayeux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deeply JSON may nest, as in encoding/json.
const maxDepth = 10_000

var errDepth = errors.New("JSON nests too deeply")

// scanner walks JSON once, from left to right, and checks it on the way. Values that nobody asks for cost
// one look at each byte and no memory; that is why a reply is not unmarshalled (see the benchmark).
type scanner struct {
	src   []byte
	at    int
	depth int
}

// object calls member for each key, with at standing on the value; member must consume the value. The key
// is valid during the call only.
func (s *scanner) object(member func(key []byte) error) error {
	if err := s.open('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		return s.shut()
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a member name")
		}
		key, err := s.name()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.unexpected("a colon")
		}
		s.at++
		if err := member(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case '}':
			return s.shut()
		default:
			return s.unexpected("a comma or }")
		}
	}
}

// array calls element with at standing on each element; element must consume it.
func (s *scanner) array(element func() error) error {
	if err := s.open('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		return s.shut()
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case ']':
			return s.shut()
		default:
			return s.unexpected("a comma or ]")
		}
	}
}

func (s *scanner) open(bracket byte) error {
	if s.peek() != bracket {
		return s.unexpected(string(bracket))
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	s.at++
	return nil
}

func (s *scanner) shut() error {
	s.at++
	s.depth--
	return nil
}

// raw consumes a value of any kind and returns its bytes, which alias the source.
func (s *scanner) raw() (json.RawMessage, error) {
	s.peek()
	start := s.at
	if err := s.skip(); err != nil {
		return nil, err
	}
	return s.src[start:s.at:s.at], nil
}

// skip consumes a value of any kind.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.quoted()
		return err
	case c == '{':
		return s.object(func([]byte) error { return s.skip() })
	case c == '[':
		return s.array(s.skip)
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	return s.unexpected("a value")
}

// text consumes a value and returns the string that it is, nil when it is something else. The bytes alias the
// source unless the string has escapes or is no valid UTF-8, which becomes U+FFFD.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.skip()
	}
	start := s.at
	text, err := s.name()
	if err != nil || utf8.Valid(text) {
		return text, err
	}
	return unquote(s.src[start:s.at])
}

// name consumes a string; at stands on its first quote.
func (s *scanner) name() ([]byte, error) {
	start := s.at
	escaped, err := s.quoted()
	if err != nil || !escaped {
		return s.src[start+1 : max(start+1, s.at-1)], err
	}
	return unquote(s.src[start:s.at])
}

func unquote(quoted []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, fmt.Errorf("read the string %.40q: %w", quoted, err)
	}
	return []byte(text), nil
}

// flag consumes a value and reports whether it is true.
func (s *scanner) flag() (bool, error) {
	value, err := s.raw()
	return string(value) == "true", err
}

// integer consumes a value and returns the whole number that it is, also one in quotes or with a fraction of
// zeros; ok is false when it is something else.
func (s *scanner) integer() (n int64, ok bool, err error) {
	value, err := s.raw()
	if err != nil {
		return 0, false, err
	}
	if len(value) > 1 && value[0] == '"' {
		value = value[1 : len(value)-1]
	}
	if dot := bytes.IndexByte(value, '.'); dot > 0 && len(bytes.Trim(value[dot+1:], "0")) == 0 {
		value = value[:dot]
	}
	n, failed := strconv.ParseInt(string(value), 10, 64)
	return n, failed == nil, nil
}

// plain marks the bytes that a string may hold as they are.
var plain = func() (table [256]bool) {
	for c := 0x20; c < len(table); c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// quoted consumes a string, quotes included, and reports whether it has escapes.
func (s *scanner) quoted() (escaped bool, err error) {
	src, i := s.src, s.at+1
	for {
		for i < len(src) && plain[src[i]] {
			i++
		}
		s.at = i
		if i == len(src) {
			return false, s.unexpected("the end of a string")
		}
		switch src[i] {
		case '"':
			s.at++
			return escaped, nil
		case '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return false, err
			}
			i = s.at
		default:
			return false, s.unexpected("an escape for a control character")
		}
	}
}

// escape consumes one escape sequence; at stands on the backslash.
func (s *scanner) escape() error {
	s.at++
	if s.at == len(s.src) {
		return s.unexpected("an escape")
	}
	switch s.src[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return nil
	case 'u':
		for range 4 {
			s.at++
			if s.at == len(s.src) || !isHex(s.src[s.at]) {
				return s.unexpected("four hexadecimal digits")
			}
		}
		s.at++
		return nil
	}
	return s.unexpected("an escape")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.src[s.at:], []byte(word)) {
		return s.unexpected(word)
	}
	s.at += len(word)
	return nil
}

// number consumes a number by JSON's grammar.
func (s *scanner) number() error {
	if s.src[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.src) && s.src[s.at] == '0' {
		s.at++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.at < len(s.src) && s.src[s.at] == '.' {
		s.at++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.at < len(s.src) && s.src[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.src) && (s.src[s.at] == '+' || s.src[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	start := s.at
	for s.at < len(s.src) && '0' <= s.src[s.at] && s.src[s.at] <= '9' {
		s.at++
	}
	if s.at == start {
		return s.unexpected("a digit")
	}
	return nil
}

// ended reports whether everything was consumed.
func (s *scanner) ended() bool { return s.at >= len(s.src) }

// peek skips white space and returns the byte that follows, 0 at the end: a NUL is as wrong in JSON as the end is.
func (s *scanner) peek() byte {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.ended() {
		return fmt.Errorf("the JSON ends at byte %d where %s should be", s.at, want)
	}
	return fmt.Errorf("the JSON has %q at byte %d where %s should be", s.src[s.at], s.at, want)
}

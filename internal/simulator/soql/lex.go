package soql

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	end tokenKind = iota
	name
	text    // a quoted string, its escapes resolved
	literal // what begins with a digit or a sign: number, date, datetime
	symbol  // ( ) , . : = != <> < > <= >=
)

type token struct {
	kind    tokenKind
	value   string
	pos     int
	like    string // of a text: the pattern, in which an escaped % or _ is marked by a backslash
	tooLong bool
}

// is reports a keyword or symbol.
func (t token) is(word string) bool {
	return (t.kind == name || t.kind == symbol) && strings.EqualFold(t.value, word)
}

// shown is the token as an error names it.
func (t token) shown() string {
	if t.kind == end {
		return "<EOF>"
	}
	return t.value
}

// lex cuts a query into tokens.
func lex(query string) ([]token, error) {
	if utf8.RuneCountInString(query) > maxQuery {
		return nil, &Error{Code: "MALFORMED_QUERY", Message: "SOQL statements cannot be longer than 100000 characters."}
	}
	var out []token
	for at := 0; at < len(query); {
		c := query[at]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			at++
		case isLetter(c):
			n := at + 1
			for n < len(query) && (isLetter(query[n]) || isDigit(query[n])) {
				n++
			}
			out = append(out, token{kind: name, value: query[at:n], pos: at})
			at = n
		case isDigit(c) || (c == '-' || c == '+') && at+1 < len(query) && (isDigit(query[at+1]) || query[at+1] == '.') || c == '.' && at+1 < len(query) && isDigit(query[at+1]):
			n := at + 1
			for n < len(query) && (isDigit(query[n]) || isLetter(query[n]) || strings.IndexByte(".:+-", query[n]) >= 0) {
				n++
			}
			out = append(out, token{kind: literal, value: query[at:n], pos: at})
			at = n
		case c == '\'':
			t, n, err := lexText(query, at)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			at = n
		default:
			n := 1
			for _, two := range []string{"!=", "<>", "<=", ">="} {
				if strings.HasPrefix(query[at:], two) {
					n = 2
				}
			}
			if n == 1 && strings.IndexByte("(),.:=<>", c) < 0 {
				r, _ := utf8.DecodeRuneInString(query[at:])
				return nil, &Error{Code: "MALFORMED_QUERY", Message: "unexpected token: '" + string(r) + "'"}
			}
			out = append(out, token{kind: symbol, value: query[at : at+n], pos: at})
			at += n
		}
	}
	return append(out, token{kind: end, pos: len(query)}), nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// escapes are those of facts 2.6; \_ and \% count in LIKE only.
var escapes = map[byte]string{
	'\'': "'", '"': "\"", '\\': "\\", 'n': "\n", 'N': "\n", 'r': "\r", 'R': "\r", 't': "\t", 'T': "\t", 'f': "\f", 'F': "\f", 'b': "\b", 'B': "\b", '_': "_", '%': "%",
}

// lexText reads the quoted string that begins at start.
func lexText(query string, start int) (token, int, error) {
	var plain, pattern strings.Builder
	for i := start + 1; i < len(query); i++ {
		switch c := query[i]; c {
		case '\'':
			t := token{kind: text, value: plain.String(), like: pattern.String(), pos: start}
			t.tooLong = utf8.RuneCountInString(t.value) > maxText
			return t, i + 1, nil
		case '\\':
			i++
			if i == len(query) {
				continue
			}
			s, ok := escapes[query[i]]
			if !ok {
				return token{}, 0, &Error{Code: "MALFORMED_QUERY", Message: "Invalid string literal '" + query[start+1:i+1] + "'. Illegal character sequence '\\" + query[i:i+1] + "' in string literal"}
			}
			plain.WriteString(s)
			if s == "_" || s == "%" || s == "\\" {
				pattern.WriteByte('\\')
			}
			pattern.WriteString(s)
		default:
			plain.WriteByte(c)
			pattern.WriteByte(c)
		}
	}
	return token{}, 0, &Error{Code: "MALFORMED_QUERY", Message: "unexpected token: '" + query[start:min(len(query), start+40)] + "'"}
}

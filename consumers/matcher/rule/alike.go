package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"crosswalk/internal/customer"
)

// A step removes one way of writing the same thing differently (R22).
type step struct {
	class customer.Class
	apply func(string) string
}

// steps in the order in which they are applied.
var steps = [...]step{
	{customer.ClassUnicode, norm.NFKC.String},
	{customer.ClassWhitespace, func(s string) string { return remove(s, isSpace) }},
	{customer.ClassCase, func(s string) string { return norm.NFKC.String(folder.String(s)) }},
	{customer.ClassPunctuation, func(s string) string { return remove(s, unicode.IsPunct) }},
	{customer.ClassLeadingZeros, trimZeros},
}

var folder = cases.Fold() // full case folding, stateless

// Fold returns what is left of an identifier after all steps of R22. Two identifiers are alike when their folds are
// equal and not empty.
func Fold(s string) string {
	if folded, ok := foldASCII(s); ok {
		return folded
	}
	for _, st := range steps {
		s = st.apply(s)
	}
	return s
}

// Classes names how two different identifiers that are alike differ (R23), in the order of the steps: each class
// whose step is needed to make them equal, or, when none is by itself, the first step after which they are equal.
func Classes(a, b string) []customer.Class {
	var out []customer.Class
	for skip := range steps {
		x, y := a, b
		for i, st := range steps {
			if i != skip {
				x, y = st.apply(x), st.apply(y)
			}
		}
		if x != y {
			out = append(out, steps[skip].class)
		}
	}
	if out != nil {
		return out
	}
	for _, st := range steps {
		a, b = st.apply(a), st.apply(b)
		if a == b {
			return []customer.Class{st.class}
		}
	}
	return nil
}

// foldASCII does all steps in one pass over a string of ASCII only, where normalisation changes nothing.
func foldASCII(s string) (string, bool) {
	var buf [64]byte
	out := buf[:0]
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return "", false
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case isSpace(rune(c)) || unicode.IsPunct(rune(c)):
		default:
			out = append(out, c)
		}
	}
	if string(out) == s {
		return trimZeros(s), true
	}
	return trimZeros(string(out)), true
}

// isSpace is the set of the WHITESPACE step: White_Space, and two characters that are invisible without having it.
func isSpace(r rune) bool {
	return unicode.Is(unicode.White_Space, r) || r == '\u200b' || r == '\ufeff'
}

func remove(s string, drop func(rune) bool) string {
	if strings.IndexFunc(s, drop) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if drop(r) {
			return -1
		}
		return r
	}, s)
}

// trimZeros removes leading zeros but keeps the last character.
func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}

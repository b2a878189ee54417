package main

import (
	"fmt"
	"strings"
	"unicode"
)

// printable shows text of others on a terminal: control characters (an escape sequence could repaint the screen) and
// invisible formatting characters appear as their code, a line's end as \n.
func printable(s string) string {
	if !strings.ContainsFunc(s, hidden) && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case hidden(r):
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// plural says "1 contact", "2 contacts".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// emit prints one JSON value on a line of its own.
func (s *shell) emit(v any) error { return jsonLines(s.out, []any{v}) }

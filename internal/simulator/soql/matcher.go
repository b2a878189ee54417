package soql

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"crosswalk/internal/simulator/org"
)

// spanMatcher compares with a moment or with all days of a date literal.
func spanMatcher(op string, s span) (matcher, error) {
	single := s.from == s.to
	inside := func(t string) bool { return t == s.from || !single && t >= s.from && t < s.to }
	compare := map[string]func(t string) bool{
		"=": inside, "!=": func(t string) bool { return !inside(t) },
		"<": func(t string) bool { return t < s.from }, ">=": func(t string) bool { return t >= s.from },
		">":  func(t string) bool { return t > s.from && !inside(t) },
		"<=": func(t string) bool { return t <= s.from || inside(t) },
	}[op]
	if compare == nil {
		return nil, &Error{Code: "INVALID_FIELD", Message: "invalid operator on date field"}
	}
	return func(text []byte, ok bool) bool {
		if !ok {
			return op == "!="
		}
		return compare(string(text))
	}, nil
}

func (c *compiler) numberMatcher(f *org.Field, cmp comparison, op string, t token) (matcher, error) {
	want, ok := new(big.Rat).SetString(t.value)
	if t.kind != literal || len(t.value) > 64 || strings.Trim(t.value, "0123456789.+-eE") != "" || !ok || strings.ContainsAny(t.value, "eE") && tooLarge(t.value) || op == "like" {
		return nil, c.wrongType(f, cmp, map[org.Kind]string{org.Int: "int", org.Number: "double"}[f.Kind], false)
	}
	near, _ := want.Float64()
	return func(text []byte, ok bool) bool {
		if !ok {
			return op == "!="
		}
		// Floats decide unless the two are so near that they might not.
		have, err := strconv.ParseFloat(string(text), 64)
		order := 0
		switch {
		case err == nil && have < near:
			order = -1
		case err == nil && have > near:
			order = 1
		default:
			if exact, ok := new(big.Rat).SetString(string(text)); ok {
				order = exact.Cmp(want)
			}
		}
		return ordered(op, order)
	}, nil
}

func tooLarge(number string) bool {
	i := strings.IndexAny(number, "eE")
	n, err := strconv.Atoi(number[i+1:])
	return err != nil || n > 40 || n < -40
}

func ordered(op string, order int) bool {
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	}
	return false
}

// idMatcher compares ids exactly, 15 characters being the same id as 18.
func (c *compiler) idMatcher(f *org.Field, cmp comparison, op string, t token) (matcher, error) {
	id, ok := org.NormalizeID(t.value)
	if t.value == "" { // = '' is = null
		return func(_ []byte, ok bool) bool { return ok == (op != "=") }, nil
	}
	if !ok || op == "like" {
		return nil, at("INVALID_QUERY_FILTER_OPERATOR", c.query.text, cmp.field.pos, "invalid ID field: %s", t.value)
	}
	return func(text []byte, ok bool) bool {
		if !ok {
			return op == "!="
		}
		return ordered(op, strings.Compare(string(text), id))
	}, nil
}

// textMatcher compares texts without regard to case; null equals the empty text.
func textMatcher(op, want string) matcher {
	lower := strings.ToLower(want)
	return func(text []byte, ok bool) bool {
		switch {
		case op == "=" || op == "!=":
			return (ok || want == "") && equalFold(text, want) == (op == "=") || !ok && want != "" && op == "!="
		case op == "has":
			return ok && hasAll(string(text), want)
		case !ok:
			return false
		}
		return ordered(op, strings.Compare(strings.ToLower(string(text)), lower))
	}
}

func equalFold(text []byte, want string) bool {
	return len(text) == len(want) && string(text) == want || bytes.EqualFold(text, []byte(want))
}

// hasAll reports whether a multipicklist's "a;b;c" has each of "a;c".
func hasAll(text, want string) bool {
	have := strings.Split(strings.ToLower(text), ";")
	for w := range strings.SplitSeq(strings.ToLower(want), ";") {
		found := false
		for _, h := range have {
			found = found || h == w
		}
		if !found {
			return false
		}
	}
	return true
}

// likeMatcher matches % and _ without regard to case, in time linear in pattern times text at most.
func likeMatcher(pattern string) matcher {
	type piece struct {
		r        rune
		any, one bool
	}
	var pieces []piece
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			pieces, escaped = append(pieces, piece{r: unicode.ToLower(r)}), false
		case r == '\\':
			escaped = true
		case r == '%':
			pieces = append(pieces, piece{any: true})
		case r == '_':
			pieces = append(pieces, piece{one: true})
		default:
			pieces = append(pieces, piece{r: unicode.ToLower(r)})
		}
	}
	return func(text []byte, ok bool) bool {
		if !ok {
			return false
		}
		at, star, resume := 0, -1, 0
		for i := 0; i < len(text); {
			r, n := utf8.DecodeRune(text[i:])
			switch {
			case at < len(pieces) && pieces[at].any:
				star, resume = at, i
				at++
				continue
			case at < len(pieces) && (pieces[at].one || pieces[at].r == unicode.ToLower(r)):
				at++
				i += n
			case star >= 0: // give the last % one more character
				_, n := utf8.DecodeRune(text[resume:])
				resume += n
				i, at = resume, star+1
			default:
				return false
			}
		}
		for at < len(pieces) && pieces[at].any {
			at++
		}
		return at == len(pieces)
	}
}

package soql

import (
	"strings"

	"crosswalk/internal/simulator/org"
)

// predicate decides about one row. scratch is a buffer that it may use and grow.
type predicate func(r org.Row, scratch *[]byte) bool

// indexed is a condition by which rows can be found without looking at all of them.
type indexed struct {
	field *org.Field
	ids   []string // field is one of these; nil when since counts
	since string   // field is this datetime or later
}

func (c *compiler) condition(e expr) (predicate, error) {
	switch e := e.(type) {
	case junction:
		return c.junction(e)
	case negation:
		p, err := c.condition(e.term)
		return func(r org.Row, s *[]byte) bool { return !p(r, s) }, err
	case comparison:
		return c.comparison(e)
	}
	return nil, &Unsupported{"this condition"}
}

func (c *compiler) junction(j junction) (predicate, error) {
	terms := make([]predicate, 0, len(j.terms))
	for _, t := range j.terms {
		p, err := c.condition(t)
		if err != nil {
			return nil, err
		}
		terms = append(terms, p)
	}
	return func(r org.Row, s *[]byte) bool {
		for _, p := range terms {
			if p(r, s) == j.or {
				return j.or
			}
		}
		return !j.or
	}, nil
}

// Append adds the column's canonical text of a row to dst; null, a missing parent included, adds nothing.
func (col *Column) Append(dst []byte, r org.Row) []byte {
	if len(col.Path) == 0 {
		dst, _ = r.Append(dst, col.Field)
		return dst
	}
	var scratch []byte
	text, _ := col.read(r, &scratch)
	return append(dst, text...)
}

// read appends the column's text of a row to scratch[:0]; ok is false for null.
func (col *Column) read(r org.Row, scratch *[]byte) (text []byte, ok bool) {
	for _, ref := range col.Path {
		var found bool
		if r, found = r.Parent(ref); !found {
			return nil, false
		}
	}
	f := col.Field
	if len(col.Path) > 0 && r.Object() != col.Object { // another target of a polymorphic reference
		if f, ok = r.Object().Field(f.Name); !ok {
			return nil, false
		}
	}
	*scratch, ok = r.Append((*scratch)[:0], f)
	return *scratch, ok
}

func (c *compiler) comparison(cmp comparison) (predicate, error) {
	col, err := c.resolve(cmp.field)
	if err != nil {
		return nil, err
	}
	if !col.Field.Filterable && col.Field.Kind != org.ID {
		return nil, at("INVALID_FIELD", c.query.text, cmp.field.pos, "field '%s' can not be filtered in a query call", col.Field.Name)
	}
	match, err := c.values(col.Field, cmp)
	if err != nil {
		return nil, err
	}
	return func(r org.Row, s *[]byte) bool {
		text, ok := col.read(r, s)
		return match(text, ok)
	}, nil
}

// matcher decides about one text; ok is false for null.
type matcher func(text []byte, ok bool) bool

// values makes the matcher of a comparison: of all its values for IN, NOT IN, INCLUDES and EXCLUDES.
func (c *compiler) values(f *org.Field, cmp comparison) (matcher, error) {
	var some []matcher
	op := map[string]string{"in": "=", "notin": "=", "includes": "has", "excludes": "has"}[cmp.op]
	if op == "" {
		op = cmp.op
	}
	if (op == "has") != (f.Type == "multipicklist") && op == "has" {
		return nil, at("INVALID_FIELD", c.query.text, cmp.field.pos, "field '%s' does not support the %s operator", f.Name, strings.ToUpper(cmp.op))
	}
	if set, ok := c.textSet(f, cmp); ok {
		return set, nil
	}
	for i, t := range cmp.values {
		m, err := c.value(f, cmp, op, t, cmp.params[i])
		if err != nil {
			return nil, err
		}
		some = append(some, m)
	}
	if len(some) == 1 && cmp.op == op {
		return some[0], nil
	}
	negate := cmp.op == "notin" || cmp.op == "excludes"
	return func(text []byte, ok bool) bool {
		for _, m := range some {
			if m(text, ok) {
				return !negate
			}
		}
		return negate
	}, nil
}

// textSet answers IN and NOT IN over many ids by one look-up.
func (c *compiler) textSet(f *org.Field, cmp comparison) (matcher, bool) {
	if f.Kind != org.ID || cmp.op != "in" && cmp.op != "notin" {
		return nil, false
	}
	set := make(map[string]bool, len(cmp.values))
	for _, t := range cmp.values {
		id, ok := org.NormalizeID(t.value)
		if t.kind != text || !ok {
			return nil, false
		}
		set[id] = true
	}
	want := cmp.op == "in"
	return func(text []byte, ok bool) bool { return (ok && set[string(text)]) == want }, true
}

// value makes the matcher of one value.
func (c *compiler) value(f *org.Field, cmp comparison, op string, t token, param string) (matcher, error) {
	if t.is("null") && param == "" {
		switch op {
		case "=":
			return func(_ []byte, ok bool) bool { return !ok }, nil
		case "!=":
			return func(_ []byte, ok bool) bool { return ok }, nil
		}
		return nil, at("MALFORMED_QUERY", c.query.text, t.pos, "the %s operator does not take null", strings.ToUpper(op))
	}
	switch f.Kind {
	case org.Date, org.Datetime:
		s, ok := spanOf(f.Kind, t, param, c.now)
		if !ok {
			return nil, c.wrongType(f, cmp, map[org.Kind]string{org.Date: "date", org.Datetime: "dateTime"}[f.Kind], false)
		}
		return spanMatcher(op, s)
	case org.Bool:
		if t.kind != name || !t.is("true") && !t.is("false") || op != "=" && op != "!=" {
			return nil, c.wrongType(f, cmp, "boolean", false)
		}
		want := strings.ToLower(t.value)
		return func(text []byte, _ bool) bool { return (string(text) == want) == (op == "=") }, nil
	case org.Int, org.Number:
		return c.numberMatcher(f, cmp, op, t)
	}
	if t.kind != text {
		return nil, c.wrongType(f, cmp, "string", true)
	}
	if f.Kind == org.ID {
		return c.idMatcher(f, cmp, op, t)
	}
	if op == "like" {
		return likeMatcher(t.like), nil
	}
	return textMatcher(op, t.value), nil
}

// wrongType is the error for a value that does not fit the field.
func (c *compiler) wrongType(f *org.Field, cmp comparison, want string, quoted bool) error {
	how := "and should not be enclosed in quotes"
	if quoted {
		how = "and should be enclosed in quotes"
	}
	return at("INVALID_FIELD", c.query.text, cmp.field.pos, "value of filter criterion for field '%s' must be of type %s %s", f.Name, want, how)
}

// conjuncts finds the conditions that narrow the search.
func (c *compiler) conjuncts(where expr) []indexed {
	var out []indexed
	for _, t := range topLevel(where) {
		cmp, ok := t.(comparison)
		if !ok {
			continue
		}
		col, err := c.resolve(cmp.field)
		if err != nil || len(col.Path) > 0 {
			continue
		}
		switch {
		case col.Field.Kind == org.ID && (cmp.op == "=" || cmp.op == "in"):
			if ids, ok := idValues(cmp.values); ok {
				out = append(out, indexed{field: col.Field, ids: ids})
			}
		case col.Field.System && col.Field.Kind == org.Datetime && (cmp.op == ">" || cmp.op == ">=" || cmp.op == "="):
			if s, ok := spanOf(org.Datetime, cmp.values[0], cmp.params[0], c.now); ok {
				out = append(out, indexed{field: col.Field, since: s.from})
			}
		}
	}
	return out
}

func idValues(values []token) (ids []string, ok bool) {
	for _, t := range values {
		id, ok := org.NormalizeID(t.value)
		if t.kind != text || !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

package soql

import (
	"slices"
	"strings"
)

// expr is a condition: junction, negation or comparison.
type expr interface{}

type junction struct {
	or    bool
	terms []expr
}

type negation struct{ term expr }

type comparison struct {
	field  fieldRef
	op     string // = != < > <= >= like in notin includes excludes
	values []token
	params []string // of date literals: LAST_N_DAYS:5 has "5"; same length as values
}

func (p *parser) whereClause(q *Query) (err error) {
	if p.accept("WHERE") {
		q.where, err = p.condition()
	}
	return err
}

// condition reads terms joined by AND, or by OR; both at one level need parentheses, as in Salesforce.
func (p *parser) condition() (expr, error) {
	if p.depth++; p.depth > maxNested {
		return nil, &Error{Code: "QUERY_TOO_COMPLICATED", Message: "Query is either selecting too many fields or the filter conditions are too complicated."}
	}
	defer func() { p.depth-- }()
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	j := junction{terms: []expr{first}}
	word := "AND"
	if p.peek().is("OR") {
		word, j.or = "OR", true
	}
	for p.accept(word) {
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		j.terms = append(j.terms, t)
	}
	if p.peek().is("AND") || p.peek().is("OR") {
		return nil, p.unexpected()
	}
	if len(j.terms) == 1 {
		return first, nil
	}
	return j, nil
}

func (p *parser) term() (expr, error) {
	switch {
	case p.accept("("):
		e, err := p.condition()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case p.accept("NOT"):
		if p.depth++; p.depth > maxNested {
			return nil, &Error{Code: "QUERY_TOO_COMPLICATED", Message: "Query is either selecting too many fields or the filter conditions are too complicated."}
		}
		defer func() { p.depth-- }()
		e, err := p.term()
		return negation{e}, err
	}
	return p.comparison()
}

func (p *parser) comparison() (expr, error) {
	if p.peek().kind == name && p.tokens[p.at+1].is("(") {
		return nil, &Unsupported{"the function " + strings.ToUpper(p.peek().value) + "() in WHERE"}
	}
	ref, err := p.field()
	if err != nil {
		return nil, err
	}
	c := comparison{field: ref}
	t := p.next()
	switch {
	case t.kind == symbol && slices.Contains([]string{"=", "!=", "<>", "<", ">", "<=", ">="}, t.value):
		c.op = t.value
		if c.op == "<>" {
			c.op = "!="
		}
	case t.is("LIKE"), t.is("IN"), t.is("INCLUDES"), t.is("EXCLUDES"):
		c.op = strings.ToLower(t.value)
	case t.is("NOT") && p.accept("IN"):
		c.op = "notin"
	default:
		if t.kind != end {
			p.at--
		}
		return nil, p.unexpected()
	}
	if slices.Contains([]string{"in", "notin", "includes", "excludes"}, c.op) {
		return p.list(c)
	}
	return p.value(c)
}

func (p *parser) list(c comparison) (expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().is("SELECT") {
		return nil, &Unsupported{"a subquery in WHERE"}
	}
	for {
		var err error
		if c, err = p.value(c); err != nil {
			return nil, err
		}
		if !p.accept(",") {
			return c, p.expect(")")
		}
	}
}

// value reads one value and adds it.
func (p *parser) value(c comparison) (comparison, error) {
	t := p.peek()
	if t.is(":") {
		return c, &Error{Code: "MALFORMED_QUERY", Message: "Bind variables only allowed in Apex code"}
	}
	if t.kind != name && t.kind != text && t.kind != literal {
		return c, p.unexpected()
	}
	if t.tooLong {
		return c, &Error{Code: "MALFORMED_QUERY", Message: "String literal exceeds the maximum length of 4000 characters"}
	}
	p.next()
	param := ""
	if t.kind == name && p.accept(":") {
		if p.peek().kind != literal {
			return c, p.unexpected()
		}
		param = p.next().value
	}
	c.values, c.params = append(c.values, t), append(c.params, param)
	return c, nil
}

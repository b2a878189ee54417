package soql

import (
	"slices"
	"strconv"
	"strings"
)

// Query is a parsed query: names as written, nothing checked against the org.
type Query struct {
	text    string
	fields  []fieldRef
	count   bool // SELECT COUNT()
	object  string
	pos     int // of object
	alias   string
	where   expr
	order   []orderBy
	limit   int // -1: none
	offset  int
	special []string // clauses that Bulk refuses: GROUP BY, OFFSET, COUNT()
}

// Object is the name behind FROM, as written.
func (q *Query) Object() string { return q.object }

// fieldRef is Name, Owner.Name, or FIELDS(x) with the function's argument in all.
type fieldRef struct {
	path []string
	pos  int
	all  string
}

func (r fieldRef) String() string { return strings.Join(r.path, ".") }

type orderBy struct {
	field     fieldRef
	desc      bool
	nullsLast bool
}

type parser struct {
	query  string
	tokens []token
	at     int
	depth  int
}

// Parse reads a query. The error is an *Error with Salesforce's text, or an *Unsupported for what the simulator leaves out.
func Parse(query string) (*Query, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{query: query, tokens: tokens}
	q := &Query{text: query, limit: -1}
	for _, step := range []func(*Query) error{p.selectList, p.from, p.whereClause, p.tail} {
		if err := step(q); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// accept takes the word when it is there.
func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) unexpected() error {
	return &Error{Code: "MALFORMED_QUERY", Message: "unexpected token: '" + p.peek().shown() + "'"}
}

func (p *parser) expect(word string) error {
	if !p.accept(word) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) selectList(q *Query) error {
	if err := p.expect("SELECT"); err != nil {
		return err
	}
	for {
		if err := p.selectItem(q); err != nil {
			return err
		}
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) selectItem(q *Query) error {
	t := p.peek()
	switch {
	case t.is("("):
		return &Unsupported{"a subquery in SELECT"}
	case t.is("TYPEOF"):
		return &Unsupported{"TYPEOF"}
	case t.kind == name && p.tokens[p.at+1].is("("):
		return p.function(q)
	}
	ref, err := p.field()
	if err != nil {
		return err
	}
	q.fields = append(q.fields, ref)
	return nil
}

// function reads COUNT() and FIELDS(ALL).
func (p *parser) function(q *Query) error {
	t := p.next()
	p.next()
	switch {
	case t.is("COUNT") && p.peek().is(")") && len(q.fields) == 0:
		p.next()
		q.count = true
		q.special = append(q.special, "COUNT()")
		return nil
	case t.is("FIELDS"):
		which := strings.ToUpper(p.next().value)
		if !slices.Contains([]string{"ALL", "STANDARD", "CUSTOM"}, which) {
			p.at--
			return p.unexpected()
		}
		q.fields = append(q.fields, fieldRef{all: which, pos: t.pos})
		return p.expect(")")
	}
	return &Unsupported{"the function " + strings.ToUpper(t.value) + "()"}
}

// field reads a name or a path of names.
func (p *parser) field() (fieldRef, error) {
	ref := fieldRef{pos: p.peek().pos}
	for {
		if p.peek().kind != name {
			return ref, p.unexpected()
		}
		ref.path = append(ref.path, p.next().value)
		if !p.accept(".") {
			return ref, nil
		}
	}
}

// clauses are the words that may follow the object's name, so that none is taken for its alias.
var clauses = []string{"WHERE", "WITH", "GROUP", "ORDER", "LIMIT", "OFFSET", "FOR", "USING", "ALL", "UPDATE", "HAVING"}

func (p *parser) from(q *Query) error {
	if err := p.expect("FROM"); err != nil {
		return err
	}
	t := p.peek()
	if t.kind != name {
		return p.unexpected()
	}
	q.object, q.pos = p.next().value, t.pos
	p.accept("AS")
	if t := p.peek(); t.kind == name && !slices.ContainsFunc(clauses, t.is) {
		q.alias = p.next().value
	}
	if p.peek().is(",") {
		return &Unsupported{"several objects in FROM"}
	}
	return nil
}

// tail reads what follows the condition.
func (p *parser) tail(q *Query) error {
	if p.peek().is("WITH") || p.peek().is("USING") || p.peek().is("HAVING") {
		return &Unsupported{strings.ToUpper(p.peek().value)}
	}
	if p.peek().is("GROUP") {
		return &Unsupported{"GROUP BY"}
	}
	if p.accept("ORDER") {
		if err := p.orderBy(q); err != nil {
			return err
		}
	}
	var err error
	if p.accept("LIMIT") {
		if q.limit, err = p.number(); err != nil {
			return err
		}
	}
	if p.accept("OFFSET") {
		if q.offset, err = p.number(); err != nil {
			return err
		}
		if q.offset > maxOffset {
			return &Error{Code: "NUMBER_OUTSIDE_VALID_RANGE", Message: "Maximum SOQL offset allowed is 2000"}
		}
		q.special = append(q.special, "OFFSET")
	}
	if p.peek().is("FOR") || p.peek().is("ALL") || p.peek().is("UPDATE") {
		return &Unsupported{strings.ToUpper(p.peek().value)}
	}
	if p.peek().kind != end {
		return p.unexpected()
	}
	return nil
}

func (p *parser) orderBy(q *Query) error {
	if err := p.expect("BY"); err != nil {
		return err
	}
	for {
		ref, err := p.field()
		if err != nil {
			return err
		}
		o := orderBy{field: ref}
		if p.accept("DESC") {
			o.desc = true
		} else {
			p.accept("ASC")
		}
		if p.accept("NULLS") {
			if p.accept("LAST") {
				o.nullsLast = true
			} else if err := p.expect("FIRST"); err != nil {
				return err
			}
		}
		q.order = append(q.order, o)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) number() (int, error) {
	n, err := strconv.Atoi(p.peek().value)
	if err != nil || p.peek().kind != literal || n < 0 {
		return 0, p.unexpected()
	}
	p.next()
	return n, nil
}

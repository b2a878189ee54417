package org

import (
	"fmt"
	"strings"
)

// Formula is the expression of a calculated text field: fields, fields of parents (Account.Name) and quoted texts,
// joined by &. A null field adds nothing. Formulas are computed when a row is read and never stored (facts 2.5).
type Formula struct {
	Source string
	terms  []term
}

type term struct {
	text string   // a quoted text, when path is empty
	path []*Field // references followed, then the field itself
}

// parseFormula reads an expression over the fields of ob.
func parseFormula(o *Org, ob *Object, source string) (*Formula, error) {
	f := &Formula{Source: source}
	rest := strings.TrimSpace(source)
	for rest != "" {
		t, tail, err := parseTerm(o, ob, rest)
		if err != nil {
			return nil, fmt.Errorf("read formula %q: %w", source, err)
		}
		f.terms = append(f.terms, t)
		rest = strings.TrimSpace(tail)
		if rest == "" {
			return f, nil
		}
		if rest[0] != '&' || strings.TrimSpace(rest[1:]) == "" {
			return nil, fmt.Errorf("read formula %q: & and another term must follow %q", source, strings.TrimSpace(strings.TrimSuffix(source, rest)))
		}
		rest = strings.TrimSpace(rest[1:])
	}
	return nil, fmt.Errorf("read formula: it is empty")
}

func parseTerm(o *Org, ob *Object, rest string) (t term, tail string, err error) {
	if rest[0] == '"' || rest[0] == '\'' {
		text, tail, ok := strings.Cut(rest[1:], rest[:1])
		if !ok {
			return term{}, "", fmt.Errorf("the text %s has no end", rest)
		}
		return term{text: text}, tail, nil
	}
	end := strings.IndexAny(rest, " &\t\n")
	if end < 0 {
		end = len(rest)
	}
	path, err := o.path(ob, strings.Split(rest[:end], "."))
	return term{path: path}, rest[end:], err
}

// path resolves relationship names and a final field name.
func (o *Org) path(ob *Object, names []string) ([]*Field, error) {
	var path []*Field
	for _, name := range names[:len(names)-1] {
		ref, ok := ob.Relation(name)
		if !ok {
			return nil, fmt.Errorf("%s has no relationship %s", ob.Name, name)
		}
		path = append(path, ref)
		if ob, ok = o.Object(ref.ReferenceTo[0]); !ok {
			return nil, fmt.Errorf("relationship %s leads to %s, which is not in this org", name, ref.ReferenceTo[0])
		}
	}
	f, ok := ob.Field(names[len(names)-1])
	if !ok {
		return nil, fmt.Errorf("%s has no field %s", ob.Name, names[len(names)-1])
	}
	return append(path, f), nil
}

func (f *Formula) append(dst []byte, r Row) []byte {
	for _, t := range f.terms {
		if t.path == nil {
			dst = append(dst, t.text...)
			continue
		}
		at, ok := r, true
		for _, ref := range t.path[:len(t.path)-1] {
			if at, ok = at.Parent(ref); !ok {
				break
			}
		}
		if ok {
			dst, _ = at.Append(dst, t.path[len(t.path)-1])
		}
	}
	return dst
}

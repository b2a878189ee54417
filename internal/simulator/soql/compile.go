package soql

import (
	"strings"
	"time"

	"crosswalk/internal/simulator/org"
)

// Catalog is what the user of a query may see.
type Catalog interface {
	// Object returns an object that the user may read.
	Object(name string) (*org.Object, bool)
	// Visible reports whether field-level security shows the field.
	Visible(ob *org.Object, f *org.Field) bool
}

// Plan is a checked query.
type Plan struct {
	Object  *org.Object
	Columns []Column
	Count   bool // SELECT COUNT(): a number, no rows
	Limit   int  // -1: none
	Offset  int
	Ordered bool
	Special []string // clauses that Bulk refuses: OFFSET, COUNT()

	where    predicate
	order    []sortKey
	conjunct []indexed // of which each match satisfies all
}

// Column is one selected field: the references to follow, and the field at their end.
type Column struct {
	Names  []string     // as Salesforce spells them: Owner, Name
	Path   []*org.Field // references followed; empty for a field of the object itself
	Field  *org.Field
	Object *org.Object // that Field belongs to
}

// Name is the column's name in a CSV header: Owner.Name.
func (c Column) Name() string { return strings.Join(c.Names, ".") }

type sortKey struct {
	column    Column
	desc      bool
	nullsLast bool
}

type compiler struct {
	query   *Query
	catalog Catalog
	object  *org.Object
	now     time.Time
}

// Compile checks a query against what the catalog shows; now resolves date literals.
func Compile(q *Query, catalog Catalog, now time.Time) (*Plan, error) {
	ob, ok := catalog.Object(q.object)
	if !ok {
		return nil, noObject(q.text, q.pos, q.object)
	}
	if !ob.Can('q') {
		return nil, &Error{Code: "INVALID_TYPE_FOR_OPERATION", Message: "entity type " + ob.Name + " does not support query"}
	}
	c := &compiler{query: q, catalog: catalog, object: ob, now: now}
	p := &Plan{Object: ob, Count: q.count, Limit: q.limit, Offset: q.offset, Ordered: len(q.order) > 0, Special: q.special}
	if err := c.columns(p); err != nil {
		return nil, err
	}
	if q.where != nil {
		var err error
		if p.where, err = c.condition(q.where); err != nil {
			return nil, err
		}
		p.conjunct = c.conjuncts(q.where)
	}
	for _, o := range q.order {
		column, err := c.resolve(o.field)
		if err != nil {
			return nil, err
		}
		if !column.Field.Filterable && column.Field.Kind != org.ID {
			return nil, at("MALFORMED_QUERY", q.text, o.field.pos, "field '%s' can not be sorted in a query call", column.Field.Name)
		}
		p.order = append(p.order, sortKey{column: column, desc: o.desc, nullsLast: o.nullsLast})
	}
	if ob.Name == "ContentDocumentLink" && !c.restricted() {
		return nil, &Error{Code: "MALFORMED_QUERY", Message: "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator."}
	}
	return p, nil
}

// restricted reports whether ContentDocumentLink is filtered as it must be (facts 7).
func (c *compiler) restricted() bool {
	for _, t := range topLevel(c.query.where) {
		if cmp, ok := t.(comparison); ok && (cmp.op == "=" || cmp.op == "in") && len(cmp.field.path) == 1 {
			switch strings.ToLower(cmp.field.path[0]) {
			case "id", "contentdocumentid", "linkedentityid":
				return true
			}
		}
	}
	return false
}

// topLevel are the conditions that every match satisfies.
func topLevel(e expr) []expr {
	if j, ok := e.(junction); ok {
		if j.or {
			return nil
		}
		var out []expr
		for _, t := range j.terms {
			out = append(out, topLevel(t)...)
		}
		return out
	}
	return []expr{e}
}

func (c *compiler) columns(p *Plan) error {
	seen := make(map[string]bool)
	for _, ref := range c.query.fields {
		if ref.all != "" {
			if err := c.allFields(p, ref); err != nil {
				return err
			}
			continue
		}
		column, err := c.resolve(ref)
		if err != nil {
			return err
		}
		key := strings.ToLower(column.Name())
		if seen[key] {
			return &Error{Code: "MALFORMED_QUERY", Message: "duplicate field selected: " + ref.String()}
		}
		seen[key] = true
		p.Columns = append(p.Columns, column)
	}
	return nil
}

func (c *compiler) allFields(p *Plan, ref fieldRef) error {
	if ref.all != "STANDARD" && (c.query.limit < 0 || c.query.limit > fieldsAll) {
		return at("MALFORMED_QUERY", c.query.text, ref.pos, "The SOQL FIELDS function must have a LIMIT of at most 200")
	}
	for _, f := range c.object.Fields() {
		if c.catalog.Visible(c.object, f) && (ref.all == "ALL" || f.Custom == (ref.all == "CUSTOM")) {
			p.Columns = append(p.Columns, Column{Names: []string{f.Name}, Field: f, Object: c.object})
		}
	}
	return nil
}

// resolve finds a field or a path of relationships and a field.
func (c *compiler) resolve(ref fieldRef) (Column, error) {
	path := ref.path
	if len(path) > 1 && (strings.EqualFold(path[0], c.query.alias) && c.query.alias != "" || strings.EqualFold(path[0], c.object.Name)) {
		if _, relation := c.object.Relation(path[0]); !relation || strings.EqualFold(path[0], c.query.alias) {
			path = path[1:]
		}
	}
	column := Column{Object: c.object}
	if len(path) > 6 {
		return column, at("MALFORMED_QUERY", c.query.text, ref.pos, "maximum of 5 levels of child-to-parent relationships exceeded")
	}
	for _, step := range path[:len(path)-1] {
		f, ok := column.Object.Relation(step)
		if !ok || !c.catalog.Visible(column.Object, f) {
			return column, noRelation(c.query.text, ref.pos, step)
		}
		next, ok := c.target(f)
		if !ok {
			return column, noRelation(c.query.text, ref.pos, step)
		}
		column.Path, column.Names, column.Object = append(column.Path, f), append(column.Names, f.Relation), next
	}
	last := path[len(path)-1]
	f, ok := column.Object.Field(last)
	if !ok || !c.catalog.Visible(column.Object, f) {
		return column, noColumn(c.query.text, ref.pos, last, column.Object.Name)
	}
	column.Field, column.Names = f, append(column.Names, f.Name)
	return column, nil
}

// target is the object that a relationship leads to. Of several, the first counts: a polymorphic relationship shows
// only the fields that its targets share by name.
func (c *compiler) target(f *org.Field) (*org.Object, bool) {
	for _, name := range f.ReferenceTo {
		if ob, ok := c.catalog.Object(name); ok {
			return ob, true
		}
	}
	return nil, false
}

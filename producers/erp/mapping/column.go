package mapping

import (
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/producers/erp/rows"
)

// column is where a value stands in a row.
type column struct {
	name string   // as configured
	path []string // names from the outside in; one in a table
	hint int      // where it stood last time
}

// in returns the column's value in a row; it is absent when the row does not have it.
func (c *column) in(r rows.Row) avro.FieldValue {
	if c.hint >= len(r.Fields) || r.Fields[c.hint].Name != c.path[0] {
		c.hint = slices.IndexFunc(r.Fields, func(a avro.Attribute) bool { return a.Name == c.path[0] })
		if c.hint < 0 {
			c.hint = 0
			return c.whole(r)
		}
	}
	v := r.Fields[c.hint].Value
	for _, step := range c.path[1:] {
		i := slices.IndexFunc(v.Object, func(a avro.Attribute) bool { return a.Name == step })
		if i < 0 {
			return c.whole(r)
		}
		v = v.Object[i].Value
	}
	return v
}

// whole looks for a member whose name has the dots itself.
func (c *column) whole(r rows.Row) avro.FieldValue {
	if len(c.path) == 1 {
		return avro.FieldValue{}
	}
	i := slices.IndexFunc(r.Fields, func(a avro.Attribute) bool { return a.Name == c.name })
	if i < 0 {
		return avro.FieldValue{}
	}
	return r.Fields[i].Value
}

// joint stands between columns that are joined.
const joint = " + "

// findAll finds a column or several joined ones; lacking is the first that the header does not have.
func findAll(header []string, text string) (found []column, lacking string) {
	if c, ok := find(header, text); ok && (header != nil || !strings.Contains(text, joint)) {
		return []column{c}, ""
	}
	for part := range strings.SplitSeq(text, joint) {
		c, ok := find(header, strings.TrimSpace(part))
		if !ok {
			return nil, strings.TrimSpace(part)
		}
		found = append(found, c)
	}
	return found, ""
}

// find finds a column in the header: by its name, else by the one name that differs in case only, because the vendors of
// these systems change that between releases. Without a header every path may be there.
func find(header []string, name string) (column, bool) {
	if header == nil {
		return column{name: name, path: strings.Split(name, ".")}, true
	}
	i := slices.Index(header, name)
	if i < 0 {
		same := func(h string) bool { return strings.EqualFold(h, name) }
		if i = slices.IndexFunc(header, same); i < 0 || slices.ContainsFunc(header[i+1:], same) {
			return column{}, false
		}
	}
	return column{name: header[i], path: []string{header[i]}, hint: i}, true
}

// has reports whether the header has all columns of a text.
func has(header []string, text string) bool {
	_, lacking := findAll(header, text)
	return lacking == ""
}

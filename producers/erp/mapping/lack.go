package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"crosswalk/internal/config"
	"crosswalk/internal/nearest"
	"crosswalk/producers/erp/rows"
)

// lack is a column that the mapping names and the header does not have.
type lack struct{ column, key string }

// missing says all that the header lacks, and what of it may be meant.
func (m *Mapper) missing() error {
	header := strings.Join(named(m.header), ", ")
	if len(m.lacking) == 1 {
		l := m.lacking[0]
		return fmt.Errorf("%s has no column %q, which source %q maps to %s; its header is: %s. Correct %s in the configuration%s",
			m.name, l.column, m.source.Name, strings.TrimPrefix(l.key, "columns."), header, l.key, meant(l.column, m.header))
	}
	var list []string
	for _, l := range m.lacking {
		list = append(list, fmt.Sprintf("%q of %s%s", l.column, l.key, meant(l.column, m.header)))
	}
	return fmt.Errorf("%s lacks %d columns that source %q maps: %s; its header is: %s. Correct them in the configuration",
		m.name, len(list), m.source.Name, strings.Join(list, ", "), header)
}

// meant offers the column that may be meant by a name that no column has.
func meant(name string, header []string) string {
	if len(header) == 1 && strings.ContainsAny(header[0], ",;\t|") {
		return " (the header is one column: does the file have another delimiter?)"
	}
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	byPlain := map[string]string{}
	var all []string
	for _, h := range header {
		if p := plain(h); p != "" && byPlain[p] == "" {
			byPlain[p] = h
			all = append(all, p)
		}
	}
	word, edits := plain(name), 1
	if len(word) > 4 {
		edits = max(2, len(word)/4)
	}
	near := byPlain[nearest.Of(word, all, edits)]
	if near == "" && len(word) > 2 {
		i := slices.IndexFunc(all, func(h string) bool { return strings.Contains(h, word) || len(h) > 2 && strings.Contains(word, h) })
		if i >= 0 {
			near = byPlain[all[i]]
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", near)
}

func oneOf(header []string) string {
	if header == nil {
		return ""
	}
	return " to one of: " + strings.Join(named(header), ", ")
}

// named are the columns that have a name.
func named(header []string) []string {
	return slices.DeleteFunc(slices.Clone(header), func(h string) bool { return h == "" })
}

// namesOf lists the names of a row's columns, a level of objects with its path.
func namesOf(r rows.Row) []string {
	out := []string{}
	for _, f := range r.Fields {
		if f.Value.Object == nil {
			out = append(out, f.Name)
		}
		for _, inner := range f.Value.Object {
			out = append(out, f.Name+"."+inner.Name)
		}
	}
	return out
}

// Unseen returns an error when a column that the mapping needs was in none of the rows that were mapped: a table would have
// said so by its header.
func (m *Mapper) Unseen() error {
	if m.header != nil || m.first == nil || m.wholeRow {
		return nil
	}
	for _, name := range config.CustomerMembers {
		it := m.members[name]
		if it != nil && it.columns != nil && !it.seen && !slices.Contains(m.source.Optional, name) {
			or := ""
			if name != "number" {
				or = ", or name " + name + " under optional"
			}
			return fmt.Errorf("%s has no member %q in any row, which source %q maps to %s; the members of its first row are: %s. Correct columns.%s in the configuration%s%s",
				m.name, it.text, m.source.Name, name, strings.Join(m.first, ", "), name, meant(it.text, m.first), or)
		}
	}
	return nil
}

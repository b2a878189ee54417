package mapping

import (
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/change"
	"crosswalk/producers/erp/rows"
)

// member is where one member of a customer comes from.
type member struct {
	name      string
	columns   []column // several: joined
	text      string   // as configured
	constant  change.Value
	separator string
	seen      bool // some row had it
}

// addMember finds a member's columns.
func (m *Mapper) addMember(name string) error {
	it := &member{name: name, text: m.source.Columns[name], separator: " "}
	if m.wholeRow {
		it.text = name
	}
	if identifies(name) {
		it.separator = m.source.KeySeparator
	}
	if text, ok := m.source.Constants[name]; ok {
		v, reason := m.convert(name, change.StringValue(text), false)
		if reason != "" {
			return fmt.Errorf("source %q: constants.%s %q: %s", m.source.Name, name, text, reason)
		}
		it.constant = v
	}
	optional := m.wholeRow && name != "number" || slices.Contains(m.source.Optional, name)
	if it.text != "" {
		columns, lacking := findAll(m.header, it.text)
		switch {
		case lacking == "":
			it.columns = columns
		case !optional:
			m.lacking = append(m.lacking, lack{column: lacking, key: "columns." + name})
		}
	}
	if it.columns == nil && it.constant.Kind() == change.Absent {
		return nil
	}
	for _, c := range it.columns {
		if slices.Contains(m.header, rows.Second(c.name)) {
			return fmt.Errorf("%s: column %q, which source %q maps to %s, stands twice in the header: %s; rename one",
				m.name, c.name, m.source.Name, name, strings.Join(m.header, ", "))
		}
		m.used[c.path[0]] = m.used[c.path[0]] || len(c.path) == 1
	}
	m.members[name] = it
	return nil
}

// identifies reports whether a member tells customers apart.
func identifies(member string) bool {
	return member == "number" || member == "company" || member == "identifier"
}

// value returns one member's value: its columns', else its constant, else Absent.
func (m *Mapper) value(r rows.Row, name string) (change.Value, error) {
	it := m.members[name]
	if it == nil {
		return change.Value{}, nil
	}
	v, reason := m.joined(r, it)
	if reason != "" {
		return change.Value{}, m.Reject(r, name, reason)
	}
	if v.Kind() == change.Absent || v.IsNull() {
		if it.constant.Kind() != change.Absent {
			return it.constant, nil
		}
		return v, nil
	}
	if v, reason = m.convert(name, v, r.Text); reason != "" {
		return change.Value{}, m.Reject(r, name, reason)
	}
	return v, nil
}

// joined returns a member's scalar, joined from its columns when it has several.
func (m *Mapper) joined(r rows.Row, it *member) (change.Value, string) {
	var parts []string
	for i := range it.columns {
		v := it.columns[i].in(r)
		if v.Object != nil || v.List != nil {
			return change.Value{}, "the value is an object or a list; map a member of it"
		}
		scalar := v.Scalar
		if scalar.Kind() != change.Absent {
			it.seen = true
		}
		if r.Text || scalar.Kind() == change.String {
			scalar = m.null(scalar, r.Text)
		}
		if len(it.columns) == 1 {
			return scalar, ""
		}
		empty := scalar.Kind() == change.Absent || scalar.IsNull()
		text := scalar.String()
		switch {
		case empty && identifies(it.name):
			return change.Value{}, fmt.Sprintf("column %q, a part of the %s, is empty", it.columns[i].name, it.name)
		case empty:
			continue
		case spreadsheetError(text):
			return change.Value{}, lost(text)
		case identifies(it.name) && i < len(it.columns)-1 && strings.Contains(text, it.separator):
			return change.Value{}, fmt.Sprintf("%q contains %q, which separates the parts of the %s; set another key_separator", text, it.separator, it.name)
		case identifies(it.name):
			if reason := mangled(text); reason != "" {
				return change.Value{}, reason
			}
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return change.NullValue(), ""
	}
	return change.StringValue(strings.Join(parts, it.separator)), ""
}

// null makes the texts that mean it null: the empty one in a table, and those that the source names.
func (m *Mapper) null(v change.Value, table bool) change.Value {
	if table && v.Str() == "" || slices.Contains(m.source.NullText, v.Str()) {
		return change.NullValue()
	}
	return v
}

package salesforce

import (
	"slices"
	"strings"

	"crosswalk/internal/change"
)

// columnChange is what became of one column between two descriptions of an entity.
type columnChange struct {
	Field string
	Kind  columnChangeKind
}

// columnChangeKind is also a metric's label.
type columnChangeKind string

const (
	columnAdded   columnChangeKind = "became_readable"
	columnRetyped columnChangeKind = "has_another_type"
	columnGone    columnChangeKind = "no_longer_readable"
	columnRefused columnChangeKind = "refused_by_registry" // its new type
)

// columnChangeKinds are all of them.
var columnChangeKinds = []columnChangeKind{columnAdded, columnRetyped, columnGone, columnRefused}

// compareColumns tells what changed from one set of columns to the next, in the order of kinds and names. refused are those
// that are left out because the registry does not take their new type.
func compareColumns(before, after []change.Field, refused []string) (changes []columnChange) {
	find := func(fields []change.Field, name string) *change.Field {
		if i := slices.IndexFunc(fields, func(f change.Field) bool { return f.Name == name }); i >= 0 {
			return &fields[i]
		}
		return nil
	}
	var retyped, gone []columnChange
	for _, f := range after {
		switch was := find(before, f.Name); {
		case was == nil:
			changes = append(changes, columnChange{f.Name, columnAdded})
		case was.Type != f.Type:
			retyped = append(retyped, columnChange{f.Name, columnRetyped})
		}
	}
	for _, f := range before {
		switch {
		case find(after, f.Name) != nil:
		case slices.Contains(refused, f.Name):
			gone = append(gone, columnChange{f.Name, columnRefused})
		default:
			gone = append(gone, columnChange{f.Name, columnGone})
		}
	}
	return append(append(changes, retyped...), gone...)
}

// mustRead reports whether values have to be read because of the changes: a snapshot follows (H10).
func mustRead(changes []columnChange) bool {
	return slices.ContainsFunc(changes, func(c columnChange) bool { return c.Kind == columnAdded || c.Kind == columnRetyped })
}

// linkAdvice is what helps when the link's field cannot be read.
const linkAdvice = "make it readable for the integration user again, or activate another one"

// words says the changes in one sentence about an entity. link is the field that holds the identifier, empty for an entity
// without one.
func words(entity string, changes []columnChange, link string) string {
	var parts []string
	for _, c := range changes {
		text := c.Field + " " + strings.ReplaceAll(string(c.Kind), "_", " ")
		switch c.Kind {
		case columnAdded:
			text += ", or was chosen: it is read from now on"
		case columnGone:
			text = c.Field + " can no longer be read (removed, hidden by field-level security, or not chosen): it is left out from now on, not set to null"
		case columnRefused:
			text = c.Field + " has another type, which the schema registry does not take after the former one: it is left out from now on, not set to null;" +
				" to have it again set the compatibility of the topic's subject to BACKWARD"
		}
		if c.Kind != columnAdded && strings.EqualFold(c.Field, link) {
			text += ", and it is the field that links accounts to customers: " + linkAdvice
		}
		parts = append(parts, text)
	}
	return "fields of " + entity + ": " + strings.Join(parts, "; ")
}

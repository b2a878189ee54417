package sfapi

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"crosswalk/internal/nearest"
)

// Selection narrows which fields become columns. Patterns are API names in which * stands for any text and ? for one
// character, compared without regard to case: "Billing*", "*__pc". A compound's name means all its components.
type Selection struct {
	Include []string // none: every readable field
	Exclude []string // wins over Include
	Needed  []string // names that are taken whatever Include and Exclude say, beside those of Needed
}

// NeededField is a field without which records cannot be put together.
type NeededField struct {
	Name string
	Why  string // half a sentence
}

// Needed lists the fields of an object that are always columns.
func Needed(object string) []NeededField {
	needed := []NeededField{
		{"Id", "it is the key of the records"},
		{"IsDeleted", "it tells records in the recycle bin from living ones"},
		{"SystemModstamp", "it tells which of two versions of a record is newer"},
	}
	if object == "Contact" {
		needed = append(needed, NeededField{"AccountId", "it says to which account a contact belongs"})
	}
	return needed
}

// takes reports whether a field of an object is chosen; compounds are the object's.
func (s Selection) takes(object string, f DescribedField, compounds map[string]bool) bool {
	same := func(name string) bool { return strings.EqualFold(name, f.Name) }
	if slices.ContainsFunc(Needed(object), func(n NeededField) bool { return same(n.Name) }) || slices.ContainsFunc(s.Needed, same) {
		return true
	}
	named := func(pattern string) bool {
		return Matches(pattern, f.Name) || compounds[f.CompoundFieldName] && Matches(pattern, f.CompoundFieldName)
	}
	return (len(s.Include) == 0 || slices.ContainsFunc(s.Include, named)) && !slices.ContainsFunc(s.Exclude, named)
}

// Matches reports whether a pattern of a Selection means the name.
func Matches(pattern, name string) bool {
	ok, err := path.Match(literal.Replace(strings.ToLower(pattern)), strings.ToLower(name))
	return ok && err == nil
}

// literal takes the meaning off what path.Match knows beyond * and ?, so that no pattern is malformed.
var literal = strings.NewReplacer(`\`, `\\`, `[`, `\[`)

// Strangers says, a sentence each, which patterns mean no field that describe tells of, and what may have been meant.
func (s Selection) Strangers(d *Describe) (sentences []string) {
	names := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		names[i] = f.Name
	}
	say := func(key string, patterns []string) {
		for _, p := range patterns {
			if slices.ContainsFunc(names, func(name string) bool { return Matches(p, name) }) {
				continue
			}
			text := fmt.Sprintf("fields.%s.%s has %q, but %s has no such field that this user may read", d.Name, key, p, d.Name)
			if near := meant(p, names); near != "" {
				text += "; the nearest is " + near
			}
			sentences = append(sentences, text)
		}
	}
	say("include", s.Include)
	say("exclude", s.Exclude)
	return sentences
}

// meant is the field that a misspelt name may mean: at most a third of it is wrong, or the __c of custom fields is missing.
func meant(name string, fields []string) string {
	if strings.ContainsAny(name, "*?") {
		return ""
	}
	if near := nearest.Of(name+"__c", fields, 0); near != "" {
		return near
	}
	return nearest.Of(name, fields, max(2, len(name)/3))
}

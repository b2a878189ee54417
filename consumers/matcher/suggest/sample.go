package suggest

import (
	"slices"

	"crosswalk/consumers/matcher/rule"
)

// MaxExamples is how many example values a pair has.
const MaxExamples = 2

// Sampler fills in the examples of pairs from a second look at the ERP records.
type Sampler struct {
	survey *Survey
	byPath map[string][]*Pair
}

// Sample returns the Sampler of these pairs, which Rank of this Survey has made; their Examples are filled in place.
func (s *Survey) Sample(pairs []Pair) *Sampler {
	out := &Sampler{survey: s, byPath: map[string][]*Pair{}}
	for i := range pairs {
		out.byPath[pairs[i].ERPField] = append(out.byPath[pairs[i].ERPField], &pairs[i])
	}
	return out
}

// Leaf takes one value of an ERP record: where it stands on an Account too, and is among the first by its bytes, it becomes an
// example.
func (s *Sampler) Leaf(path []byte, v rule.Value) {
	for _, p := range s.byPath[string(path)] {
		value := v
		if p.SalesforceField == idField && v.Kind == rule.Text {
			value.Text = rule.LongID(v.Text)
		}
		id, miss := rule.Identify(value)
		if miss != (rule.Miss{}) || len(p.Examples) == MaxExamples && id >= p.Examples[MaxExamples-1] {
			continue
		}
		at, known := slices.BinarySearch(p.Examples, id)
		if known || !s.survey.Accounts.fields[p.SalesforceField].identifiers.has(digest(s.survey.Accounts.seed, id)) {
			continue
		}
		p.Examples = slices.Insert(p.Examples, at, id)
		p.Examples = p.Examples[:min(len(p.Examples), MaxExamples)]
	}
}

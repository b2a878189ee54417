// Package suggest ranks the pairs of an Account field and an ERP field that could be the link (R5).
//
// Every leaf of every live record goes into a Side, where its identifier (R8, by package rule) is kept as a digest of 63
// bits; Survey.Rank compares each field of one side with each of the other and gives Pairs, best first; a second
// look at the ERP records, through a Sampler, finds example values. Nothing but counts and digests is kept, so memory is
// bounded by the different identifiers of all fields: 16 bytes for each, 24 while a field is read.
//
// What is counted is exact, but for digests that collide (of a million identifiers on each side, less than one in ten
// million surveys has one such pair). The package is pure: it knows no Kafka and no clock.
package suggest

import (
	"hash/maphash"
	"maps"
	"slices"

	"crosswalk/consumers/matcher/rule"
)

// idField is the Account field whose identifier is the record's key (R10).
const idField = "Id"

// Survey is what was seen of both sides.
type Survey struct {
	Accounts, Customers Side
}

// Side is what was seen of the records of one side.
type Side struct {
	seed    maphash.Seed
	records int
	fields  map[string]*field
}

// field is one field of a side. As Salesforce Ids, an ERP field's identifiers may differ from what they are otherwise.
type field struct {
	identifiers column
	asID        column // the texts that are an Id in either notation, in the long one (R10)
}

// New returns a Survey that has seen nothing.
func New() *Survey {
	seed := maphash.MakeSeed()
	return &Survey{
		Accounts:  Side{seed: seed, fields: map[string]*field{}},
		Customers: Side{seed: seed, fields: map[string]*field{}},
	}
}

// Record counts one live record, whose leaves are given by calls of Leaf.
func (s *Side) Record() { s.records++ }

// Records is how many live records Record has counted.
func (s *Side) Records() int { return s.records }

// Fields are the names of all fields that were seen, whether or not they can be a link, ascending.
func (s *Side) Fields() []string { return slices.Sorted(maps.Keys(s.fields)) }

// Leaf takes one value of the current record. The path has dots between its steps.
func (s *Side) Leaf(path []byte, v rule.Value) {
	f := s.fields[string(path)]
	if f == nil {
		f = &field{}
		s.fields[string(path)] = f
	}
	id, miss := rule.Identify(v)
	if miss != (rule.Miss{}) {
		return
	}
	f.identifiers.add(digest(s.seed, id))
	if long, ok := longID(v); ok {
		f.asID.add(digest(s.seed, long))
	}
}

// longID returns the text of a value that can be equal to an Id: 18 characters, or 15 that are extended.
func longID(v rule.Value) (string, bool) {
	if v.Kind != rule.Text || len(v.Text) != 15 && len(v.Text) != 18 {
		return "", false
	}
	return rule.LongID(v.Text), true
}

func digest(seed maphash.Seed, id string) uint64 {
	d := maphash.String(seed, id) &^ spaced
	if hasSpace(id) {
		d |= spaced
	}
	return d
}

// against returns the column of an ERP field that is compared with an Account field.
func (f *field) against(salesforceField string) *column {
	if salesforceField == idField {
		return &f.asID
	}
	return &f.identifiers
}

package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"crosswalk/consumers/matcher/join"
	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// The identifiers of the seeded check (section 15): equal, alike, blank and missing ones.
var identifiers = []any{"C1", "c1", "C-1", "C2", nil, "", " C1", "0", "00", "1", "01", int64(1), int64(0)}

// History makes up the steps of one seed: four Accounts, customers, Contacts and notes that come, change, go and come
// back, with versions that are sometimes old or twice the same.
type History struct {
	rng  *rand.Rand
	revs map[string]change.Version
}

// NewHistory returns the history of a seed.
func NewHistory(seed uint64) *History {
	return &History{rng: rand.New(rand.NewPCG(seed, 15)), revs: map[string]change.Version{}}
}

// Chance is true in percent of a hundred cases.
func (h *History) Chance(percent int) bool { return h.rng.IntN(100) < percent }

// Below returns a number from 0 to n-1.
func (h *History) Below(n int) int { return h.rng.IntN(n) }

// Step returns the next step: one to three records, seldom a link.
func (h *History) Step() Step {
	if h.Chance(6) {
		return h.link()
	}
	var s Step
	for range 1 + h.rng.IntN(3) {
		s.Records = append(s.Records, h.record())
	}
	return s
}

func (h *History) link() Step {
	if h.Chance(20) {
		return Step{IsLink: true}
	}
	cardinalities := []customer.Cardinality{
		customer.CardinalityOneToOne, customer.CardinalityManyAccounts, customer.CardinalityManyCustomers, customer.CardinalityManyToMany,
	}
	return Step{IsLink: true, Link: &customer.Link{
		SalesforceField: []string{"X", "X", "Z", "Id"}[h.rng.IntN(4)], ERPField: []string{"Y", "Y", "custom.W"}[h.rng.IntN(3)],
		Cardinality: cardinalities[h.rng.IntN(4)], NearMiss: h.Chance(80),
	}}
}

func (h *History) record() Record {
	kind := join.Kind(1 + h.rng.IntN(4))
	symbol := string(" acne"[kind]) + string(rune('1'+h.rng.IntN(4)))
	r := Record{Kind: kind, Key: ID(symbol), Version: h.version(symbol)}
	if h.Chance(25) {
		return r
	}
	r.Fields = customer.Fields{"Name": fmt.Sprintf("name %d", h.rng.IntN(3))}
	switch kind {
	case join.Account:
		h.maybe(r.Fields, "X", h.identifier())
		h.maybe(r.Fields, "Z", h.identifier())
	case join.Customer:
		h.maybe(r.Fields, "Y", h.identifier())
		h.maybe(r.Fields, "custom", map[string]any{"W": h.identifier()})
		h.maybe(r.Fields, ERPDeletedField, h.Chance(10))
	case join.Contact:
		h.maybe(r.Fields, "AccountId", nil)
		if h.Chance(85) {
			r.Fields["AccountId"] = h.parent("a")
		}
	case join.Note:
		for range h.rng.IntN(4) {
			r.Links = append(r.Links, h.parent([]string{"a", "c", "c", "x"}[h.rng.IntN(4)]))
		}
	}
	return r
}

// version is mostly the next one of the key; sometimes it was there before, or begins a new epoch.
func (h *History) version(key string) change.Version {
	last := h.revs[key]
	switch {
	case last == (change.Version{}):
		last = change.Version{Epoch: 1}
	case h.Chance(10):
		return change.Version{Epoch: last.Epoch, Rev: max(1, last.Rev-int64(h.rng.IntN(3)))}
	case h.Chance(5):
		last = change.Version{Epoch: last.Epoch + 1, Rev: -1}
	}
	last.Rev++
	h.revs[key] = last
	return last
}

func (h *History) maybe(fields customer.Fields, name string, v any) {
	if h.Chance(90) {
		fields[name] = v
	}
}

func (h *History) identifier() any { return identifiers[h.rng.IntN(len(identifiers))] }

func (h *History) parent(letter string) string { return ID(letter + string(rune('1'+h.rng.IntN(4)))) }

// CompactDeletions forgets every key whose last record is a deletion, as compaction does with tombstones that are old
// enough, and returns whether a record with this kind and key is still there.
func (in *Inputs) CompactDeletions() func(join.Kind, string) bool {
	for _, of := range in.latest {
		for key, r := range of {
			if r.Fields == nil {
				delete(of, key)
			}
		}
	}
	return func(k join.Kind, key string) bool {
		_, ok := in.latest[k][key]
		return ok
	}
}

// CheckPlaces checks R14 and that near misses are mutual, on a published state alone, against the live records.
func (in *Inputs) CheckPlaces(s naive.State) error {
	places := map[string][]string{}
	for key, v := range s.Views {
		places["erp/"+key] = append(places["erp/"+key], "view")
		for _, a := range v.Accounts {
			at := "account/" + a.ID
			if !slices.Contains(places[at], "view of "+v.Identifier) { // all views of the group are one place
				places[at] = append(places[at], "view of "+v.Identifier)
			}
		}
	}
	for id, a := range s.Ambiguous {
		for _, account := range a.Accounts {
			places["account/"+account] = append(places["account/"+account], "ambiguous "+id)
		}
		for _, key := range a.ERPCustomers {
			places["erp/"+key] = append(places["erp/"+key], "ambiguous "+id)
		}
	}
	for key := range s.Unmatched {
		places[key] = append(places[key], "unmatched")
	}
	if in.link.Link == nil {
		if len(places) > 0 {
			return fmt.Errorf("R6: published without a link: %v", places)
		}
		return nil
	}
	for kind, prefix := range map[join.Kind]string{join.Account: "account/", join.Customer: "erp/"} {
		for key, r := range in.latest[kind] {
			flagged, _ := r.Fields[ERPDeletedField].(bool)
			isLive := r.Fields != nil && (kind == join.Account || !flagged)
			if n := len(places[prefix+key]); isLive && n != 1 || !isLive && n != 0 {
				return fmt.Errorf("R14: %s%s (live: %v) is in %q", prefix, key, isLive, places[prefix+key])
			}
		}
	}
	return checkMutual(s)
}

func checkMutual(s naive.State) error {
	for key, u := range s.Unmatched {
		for _, n := range u.NearMisses {
			other := customer.Unmatched{Side: u.Side.Other(), ID: n.ID}
			back, ok := s.Unmatched[other.Key()]
			if !ok {
				continue // the other one is not unmatched
			}
			if !slices.ContainsFunc(back.NearMisses, func(m customer.NearMiss) bool { return m.ID == u.ID && slices.Equal(m.Classes, n.Classes) }) {
				return fmt.Errorf("R21: %s lists %s as a near miss, but not the other way round", key, other.Key())
			}
		}
	}
	return nil
}

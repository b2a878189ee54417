package join

import (
	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// family is the identifiers that are alike (R22), as groups that have members, with the number of these members.
type family struct {
	groups    list // by identifier
	accounts  uint32
	customers uint32
}

func (f *family) count(k Kind) *uint32 {
	if k == Account {
		return &f.accounts
	}
	return &f.customers
}

func (f *family) tooLarge() bool {
	return f.accounts > customer.MaxNearMissGroup || f.customers > customer.MaxNearMissGroup
}

// enterFamily puts a group that has got its first member among the identifiers alike to its own.
func (e *Engine) enterFamily(g uint32) {
	if !e.link.NearMiss {
		return
	}
	fold := rule.Fold(string(e.name(g)))
	if fold == "" {
		return
	}
	hash := e.hash([]byte(fold))
	id := e.byFamily.find(hash, func(id uint32) bool {
		other := e.lists.items(&e.families.at(id).groups)[0]
		return rule.Fold(string(e.name(other))) == fold
	})
	if id == 0 {
		id = e.families.add()
		e.byFamily.add(hash, id)
	}
	e.lists.insert(&e.families.at(id).groups, g, e.nameOrder)
	e.groups.at(g).family = id
}

// leaveFamily takes a group without members out.
func (e *Engine) leaveFamily(g uint32) {
	gr := e.groups.at(g)
	if gr.family == 0 {
		return
	}
	f := e.families.at(gr.family)
	e.lists.remove(&f.groups, g, e.nameOrder)
	if f.groups.n == 0 {
		e.byFamily.remove(e.hash([]byte(rule.Fold(string(e.name(g))))), gr.family)
		e.families.remove(gr.family)
	}
	gr.family = 0
}

func (e *Engine) countFamily(g *group, k Kind, delta uint32) {
	if g.family != 0 {
		*e.families.at(g.family).count(k) += delta
	}
}

// shiftFamily marks the unmatched records whose near misses differ between the state with the record and the state
// without it: those of the other side when the record is among the candidates that they list or count, and all when
// the family is just at the bound beyond which none are listed (R24).
func (e *Engine) shiftFamily(g *group, id uint32) {
	if g.family == 0 {
		return
	}
	f := e.families.at(g.family)
	own, other := Account, Customer
	if e.records.at(id).kind == Customer {
		own, other = Customer, Account
	}
	n := *f.count(own)
	switch {
	case n == customer.MaxNearMissGroup+1:
		e.markAlone(f, own)
		e.markAlone(f, other)
	case f.tooLarge():
	case n <= customer.MaxNearMisses+1 || e.amongFirst(f, own, id):
		e.markAlone(f, other)
	}
}

// amongFirst reports whether the record is one of the first candidates of its side, or the one after them.
func (e *Engine) amongFirst(f *family, side Kind, id uint32) bool {
	seen := 0
	for _, g := range e.lists.items(&f.groups) {
		for _, member := range e.lists.items(e.groups.at(g).side(side)) {
			if member == id {
				return true
			}
			if seen++; seen > customer.MaxNearMisses {
				return false
			}
		}
	}
	return false
}

// markAlone marks the members of one side whose group has none of the other.
func (e *Engine) markAlone(f *family, side Kind) {
	for _, g := range e.lists.items(&f.groups) {
		gr := e.groups.at(g)
		if gr.accounts.n == 0 || gr.customers.n == 0 {
			e.markAll(e.lists.items(gr.side(side)))
		}
	}
}

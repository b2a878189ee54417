package join

import (
	"bytes"
	"hash/maphash"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// group is the live records that share an identifier (R12).
type group struct {
	blob      uint32 // the identifier
	family    uint32 // while it has members: the identifiers alike to its own, 0 when near misses are off or nothing is left of it
	pub       uint32 // what is published under the identifier in match.ambiguous
	accounts  list   // by Id
	customers list   // by key
	dirty     bool
	unsaved   bool
}

func (g *group) side(k Kind) *list {
	if k == Account {
		return &g.accounts
	}
	return &g.customers
}

func (g *group) members() uint32 { return g.accounts.n + g.customers.n }

func (e *Engine) name(g uint32) []byte { return e.blobs.get(e.groups.at(g).blob) }

// compareNames orders groups by identifier bytes (R24).
func (e *Engine) compareNames(a, b uint32) int {
	if a == b {
		return 0
	}
	return bytes.Compare(e.name(a), e.name(b))
}

// groupOf returns the group of an identifier and makes an empty one when there is none.
func (e *Engine) groupOf(identifier []byte) uint32 {
	return e.groupHashed(identifier, e.hash(identifier))
}

func (e *Engine) groupHashed(identifier []byte, hash uint32) uint32 {
	g := e.byGroup.find(hash, func(g uint32) bool { return bytes.Equal(e.name(g), identifier) })
	if g == 0 {
		g = e.groups.add()
		e.groups.at(g).blob = e.blobs.put(identifier)
		e.byGroup.add(hash, g)
	}
	return g
}

func (e *Engine) hash(b []byte) uint32 {
	h := maphash.Bytes(e.seed, b)
	return uint32(h>>32) ^ uint32(h)
}

func (e *Engine) outcome(g *group) (rule.Outcome, customer.Reason) {
	return e.decide(g.accounts.n, g.customers.n)
}

func (e *Engine) decide(accounts, customers uint32) (rule.Outcome, customer.Reason) {
	if e.link == nil {
		return rule.Alone, ""
	}
	return rule.Decide(int(accounts), int(customers), *e.link)
}

// moveMember brings an Account or ERP customer into the group of its identifier.
func (e *Engine) moveMember(id uint32, f facts) {
	r := e.records.at(id)
	in := f.live && e.link != nil && f.miss == rule.Miss{}
	if r.group != 0 && in && string(e.name(r.group)) == f.identifier {
		e.touch(id)
		return
	}
	if r.group != 0 {
		e.leave(id)
	}
	r.miss = missCode(f.miss)
	if in {
		e.join(id, e.groupOf([]byte(f.identifier)))
	}
}

func (e *Engine) join(id, group uint32) {
	r := e.records.at(id)
	r.group = group
	g := e.groups.at(group)
	first := g.members() == 0
	e.lists.insert(g.side(r.kind), id, e.keyOrder)
	if first {
		e.enterFamily(r.group)
	}
	e.countFamily(g, r.kind, 1)
	e.shift(id)
}

func (e *Engine) leave(id uint32) {
	r := e.records.at(id)
	g := e.groups.at(r.group)
	e.shift(id)
	e.lists.remove(g.side(r.kind), id, e.keyOrder)
	e.countFamily(g, r.kind, ^uint32(0))
	if g.members() == 0 {
		e.leaveFamily(r.group)
		e.markGroup(r.group) // to free it
	}
	r.group = 0
}

// shift marks whatever is different between the state with the record in its group and the state without it. It is
// called while the record is in: after it came, or before it goes.
func (e *Engine) shift(id uint32) {
	if e.bulk {
		return
	}
	r := e.records.at(id)
	g := e.groups.at(r.group)
	accounts, customers := g.accounts.n, g.customers.n
	with, _ := e.decide(accounts, customers)
	if r.kind == Account {
		accounts--
	} else {
		customers--
	}
	without, _ := e.decide(accounts, customers)
	e.mark(id)
	switch {
	case with == rule.Alone && without == rule.Alone:
		e.markSame(g.side(r.kind), id)
	case with == rule.Matched && without == rule.Matched:
		e.markAll(e.lists.items(&g.customers))
	case with != without:
		e.markAll(e.lists.items(&g.accounts))
		e.markAll(e.lists.items(&g.customers))
	}
	if with == rule.Ambiguous || without == rule.Ambiguous {
		e.markGroup(r.group)
	}
	e.shiftFamily(g, id)
}

// markSame marks the members of an unmatched side whose list of others with the same identifier (R30) has id in it, or
// whose count of them is not yet at its bound.
func (e *Engine) markSame(side *list, id uint32) {
	members := e.lists.items(side)
	if len(members) <= customer.MaxSameTotal+1 || e.compareKeys(id, members[customer.MaxSame]) <= 0 {
		e.markAll(members)
	}
}

// touch marks the views that show the Account or ERP customer.
func (e *Engine) touch(id uint32) {
	r := e.records.at(id)
	if e.bulk || r.group == 0 {
		return
	}
	g := e.groups.at(r.group)
	if outcome, _ := e.outcome(g); outcome != rule.Matched {
		return
	}
	if r.kind == Customer {
		e.mark(id)
		return
	}
	e.markAll(e.lists.items(&g.customers))
}

func (e *Engine) markGroup(g uint32) {
	gr := e.groups.at(g)
	if !gr.dirty {
		gr.dirty = true
		e.dirtyGroups = append(e.dirtyGroups, g)
	}
}

// reapGroup frees the group when it has no members and nothing is published of it.
func (e *Engine) reapGroup(g uint32) {
	gr := e.groups.at(g)
	if gr.blob == 0 || gr.members() > 0 || gr.pub != 0 || gr.dirty || gr.unsaved {
		return
	}
	e.byGroup.remove(e.hash(e.name(g)), g)
	e.blobs.release(gr.blob)
	e.groups.remove(g)
}

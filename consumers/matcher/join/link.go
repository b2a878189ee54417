package join

import (
	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// SetLink sets, changes or, with nil, removes the link (R7). Every record is placed anew and every output computed
// again by the next Settle, which publishes what differs: nothing when the link is the same.
func (e *Engine) SetLink(link *customer.Link) error {
	if err := e.regroup(link); err != nil {
		return err
	}
	e.MarkAll()
	return nil
}

// Build sets the link of an Engine whose state is built as a whole: until Built nothing is marked.
func (e *Engine) Build(link *customer.Link) {
	e.setLink(link)
	e.bulk = true
}

// Built ends what Build began. The next Settle computes every output.
func (e *Engine) Built() {
	e.bulk = false
	e.MarkAll()
}

// MarkAll makes the next Settle compute every output again.
func (e *Engine) MarkAll() {
	for id := uint32(1); id <= e.records.n; id++ {
		if r := e.records.at(id); r.blob != 0 {
			e.mark(id)
		}
	}
	for g := uint32(1); g <= e.groups.n; g++ {
		if e.groups.at(g).blob != 0 {
			e.markGroup(g)
		}
	}
}

// regroup places every Account and ERP customer by its identifier under the link.
func (e *Engine) regroup(link *customer.Link) error {
	e.setLink(link)
	e.bulk = true
	defer func() { e.bulk = false }()
	e.ungroup()
	for id := uint32(1); id <= e.records.n; id++ {
		r := e.records.at(id)
		if r.kind != Account && r.kind != Customer {
			continue
		}
		r.group, r.miss = 0, 0
		if !r.is(live) {
			continue
		}
		if err := e.assign(id); err != nil {
			return err
		}
		e.shed()
	}
	return nil
}

func (e *Engine) setLink(link *customer.Link) {
	e.link = nil
	if link != nil {
		l := *link
		e.link, e.salesforcePath, e.erpPath = &l, []string{l.SalesforceField}, l.ERPPath()
	}
}

// lookupIn returns how fields of a live record are looked up.
func (e *Engine) lookupIn(id uint32) func(path []string) (rule.Value, error) {
	return func(path []string) (rule.Value, error) {
		w, err := e.full(id)
		if err != nil {
			return rule.Value{}, err
		}
		return e.valueOf(w.value, path)
	}
}

// ungroup empties every group and forgets which identifiers are alike.
func (e *Engine) ungroup() {
	for id := uint32(1); id <= e.families.n; id++ {
		e.lists.clear(&e.families.at(id).groups)
	}
	e.families, e.byFamily = table[family]{}, index{}
	for g := uint32(1); g <= e.groups.n; g++ {
		gr := e.groups.at(g)
		if gr.blob == 0 {
			continue
		}
		e.lists.clear(&gr.accounts)
		e.lists.clear(&gr.customers)
		gr.family = 0
		e.markGroup(g) // to free it when it stays empty
	}
}

// Observe tells the Engine what an output topic holds under a key: value nil for a tombstone. What another process, or
// this one before it could remember it, has published is learnt in this way, and compared by the next Settle (R34).
func (e *Engine) Observe(t Topic, key, value []byte, v change.Version) {
	owner := uint32(0)
	switch t {
	case Ambiguous:
		owner = e.groupOf(key)
		e.markGroup(owner)
	case View:
		owner = e.place(Customer, key)
		e.mark(owner)
	default:
		kind, id, ok := cutSide(key)
		if !ok {
			return
		}
		owner = e.place(kind, id)
		e.mark(owner)
	}
	rev := uint32(v.Rev)
	if value == nil {
		e.unpublish(t, owner, rev)
		return
	}
	pub := e.publication(t, owner)
	if *pub == 0 {
		*pub = e.published.add()
		e.stats.published(e, t, owner, 1)
	}
	p := e.published.at(*pub)
	p.digest, p.rev = e.digests.of(value), max(p.rev, rev)
	e.tell(t, owner)
}

// cutSide takes a key of match.unmatched apart.
func cutSide(key []byte) (Kind, []byte, bool) {
	for k := Account; k <= Customer; k++ {
		prefix := sideOf(k).Prefix()
		if len(key) >= len(prefix) && string(key[:len(prefix)]) == prefix {
			return k, key[len(prefix):], true
		}
	}
	return 0, nil, false
}

// Forget drops the memory of deletions that happened before the given time in milliseconds (R2).
func (e *Engine) Forget(before int64) {
	for id := uint32(1); id <= e.records.n; id++ {
		r := e.records.at(id)
		if r.is(known) && !r.is(live|unsaved) && e.row(id).diedAt() < before {
			r.flags &^= known
			e.reap(id)
		}
	}
}

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

// Resume sets the link under which the state was published that Load has read: the outputs are not computed again.
func (e *Engine) Resume(link *customer.Link) error {
	if err := e.regroup(link); err != nil {
		return err
	}
	for id := uint32(1); id <= e.records.n; id++ {
		r := e.records.at(id)
		if r.is(live) && (r.kind == Contact || r.kind == Note) && r.pub[slotUnmatched] == 0 && e.orphanReason(r) != "" {
			e.mark(id) // it was within its grace
		}
	}
	return nil
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
	e.link = nil
	if link != nil {
		l := *link
		e.link, e.salesforcePath, e.erpPath = &l, []string{l.SalesforceField}, l.ERPPath()
	}
	e.bulk = true
	defer func() { e.bulk = false }()
	e.ungroup()
	for id := uint32(1); id <= e.records.n; id++ {
		r := e.records.at(id)
		if r.kind != Account && r.kind != Customer {
			continue
		}
		r.group, r.miss = 0, 0
		if !r.is(live) || e.link == nil {
			continue
		}
		var f facts
		if err := e.identify(&f, r.kind, e.key(id), e.lookupIn(id)); err != nil {
			return err
		}
		r.miss = missCode(f.miss)
		if f.miss == (rule.Miss{}) {
			e.join(id, []byte(f.identifier))
		}
	}
	return nil
}

// lookupIn returns how fields of a live record are looked up.
func (e *Engine) lookupIn(id uint32) func(path []string) (rule.Value, error) {
	return func(path []string) (rule.Value, error) { return e.valueOf(e.row(id).value, path) }
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

// placeRelated attaches all Contacts and notes to what they name.
func (e *Engine) placeRelated() error {
	n := e.records.n // parents that are not known get places behind
	for id := uint32(1); id <= n; id++ {
		r := e.records.at(id)
		if !r.is(live) || r.kind != Contact && r.kind != Note {
			continue
		}
		f := facts{live: true}
		var err error
		if r.kind == Note {
			f.links, err = e.linksOf(e.row(id).value)
		} else {
			err = e.learn(&f, Contact, nil, e.lookupIn(id))
		}
		if err != nil {
			return err
		}
		if r.kind == Contact {
			e.moveContact(id, *r, f)
		} else {
			e.moveNote(id, f)
		}
	}
	return nil
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

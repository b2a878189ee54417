package join

import (
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// moveContact brings a Contact to the Account that it names now (R16). The Account need not be there yet.
func (e *Engine) moveContact(id uint32, before record, f facts) {
	parent := uint32(0)
	old := before.parent
	switch {
	case !f.live || !f.hasParent:
	case old != 0 && string(e.key(old)) == f.parent:
		parent = old
	default:
		parent = e.place(Account, []byte(f.parent))
	}
	if old != parent {
		if old != 0 {
			e.lists.remove(&e.records.at(old).related, id, e.keyOrder)
			e.touch(old)
			e.release(old)
		}
		e.attach(id, parent)
	}
	if parent != 0 {
		e.touch(parent)
	}
	if before.is(live) != f.live {
		e.markAll(e.lists.items(&e.records.at(id).notes))
	}
}

// attach puts a Contact that is among no Account's below one; below none when that is 0.
func (e *Engine) attach(id, parent uint32) {
	e.records.at(id).parent = parent
	if parent != 0 {
		e.lists.insert(&e.records.at(parent).related, id, e.keyOrder)
	}
}

// moveNote attaches a note to the records that it is linked to (R18). They need not be there yet.
func (e *Engine) moveNote(id uint32, f facts) {
	r := e.records.at(id)
	old := slices.Clone(e.lists.items(&r.related))
	e.lists.clear(&r.related)
	for _, link := range f.links {
		if to := e.linked(link); to != 0 {
			e.lists.insert(&r.related, to, e.keyOrder)
			e.lists.insert(&e.records.at(to).notes, id, e.keyOrder)
			e.touchWith(to)
		}
	}
	for _, to := range old {
		if _, still := slices.BinarySearchFunc(e.lists.items(&r.related), to, e.keyOrder); !still {
			e.lists.remove(&e.records.at(to).notes, id, e.keyOrder)
			e.touchWith(to)
			e.release(to)
		}
	}
}

// linked returns the record that a note's link names; 0 when it names neither an Account nor a Contact (R19).
func (e *Engine) linked(link string) uint32 {
	switch rule.Parent(link) {
	case rule.AccountParent:
		return e.place(Account, []byte(link))
	case rule.ContactParent:
		return e.place(Contact, []byte(link))
	}
	return 0
}

// touchWith marks the views that show the notes of an Account or Contact.
func (e *Engine) touchWith(id uint32) {
	if r := e.records.at(id); r.kind == Contact {
		id = r.parent
	}
	if id != 0 {
		e.touch(id)
	}
}

// release lets a record be freed after the next Settle when nothing needs its place any more.
func (e *Engine) release(id uint32) {
	if !e.records.at(id).is(known) {
		e.mark(id)
	}
}

// notesOf appends the notes shown with an Account, each once, by Id (R18).
func (e *Engine) notesOf(dst []uint32, account uint32) []uint32 {
	from := len(dst)
	a := e.records.at(account)
	dst = append(dst, e.lists.items(&a.notes)...)
	sorted := true
	for _, c := range e.lists.items(&a.related) {
		if notes := e.lists.items(&e.records.at(c).notes); len(notes) > 0 {
			dst = append(dst, notes...)
			sorted = false
		}
	}
	if sorted {
		return dst
	}
	slices.SortFunc(dst[from:], e.keyOrder)
	return dst[:from+len(slices.Compact(dst[from:]))]
}

// orphanReason says why a live Contact or note belongs to no live record, or "" when it does (R17, R19).
func (e *Engine) orphanReason(r *record) customer.Reason {
	if r.kind == Contact {
		switch {
		case r.parent == 0:
			return customer.NoAccount
		case !e.records.at(r.parent).is(live):
			return customer.AccountMissing
		}
		return ""
	}
	parents := e.lists.items(&r.related)
	if len(parents) == 0 {
		return customer.NoParent
	}
	if slices.ContainsFunc(parents, func(id uint32) bool { return e.records.at(id).is(live) }) {
		return ""
	}
	return customer.ParentMissing
}

package join

import (
	"fmt"

	"crosswalk/internal/customer"
)

// viewBuffer is the view that is being encoded.
type viewBuffer struct {
	out          []byte
	parts        []part
	notes        []uint32 // of all parts, one after the other
	bare         bool     // the ERP customer's fields are left out
	customerSize int      // bytes of its key and fields
}

// part is one Account of a view with what of it is carried.
type part struct {
	account                   uint32
	contacts                  []uint32
	notesFrom, notesTo        int // in viewBuffer.notes
	contactsTotal, notesTotal int
	contactSizes, noteSizes   []int // bytes of each that was encoded
	bare                      bool  // the Account's fields are left out
	size                      int   // bytes of its Id and fields
}

// encodeView returns the value of customer.view for a matched ERP customer, valid until the next one is encoded.
func (e *Engine) encodeView(id uint32) ([]byte, error) {
	e.gather(id)
	out, err := e.appendView(id, false)
	if err != nil || len(out) <= e.viewMax {
		return out, err
	}
	e.shrink(id, len(out)-e.viewMax)
	return e.appendView(id, true)
}

// gather finds the Accounts of the group, their Contacts and notes, within the bounds of R29.
func (e *Engine) gather(id uint32) {
	v := &e.view
	v.notes, v.bare = v.notes[:0], false
	accounts := e.lists.items(&e.groups.at(e.records.at(id).group).accounts)
	for len(v.parts) < len(accounts) {
		v.parts = append(v.parts, part{})
	}
	v.parts = v.parts[:len(accounts)]
	for i, a := range accounts {
		p := &v.parts[i]
		contacts := e.lists.items(&e.records.at(a).related)
		p.account, p.contactsTotal, p.contacts, p.bare = a, len(contacts), firstOf(contacts, customer.MaxContacts), false
		p.notesFrom = len(v.notes)
		v.notes = e.notesOf(v.notes, a)
		p.notesTotal = len(v.notes) - p.notesFrom
		p.notesTo = p.notesFrom + min(p.notesTotal, customer.MaxNotes)
		v.notes = v.notes[:p.notesTo]
	}
}

func (e *Engine) appendView(id uint32, truncated bool) ([]byte, error) {
	g := e.groups.at(e.records.at(id).group)
	b := append(e.view.out[:0], e.frames[View]...)
	b = appendBytes(b, e.name(e.records.at(id).group))
	b = appendText(b, e.link.SalesforceField)
	b = appendText(b, e.link.ERPField)
	from := len(b)
	b, err := e.appendRecord(b, id, e.view.bare)
	if err != nil {
		return nil, err
	}
	e.view.customerSize = len(b) - from
	customers := e.lists.items(&g.customers)
	b = appendCount(b, len(customers)-1)
	for _, other := range customers {
		if other != id {
			b = appendBytes(b, e.key(other))
		}
	}
	b = append(b, 0)
	b = appendCount(b, len(e.view.parts))
	for i := range e.view.parts {
		if b, err = e.appendPart(b, &e.view.parts[i]); err != nil {
			return nil, err
		}
	}
	b = append(b, 0)
	if truncated {
		b = append(b, 2, 1) // the union's second branch, true
	} else {
		b = append(b, 0)
	}
	e.view.out = b
	return b, nil
}

// appendPart appends an Account with its Contacts and notes and remembers how many bytes each of these takes.
func (e *Engine) appendPart(b []byte, p *part) ([]byte, error) {
	from := len(b)
	b, err := e.appendRecord(b, p.account, p.bare)
	if err != nil {
		return nil, err
	}
	p.size = len(b) - from
	p.contactSizes, p.noteSizes = p.contactSizes[:0], p.noteSizes[:0]
	b = appendCount(b, len(p.contacts))
	for _, c := range p.contacts {
		from = len(b)
		if b, err = e.appendRecord(b, c, false); err != nil {
			return nil, err
		}
		p.contactSizes = append(p.contactSizes, len(b)-from)
	}
	b = appendVarint(append(b, 0), int64(p.contactsTotal))
	notes := e.view.notes[p.notesFrom:p.notesTo]
	b = appendCount(b, len(notes))
	for _, n := range notes {
		from = len(b)
		if b, err = e.appendNote(b, n, p.account); err != nil {
			return nil, err
		}
		p.noteSizes = append(p.noteSizes, len(b)-from)
	}
	return appendVarint(append(b, 0), int64(p.notesTotal)), nil
}

// appendRecord appends a record's key and fields, or no fields when it is bare.
func (e *Engine) appendRecord(b []byte, id uint32, bare bool) ([]byte, error) {
	if bare {
		return append(appendBytes(b, e.key(id)), 0), nil
	}
	row, err := e.full(id)
	if err != nil {
		return nil, err
	}
	b = appendBytes(b, row.key)
	b, err = e.appendKept(b, row.value)
	if err != nil {
		return nil, fmt.Errorf("encode fields of %s: %w", row.key, err)
	}
	return b, nil
}

// appendNote appends a note as it is shown with an Account: with those of its links that lead there (R18).
func (e *Engine) appendNote(b []byte, id, account uint32) ([]byte, error) {
	row, err := e.full(id)
	if err != nil {
		return nil, err
	}
	b = appendBytes(b, row.key)
	links := e.lists.items(&e.records.at(id).related)
	n := 0
	for _, to := range links {
		if e.leads(to, account) {
			n++
		}
	}
	b = appendCount(b, n)
	for _, to := range links {
		if e.leads(to, account) {
			b = appendBytes(b, e.key(to))
		}
	}
	b = append(b, 0)
	b, cut, err := e.appendKeptNote(b, row.value)
	if err != nil {
		return nil, fmt.Errorf("encode fields of %s: %w", row.key, err)
	}
	if cut {
		return append(b, 2, 1), nil
	}
	return append(b, 0), nil
}

// leads reports whether a note's link to a record shows the note with the Account. A Contact has a parent only while it is live.
func (e *Engine) leads(to, account uint32) bool {
	return to == account || e.records.at(to).parent == account
}

// shrink leaves out notes, then Contacts, from the end, as few as make the view excess bytes smaller (R29a). When that is
// not enough, the Accounts' fields follow, from the end, and at last the customer's.
func (e *Engine) shrink(id uint32, excess int) {
	v := &e.view
	excess++ // truncated takes two bytes instead of one
	for i := len(v.parts) - 1; i >= 0 && excess > 0; i-- {
		p := &v.parts[i]
		for n := len(p.noteSizes); n > 0 && excess > 0; n-- {
			excess -= p.noteSizes[n-1] + arrayLen(n) - arrayLen(n-1)
			p.notesTo--
		}
	}
	for i := len(v.parts) - 1; i >= 0 && excess > 0; i-- {
		p := &v.parts[i]
		for n := len(p.contactSizes); n > 0 && excess > 0; n-- {
			excess -= p.contactSizes[n-1] + arrayLen(n) - arrayLen(n-1)
			p.contacts = p.contacts[:n-1]
		}
	}
	for i := len(v.parts) - 1; i >= 0 && excess > 0; i-- {
		p := &v.parts[i]
		excess -= p.size - e.bareLen(p.account)
		p.bare = true
	}
	v.bare = excess > 0 && v.customerSize > e.bareLen(id)
}

// bareLen is what a record takes without its fields.
func (e *Engine) bareLen(id uint32) int {
	n := len(e.key(id))
	return varintLen(int64(n)) + n + 1
}

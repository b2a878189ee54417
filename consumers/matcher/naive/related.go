package naive

import (
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// account assembles one Account of a view with its Contacts and notes (R16, R18, R29).
func (c *computation) account(id string) customer.Account {
	a := customer.Account{ID: id, Fields: c.Accounts[id].Fields, Contacts: []customer.Contact{}, Notes: []customer.Note{}}
	parents := map[string]bool{id: true}
	for _, key := range keys(c.Contacts) {
		if parent, _ := c.Contacts[key].Fields["AccountId"].(string); parent == id {
			parents[key] = true
			a.Contacts = append(a.Contacts, customer.Contact{ID: key, Fields: c.Contacts[key].Fields})
		}
	}
	for _, key := range keys(c.Notes) {
		var linked []string
		for _, to := range c.Notes[key].Links {
			if parents[to] {
				linked = append(linked, to)
			}
		}
		if linked != nil {
			slices.Sort(linked)
			a.Notes = append(a.Notes, newNote(key, slices.Compact(linked), c.Notes[key].Fields))
		}
	}
	a.ContactsTotal, a.NotesTotal = len(a.Contacts), len(a.Notes)
	a.Contacts, a.Notes = first(a.Contacts, customer.MaxContacts), first(a.Notes, customer.MaxNotes)
	return a
}

func newNote(id string, linked []string, fields customer.Fields) customer.Note {
	n := customer.Note{ID: id, LinkedTo: linked, Fields: customer.Fields{}}
	for name, v := range fields {
		if text, ok := v.(string); ok && name == "text" && len([]rune(text)) > customer.MaxNoteRunes {
			v = string([]rune(text)[:customer.MaxNoteRunes])
			n.TextTruncated = true
		}
		n.Fields[name] = v
	}
	return n
}

// orphans reports Contacts and notes that belong to no live record (R17, R19).
func (c *computation) orphans() {
	for key, contact := range c.Contacts {
		parent, ok := contact.Fields["AccountId"].(string)
		if _, live := c.Accounts[parent]; live {
			continue
		}
		reason := customer.AccountMissing
		if !ok {
			reason = customer.NoAccount
		}
		c.orphan(customer.SideContact, key, reason)
	}
	for key, note := range c.Notes {
		reason := customer.NoParent
		for _, to := range note.Links {
			_, account := c.Accounts[to]
			_, contact := c.Contacts[to]
			if account || contact {
				reason = ""
				break
			}
			if rule.Parent(to) != rule.OtherParent {
				reason = customer.ParentMissing
			}
		}
		if reason != "" {
			c.orphan(customer.SideNote, key, reason)
		}
	}
}

func (c *computation) orphan(side customer.Side, key string, reason customer.Reason) {
	u := customer.Unmatched{Side: side, ID: key, Reason: reason, SameIdentifier: []string{}, NearMisses: []customer.NearMiss{}}
	c.state.Unmatched[u.Key()] = u
}

// nearMisses lists the records of the other side that are alike to m (R21, R24).
func nearMisses(u *customer.Unmatched, m member, own, other []member) {
	if len(own) > customer.MaxNearMissGroup || len(other) > customer.MaxNearMissGroup {
		u.NearMissGroupTooLarge = true
		return
	}
	u.NearMissesTruncated = len(other) > customer.MaxNearMisses
	for _, o := range first(other, customer.MaxNearMisses) {
		u.NearMisses = append(u.NearMisses, customer.NearMiss{ID: o.key, Identifier: o.identifier, Classes: rule.Classes(m.identifier, o.identifier)})
	}
}

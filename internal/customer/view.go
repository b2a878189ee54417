// Package customer holds what the matcher publishes: the joined view of an ERP customer, and the reports of
// what could not be joined.
//
// Inputs (accounts, contacts, notes, ERP customers) go into the matcher; out of it come, per key, a View (topic
// customer.view), an Ambiguous (match.ambiguous) or an Unmatched (match.unmatched). The values here are those of the
// matching rules' section A7; their JSON is the form that people see, their Avro form is defined in schemas/.
// The package uses the standard library only and decides nothing.
package customer

import (
	"encoding/json"
	"maps"
)

// Bounds of a view (R29) and of one note's text, in code points.
const (
	MaxContacts  = 1000
	MaxNotes     = 200
	MaxNoteRunes = 4096
)

// View is one matched ERP customer with the Salesforce side that belongs to it. Its key is Customer.Key.
type View struct {
	Identifier string    `json:"identifier"`
	Link       FieldPair `json:"link"`
	Customer   Customer  `json:"customer"`
	SharedWith []string  `json:"sharedWith"` // keys of the group's other ERP customers, ascending
	Accounts   []Account `json:"accounts"`   // by Id, ascending
	Truncated  bool      `json:"truncated,omitempty"`
}

// FieldPair names the two fields of the link (R5).
type FieldPair struct {
	SalesforceField string `json:"salesforceField"`
	ERPField        string `json:"erpField"`
}

// Customer is the ERP side of a view.
type Customer struct {
	Key    string `json:"key"`
	Fields Fields `json:"fields"`
}

// Account is one Salesforce Account of a view. The totals count what exists, the lists carry what fits (R29, R29a).
type Account struct {
	ID            string    `json:"id"`
	Fields        Fields    `json:"fields"`
	Contacts      []Contact `json:"contacts"` // by Id, ascending
	ContactsTotal int       `json:"contactsTotal"`
	Notes         []Note    `json:"notes"` // by Id, ascending
	NotesTotal    int       `json:"notesTotal"`
}

// Contact is one Salesforce Contact of an Account.
type Contact struct {
	ID     string `json:"id"`
	Fields Fields `json:"fields"`
}

// Note is a note, content note or task, as shown with one Account (R18). Fields are those of its record without the links.
type Note struct {
	ID            string
	LinkedTo      []string // the Account's and its Contacts' Ids that the note is linked to, ascending
	Fields        Fields
	TextTruncated bool // Fields["text"] was cut at MaxNoteRunes
}

// MarshalJSON writes the note's fields beside id and linkedTo, as R29 has them.
func (n Note) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(n.Fields)+3)
	maps.Copy(out, n.Fields)
	out["id"] = n.ID
	out["linkedTo"] = n.LinkedTo
	if n.TextTruncated {
		out["textTruncated"] = true
	}
	return json.Marshal(out)
}

// Fields are a record's fields by API name, without its _change. A value is nil, bool, int64, Decimal, string,
// map[string]any or []any; dates and times are their ISO text, in UTC.
type Fields map[string]any

// Decimal is an exact number as its canonical text; in JSON a number.
type Decimal string

// MarshalJSON writes the digits as they are: a number never passes through a binary float (R9).
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(d), nil }

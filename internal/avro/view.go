package avro

import (
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// View decodes a record of customer.view, by the names of its fields.
func (w *Walker) View(body []byte) (customer.View, error) {
	rec, err := w.Record(body)
	if err != nil {
		return customer.View{}, err
	}
	link, cust := find(rec, "link").Object, find(rec, "customer").Object
	v := customer.View{
		Identifier: find(rec, "identifier").text(),
		Link:       customer.FieldPair{SalesforceField: find(link, "salesforceField").text(), ERPField: find(link, "erpField").text()},
		Customer:   customer.Customer{Key: find(cust, "key").text(), Fields: find(cust, "fields").fields()},
		SharedWith: find(rec, "sharedWith").texts(),
		Accounts:   []customer.Account{},
		Truncated:  find(rec, "truncated").Scalar.Bool(),
	}
	for _, item := range find(rec, "accounts").List {
		v.Accounts = append(v.Accounts, viewAccount(item.Object))
	}
	return v, nil
}

func viewAccount(rec []Attribute) customer.Account {
	a := customer.Account{
		ID: find(rec, "id").text(), Fields: find(rec, "fields").fields(),
		Contacts: []customer.Contact{}, ContactsTotal: count(rec, "contactsTotal"),
		Notes: []customer.Note{}, NotesTotal: count(rec, "notesTotal"),
	}
	for _, item := range find(rec, "contacts").List {
		a.Contacts = append(a.Contacts, customer.Contact{ID: find(item.Object, "id").text(), Fields: find(item.Object, "fields").fields()})
	}
	for _, item := range find(rec, "notes").List {
		a.Notes = append(a.Notes, customer.Note{
			ID: find(item.Object, "id").text(), LinkedTo: find(item.Object, "linkedTo").texts(), Fields: find(item.Object, "fields").fields(),
			TextTruncated: find(item.Object, "textTruncated").Scalar.Bool(),
		})
	}
	return a
}

// Ambiguous decodes a record of match.ambiguous, by the names of its fields.
func (w *Walker) Ambiguous(body []byte) (customer.Ambiguous, error) {
	rec, err := w.Record(body)
	if err != nil {
		return customer.Ambiguous{}, err
	}
	return customer.Ambiguous{
		Identifier: find(rec, "identifier").text(), Reason: customer.Reason(find(rec, "reason").text()),
		Accounts: find(rec, "accounts").texts(), AccountCount: count(rec, "accountCount"),
		ERPCustomers: find(rec, "erpCustomers").texts(), ERPCustomerCount: count(rec, "erpCustomerCount"),
	}, nil
}

// Unmatched decodes a record of match.unmatched, by the names of its fields.
func (w *Walker) Unmatched(body []byte) (customer.Unmatched, error) {
	rec, err := w.Record(body)
	if err != nil {
		return customer.Unmatched{}, err
	}
	u := customer.Unmatched{
		Side: customer.Side(find(rec, "side").text()), ID: find(rec, "id").text(), Reason: customer.Reason(find(rec, "reason").text()),
		SameIdentifier: find(rec, "sameIdentifier").texts(), SameIdentifierTotal: count(rec, "sameIdentifierTotal"),
		NearMisses:          []customer.NearMiss{},
		NearMissesTruncated: find(rec, "nearMissesTruncated").Scalar.Bool(), NearMissGroupTooLarge: find(rec, "nearMissGroupTooLarge").Scalar.Bool(),
	}
	if v := find(rec, "identifier").Scalar; v.Kind() == change.String {
		u.Identifier = new(v.Str())
	}
	if v := find(rec, "detail").Scalar; v.Kind() == change.String {
		u.Detail = new(customer.Detail(v.Str()))
	}
	for _, item := range find(rec, "nearMisses").List {
		near := customer.NearMiss{ID: find(item.Object, "id").text(), Identifier: find(item.Object, "identifier").text(), Classes: []customer.Class{}}
		for _, class := range find(item.Object, "classes").texts() {
			near.Classes = append(near.Classes, customer.Class(class))
		}
		u.NearMisses = append(u.NearMisses, near)
	}
	return u, nil
}

func count(rec []Attribute, name string) int { return int(find(rec, name).Scalar.Int()) }

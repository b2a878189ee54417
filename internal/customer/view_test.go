package customer

import (
	"encoding/json"
	"strings"
	"testing"
)

// The JSON of section A7, member for member.
func TestViewAsJSON(t *testing.T) {
	t.Parallel()
	v := View{
		Identifier: "C1", Link: FieldPair{"X", "Y"},
		Customer:   Customer{Key: "e1", Fields: Fields{"Y": "C1", "balance": Decimal("12.50")}},
		SharedWith: []string{},
		Accounts: []Account{{
			ID: "a1", Fields: Fields{"X": "C1"},
			Contacts: []Contact{{ID: "c1", Fields: Fields{"AccountId": "a1"}}}, ContactsTotal: 1,
			Notes: []Note{{ID: "n1", LinkedTo: []string{"a1", "c1"}, Fields: Fields{"title": "Call"}}}, NotesTotal: 1,
		}},
	}
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"identifier":"C1","link":{"salesforceField":"X","erpField":"Y"},` +
		`"customer":{"key":"e1","fields":{"Y":"C1","balance":12.50}},"sharedWith":[],` +
		`"accounts":[{"id":"a1","fields":{"X":"C1"},"contacts":[{"id":"c1","fields":{"AccountId":"a1"}}],"contactsTotal":1,` +
		`"notes":[{"id":"n1","linkedTo":["a1","c1"],"title":"Call"}],"notesTotal":1}]}`
	if string(got) != want {
		t.Errorf("view is\n%s\nwant\n%s", got, want)
	}
}

func TestTruncatedIsSaidOnlyWhenTrue(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(View{Truncated: true, Accounts: []Account{{Notes: []Note{{ID: "n1", TextTruncated: true}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"truncated":true`, `"textTruncated":true`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}

func TestKeysOfReports(t *testing.T) {
	t.Parallel()
	for side, want := range map[Side]string{SideAccount: "account/x", SideERP: "erp/x", SideContact: "contact/x", SideNote: "note/x"} {
		if got := (Unmatched{Side: side, ID: "x"}).Key(); got != want {
			t.Errorf("key of side %s is %q, want %q", side, got, want)
		}
	}
}

func TestLinkValidate(t *testing.T) {
	t.Parallel()
	good := Link{SalesforceField: "X", ERPField: "custom.crm.ref", Cardinality: CardinalityOneToOne}
	if err := good.Validate(); err != nil {
		t.Errorf("a good link is refused: %v", err)
	}
	for _, bad := range []Link{
		{ERPField: "Y", Cardinality: CardinalityOneToOne},
		{SalesforceField: "Owner.Name", ERPField: "Y", Cardinality: CardinalityOneToOne},
		{SalesforceField: "X", Cardinality: CardinalityOneToOne},
		{SalesforceField: "X", ERPField: "custom..ref", Cardinality: CardinalityOneToOne},
		{SalesforceField: "X", ERPField: "Y", Cardinality: "one_to_all"},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

package join_test

import (
	"fmt"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// bench is a matcher whose outputs are followed and compared with the direct computation after each step.
type bench struct {
	*matcher
	t       *testing.T
	tracker *conformance.Tracker
	in      *conformance.Inputs
	revs    int64
}

func setup(t *testing.T) *bench {
	t.Helper()
	tracker, err := conformance.NewTracker()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{newMatcher(t), t, tracker, conformance.NewInputs(conformance.Step{Link: conformance.DefaultLink()}), 0}
}

// step gives records in one step and returns what was produced.
func (b *bench) step(records ...conformance.Record) []string {
	b.t.Helper()
	for i := range records {
		b.revs++
		records[i].Version = change.Version{Epoch: 1, Rev: b.revs}
	}
	s := conformance.Step{Records: records}
	b.give(s)
	b.in.Give(s)
	produced, err := b.tracker.Step(b.settle(), false)
	if err != nil {
		b.t.Fatal(err)
	}
	return produced
}

func (b *bench) check() naive.State {
	b.t.Helper()
	if err := conformance.CheckEqual(b.tracker.State(), b.in.Compute()); err != nil {
		b.t.Fatal(err)
	}
	return b.tracker.State()
}

func record(k join.Kind, symbol string, fields customer.Fields) conformance.Record {
	return conformance.Record{Kind: k, Key: conformance.ID(symbol), Fields: fields}
}

func matched() []conformance.Record {
	return []conformance.Record{record(join.Account, "a1", customer.Fields{"X": "C1"}), record(join.Customer, "e1", customer.Fields{"Y": "C1"})}
}

func contacts(n int) []conformance.Record {
	var out []conformance.Record
	for i := 1; i <= n; i++ {
		out = append(out, record(join.Contact, fmt.Sprint("c", i), customer.Fields{"AccountId": conformance.ID("a1"), "Name": fmt.Sprint("Contact ", i)}))
	}
	return out
}

func notes(n int, text string) []conformance.Record {
	var out []conformance.Record
	for i := 1; i <= n; i++ {
		r := record(join.Note, fmt.Sprint("n", i), customer.Fields{"text": text})
		r.Links = []string{conformance.ID("a1")}
		out = append(out, r)
	}
	return out
}

func TestB01ContactsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(append(matched(), contacts(1001)...)...)
	if a := b.check().Views["e1"].Accounts[0]; len(a.Contacts) != 1000 || a.ContactsTotal != 1001 {
		t.Errorf("%d contacts of %d", len(a.Contacts), a.ContactsTotal)
	}
	produced := b.step(record(join.Contact, "c1001", nil))
	if a := b.check().Views["e1"].Accounts[0]; len(produced) != 1 || a.ContactsTotal != 1000 {
		t.Errorf("the deletion produces %q, contactsTotal %d", produced, a.ContactsTotal)
	}
}

func TestB02NotesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(append(matched(), notes(201, "x")...)...)
	if a := b.check().Views["e1"].Accounts[0]; len(a.Notes) != 200 || a.NotesTotal != 201 {
		t.Errorf("%d notes of %d", len(a.Notes), a.NotesTotal)
	}
}

func TestB03NoteTextIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(append(matched(), notes(1, strings.Repeat("é", 5000))...)...)
	n := b.check().Views["e1"].Accounts[0].Notes[0]
	if text, _ := n.Fields["text"].(string); !n.TextTruncated || text != strings.Repeat("é", 4096) {
		t.Errorf("truncated %v, %d bytes", n.TextTruncated, len(text))
	}
}

func TestB04SameIdentifierIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var accounts []conformance.Record
	for i := 1; i <= 150; i++ {
		accounts = append(accounts, record(join.Account, fmt.Sprint("a", i), customer.Fields{"X": "C1"}))
	}
	for _, a := range accounts {
		b.step(a)
	}
	for key, u := range b.check().Unmatched {
		if len(u.SameIdentifier) != 20 || u.SameIdentifierTotal != 100 {
			t.Errorf("%s lists %d of %d", key, len(u.SameIdentifier), u.SameIdentifierTotal)
		}
	}
	if produced := b.step(record(join.Account, "a151", customer.Fields{"X": "C1"})); len(produced) != 1 {
		t.Errorf("an account that sorts last produces %d records, want its own", len(produced))
	}
	if produced := b.step(record(join.Account, "a0", customer.Fields{"X": "C1"})); len(produced) != 152 {
		t.Errorf("an account that sorts first produces %d records, want 152", len(produced))
	}
	b.check()
}

func TestB05NearMissGroupIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(record(join.Account, "a1", customer.Fields{"X": "C1"}))
	var customers []conformance.Record
	for i := 1; i <= 1000; i++ {
		customers = append(customers, record(join.Customer, fmt.Sprint("e", i), customer.Fields{"Y": "C1" + strings.Repeat(".", i)}))
	}
	b.step(customers...)
	if u := b.check().Unmatched["account/"+conformance.ID("a1")]; len(u.NearMisses) != 20 || !u.NearMissesTruncated || u.NearMissGroupTooLarge {
		t.Errorf("1,000 alike: %+v", u)
	}
	b.step(record(join.Customer, "e1001", customer.Fields{"Y": "c1"}))
	if u := b.check().Unmatched["account/"+conformance.ID("a1")]; len(u.NearMisses) != 0 || u.NearMissesTruncated || !u.NearMissGroupTooLarge {
		t.Errorf("1,001 alike: %+v", u)
	}
	b.step(record(join.Customer, "e500", nil))
	if u := b.check().Unmatched["account/"+conformance.ID("a1")]; len(u.NearMisses) != 20 {
		t.Errorf("1,000 alike again: %+v", u)
	}
}

func TestB06OddBytesMatchLikeAnyOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, id := range []string{"=1+1", "\"'\t\x01\u202e", "a\x00b", "<script>"} {
		b.step(record(join.Account, fmt.Sprint("a", i), customer.Fields{"X": id}), record(join.Customer, "k"+id, customer.Fields{"Y": id}))
		if v := b.check().Views["k"+id]; v.Identifier != id {
			t.Errorf("%q is not matched", id)
		}
	}
}

// R29a: notes go first, then Contacts, the last ones, and no more than must.
func TestViewIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	full := setup(t)
	given := append(append(matched(), contacts(300)...), notes(150, strings.Repeat("text ", 20))...)
	full.step(given...)
	size := len(full.tracker.Latest(join.View)["e1"]) + 5
	if full.check().Views["e1"].Truncated {
		t.Fatal("a view within its bound is truncated")
	}
	for _, bound := range []int{size, size - 1, size - 2, size - 150, size - 151, size * 3 / 4, size / 2, size / 3, size / 5, 1000, 500} {
		b := setup(t)
		b.bytes = bound
		b.restart(true)
		b.step(given...)
		v := b.tracker.State().Views["e1"]
		got := len(b.tracker.Latest(join.View)["e1"]) + 5
		if got > bound || v.Truncated != (bound < size) {
			t.Fatalf("bound %d: %d bytes, truncated %v", bound, got, v.Truncated)
		}
		a := v.Accounts[0]
		if a.ContactsTotal != 300 || a.NotesTotal != 150 || len(a.Notes) > 0 && len(a.Contacts) < 300 {
			t.Fatalf("bound %d: %d of %d contacts, %d of %d notes", bound, len(a.Contacts), a.ContactsTotal, len(a.Notes), a.NotesTotal)
		}
		one := 160 // more than a note or a contact takes
		if v.Truncated && got < bound-one {
			t.Errorf("bound %d: %d bytes, more was left out than must be", bound, got)
		}
	}
}

// A view that is too large without any note or Contact loses the fields of its Accounts, then of its customer: it must
// not exceed the bound, and its customer must be in one place.
func TestViewTooLargeByItself(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	given := []conformance.Record{
		record(join.Account, "a1", customer.Fields{"X": "C1", "Name": long}), record(join.Account, "a2", customer.Fields{"X": "C1", "Name": long}),
		record(join.Customer, "e1", customer.Fields{"Y": "C1", "Name": long}),
	}
	for bound, want := range map[int]string{7000: "a1 a2 e1", 6000: "a1 e1", 3000: "e1", 1000: ""} {
		b := setup(t)
		b.bytes = bound
		b.link.Cardinality = customer.CardinalityManyAccounts
		b.restart(true)
		b.step(given...)
		v := b.tracker.State().Views["e1"]
		var whole []string
		for _, a := range v.Accounts {
			if len(a.Fields) > 0 {
				whole = append(whole, conformance.Symbol(a.ID))
			}
		}
		if len(v.Customer.Fields) > 0 {
			whole = append(whole, v.Customer.Key)
		}
		size := len(b.tracker.Latest(join.View)["e1"]) + 5
		if strings.Join(whole, " ") != want || size > bound || v.Truncated != (bound < 7000) {
			t.Errorf("bound %d: %d bytes with the fields of %q, want %q; truncated %v", bound, size, whole, want, v.Truncated)
		}
	}
}

// R20: a cascade delete within the grace publishes and withdraws nothing of the Contacts.
func TestOrphansAreHeldBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.grace = 60_000
	b.restart(true)
	b.step(append(matched(), contacts(3)...)...)
	if produced := b.step(record(join.Account, "a1", nil)); len(produced) != 2 {
		t.Fatalf("the account's deletion produces %q, want its customer's report and the view's tombstone", produced)
	}
	due, ok := b.engine.NextRipe()
	if !ok || due != 60_000 {
		t.Fatalf("the first orphan is ripe at %d, %v", due, ok)
	}
	b.now = 59_999
	if produced := b.step(record(join.Contact, "c1", nil), record(join.Contact, "c2", nil)); len(produced) != 0 {
		t.Fatalf("within the grace: %q", produced)
	}
	b.now = 60_000
	if produced := b.step(); len(produced) != 1 || produced[0] != "U(c3)" {
		t.Fatalf("after the grace: %q, want the contact that is still there", produced)
	}
	if produced := b.step(record(join.Contact, "c3", customer.Fields{"AccountId": nil})); len(produced) != 1 {
		t.Fatalf("a report that is published changes at once: %q", produced)
	}
	b.check()
	if _, ok := b.engine.NextRipe(); ok {
		t.Error("an orphan still waits")
	}
}

// R4: what cannot be decoded changes nothing.
func TestUndecodableInputIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	for name, value := range map[string][]byte{"no frame": {1, 2}, "unknown schema": {0, 0, 0, 9, 9, 1}, "cut": b.log[0].Value[:len(b.log[0].Value)-1]} {
		verdict, err := b.engine.Apply(join.Input{Kind: join.Account, Key: b.log[0].Key, Value: value, Version: change.Version{Epoch: 9}})
		if err == nil || verdict != join.Refused {
			t.Errorf("%s: verdict %v, error %v", name, verdict, err)
		}
	}
	if produced := b.step(); len(produced) != 0 {
		t.Errorf("refused inputs produce %q", produced)
	}
	b.check()
}

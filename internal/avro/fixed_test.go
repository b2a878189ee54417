package avro

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"

	"crosswalk/internal/change"
	"crosswalk/schemas"
)

func walker(t testing.TB, text string) *Walker {
	t.Helper()
	w, err := NewWalker(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// witness decodes a body with goavro.
func witness(t testing.TB, text string, body []byte) map[string]any {
	t.Helper()
	codec, err := goavro.NewCodec(text)
	if err != nil {
		t.Fatal(err)
	}
	native, rest, err := codec.NativeFromBinary(body)
	if err != nil || len(rest) != 0 {
		t.Fatalf("goavro: %v, %d bytes left", err, len(rest))
	}
	return native.(map[string]any)
}

func TestNote(t *testing.T) {
	t.Parallel()
	w := walker(t, schemas.Note)
	for name, want := range map[string]Note{
		"full": {
			ID: "002x", Kind: "ContentNote", Links: []string{"001a", "003b"}, Title: "Called", Text: "Pays <Friday>\n✓", Owner: "005x",
			CreatedAt: 1_795_000_000_000, ModifiedAt: -1, Change: eventMeta(),
		},
		"bare": {ID: "002x", Kind: "Note", Links: []string{}, Change: change.Meta{Op: change.OpSnapshot}},
	} {
		body, err := want.Append([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Note(body[1:])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Note = %+v, %v\nwant %+v", name, got, err, want)
		}
		rec := witness(t, schemas.Note, body[1:])
		if (rec["title"] == nil) != (want.Title == "") || rec["_change"].(map[string]any)["crosswalk.salesforce.Change"].(map[string]any)["op"] != string(want.Change.Op) {
			t.Errorf("%s: goavro reads %v", name, rec)
		}
	}
	bad := Note{ID: "1", Kind: "Note", Text: "\xff", Change: eventMeta()}
	if out, err := bad.Append([]byte("x")); err == nil || !strings.Contains(err.Error(), "note 1: field text") || string(out) != "x" {
		t.Errorf("Append = %q, %v", out, err)
	}
	if _, err := (&Note{}).Append(nil); err == nil {
		t.Error("a note without an id is written")
	}
}

func TestAppendNoteCutsTheText(t *testing.T) {
	t.Parallel()
	w := walker(t, schemas.Note)
	for text, want := range map[string]struct {
		text string
		cut  bool
	}{
		strings.Repeat("ä", 5): {"äääää", false},
		strings.Repeat("ä", 6): {"äääää", true},
		"1234\n":               {"1234\n", false},
	} {
		n := Note{ID: "n1", Kind: "Task", Links: []string{"a1"}, Title: strings.Repeat("t", 9), Text: text, CreatedAt: 1_795_000_000_123, Change: eventMeta()}
		body, err := n.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		out, cut, err := w.AppendNote(nil, body, 5)
		if err != nil || cut != want.cut {
			t.Fatalf("AppendNote: cut %v, %v", cut, err)
		}
		got := fields(t, out)
		if !reflect.DeepEqual(got, map[string]any{
			"kind": "Task", "title": "ttttttttt", "text": want.text, "owner": nil, "created_at": "2026-11-18T11:06:40.123Z", "modified_at": nil,
		}) {
			t.Errorf("fields %v", got)
		}
	}
	n := Note{ID: "n1", Kind: "Task", Change: eventMeta()}
	body, err := n.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, cut, err := w.AppendNote(nil, body, 5); err != nil || cut || fields(t, out)["text"] != nil {
		t.Errorf("a note without text: cut %v, %v", cut, err)
	}
}

func TestCustomer(t *testing.T) {
	t.Parallel()
	str := func(s string) FieldValue { return FieldValue{Scalar: change.StringValue(s)} }
	c := Customer{
		Company: "1000", Number: "0042", Name: change.StringValue("Ünal"), Identifier: change.NullValue(), Balance: decimalOf(t, "-1234567890123456789012345678.0123456789"),
		UpdatedAt: change.DatetimeValue(1_795_000_000_123),
		Attributes: []Attribute{
			{"zip", str("04107")},
			{"crm", FieldValue{Object: []Attribute{{"sfId", str("001D000000IqhSL")}, {"deep", FieldValue{Object: []Attribute{}}}}}},
			{"limit", FieldValue{Scalar: decimalOf(t, "0.5")}},
			{"vast", FieldValue{Scalar: decimalOf(t, "1E30")}},
			{"since", FieldValue{Scalar: change.DateValue(20_000)}},
			{"gone", FieldValue{}},
			{"none", FieldValue{Scalar: change.NullValue()}},
			{"twice", str("first")},
			{"twice", str("last")},
			{"tags", FieldValue{List: []FieldValue{str("a"), {Scalar: change.BoolValue(true)}, {Scalar: change.IntValue(7)}, {List: []FieldValue{}}}}},
		},
	}
	body, err := c.Append([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	body = body[1:]
	w := walker(t, schemas.ERPCustomer)
	for path, want := range map[string]Value{
		"company": {Kind: Text, Text: "1000"}, "number": {Kind: Text, Text: "0042"}, "identifier": {Kind: Null}, "terms": {Kind: Null},
		"balance":             {Kind: Number, Text: "-1234567890123456789012345678.0123456789"},
		"attributes.crm.sfId": {Kind: Text, Text: "001D000000IqhSL"}, "attributes.limit": {Kind: Number, Text: "0.5"},
		"attributes.vast": {Kind: Text, Text: "1000000000000000000000000000000"}, "attributes.since": {Kind: Text, Text: "2024-10-04"},
		"attributes.gone": {}, "attributes.none": {Kind: Null}, "attributes.twice": {Kind: Text, Text: "last"}, "attributes.tags": {Kind: Other},
		"attributes.crm": {Kind: Other}, "attributes.crm.deep": {Kind: Other}, "attributes.crm.deep.x": {},
	} {
		if got, err := w.Lookup(body, strings.Split(path, ".")...); got != want || err != nil {
			t.Errorf("Lookup(%s) = %+v, %v; want %+v", path, got, err, want)
		}
	}
	rec := witness(t, schemas.ERPCustomer, body)
	if got := rec["balance"].(map[string]any)["bytes.decimal"].(*big.Rat).FloatString(10); got != "-1234567890123456789012345678.0123456789" {
		t.Errorf("goavro reads the balance %s", got)
	}
	want := map[string]any{
		"zip": "04107", "crm": map[string]any{"sfId": "001D000000IqhSL", "deep": map[string]any{}}, "limit": "0.5d",
		"vast": "1000000000000000000000000000000", "since": "2024-10-04", "none": nil, "twice": "last", "tags": []any{"a", true, int64(7), []any(nil)},
	}
	if got := plainValue(rec["attributes"]); !reflect.DeepEqual(got, want) {
		t.Errorf("goavro reads the attributes\n%v, want\n%v", got, want)
	}
	out, err := w.AppendFields(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	all := fields(t, out)
	// 28 digits before the point do not fit a field value: the number is there as text.
	if !reflect.DeepEqual(all["attributes"], any(want)) || all["balance"] != "-1234567890123456789012345678.0123456789" || len(all) != 11 {
		t.Errorf("AppendFields gives %v", all)
	}
	back, err := w.Customer(body)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Append(nil)
	if err != nil || string(again) != string(body) {
		t.Errorf("decoded and encoded again: %v\n%x\n%x", err, again, body)
	}
}

func TestCustomerRefuses(t *testing.T) {
	t.Parallel()
	deep := FieldValue{Scalar: change.NullValue()}
	for range 200 {
		deep = FieldValue{List: []FieldValue{deep}}
	}
	for want, c := range map[string]Customer{
		"has no number":                      {},
		"field balance: the number 0.123456": {Number: "1", Balance: decimalOf(t, "0.12345678901")},
		`field name: the value "5"`:          {Number: "1", Name: change.IntValue(5)},
		"field phone: the text":              {Number: "1", Phone: change.StringValue("\xff")},
		`field attributes: "a": the text`:    {Number: "1", Attributes: []Attribute{{"a", FieldValue{Scalar: change.StringValue("\xff")}}}},
		`nested too deeply`:                  {Number: "1", Attributes: []Attribute{{"a", deep}}},
	} {
		if out, err := c.Append([]byte("x")); err == nil || !strings.Contains(err.Error(), want) || string(out) != "x" {
			t.Errorf("Append = %q, %v; want an error with %q", out, err, want)
		}
	}
}

func TestFixedRecords(t *testing.T) {
	t.Parallel()
	n, s, sub := int64(5), "s", []string{"x"}
	p := Position{
		Org: "acme", Source: "stream", Epoch: 3, Owner: &s, OwnerEpoch: &n, Channel: &s, ReplayID: &n, EventAt: &n, Anchor: &n, WindowReplayID: &n, WindowOpenedAt: &n,
		Snapshots: []Snapshot{{Entity: "Account", JobID: &s, State: "reading", StartedAt: &n, Fields: sub, Locator: &s, PagesDone: sub, RowsPublished: 7, RowsExpected: &n, SweepAfter: &s}},
		Poll:      &Poll{CoveredUntil: &n, DeletedCoveredUntil: &n, Modstamp: &n, ID: &s}, SchemaFields: map[string][]string{"Account": sub}, UpdatedAt: 9, Detail: map[string]string{"k": "v"},
	}
	c := Control{
		Org: "acme", Kind: "backfill", ID: "1", RequestedAt: 5, RequestedBy: &s, Task: &s, Link: &LinkSetting{"X", "y", "one_to_one", true},
		Backfill: &Backfill{Objects: sub, Since: &n, Until: &n, IDs: sub, Where: &s}, Detail: map[string]string{"k": "v"},
	}
	a := Audit{
		ID: "1", Org: "acme", Kind: "hole", State: "opened", Time: 5, OpenedAt: &n, Task: &s, Subject: &s, Reason: &s,
		Bounds: &Bounds{FromReplayID: &n, ToReplayID: &n, FromTime: &n, ToTime: &n, IDs: sub}, Message: "m", Detail: map[string]string{"k": "v"},
	}
	roundTrip(t, schemas.Position, &p, (*Position).Append, DecodePosition)
	roundTrip(t, schemas.Control, &c, (*Control).Append, DecodeControl)
	roundTrip(t, schemas.Audit, &a, (*Audit).Append, DecodeAudit)
	bare := Position{Org: "o", Source: "s", Snapshots: []Snapshot{}, SchemaFields: map[string][]string{}, Detail: map[string]string{}}
	roundTrip(t, schemas.Position, &bare, (*Position).Append, DecodePosition)
	// A writer that knows less and says more.
	other := strings.Replace(schemas.Position, `"name": "channel"`, `"name": "later"`, 1)
	body, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodePosition(other, body); err != nil || got.Channel != nil || *got.ReplayID != 5 || got.Detail["k"] != "v" {
		t.Errorf("DecodePosition = %+v, %v", got, err)
	}
	if _, err := DecodePosition(schemas.Position, body[:len(body)-1]); err == nil {
		t.Error("a position without its end is read")
	}
	if _, err := DecodePosition(`"int"`, body); err == nil {
		t.Error("a number is read as a position")
	}
}

func roundTrip[T any](t *testing.T, text string, v *T, encode func(*T, []byte) ([]byte, error), decode func(string, []byte) (T, error)) {
	t.Helper()
	body, err := encode(v, []byte("x"))
	if err != nil || body[0] != 'x' {
		t.Fatal(err)
	}
	witness(t, text, body[1:])
	got, err := decode(text, body[1:])
	if err != nil || !reflect.DeepEqual(got, *v) {
		t.Errorf("decoded %+v, %v\nwant %+v", got, err, *v)
	}
}

// viewExamples are the values of the matching rules' section A7, under their schemas.
var viewExamples = map[string]struct{ text, plain, tagged string }{
	"view": {
		schemas.CustomerView,
		`{"identifier":"C1","link":{"salesforceField":"X","erpField":"Y"},"customer":{"key":"e1","fields":{"Y":"C1"}},"sharedWith":[],` +
			`"accounts":[{"id":"a1","fields":{"X":"C1"},"contacts":[{"id":"c1","fields":{"AccountId":"a1"}}],"contactsTotal":1,` +
			`"notes":[{"id":"n1","linkedTo":["a1","c1"]}],"notesTotal":1}]}`,
		`{"identifier":"C1","link":{"salesforceField":"X","erpField":"Y"},"customer":{"key":"e1","fields":{"Y":{"string":"C1"}}},"sharedWith":[],` +
			`"accounts":[{"id":"a1","fields":{"X":{"string":"C1"}},"contacts":[{"id":"c1","fields":{"AccountId":{"string":"a1"}}}],"contactsTotal":1,` +
			`"notes":[{"id":"n1","linkedTo":["a1","c1"],"fields":{},"textTruncated":null}],"notesTotal":1}],"truncated":null}`,
	},
	"cut view": {
		schemas.CustomerView,
		`{"identifier":"C1","link":{"salesforceField":"X","erpField":"Y"},"customer":{"key":"e1","fields":{"n":5}},"sharedWith":["e2"],` +
			`"accounts":[{"id":"a1","fields":{},"contacts":[],"contactsTotal":0,` +
			`"notes":[{"id":"n1","linkedTo":["a1"],"text":"<x>","textTruncated":true}],"notesTotal":1}],"truncated":true}`,
		`{"identifier":"C1","link":{"salesforceField":"X","erpField":"Y"},"customer":{"key":"e1","fields":{"n":{"long":5}}},"sharedWith":["e2"],` +
			`"accounts":[{"id":"a1","fields":{},"contacts":[],"contactsTotal":0,` +
			`"notes":[{"id":"n1","linkedTo":["a1"],"fields":{"text":{"string":"<x>"}},"textTruncated":{"boolean":true}}],"notesTotal":1}],"truncated":{"boolean":true}}`,
	},
	"ambiguous": {
		schemas.MatchAmbiguous,
		`{"identifier":"C1","reason":"MANY_ACCOUNTS","accounts":["a1","a2"],"accountCount":2,"erpCustomers":["e1"],"erpCustomerCount":1}`, "",
	},
	"unmatched": {
		schemas.MatchUnmatched,
		`{"side":"ACCOUNT","id":"a2","identifier":"c1","reason":"NO_COUNTERPART","detail":null,"sameIdentifier":[],"sameIdentifierTotal":0,` +
			`"nearMisses":[{"id":"e1","identifier":"C-1","classes":["CASE","PUNCTUATION"]}],"nearMissesTruncated":false,"nearMissGroupTooLarge":false}`,
		`{"side":"ACCOUNT","id":"a2","identifier":{"string":"c1"},"reason":"NO_COUNTERPART","detail":null,"sameIdentifier":[],"sameIdentifierTotal":0,` +
			`"nearMisses":[{"id":"e1","identifier":"C-1","classes":["CASE","PUNCTUATION"]}],"nearMissesTruncated":false,"nearMissGroupTooLarge":false}`,
	},
	"unmatched without identifier": {
		schemas.MatchUnmatched,
		`{"side":"ACCOUNT","id":"a1","identifier":null,"reason":"NO_IDENTIFIER","detail":"NULL","sameIdentifier":["a3"],"sameIdentifierTotal":1,` +
			`"nearMisses":[],"nearMissesTruncated":true,"nearMissGroupTooLarge":true}`,
		`{"side":"ACCOUNT","id":"a1","identifier":null,"reason":"NO_IDENTIFIER","detail":{"string":"NULL"},"sameIdentifier":["a3"],"sameIdentifierTotal":1,` +
			`"nearMisses":[],"nearMissesTruncated":true,"nearMissGroupTooLarge":true}`,
	},
}

// exampleBody encodes an example with goavro.
func exampleBody(t testing.TB, text, tagged string) []byte {
	t.Helper()
	codec, err := goavro.NewCodec(text)
	if err != nil {
		t.Fatal(err)
	}
	native, _, err := codec.NativeFromTextual([]byte(tagged))
	if err != nil {
		t.Fatal(err)
	}
	body, err := codec.BinaryFromNative(nil, native)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestViewsAndReportsDecode(t *testing.T) {
	t.Parallel()
	for name, tc := range viewExamples {
		if tc.tagged == "" {
			tc.tagged = tc.plain
		}
		w := walker(t, tc.text)
		body := exampleBody(t, tc.text, tc.tagged)
		var v any
		var err error
		switch tc.text {
		case schemas.CustomerView:
			v, err = w.View(body)
		case schemas.MatchAmbiguous:
			v, err = w.Ambiguous(body)
		default:
			v, err = w.Unmatched(body)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, string(got), tc.plain) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tc.plain)
		}
	}
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%v in %s", err, a)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return reflect.DeepEqual(x, y)
}

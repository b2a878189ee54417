package cdc_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator/cdc"
)

// at is the commit time of tests; its milliseconds must not show.
var at = time.Date(2026, 11, 21, 4, 40, 0, 123_000_000, time.UTC)

// event is a delivered message.
type event struct {
	Channel string
	Data    struct {
		Schema  string
		Payload map[string]any
		Event   struct{ ReplayID int64 }
	}
}

func (e event) header() map[string]any { return e.Data.Payload["ChangeEventHeader"].(map[string]any) }

// body is the payload without its header.
func (e event) body() map[string]any {
	out := make(map[string]any)
	for name, v := range e.Data.Payload {
		if name != "ChangeEventHeader" {
			out[name] = v
		}
	}
	return out
}

// read returns all events of a channel as the user sees them.
func read(t *testing.T, l *cdc.Log, channel string, user cdc.Access) []event {
	t.Helper()
	c, err := l.Channel(channel)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := l.Position(c, -2)
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := l.Read(nil, cursor, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte{'['}
	for _, e := range kept {
		text, _ = c.Append(text, e, user)
	}
	if len(text) == 1 {
		return nil
	}
	text[len(text)-1] = ']'
	var out []event
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

type fields = map[string]any

const (
	account = "001Qk00000aBcDeIAK"
	contact = "003Qk00000cOnTaIAK"
	user    = "005Qk000001UsErIAK"
)

func commit(changes ...cdc.Change) cdc.Commit {
	return cdc.Commit{
		At: at, User: user, Origin: "com/salesforce/api/rest/66.0;client=my-app", TransactionKey: "0001ae4b-7024-a64a-87f0-f2c8cebdca76",
		Number: 1082990428293, Changes: changes,
	}
}

func TestUpdateOfContact(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	id := l.Commit(commit(cdc.Change{Entity: "Contact", ID: contact, Kind: cdc.Update, Fields: fields{
		"LastName": "Jones", "MailingStreet": "1 Main St\r\n\"left\"", "Phone": nil, "SystemModstamp": "2026-11-21T04:40:00.000Z", "Name": "Ann Jones",
	}}))
	got := read(t, l, "/data/ChangeEvents", cdc.Access{})
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	e := got[0]
	same(t, "channel", e.Channel, "/data/ChangeEvents")
	same(t, "replay id", e.Data.Event.ReplayID, id)
	same(t, "length of schema", len(e.Data.Schema), 22)
	same(t, "header", e.header(), fields{
		"entityName": "Contact", "recordIds": []any{contact}, "changeType": "UPDATE",
		"changedFields": []any{"LastModifiedDate", "MailingAddress.Street", "Name.LastName", "Phone"},
		"changeOrigin":  "com/salesforce/api/rest/66.0;client=my-app", "transactionKey": "0001ae4b-7024-a64a-87f0-f2c8cebdca76",
		"sequenceNumber": 1.0, "commitTimestamp": 1795236000000.0, "commitNumber": 1082990428293.0, "commitUser": user,
	})
	same(t, "body", e.body(), fields{
		"LastModifiedDate": "2026-11-21T04:40:00.000Z", "Phone": nil,
		"Name": fields{"LastName": "Jones"}, "MailingAddress": fields{"Street": "1 Main St\r\n\"left\""},
	})
}

func TestCreateAndDelete(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{Type: func(_, field string) string {
		return map[string]string{"AnnualRevenue": "currency", "NumberOfEmployees": "int", "CreatedDate": "datetime"}[field]
	}})
	l.Commit(commit(cdc.Change{Entity: "Account", ID: account, Kind: cdc.Create, Fields: fields{
		"Id": account, "IsDeleted": false, "Name": "Acme", "Fax": nil, "AnnualRevenue": json.Number("350000000"),
		"NumberOfEmployees": json.Number("7"), "BillingCity": "Köln \x80", "CreatedDate": "2026-11-21T04:40:00.000+0000", "OwnerId": user,
	}}))
	l.Commit(commit(cdc.Change{Entity: "Account", ID: account, Kind: cdc.Delete}))
	got := read(t, l, "/data/AccountChangeEvent", cdc.Access{})
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	same(t, "changedFields of CREATE", got[0].header()["changedFields"], []any{})
	same(t, "body of CREATE", got[0].body(), fields{
		"Name": "Acme", "AnnualRevenue": 350000000.0, "NumberOfEmployees": 7.0, "BillingAddress": fields{"City": "Köln \ufffd"},
		"CreatedDate": "2026-11-21T04:40:00.000Z", "OwnerId": user,
	})
	same(t, "body of DELETE", got[1].body(), fields{})
	if got[0].Data.Event.ReplayID >= got[1].Data.Event.ReplayID || got[0].Data.Event.ReplayID <= 1<<31 {
		t.Errorf("replay ids %d, %d", got[0].Data.Event.ReplayID, got[1].Data.Event.ReplayID)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{
		Type: func(_, field string) string {
			return map[string]string{"Tenure__c": "double", "Share__c": "percent", "Count__c": "int", "Old__c": "double"}[field]
		},
		MaxMerged: 1,
	})
	sent := fields{
		"Yes__c": true, "No__c": false, "Tenure__c": json.Number("3"), "Share__c": json.Number("1.5E3"), "Count__c": json.Number("3"),
		// What an org should not hold must not break the message.
		"Wrong__c": json.Number("NaN"), "Old__c": 7, "List__c": []string{"a"}, "Odd__c": func() {}, "Control__c": "\x00\t\u2028<&>",
	}
	l.Commit(commit(cdc.Change{Entity: "Account", ID: account, Kind: cdc.Create, Fields: sent}))
	same(t, "body", read(t, l, "/data/ChangeEvents", cdc.Access{})[0].body(), fields{
		"Yes__c": true, "No__c": false, "Tenure__c": 3.0, "Share__c": 1500.0, "Count__c": 3.0,
		"Wrong__c": "NaN", "Old__c": 7.0, "List__c": []any{"a"}, "Odd__c": nil, "Control__c": "\x00\t\u2028<&>",
	})
	all := channel(t, l, "/data/ChangeEvents")
	kept, _, err := l.Read(nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := all.Append(nil, kept[0], cdc.Access{})
	for _, want := range []string{`"Tenure__c":3.0`, `"Count__c":3,`, `"Old__c":7.0`, `"Share__c":1.5E3`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

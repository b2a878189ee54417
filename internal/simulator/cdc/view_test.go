package cdc_test

import (
	"testing"

	"crosswalk/internal/simulator/cdc"
)

func TestHiddenFields(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	l.Commit(commit(change("UPDATE", "Contact", 1, fields{
		"LastName": "Jones", "FirstName": "Ann", "MailingCity": "Bonn", "Phone": "1", "LastModifiedDate": "2026-11-21T04:40:00.000Z",
	})))
	user := cdc.Access{Hidden: func(entity, field string) bool {
		return entity == "Contact" && (field == "FirstName" || field == "MailingCity" || field == "Phone")
	}}
	e := read(t, l, "/data/ContactChangeEvent", user)[0]
	same(t, "body", e.body(), fields{"Name": fields{"LastName": "Jones"}, "LastModifiedDate": "2026-11-21T04:40:00.000Z"})
	same(t, "changedFields", e.header()["changedFields"], []any{"LastModifiedDate", "Name.LastName"})
	compound := cdc.Access{Hidden: func(_, field string) bool { return field == "Name" }}
	e = read(t, l, "/data/ContactChangeEvent", compound)[0]
	same(t, "body without a compound", e.body(), fields{"MailingAddress": fields{"City": "Bonn"}, "Phone": "1", "LastModifiedDate": "2026-11-21T04:40:00.000Z"})
	same(t, "changedFields without a compound", e.header()["changedFields"], []any{"LastModifiedDate", "MailingAddress.City", "Phone"})
	nothing := cdc.Access{Hidden: func(_, field string) bool { return field == "Fax" }}
	same(t, "nothing hidden", read(t, l, "/data/ContactChangeEvent", nothing)[0].Data, read(t, l, "/data/ContactChangeEvent", cdc.Access{})[0].Data)
}

func TestWithheldEntity(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	l.Commit(commit(change("DELETE", "Account", 1, nil), change("DELETE", "Contact", 2, nil)))
	user := cdc.Access{Entity: func(entity string) bool { return entity == "Contact" }}
	same(t, "events", summary(read(t, l, "/data/ChangeEvents", user)), []string{"DELETE Contact [2] 2"})
}

func TestEnrichment(t *testing.T) {
	t.Parallel()
	now := fields{"ERP_Number__c": "4711", "BillingCountry": "DE", "Phone": "now", "Fax": nil}
	l := cdc.NewLog(cdc.Options{Current: func(_, _, field string) (any, bool) {
		v, ok := now[field]
		return v, ok
	}})
	if err := l.AddChannel("Rich__chn", cdc.Member{Entity: "Account", Enrich: []string{"ERP_Number__c", "BillingCountry", "Phone", "Fax", "Gone__c"}}); err != nil {
		t.Fatal(err)
	}
	const date = "2026-11-21T04:40:00.000Z"
	l.Commit(commit(change("CREATE", "Account", 9, fields{"Name": "A"})))
	l.Commit(commit(
		change("UPDATE", "Account", 1, fields{"Phone": "then", "BillingCity": "Bonn", "LastModifiedDate": date}),
		change("UPDATE", "Account", 2, fields{"Phone": "then", "BillingCity": "Bonn", "LastModifiedDate": date}),
	))
	id := l.Commit(commit(change("DELETE", "Account", 3, nil)))
	got := read(t, l, "/data/Rich__chn", cdc.Access{})
	same(t, "events", summary(got), []string{"CREATE Account [9] 1", "UPDATE Account [1] 1", "UPDATE Account [2] 1", "DELETE Account [3] 1"})
	same(t, "body of CREATE", got[0].body(), fields{"Name": "A"})
	same(t, "body of UPDATE", got[1].body(), fields{
		"Phone": "then", "BillingAddress": fields{"City": "Bonn", "Country": "DE"}, "ERP_Number__c": "4711", "LastModifiedDate": date,
	})
	same(t, "changedFields", got[1].header()["changedFields"], []any{"BillingAddress.City", "LastModifiedDate", "Phone"})
	same(t, "replay id of the split event", got[2].Data.Event.ReplayID, got[1].Data.Event.ReplayID)
	same(t, "replay id of DELETE", got[3].Data.Event.ReplayID, id)
	same(t, "body of DELETE", got[3].body(), fields{"ERP_Number__c": "4711", "BillingAddress": fields{"Country": "DE"}, "Phone": "now"})
	now["ERP_Number__c"] = "4712"
	same(t, "replayed later", read(t, l, "/data/Rich__chn", cdc.Access{})[1].body()["ERP_Number__c"], "4712")
	same(t, "the standard channel", summary(read(t, l, "/data/ChangeEvents", cdc.Access{})), []string{"CREATE Account [9] 1", "UPDATE Account [1 2] 1", "DELETE Account [3] 1"})
	hidden := cdc.Access{Hidden: func(_, field string) bool { return field == "BillingCountry" }}
	same(t, "enriched and hidden", read(t, l, "/data/Rich__chn", hidden)[3].body(), fields{"ERP_Number__c": "4712", "Phone": "now"})
}

package cdc_test

import (
	"fmt"
	"strings"
	"testing"

	"crosswalk/internal/simulator/cdc"
)

// change makes a change of account or contact number n.
func change(kind, entity string, n int, f fields) cdc.Change {
	prefix := map[string]string{"Account": "001", "Contact": "003"}[entity]
	return cdc.Change{Entity: entity, ID: fmt.Sprintf("%s%012dAAA", prefix, n), Kind: kind, Fields: f}
}

// summary writes events as "kind entity ids seq body-size".
func summary(events []event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		h := e.header()
		ids := make([]string, 0, 4)
		for _, id := range h["recordIds"].([]any) {
			ids = append(ids, strings.TrimSuffix(strings.TrimLeft(id.(string)[3:], "0"), "AAA"))
		}
		out[i] = fmt.Sprintf("%v %v [%s] %v", h["changeType"], h["entityName"], strings.Join(ids, " "), h["sequenceNumber"])
	}
	return out
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	const date = "2026-11-21T04:40:00.000Z"
	city := func(v any) fields { return fields{"BillingCity": v, "LastModifiedDate": date} }
	for name, test := range map[string]struct {
		opt     cdc.Options
		changes []cdc.Change
		want    []string
	}{
		"the same update of neighbours is one event": {
			changes: []cdc.Change{change("UPDATE", "Account", 1, city("Rome")), change("UPDATE", "Account", 2, city("Rome")), change("UPDATE", "Account", 3, city("Bonn"))},
			want:    []string{"UPDATE Account [1 2] 1", "UPDATE Account [3] 2"},
		},
		"null and text are not the same": {
			changes: []cdc.Change{change("UPDATE", "Account", 1, city(nil)), change("UPDATE", "Account", 2, city("x"))},
			want:    []string{"UPDATE Account [1] 1", "UPDATE Account [2] 2"},
		},
		"creations are never merged": {
			changes: []cdc.Change{change("CREATE", "Account", 1, city("Rome")), change("CREATE", "Account", 2, city("Rome"))},
			want:    []string{"CREATE Account [1] 1", "CREATE Account [2] 2"},
		},
		"a cascade keeps its order": {
			changes: []cdc.Change{change("DELETE", "Account", 1, nil), change("DELETE", "Contact", 2, nil), change("DELETE", "Contact", 3, nil), change("DELETE", "Account", 4, nil)},
			want:    []string{"DELETE Account [1] 1", "DELETE Contact [2 3] 2", "DELETE Account [4] 3"},
		},
		"merging has a limit": {
			opt:     cdc.Options{MaxMerged: 2},
			changes: []cdc.Change{change("DELETE", "Account", 1, nil), change("DELETE", "Account", 2, nil), change("DELETE", "Account", 3, nil)},
			want:    []string{"DELETE Account [1 2] 1", "DELETE Account [3] 2"},
		},
		"several changes of a record are one, of the first kind": {
			changes: []cdc.Change{change("CREATE", "Account", 1, city("Rome")), change("UPDATE", "Account", 1, city(nil)), change("UPDATE", "Account", 2, city("a")), change("UPDATE", "Account", 2, city("b"))},
			want:    []string{"CREATE Account [1] 1", "UPDATE Account [2] 2"},
		},
		"created and deleted leaves nothing": {
			changes: []cdc.Change{change("CREATE", "Account", 1, city("Rome")), change("DELETE", "Account", 1, nil), change("UPDATE", "Account", 2, city("a"))},
			want:    []string{"UPDATE Account [2] 1"},
		},
		"updated and deleted is deleted, deleted and restored is restored": {
			changes: []cdc.Change{change("UPDATE", "Account", 1, city("a")), change("DELETE", "Account", 1, nil), change("DELETE", "Account", 2, nil), change("UNDELETE", "Account", 2, city("a"))},
			want:    []string{"DELETE Account [1] 1", "UNDELETE Account [2] 2"},
		},
		"an unselected entity takes its number": {
			opt:     cdc.Options{Selected: []string{"Account"}},
			changes: []cdc.Change{change("DELETE", "Account", 1, nil), change("DELETE", "Contact", 2, nil), change("DELETE", "Account", 3, nil)},
			want:    []string{"DELETE Account [1] 1", "DELETE Account [3] 3"},
		},
		"an update of nothing that events show is none": {
			opt: cdc.Options{Formula: func(_, field string) bool { return field == "Score__c" }},
			changes: []cdc.Change{
				change("UPDATE", "Account", 1, fields{"SystemModstamp": date}), change("UPDATE", "Account", 2, fields{"Score__c": "1"}), change("UPDATE", "Account", 3, nil),
			},
			want: []string{"UPDATE Account [3] 1"},
		},
		"overflow: an update counts once per field, then one event per entity": {
			opt: cdc.Options{OverflowAfter: 5, MaxMerged: 1},
			changes: []cdc.Change{
				change("UPDATE", "Account", 1, city("a")), change("UPDATE", "Account", 2, city("b")), change("DELETE", "Contact", 3, nil),
				change("DELETE", "Contact", 4, nil), change("DELETE", "Account", 5, nil), change("DELETE", "Contact", 6, nil),
			},
			want: []string{
				"UPDATE Account [1] 1", "UPDATE Account [2] 2", "DELETE Contact [3] 3", "GAP_OVERFLOW Contact [] 4", "GAP_OVERFLOW Account [] 5",
			},
		},
		"a lossy type change": {
			changes: []cdc.Change{{Entity: "Account", ID: "001*", Kind: "UPDATE"}},
			want:    []string{"UPDATE Account [*] 1"},
		},
		"gaps": {
			changes: []cdc.Change{change("GAP_UPDATE", "Account", 1, city("a")), change("GAP_DELETE", "Contact", 2, nil), {Entity: "Contact", Kind: "GAP_OVERFLOW"}},
			want:    []string{"GAP_UPDATE Account [1] 1", "GAP_DELETE Contact [2] 2", "GAP_OVERFLOW Contact [] 3"},
		},
		"too large for an event": {
			opt:     cdc.Options{MaxEventBytes: 2000},
			changes: []cdc.Change{change("CREATE", "Account", 1, fields{"Description": strings.Repeat("x", 2000)})},
			want:    []string{"GAP_CREATE Account [1] 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := cdc.NewLog(test.opt)
			l.Commit(commit(test.changes...))
			got := read(t, l, "/data/ChangeEvents", cdc.Access{})
			same(t, "events", summary(got), test.want)
			for i, e := range got {
				if kind := e.header()["changeType"].(string); strings.HasPrefix(kind, "GAP_") || e.header()["recordIds"].([]any)[0] == "001*" {
					same(t, "body of "+test.want[i], e.body(), fields{})
				}
			}
		})
	}
}

func TestOverflowNamesTheEmptyID(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	l.Commit(commit(cdc.Change{Entity: "Contact", Kind: cdc.GapOverflow}))
	same(t, "recordIds", read(t, l, "/data/ContactChangeEvent", cdc.Access{})[0].header()["recordIds"], []any{cdc.EmptyID})
}

func TestCoalescedUpdateHasTheLastData(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	l.Commit(commit(
		change("UPDATE", "Account", 1, fields{"Phone": "1", "Fax": nil}), change("UPDATE", "Account", 1, fields{"Phone": "2"}),
		change("CREATE", "Account", 2, fields{"Phone": "1", "Fax": "2"}), change("UPDATE", "Account", 2, fields{"Fax": nil}),
	))
	got := read(t, l, "/data/ChangeEvents", cdc.Access{})
	same(t, "update", got[0].body(), fields{"Phone": "2", "Fax": nil, "LastModifiedDate": "2026-11-21T04:40:00.000Z"})
	same(t, "create", got[1].body(), fields{"Phone": "1"})
}

func TestModifier(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	by := func(old string) cdc.Change {
		c := change("UPDATE", "Account", 1, fields{"Phone": old, "LastModifiedById": user})
		c.Old = fields{"LastModifiedById": old}
		return c
	}
	l.Commit(commit(by(user)))
	l.Commit(commit(by("005Qk000001OtHeIAK")))
	got := read(t, l, "/data/ChangeEvents", cdc.Access{})
	same(t, "the same modifier", got[0].body()["LastModifiedById"], nil)
	same(t, "changedFields", got[0].header()["changedFields"], []any{"LastModifiedDate", "Phone"})
	same(t, "another modifier", got[1].body()["LastModifiedById"], user)
}

func TestHeaderSettings(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{
		OmitChangedFields: true, Milliseconds: true, OmitNullComponents: true, Formulas: true,
		Formula: func(_, field string) bool { return field == "Score__c" },
	})
	l.Commit(commit(change("UPDATE", "Account", 1, fields{"BillingCity": nil, "BillingStreet": "x", "Score__c": "7"})))
	e := read(t, l, "/data/ChangeEvents", cdc.Access{})[0]
	_, has := e.header()["changedFields"]
	same(t, "changedFields present", has, false)
	same(t, "commitTimestamp", e.header()["commitTimestamp"], 1795236000123.0)
	same(t, "body", e.body(), fields{"BillingAddress": fields{"Street": "x"}, "Score__c": "7", "LastModifiedDate": "2026-11-21T04:40:00.000Z"})
}

func TestMadeUpKeysDiffer(t *testing.T) {
	t.Parallel()
	l := cdc.NewLog(cdc.Options{})
	l.Commit(cdc.Commit{Changes: []cdc.Change{change("DELETE", "Account", 1, nil)}})
	l.Commit(cdc.Commit{Changes: []cdc.Change{change("DELETE", "Account", 2, nil)}})
	got := read(t, l, "/data/ChangeEvents", cdc.Access{})
	a, b := got[0].header(), got[1].header()
	if len(a["transactionKey"].(string)) != 36 || a["transactionKey"] == b["transactionKey"] || a["commitNumber"].(float64) >= b["commitNumber"].(float64) {
		t.Errorf("headers %v and %v", a, b)
	}
}

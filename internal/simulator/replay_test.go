package simulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
)

// replica is what a reader of the change events knows: records by entity and id, fields by API name.
type replica map[string]map[string]any

// flatten undoes compound fields: BillingAddress.Street is BillingStreet, Name.LastName is LastName.
func flatten(payload map[string]any) map[string]any {
	out := make(map[string]any)
	for name, v := range payload {
		parts, nested := v.(map[string]any)
		switch {
		case name == "ChangeEventHeader":
		case nested && name == "Name":
			for part, v := range parts {
				out[part] = v
			}
		case nested:
			for part, v := range parts {
				out[strings.TrimSuffix(name, "Address")+part] = v
			}
		default:
			out[name] = v
		}
	}
	return out
}

// apply follows one change event.
func (r replica) apply(t *testing.T, e cdc.Event) {
	t.Helper()
	var data struct {
		Payload map[string]any `json:"payload"`
	}
	dec := json.NewDecoder(strings.NewReader(string(e.Data)))
	dec.UseNumber()
	if err := dec.Decode(&data); err != nil {
		t.Fatal(err)
	}
	header := data.Payload["ChangeEventHeader"].(map[string]any)
	for _, id := range header["recordIds"].([]any) {
		key := e.Entity + " " + id.(string)
		switch e.Kind {
		case cdc.Create, cdc.Undelete:
			r[key] = flatten(data.Payload)
		case cdc.Update:
			if r[key] == nil {
				t.Errorf("%s: an update of a record that is not there", key)
				r[key] = make(map[string]any)
			}
			for name, v := range flatten(data.Payload) {
				r[key][name] = v
			}
		case cdc.Delete:
			delete(r, key)
		default:
			t.Errorf("%s: %s", key, e.Kind)
		}
	}
}

// compare holds a replica against the org, for all fields that events carry.
func (r replica) compare(t *testing.T, o *org.Org) {
	t.Helper()
	seen := 0
	o.View(func(v org.View) {
		for _, name := range []string{"Account", "Contact"} {
			ob, _ := o.Object(name)
			for row := range v.Rows(ob, 0) {
				key := name + " " + row.ID()
				if row.Deleted() {
					if r[key] != nil {
						t.Errorf("%s is deleted, the events have it", key)
					}
					continue
				}
				seen++
				for _, f := range ob.Fields() {
					if f.NoEvent || !f.Selectable() || ob.IsCompound(f) || f.Name == "Id" {
						continue
					}
					text, ok := row.Text(f)
					have, want := r[key][f.Name], f.Value(text, ok)
					if fmt.Sprint(have) != fmt.Sprint(want) {
						t.Errorf("%s.%s: the events say %v, the org %v", key, f.Name, have, want)
					}
				}
			}
		}
	})
	if seen != len(r) {
		t.Errorf("%d records in the org, %d by the events", seen, len(r))
	}
}

// mutate makes one random change in a transaction; what the org refuses, locked and deleted records, is left out.
func mutate(rng *rand.Rand, tx *org.Tx, accounts, contacts *[]string) {
	pick := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[rng.IntN(len(list))]
	}
	text := []any{nil, "a", "b\n\"c\"", "ü", "", "x,y"}
	value := func() any { return text[rng.IntN(len(text))] }
	switch rng.IntN(12) {
	case 0, 1:
		if id, err := tx.Create("Account", org.Fields{"Name": "A", "BillingStreet": value(), "AnnualRevenue": rng.IntN(1000)}); err == nil {
			*accounts = append(*accounts, id)
		}
	case 2, 3:
		if id, err := tx.Create("Contact", org.Fields{"LastName": "L", "FirstName": value(), "AccountId": pick(*accounts)}); err == nil {
			*contacts = append(*contacts, id)
		}
	case 4, 5, 6:
		_ = tx.Update("Account", pick(*accounts), org.Fields{"BillingCity": value(), "Phone": value(), "NumberOfEmployees": rng.IntN(9)})
	case 7, 8:
		_ = tx.Update("Contact", pick(*contacts), org.Fields{"FirstName": value(), "MailingStreet": value()})
	case 9:
		_ = tx.Delete("Account", pick(*accounts))
	case 10:
		_ = tx.Undelete("Account", pick(*accounts))
		_ = tx.Undelete("Contact", pick(*contacts))
	case 11:
		if a, b := pick(*accounts), pick(*accounts); a != b {
			_ = tx.Merge("Account", a, []string{b}, org.Fields{"Site": value()})
		}
	}
}

// Whoever applies the change events from the first on has the org, whatever the transactions did.
func TestEventsConvergeOnTheOrg(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		b := setup(t, Config{Events: cdc.Options{Seed: seed}})
		rng := rand.New(rand.NewPCG(seed, 1))
		cursor := b.start()
		var accounts, contacts []string
		for range 60 {
			tx := b.Org().Begin(org.Actor{})
			for range 1 + rng.IntN(4) {
				mutate(rng, tx, &accounts, &contacts)
			}
			if rng.IntN(5) == 0 {
				tx.Rollback()
			} else {
				tx.Commit()
			}
		}
		r := make(replica)
		events, _, err := b.Events().Read(nil, cursor, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			r.apply(t, e)
		}
		r.compare(t, b.Org())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A Bulk result is whole and stays as it is while many writers are at work, and a later one has the last change.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Seed: 9, Accounts: 300}, Settings: Settings{Bulk: Bulk{Chunks: 7, PageRows: 50}}})
	var writers sync.WaitGroup
	for w := range uint64(4) {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(w, 2))
			for i := range 150 {
				_ = b.Org().Update("Account", org.MakeID("001", rng.Uint64N(300)+1), org.Fields{"Phone": fmt.Sprint(w, " ", i)})
			}
		})
	}
	for range 5 {
		job := b.job("query", "SELECT Id, Phone FROM Account")
		b.state(job)
		first, rows := b.pages(job, "")
		second, _ := b.pages(job, "")
		if len(rows) != 300 || strings.Join(first, "") != strings.Join(second, "") {
			t.Errorf("%d rows; the same page twice: %v", len(rows), strings.Join(first, "") == strings.Join(second, ""))
		}
		b.send("GET", query("SELECT Id, Phone FROM Account ORDER BY Phone"), "").must(t, http.StatusOK)
	}
	writers.Wait()
	r := make(map[string]string)
	cursor := b.start()
	_ = b.Org().Update("Account", org.MakeID("001", 1), org.Fields{"Phone": "last"})
	events, _ := b.newEvents(cursor)
	if len(events) != 1 {
		t.Errorf("events after the writers: %v", events)
	}
	job := b.job("query", "SELECT Id, Phone FROM Account")
	b.state(job)
	_, rows := b.pages(job, "")
	for _, row := range rows {
		r[row[0]] = row[1]
	}
	if r[org.MakeID("001", 1)] != "last" {
		t.Errorf("the last change is not in the result: %q", r[org.MakeID("001", 1)])
	}
}

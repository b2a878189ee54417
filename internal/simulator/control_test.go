package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
)

// newEvents returns the change events since a cursor as "UPDATE Account id", and the cursor behind them.
func (b *bench) newEvents(cursor int64) (events []string, next int64) {
	b.t.Helper()
	list, next, err := b.Events().Read(nil, cursor, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range list {
		var data struct {
			Payload struct {
				Header struct {
					RecordIDs []string `json:"recordIds"`
				} `json:"ChangeEventHeader"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			b.t.Fatal(err)
		}
		events = append(events, e.Kind+" "+e.Entity+" "+strings.Join(data.Payload.Header.RecordIDs, ","))
	}
	return events, next
}

// start is the cursor behind all events so far.
func (b *bench) start() int64 {
	b.t.Helper()
	channel, err := b.Events().Channel("/data/ChangeEvents")
	if err != nil {
		b.t.Fatal(err)
	}
	cursor, err := b.Events().Position(channel, -1)
	if err != nil {
		b.t.Fatal(err)
	}
	return cursor
}

func TestEmitMakesExactlyOneEvent(t *testing.T) {
	t.Parallel()
	for _, accounts := range []int{0, 3} {
		b := setup(t, Config{Org: org.Config{Accounts: accounts}})
		cursor := b.start()
		for range 5 {
			a := b.control("POST", "/emit?object=Account", "").must(t, http.StatusOK)
			var events []string
			events, cursor = b.newEvents(cursor)
			if len(events) != 1 || !strings.HasSuffix(events[0], a.text(t, "id")) || a.read(t)["replay_id"].(float64) == 0 {
				t.Errorf("%v, %s", events, a.body)
			}
		}
		b.control("POST", "/emit?object=Note", "").must(t, http.StatusConflict).has(t, "not selected for change events")
	}
}

func TestEmitScatters(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 3, Contacts: 1000}})
	cursor := b.start()
	neighbourhoods := func(ask string) int {
		b.control("POST", "/emit?object=Contact&count=20"+ask, "").must(t, http.StatusOK)
		var events []string
		events, cursor = b.newEvents(cursor)
		found := map[string]bool{}
		for _, e := range events {
			found[strings.TrimPrefix(e, "UPDATE Contact ")[:14]] = true // all but the last digit of the number
		}
		return len(found)
	}
	if turn, scattered := neighbourhoods(""), neighbourhoods("&scattered=true"); turn > 2 || scattered < 8 {
		t.Errorf("20 records in turn lie in %d places, scattered ones in %d", turn, scattered)
	}
}

func TestEmitMakesManyEventsOfOneField(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 3, Contacts: 3}})
	cursor := b.start()
	b.control("POST", "/emit?object=Contact&field=Department&count=7", "").must(t, http.StatusOK)
	if events, _ := b.newEvents(cursor); len(events) != 7 {
		t.Errorf("%d events, want 7", len(events))
	}
	b.control("POST", "/emit?object=Contact&field=Nothing", "").must(t, http.StatusConflict).has(t, "no field Nothing")
	b.control("POST", "/emit?count=many", "").must(t, http.StatusBadRequest).has(t, "a number from 1")
}

func TestRecordsByControl(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	cursor := b.start()
	id := b.control("POST", "/records/Account", `{"Name":"A","AnnualRevenue":1000000000000000001}`).must(t, http.StatusOK).text(t, "id")
	path := "/records/Account/" + id
	b.control("PATCH", path, `{"Phone":"1"}`).must(t, http.StatusOK)
	b.control("GET", "/org/Account", "").must(t, http.StatusOK).has(t, `"Phone":"1"`, `"AnnualRevenue":1000000000000000001`, `"Fax":null`, `"IsDeleted":false`).lacks(t, "BillingAddress")
	b.control("DELETE", path, "").must(t, http.StatusOK)
	if a := b.control("GET", "/org/Account", ""); a.body != "" {
		t.Errorf("deleted, but %s", a.body)
	}
	b.control("GET", "/org/Account?deleted=true", "").has(t, `"IsDeleted":true`)
	b.control("POST", path+"/undelete", "").must(t, http.StatusOK)
	loser := b.account(org.Fields{"Name": "B"})
	b.control("POST", path+"/merge", fmt.Sprintf(`{"losers":[%q],"fields":{"Fax":"2"}}`, loser)).must(t, http.StatusOK)
	b.control("DELETE", path+"?hard=true", "").must(t, http.StatusOK)
	b.control("DELETE", path, "").must(t, http.StatusNotFound)
	b.control("PATCH", "/records/Account/x", `{}`).must(t, http.StatusBadRequest).has(t, "MALFORMED_ID")
	events, _ := b.newEvents(cursor)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, strings.Fields(e)[0])
	}
	if got := strings.Join(kinds, " "); got != "CREATE UPDATE DELETE UNDELETE CREATE UPDATE DELETE DELETE" {
		t.Errorf("events %s", got)
	}
	b.control("GET", "/org/Contact", "").must(t, http.StatusOK)
	b.control("GET", "/org/Nope", "").must(t, http.StatusNotFound)
	b.control("GET", "/nowhere", "").must(t, http.StatusNotFound)
	if b.Unknown() != 1 {
		t.Errorf("%d unknown requests", b.Unknown())
	}
}

func TestTransactionByControl(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		cursor := b.start()
		body := `{"operations":[{"op":"create","object":"Account","as":"a","fields":{"Name":"A"}},{"op":"create","object":"Contact","fields":{"LastName":"C","AccountId":"@a"}}],"origin":"test"%s}`
		a := b.control("POST", "/transaction", fmt.Sprintf(body, `,"hold":true`)).must(t, http.StatusOK)
		if events, _ := b.newEvents(cursor); len(events) != 0 {
			t.Errorf("events before the commit: %v", events)
		}
		time.Sleep(40 * time.Second)
		b.control("POST", "/transaction/"+a.text(t, "transaction")+"/commit", "").must(t, http.StatusOK)
		events, cursor := b.newEvents(cursor)
		if len(events) != 2 || !strings.HasPrefix(events[0], "CREATE Account") || !strings.HasPrefix(events[1], "CREATE Contact") {
			t.Errorf("events %v", events)
		}
		b.control("GET", "/org/Contact", "").has(t, `"SystemModstamp":"2000-01-01T00:00:00.000Z"`)
		a = b.control("POST", "/transaction", fmt.Sprintf(body, `,"hold":true`)).must(t, http.StatusOK)
		b.control("POST", "/transaction/"+a.text(t, "transaction")+"/rollback", "").must(t, http.StatusOK)
		b.control("POST", "/transaction/"+a.text(t, "transaction")+"/commit", "").must(t, http.StatusNotFound)
		b.control("POST", "/transaction", fmt.Sprintf(body, `,"commit_after":"5s"`)).must(t, http.StatusOK)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if events, _ = b.newEvents(cursor); len(events) != 2 {
			t.Errorf("events of the late commit: %v", events)
		}
		b.control("POST", "/transaction", `{"operations":[{"op":"fly"}]}`).must(t, http.StatusBadRequest).has(t, "operation 1: there is no operation")
		b.control("POST", "/transaction", `{"direct":true,"operations":[{"op":"create","object":"Account","fields":{"Name":"G"}}]}`).must(t, http.StatusOK)
		events, _ = b.newEvents(cursor)
		if last := events[len(events)-1]; !strings.HasPrefix(last, cdc.GapCreate) {
			t.Errorf("a direct change gave %s", last)
		}
	})
}

func TestRevokeTokensKeepsGrants(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.control("POST", "/revoke-tokens", "").must(t, http.StatusOK)
	if b.works(b.token) {
		t.Error("the token still works")
	}
	b.refresh(b.Credentials().RefreshToken).must(t, http.StatusOK)
	b.control("POST", "/revoke-grants", "").must(t, http.StatusOK)
	b.refresh(b.Credentials().RefreshToken).must(t, http.StatusBadRequest)
}

func TestSettingsByControl(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.control("PATCH", "/settings", `{"session_idle":"5s","bulk":{"page_rows":7}}`).must(t, http.StatusOK)
	b.control("PATCH", "/settings", `{"bulk":{"chunks":3}}`).must(t, http.StatusOK)
	if s := b.Settings(); s.Bulk.PageRows != 7 || s.Bulk.Chunks != 3 || s.SessionIdle != Duration(5*time.Second) {
		t.Errorf("settings %+v", s)
	}
	b.control("PATCH", "/settings", `{"nope":1}`).must(t, http.StatusBadRequest)
	b.control("PATCH", "/profile", `{"hidden":["Account.Phone"]}`).must(t, http.StatusOK)
	b.control("GET", "/profile", "").has(t, "Account.Phone")
	b.control("PATCH", "/app", `{"rotate_refresh":true}`).must(t, http.StatusOK)
	if b.refresh(b.Credentials().RefreshToken).text(t, "refresh_token") == "" {
		t.Error("rotation was not switched on")
	}
}

func TestFieldsComeAndGo(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.account(org.Fields{"Name": "A"})
	schema := b.Events().Schema("Account")
	b.control("POST", "/fields/Account", `{"name":"New__c","type":"currency"}`).must(t, http.StatusOK)
	if b.Events().Schema("Account") == schema {
		t.Error("the schema id of the events did not change")
	}
	b.control("PATCH", "/records/Account/"+id, `{"New__c":1.5}`).must(t, http.StatusOK)
	b.send("GET", query("SELECT New__c FROM Account"), "").must(t, http.StatusOK).has(t, `"New__c":1.5`)
	b.control("DELETE", "/fields/Account/New__c", "").must(t, http.StatusOK)
	b.send("GET", query("SELECT New__c FROM Account"), "").must(t, http.StatusBadRequest).has(t, "No such column 'New__c'")
	b.control("POST", "/fields/Account", `{"name":"Bad"}`).must(t, http.StatusBadRequest).has(t, "ends in __c")
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.form("/services/oauth2/revoke?token=secret", "token", "secret")
	b.send("GET", rest+"/sobjects?x=1", "")
	log := b.control("GET", "/log", "").must(t, http.StatusOK).has(t, `"path":"/services/oauth2/revoke","status":400`, `"query":"x=1"`)
	log.lacks(t, "secret", b.token)
	b.control("GET", "/stats", "").must(t, http.StatusOK).has(t, `"requests":2`, `"api_calls":1`)
}

func TestAwaitRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		go func() {
			time.Sleep(time.Second)
			b.send("GET", rest+"/sobjects", "")
		}()
		r, err := b.AwaitRequest(t.Context(), func(r Request) bool { return r.Path == rest+"/sobjects" })
		if err != nil || r.Status != http.StatusOK {
			t.Errorf("%+v, %v", r, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.AwaitRequest(ctx, func(Request) bool { return false }); err == nil {
			t.Error("a request that never comes was found")
		}
	})
}

// TestAFieldGetsAnotherType keeps the values that the new type can hold. An incompatible change is told of by one event that
// names every record, a compatible one by none, and no save is noted (facts 5.4).
func TestAFieldGetsAnotherType(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 3}})
	b.control("POST", "/fields/Account", `{"name":"Size__c"}`).must(t, http.StatusOK)
	text := func(id, field string) (text string) {
		ob, _ := b.Org().Object("Account")
		f, ok := ob.Field(field)
		if !ok {
			t.Fatalf("there is no field %s", field)
		}
		b.Org().View(func(v org.View) {
			r, _ := v.Find(ob, id)
			text, _ = r.Text(f)
		})
		return text
	}
	ob, _ := b.Org().Object("Account")
	ids := b.liveRecords(ob, 0, 3)
	for i, value := range []string{"12.50", "twelve"} {
		if err := b.Org().Update("Account", ids[i], org.Fields{"Size__c": value}); err != nil {
			t.Fatal(err)
		}
	}
	stamp, schema, cursor := text(ids[1], "SystemModstamp"), b.Events().Schema("Account"), b.start()
	b.control("PUT", "/fields/Account", `{"name":"Size__c","type":"double","scale":2}`).must(t, http.StatusOK)
	events, cursor := b.newEvents(cursor)
	if len(events) != 1 || events[0] != "UPDATE Account 001*" {
		t.Errorf("the events of an incompatible change are %q", events)
	}
	if got := []string{text(ids[0], "Size__c"), text(ids[1], "Size__c"), text(ids[2], "Size__c")}; fmt.Sprint(got) != "[12.5  ]" {
		t.Errorf("the converted values are %q", got)
	}
	if text(ids[1], "SystemModstamp") != stamp || b.Events().Schema("Account") == schema {
		t.Error("a save is noted, or the schema's id is the same")
	}
	b.control("PUT", "/fields/Account", `{"name":"Size__c","type":"picklist"}`).must(t, http.StatusOK)
	if events, _ := b.newEvents(cursor); len(events) != 0 || text(ids[0], "Size__c") != "12.5" {
		t.Errorf("back to text: %q, and the events %q", text(ids[0], "Size__c"), events)
	}
	tx := b.Org().Begin(org.Actor{})
	if err := tx.Update("Account", ids[2], org.Fields{"Phone": "1"}); err != nil {
		t.Fatal(err)
	}
	b.control("PUT", "/fields/Account", `{"name":"Size__c","type":"double"}`).must(t, http.StatusBadRequest)
	tx.Rollback()
	b.control("PUT", "/fields/Account", `{"name":"Name","type":"double"}`).must(t, http.StatusBadRequest)
}

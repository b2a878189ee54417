package sfapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/change"
)

const queryPath = "/services/data/v66.0/query"

func TestQueryFollowsItsPages(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(queryPath, 200, `{"totalSize":3,"done":false,"nextRecordsUrl":"`+queryPath+`/01gQk000004aBcDIAU-2000","records":[{"Id":"1"},{"Id":"2"}]}`)
	o.json(queryPath+"/01gQk000004aBcDIAU-2000", 200, `{"totalSize":3,"done":true,"records":[{"Id":"3"}]}`)
	var ids []string
	for record, err := range o.client(t).Query(t.Context(), "SELECT Id FROM Account WHERE Name = 'A+B & C'", QueryOptions{BatchSize: 200}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(record))
	}
	equal(t, ids, []string{`{"Id":"1"}`, `{"Id":"2"}`, `{"Id":"3"}`})
	r := o.requests(queryPath)[0]
	if r.URL.Query().Get("q") != "SELECT Id FROM Account WHERE Name = 'A+B & C'" || r.Header.Get("Sforce-Query-Options") != "batchSize=200" {
		t.Errorf("asked %s with %q", r.URL, r.Header.Get("Sforce-Query-Options"))
	}
}

func TestQueryVariantsHaveTheirPaths(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	for _, p := range []string{"/query", "/queryAll", "/tooling/query"} {
		o.json("/services/data/v66.0"+p, 200, `{"totalSize":7,"done":true,"records":[]}`)
	}
	c := o.client(t)
	for want, opt := range map[string]QueryOptions{"/query": {}, "/queryAll": {All: true}, "/tooling/query": {Tooling: true}} {
		if n, err := c.Count(t.Context(), "SELECT COUNT() FROM Account", opt); err != nil || n != 7 || len(o.requests("/services/data/v66.0"+want)) != 1 {
			t.Errorf("%s: %d, %v", want, n, err)
		}
	}
}

func TestQueryEndsWithItsFirstError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second string
		next          Next
	}{
		"expired cursor": {`{"done":false,"nextRecordsUrl":"` + queryPath + `/x-1","records":[{}]}`, `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`, NextRestartQuery},
		"no next":        {`{"done":false,"records":[{}]}`, "", ""},
	} {
		o := newOrg(t)
		o.json(queryPath, 200, c.first)
		o.json(queryPath+"/x-1", 400, c.second)
		var errs []error
		for _, err := range o.client(t).Query(t.Context(), "SELECT Id FROM Account", QueryOptions{}) {
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) != 1 {
			t.Fatalf("%s: %v", name, errs)
		}
		var answered *Error
		if errors.As(errs[0], &answered) && answered.Next() != c.next || answered == nil && c.next != "" {
			t.Errorf("%s: %v", name, errs[0])
		}
	}
}

func TestQueryTooLongForAnAddressIsNotSent(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	_, err := o.client(t).Count(t.Context(), "SELECT "+strings.Repeat("LongName__c, ", 1400)+"Id FROM Account", QueryOptions{})
	var answered *Error
	if !errors.As(err, &answered) || answered.Next() != NextNarrow || len(o.asked) != 0 {
		t.Fatalf("got %v after %d requests", err, len(o.asked))
	}
}

func TestQuoteEscapesAsSOQLWants(t *testing.T) {
	t.Parallel()
	if got := Quote("O'Neil \\ \"x\"\n\r\t\f\b"); got != `'O\'Neil \\ "x"\n\r\t\f\b'` {
		t.Errorf("got %s", got)
	}
}

const collectionPath = "/services/data/v66.0/composite/sobjects/Account"

func TestRetrieveSplitsAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	var sizes []int
	o.mux.HandleFunc("POST "+collectionPath, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ IDs, Fields []string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !slices.Equal(body.Fields, []string{"Id", "Name"}) {
			t.Errorf("body %v, %v", body.Fields, err)
		}
		sizes = append(sizes, len(body.IDs))
		records := make([]string, len(body.IDs))
		for i, id := range body.IDs {
			records[i] = `{"attributes":{"type":"Account"},"Id":"` + id + `","Name":"n"}`
			if strings.HasSuffix(id, "0007IAK") {
				records[i] = "null"
			}
		}
		_, _ = io.WriteString(w, "["+strings.Join(records, ",")+"]")
	})
	ids := make([]string, 4500)
	for i := range ids {
		ids[i] = fmt.Sprintf("001Qk0000%06dIAK", i)
	}
	schema := change.NewSchema("Account", []change.Field{{Name: "Id"}, {Name: "Name"}})
	var got, missing []string
	err := o.client(t).RetrieveRows(t.Context(), schema, ids, func(id string, row *change.Row, err error) error {
		if err != nil {
			return err
		}
		if row == nil {
			missing = append(missing, id)
		} else if row.ID != id {
			t.Errorf("%s came for %s", row.ID, id)
		}
		got = append(got, id)
		return nil
	})
	if err != nil || !slices.Equal(got, ids) || !slices.Equal(missing, []string{"001Qk0000000007IAK"}) || !slices.Equal(sizes, []int{2000, 2000, 500}) {
		t.Errorf("%d ids, missing %v, calls of %v, %v", len(got), missing, sizes, err)
	}
}

func TestRetrieveRefusesAnAnswerOfAnotherLength(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(collectionPath, 200, `[null]`)
	err := o.client(t).Retrieve(t.Context(), "Account", []string{"Id"}, []string{acme, globex}, func(string, json.RawMessage) error { return nil })
	if err == nil {
		t.Fatal("want an error")
	}
	has(t, err.Error(), "asked for 2 and got 1")
}

func TestRetrieveHandsOnBadRecords(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(collectionPath, 200, `[{"Id":"`+acme+`","Name":5},{"Id":"`+globex+`","Name":"fine"}]`)
	schema := change.NewSchema("Account", []change.Field{{Name: "Id"}, {Name: "Name"}})
	var bad, good int
	err := o.client(t).RetrieveRows(t.Context(), schema, []string{acme, globex}, func(_ string, row *change.Row, err error) error {
		var wrong *RowError
		if errors.As(err, &wrong) {
			bad++
		} else if row != nil {
			good++
		}
		return nil
	})
	if err != nil || bad != 1 || good != 1 {
		t.Errorf("%d bad, %d good, %v", bad, good, err)
	}
}

func TestRecordAsksForFields(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	path := "/services/data/v66.0/sobjects/Account/" + acme
	o.json(path, 200, `{"Id":"`+acme+`"}`)
	if _, err := o.client(t).Record(t.Context(), "Account", acme, "Id", "Name"); err != nil || o.requests(path)[0].URL.Query().Get("fields") != "Id,Name" {
		t.Errorf("%v, %v", o.requests(path)[0].URL, err)
	}
}

func TestUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json("/services/data/v66.0/sobjects/Account/updated/", 200, `{"ids":["`+acme+`"],"latestDateCovered":"2026-11-20T21:20:00.000+0000"}`)
	o.json("/services/data/v66.0/sobjects/Account/deleted/", 200, `{"deletedRecords":[{"id":"`+globex+`","deletedDate":"2026-11-20T21:10:00.000+0000"}],"earliestDateAvailable":"2026-11-05T00:00:00.000+0000","latestDateCovered":"2026-11-20T21:19:00.000Z"}`)
	c := o.client(t)
	end := time.Date(2026, 11, 20, 22, 20, 0, 999, time.FixedZone("CET", 3600))
	u, err := c.Updated(t.Context(), "Account", end.Add(-time.Hour), end)
	if err != nil || !slices.Equal(u.IDs, []string{acme}) || !u.Covered.Equal(time.Date(2026, 11, 20, 21, 20, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", u, err)
	}
	d, err := c.Deleted(t.Context(), "Account", end.Add(-time.Hour), end)
	if err != nil || len(d.Records) != 1 || d.Records[0].ID != globex || d.Records[0].At.Minute() != 10 || d.Earliest.Day() != 5 || d.Covered.Minute() != 19 {
		t.Errorf("%+v, %v", d, err)
	}
	if q := o.requests("/services/data/v66.0/sobjects/Account/updated/")[0].URL.Query(); q.Get("start") != "2026-11-20T20:20:00Z" || q.Get("end") != "2026-11-20T21:20:00Z" {
		t.Errorf("asked for %v", q)
	}
	if _, err := c.Updated(t.Context(), "Account", end.Add(-time.Minute), end); err == nil {
		t.Error("a window of a minute must be refused before it is sent")
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.mux.HandleFunc("/services/data", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the list of versions needs no token")
		}
		w.Header().Set("Date", "Sat, 21 Nov 2026 10:00:00 GMT")
		_, _ = io.WriteString(w, `[{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"}]`)
	})
	o.json("/services/data/v66.0/{$}", 200, `{}`)
	o.json("/services/data/v66.0/sobjects/{$}", 200, `{"encoding":"UTF-8","sobjects":[{"name":"Account","keyPrefix":"001","queryable":true}]}`)
	o.json("/services/data/v66.0/tooling/query", 200, `{"totalSize":1,"done":true,"records":[{"attributes":{},"EventChannel":"ChangeEvents","SelectedEntity":"AccountChangeEvent"}]}`)
	o.answers("/services/data/v66.0/sobjects/ContentVersion/068Qk00000aBcDeIAK/VersionData", 200, "application/octet-stream", "<p>note</p>")
	c := o.client(t)
	if v, err := c.Versions(t.Context()); err != nil || len(v) != 1 || v[0].Version != "66.0" {
		t.Errorf("versions %v, %v", v, err)
	}
	if now, err := c.ServerTime(t.Context()); err != nil || !now.Equal(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("time %v, %v", now, err)
	}
	if o.loginCount() != 0 {
		t.Error("versions and time must not log in")
	}
	if err := c.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if list, err := c.Objects(t.Context()); err != nil || len(list) != 1 || list[0].Name != "Account" {
		t.Errorf("objects %v, %v", list, err)
	}
	if m, err := c.Members(t.Context()); err != nil || len(m) != 1 || m[0] != (Member{"ChangeEvents", "AccountChangeEvent"}) {
		t.Errorf("members %v, %v", m, err)
	}
	body, err := c.Blob(t.Context(), "ContentVersion", "068Qk00000aBcDeIAK", "VersionData")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "<p>note</p>" {
		t.Errorf("blob %q, %v", text, err)
	}
}

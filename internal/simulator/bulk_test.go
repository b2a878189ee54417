package simulator

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/org"
)

const jobsPath = rest + "/jobs/query"

// job creates a query job and returns its address.
func (b *bench) job(operation, soql string) string {
	b.t.Helper()
	a := b.send("POST", jobsPath, fmt.Sprintf(`{"operation":%q,"query":%q}`, operation, soql)).must(b.t, http.StatusOK)
	return jobsPath + "/" + a.text(b.t, "id")
}

// state asks for a job's state.
func (b *bench) state(job string) string {
	b.t.Helper()
	return b.send("GET", job, "").must(b.t, http.StatusOK).text(b.t, "state")
}

// pages fetches all pages of a completed job.
func (b *bench) pages(job, options string) (pages []string, rows [][]string) {
	b.t.Helper()
	for locator := ""; ; {
		if len(pages) > 10_000 {
			b.t.Fatal("the pages have no end")
		}
		a := b.send("GET", job+"/results?"+options+locator, "").must(b.t, http.StatusOK)
		pages = append(pages, a.body)
		sheet, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil {
			b.t.Fatal(err)
		}
		if n := map[string][]string(a.header)["Sforce-NumberOfRecords"][0]; n != strconv.Itoa(len(sheet)-1) {
			b.t.Fatalf("Sforce-NumberOfRecords %s on a page of %d rows", n, len(sheet)-1)
		}
		rows = append(rows, sheet[1:]...)
		next := a.header.Get("Sforce-Locator")
		if next == "null" {
			return pages, rows
		}
		locator = "&locator=" + next
	}
}

func TestBulkJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Org: org.Config{Seed: 1, Contacts: 10, Accounts: 3}, Settings: Settings{Bulk: Bulk{PageRows: 4, QueueDelay: Duration(time.Second), ReadTime: Duration(4 * time.Second)}}})
		a := b.send("POST", jobsPath, `{"operation":"query","query":"SELECT Id, Account.Name FROM Contact","contentType":"CSV","columnDelimiter":"COMMA","lineEnding":"LF"}`).must(t, http.StatusOK)
		id := a.text(t, "id")
		want := `{"id":"` + id + `","operation":"query","object":"Contact","createdById":"` + b.Org().User() + `","createdDate":"2000-01-01T00:00:00.000+0000","systemModstamp":"2000-01-01T00:00:00.000+0000","state":"UploadComplete","concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"lineEnding":"LF","columnDelimiter":"COMMA"}` + "\n"
		if a.body != want {
			t.Errorf("got %s\nwant %s", a.body, want)
		}
		job := jobsPath + "/" + id
		for _, step := range []struct {
			wait  time.Duration
			state string
		}{{0, uploadComplete}, {time.Second, inProgress}, {3 * time.Second, inProgress}, {time.Second, jobComplete}} {
			time.Sleep(step.wait)
			if got := b.state(job); got != step.state {
				t.Fatalf("after %v more: %s, want %s", step.wait, got, step.state)
			}
		}
		b.send("GET", job, "").must(t, http.StatusOK).has(t, `"jobType":"V2Query"`, `"numberRecordsProcessed":10`, `"retries":0`, `"totalProcessingTime":5000`, `"isPkChunkingSupported":true`)
		pages, rows := b.pages(job, "")
		if len(pages) != 3 || len(rows) != 10 || !strings.HasPrefix(pages[2], "\"Id\",\"Account.Name\"\n\"003") {
			t.Errorf("%d pages, %d rows, the last page: %s", len(pages), len(rows), pages[len(pages)-1])
		}
		if again, _ := b.pages(job, ""); !slices.Equal(again, pages) {
			t.Error("pages fetched again differ")
		}
		if few, rows := b.pages(job, "maxRecords=3"); len(few) != 4 || len(rows) != 10 {
			t.Errorf("maxRecords=3: %d pages, %d rows", len(few), len(rows))
		}
		if bounded, _ := b.pages(job, "maxRecords=1000"); len(bounded) != 3 {
			t.Errorf("maxRecords is bounded by the server's page: %d pages", len(bounded))
		}
		b.send("GET", strings.Replace(job, "v66.0", "v65.0", 1)+"/results", "").must(t, http.StatusConflict)
		b.send("GET", job+"/results?locator=%21%21", "").must(t, http.StatusBadRequest)
		b.send("PATCH", job, `{"state":"Aborted"}`).must(t, http.StatusBadRequest).has(t, `"INVALIDJOBSTATE"`, "Aborting already Completed Job not allowed")
		b.send("DELETE", job, "").must(t, http.StatusNoContent)
		b.send("GET", job, "").must(t, http.StatusNotFound).has(t, "The requested resource does not exist")
	})
}

func TestBulkResultPages(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 13}, Settings: Settings{Bulk: Bulk{PageRows: 2}}})
	job := b.job("query", "SELECT Id FROM Account")
	b.state(job)
	var urls []string
	for list := job + "/resultPages"; list != ""; {
		body := b.send("GET", list, "").must(t, http.StatusOK).read(t)
		for _, p := range body["resultPages"].([]any) {
			urls = append(urls, p.(map[string]any)["resultUrl"].(string))
		}
		list, _ = body["nextRecordsUrl"].(string)
		if body["done"] != (list == "") {
			t.Errorf("done is %v beside %q", body["done"], list)
		}
	}
	rows := 0
	for _, u := range urls {
		rows += strings.Count(b.send("GET", u, "").must(t, http.StatusOK).body, "\n") - 1
	}
	if len(urls) != 7 || rows != 13 {
		t.Errorf("%d result pages with %d rows", len(urls), rows)
	}
	b.send("GET", strings.Replace(job, "v66.0", "v57.0", 1)+"/resultPages", "").must(t, http.StatusNotFound)
}

func TestBulkCSV(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"schema.json": {Data: []byte(`{"objects":{"Account":{"fields":[{"name":"N__c","type":"double"},{"name":"D__c","type":"date"},{"name":"T__c","type":"time"},{"name":"B__c","type":"boolean"},{"name":"F__c","formula":"Name & '!'"}]}}}`)}}
	now := time.Now()
	b := setup(t, Config{Org: org.Config{Files: files, Now: func() time.Time { return now }}})
	id := b.account(org.Fields{"Name": "a \"b\"\nc,d", "N__c": "12345678.5", "D__c": "2026-11-21", "T__c": "10:20", "B__c": true, "AnnualRevenue": 0.4})
	q := "SELECT Id, Name, N__c, D__c, T__c, B__c, F__c, Phone, AnnualRevenue, IsDeleted, CreatedDate, Owner.Name FROM Account"
	body := func(job string) string {
		b.state(job)
		return b.send("GET", job+"/results", "").must(t, http.StatusOK).body
	}
	created := now.UTC().Format("2006-01-02T15:04:05")
	plain := body(b.job("query", q))
	want := "\"Id\",\"Name\",\"N__c\",\"D__c\",\"T__c\",\"B__c\",\"F__c\",\"Phone\",\"AnnualRevenue\",\"IsDeleted\",\"CreatedDate\",\"Owner.Name\"\n" +
		"\"" + id + "\",\"a \"\"b\"\"\nc,d\",\"12345678.5\",\"2026-11-21\",\"10:20:00.000Z\",\"true\",\"a \"\"b\"\"\nc,d!\",\"\",\"0\",\"false\",\"" + created
	if !strings.HasPrefix(plain, want) || !strings.HasSuffix(plain, ".000Z\",\"Integration User\"\n") {
		t.Errorf("got\n%s\nwant\n%s", plain, want)
	}
	b.Configure(func(s *Settings) { s.Bulk.Scientific = true })
	a := b.send("POST", jobsPath, `{"operation":"query","query":"SELECT Id, N__c FROM Account","columnDelimiter":"TAB","lineEnding":"CRLF"}`).must(t, http.StatusOK)
	if got, want := body(jobsPath+"/"+a.text(t, "id")), "\"Id\"\t\"N__c\"\r\n\""+id+"\"\t\"1.23456785E7\"\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := body(b.job("query", "SELECT Id FROM Account WHERE Name = 'none'")); got != "\"Id\"\n" {
		t.Errorf("no rows: %q", got)
	}
	b.Configure(func(s *Settings) { s.Bulk.EmptyBody = true })
	if got := body(b.job("query", "SELECT Id FROM Account WHERE Name = 'none'")); got != "" {
		t.Errorf("no rows, empty body: %q", got)
	}
}

func TestBulkReadsEachChunkAtItsMoment(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 4}, Settings: Settings{Bulk: Bulk{Manual: true, Chunks: 2, PageRows: 3}}})
	name := func(n uint64, name string) {
		t.Helper()
		if err := b.Org().Update("Account", org.MakeID("001", n), org.Fields{"Name": name}); err != nil {
			t.Fatal(err)
		}
	}
	name(1, "before")
	job := b.job("query", "SELECT Id, Name FROM Account WHERE Name LIKE '%before%' OR Name LIKE '%during%'")
	id := strings.TrimPrefix(job, jobsPath+"/")
	name(2, "during queue")
	steps := []string{b.state(job), b.AdvanceJob(id), b.AdvanceJob(id)} // queued, started, first chunk read
	name(1, "too late")
	name(2, "too late")
	name(3, "during reading")
	added := b.account(org.Fields{"Name": "during reading, new"})
	b.control("POST", "/jobs/"+id+"/advance", "").must(t, http.StatusOK).has(t, inProgress)
	name(3, "too late")
	steps = append(steps, b.state(job), b.AdvanceJob(id))
	if want := []string{uploadComplete, inProgress, inProgress, inProgress, jobComplete}; !slices.Equal(steps, want) {
		t.Fatalf("states %v, want %v", steps, want)
	}
	_, rows := b.pages(job, "")
	got := make(map[string]string)
	for _, r := range rows {
		got[r[0]] = r[1]
	}
	want := map[string]string{org.MakeID("001", 1): "before", org.MakeID("001", 2): "during queue", org.MakeID("001", 3): "during reading", added: "during reading, new"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBulkChunksOverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Org: org.Config{Accounts: 2}, Settings: Settings{Bulk: Bulk{ReadTime: Duration(10 * time.Second), Chunks: 2, Shuffle: true}}})
		job := b.job("query", "SELECT Id, Phone FROM Account")
		time.Sleep(7 * time.Second) // the first chunk was read at 5 s, though nobody asked
		for n := range uint64(2) {
			_ = b.Org().Update("Account", org.MakeID("001", n+1), org.Fields{"Phone": "new"})
		}
		time.Sleep(4 * time.Second)
		if state := b.state(job); state != jobComplete {
			t.Fatal(state)
		}
		_, rows := b.pages(job, "")
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		if rows[0][1] == "new" || rows[1][1] != "new" {
			t.Errorf("rows %v", rows)
		}
	})
}

func TestBulkQueryAll(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 3}})
	_ = b.Org().Delete("Account", org.MakeID("001", 2))
	for operation, want := range map[string]int{"query": 2, "queryAll": 3} {
		job := b.job(operation, "SELECT Id, IsDeleted FROM Account")
		b.state(job)
		if _, rows := b.pages(job, ""); len(rows) != want {
			t.Errorf("%s: %d rows, want %d", operation, len(rows), want)
		}
	}
	job := b.job("query", "SELECT Name FROM Account ORDER BY Name DESC LIMIT 1")
	b.send("GET", job, "").must(t, http.StatusOK).has(t, `"isPkChunkingSupported":false`, `"numberRecordsProcessed":1`)
}

func TestBulkRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	create := func(operation, soql string) answer {
		return b.send("POST", jobsPath, fmt.Sprintf(`{"operation":%q,"query":%q}`, operation, soql)).must(t, http.StatusBadRequest)
	}
	create("query", "SELECT BillingAddress FROM Account").has(t, `"Selecting compound data not supported in Bulk Query"`, `"API_ERROR"`)
	create("query", "SELECT Id FROM Organization").has(t, `"INVALIDENTITY"`, `"Entity 'Organization' is not supported by the Bulk API."`)
	create("query", "SELECT Nope FROM Account").has(t, `"INVALID_FIELD"`, "ERROR at Row:1:Column:8")
	create("query", "SELECT Id FROM Nope").has(t, `"INVALID_TYPE"`)
	create("query", "SELEC Id").has(t, `"MALFORMED_QUERY"`)
	create("query", "SELECT Content FROM ContentNote").has(t, "API_ERROR")
	for _, q := range []string{"SELECT COUNT() FROM Account", "SELECT Id FROM Account LIMIT 1 OFFSET 1", "SELECT Name FROM Account GROUP BY Name", "SELECT (SELECT Id FROM Contacts) FROM Account"} {
		create("query", q).has(t, "is not supported in Bulk Query")
	}
	create("insert", "SELECT Id FROM Account").has(t, "INVALIDJOB")
	b.Configure(func(s *Settings) { s.Bulk.Exhausted = true })
	create("query", "SELECT Id FROM Account").has(t, `"LIMIT_EXCEEDED"`, "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded")
	b.Configure(func(s *Settings) { s.Bulk = Bulk{MaxJobs: 1} })
	b.job("query", "SELECT Id FROM Account")
	create("query", "SELECT Id FROM Account").has(t, "Max bulk v2 query jobs (1) per 24 hrs has been reached (1)")
	b.send("POST", strings.Replace(jobsPath, "v66.0", "v46.0", 1), `{}`).must(t, http.StatusNotFound)
}

func TestBulkAbortFailAndList(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Settings: Settings{Bulk: Bulk{Manual: true}}})
	job := b.job("query", "SELECT Id FROM Account")
	b.send("GET", job+"/results", "").must(t, http.StatusNoContent)
	b.send("DELETE", job, "").must(t, http.StatusBadRequest).has(t, "Error encountered when deleting the job because the job is not terminated")
	b.send("PATCH", job, `{"state":"Aborted"}`).must(t, http.StatusOK).has(t, `"state":"Aborted"`)
	b.send("GET", job+"/results", "").must(t, http.StatusBadRequest)
	b.Configure(func(s *Settings) { s.Bulk = Bulk{Fail: true, FailMessage: "retried more than 15 times"} })
	b.send("GET", b.job("query", "SELECT Id FROM Account"), "").must(t, http.StatusOK).has(t, `"state":"Failed"`, `"errorMessage":"retried more than 15 times"`, `"retries":15`)
	b.Configure(func(s *Settings) { s.Bulk.FailMessage = "" })
	b.send("GET", b.job("query", "SELECT Id FROM Account"), "").must(t, http.StatusOK).has(t, `"state":"Failed"`).lacks(t, "errorMessage")
	list := b.send("GET", jobsPath, "").must(t, http.StatusOK).has(t, `"done":true`, `"nextRecordsUrl":null`)
	if n := len(list.read(t)["records"].([]any)); n != 3 {
		t.Errorf("%d jobs are listed", n)
	}
}

func TestBulkJobsArePurgedAfterSevenDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		job := b.job("query", "SELECT Id FROM Account")
		b.state(job)
		time.Sleep(8 * 24 * time.Hour)
		b.login()
		b.job("query", "SELECT Id FROM Account")
		b.send("GET", job, "").must(t, http.StatusNotFound)
	})
}

package sfapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"crosswalk/internal/change"
)

const (
	jobsPath = "/services/data/v66.0/jobs/query"
	jobID    = "750Qk00000jObIdIAK"
)

var names = change.NewSchema("Account", []change.Field{{Name: "Id"}, {Name: "Name"}})

// results serves pages of a job: page i at locator "L<i>", the first without one.
func (o *org) results(pages ...string) {
	o.mux.HandleFunc(jobsPath+"/"+jobID+"/results", func(w http.ResponseWriter, r *http.Request) {
		i := 0
		if l := r.URL.Query().Get("locator"); l != "" {
			i, _ = strconv.Atoi(strings.TrimPrefix(l, "L"))
		}
		next := "null"
		if i+1 < len(pages) {
			next = "L" + strconv.Itoa(i+1)
		}
		w.Header().Set("Content-Type", "text/csv; charset=UTF-8")
		w.Header().Set("Sforce-Locator", next)
		w.Header().Set("Sforce-NumberOfRecords", strconv.Itoa(max(0, strings.Count(pages[i], "\n")-1)))
		_, _ = io.WriteString(w, pages[i])
	})
}

// page is a page of rows with the given names.
func page(rows ...string) string {
	var b strings.Builder
	b.WriteString("\"Id\",\"Name\"\n")
	for i, name := range rows {
		fmt.Fprintf(&b, "\"001Qk0000%06dIAK\",%q\n", i, name)
	}
	return b.String()
}

func completeJob() Job {
	return Job{ID: jobID, Object: "Account", State: JobComplete, APIVersion: "66.0"}
}

func TestJobFromCreationToRows(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.mux.HandleFunc("POST "+jobsPath, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		want := map[string]string{"operation": "queryAll", "query": "SELECT Id, Name FROM Account", "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
		if fmt.Sprint(body) != fmt.Sprint(want) {
			t.Errorf("created with %v", body)
		}
		_, _ = io.WriteString(w, `{"id":"`+jobID+`","operation":"queryAll","object":"Account","createdById":"005Qk000001UsErIAK","createdDate":"2026-11-21T10:00:00.000+0000",
			"systemModstamp":"2026-11-21T10:00:00.000+0000","state":"UploadComplete","concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"lineEnding":"LF","columnDelimiter":"COMMA"}`)
	})
	states := []string{"UploadComplete", "InProgress", "JobComplete"}
	o.mux.HandleFunc("GET "+jobsPath+"/"+jobID, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"`+jobID+`","object":"Account","state":"`+states[0]+`","apiVersion":66.0,"jobType":"V2Query","numberRecordsProcessed":3,"retries":0,"totalProcessingTime":1200}`)
		states = states[1:]
	})
	o.results(page("a", "b"), page("c"))
	c := o.clientWith(t, Config{PageRows: 2})
	job, err := c.CreateJob(t.Context(), "SELECT Id, Name FROM Account", true)
	if err != nil || job.ID != jobID || job.State != JobQueued || job.CreatedDate.Year() != 2026 {
		t.Fatalf("%+v, %v", job, err)
	}
	var seen []JobState
	job, err = c.AwaitJob(t.Context(), job.ID, func(j Job) { seen = append(seen, j.State) })
	if err != nil || job.RecordsProcessed != 3 || job.ProcessingMillis != 1200 || !slices.Equal(seen, []JobState{JobQueued, JobInProgress, JobComplete}) {
		t.Fatalf("%+v after %v, %v", job, seen, err)
	}
	var got []string
	for p, err := range c.Pages(t.Context(), job, "") {
		if err != nil {
			t.Fatal(err)
		}
		rows, bad, end := read(t, p.Rows(names))
		if len(bad) > 0 || end != io.EOF {
			t.Fatal(bad, end)
		}
		got = append(got, fmt.Sprintf("%q→%q %d %v", p.Locator, p.Next, p.Records, rows))
	}
	equal(t, got, []string{
		`""→"L1" 2 [001Qk0000000000IAK|Name=a 001Qk0000000001IAK|Name=b]`,
		`"L1"→"" 1 [001Qk0000000000IAK|Name=c]`,
	})
	if r := o.requests(jobsPath + "/" + jobID + "/results")[0]; r.URL.Query().Get("maxRecords") != "2" || r.Header.Get("Accept") != "text/csv" {
		t.Errorf("asked %s", r.URL)
	}
}

func TestPagesResumeAtALocatorWithTheJobsVersion(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json("GET "+jobsPath+"/"+jobID, 200, `{"id":"`+jobID+`","state":"JobComplete","apiVersion":61.0}`)
	o.mux.HandleFunc("/services/data/v61.0/jobs/query/"+jobID+"/results", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sforce-Locator", "null")
		w.Header().Set("Sforce-NumberOfRecords", "1")
		_, _ = io.WriteString(w, page(r.URL.Query().Get("locator")))
	})
	c := o.client(t)
	job, err := c.Job(t.Context(), jobID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for p, err := range c.Pages(t.Context(), job, "MTAwMDAw") {
		if err != nil {
			t.Fatal(err)
		}
		rows, _, _ := read(t, p.Rows(names))
		got = append(got, rows...)
	}
	equal(t, got, []string{"001Qk0000000000IAK|Name=MTAwMDAw"})
}

func TestDamagedPagesAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		locator, records, body string
		want                   string
		next                   Next
	}{
		"no locator":       {"", "1", page("a"), "no Sforce-Locator header", NextStop},
		"no count":         {"null", "", page("a"), "no Sforce-NumberOfRecords header", NextStop},
		"negative count":   {"null", "-1", page("a"), "no Sforce-NumberOfRecords header", NextStop},
		"fewer rows":       {"null", "2", page("a"), "after row 1: the page ends although Salesforce announced 2 rows", NextRetry},
		"more rows":        {"null", "1", page("a", "b"), "after row 2: the page ends although Salesforce announced 1 rows", NextRetry},
		"none but some":    {"null", "1", "", "after row 0: the page ends although Salesforce announced 1 rows", NextRetry},
		"names itself":     {"L0", "1", page("a"), "names itself as the next", NextNewJob},
		"no results (204)": {"204", "0", "", "wait until the job is complete", NextRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			o.mux.HandleFunc(jobsPath+"/"+jobID+"/results", func(w http.ResponseWriter, _ *http.Request) {
				if c.locator == "204" {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				if c.locator != "" {
					w.Header().Set("Sforce-Locator", c.locator)
				}
				if c.records != "" {
					w.Header().Set("Sforce-NumberOfRecords", c.records)
				}
				_, _ = io.WriteString(w, c.body)
			})
			var found error
			for p, err := range o.client(t).Pages(t.Context(), completeJob(), "L0") {
				if err == nil {
					_, _, err = read(t, p.Rows(names))
				}
				if err != io.EOF {
					found = err
					break
				}
			}
			if found == nil {
				t.Fatal("want an error")
			}
			has(t, found.Error(), c.want)
			if next := NextOf(found); next != c.next {
				t.Errorf("next is %q, want %q", next, c.next)
			}
		})
	}
}

func TestPageThatBreaksOffIsReadAgainFromItsLocator(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	broken := true
	o.mux.HandleFunc(jobsPath+"/"+jobID+"/results", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Sforce-Locator", "null")
		w.Header().Set("Sforce-NumberOfRecords", "2")
		whole := page("a", "b")
		if broken {
			broken = false
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			whole = whole[:len(whole)-10]
		}
		_, _ = io.WriteString(w, whole)
	})
	c := o.client(t)
	var ends []string
	for range 2 {
		for p, err := range c.Pages(t.Context(), completeJob(), "") {
			if err != nil {
				t.Fatal(err)
			}
			rows, _, end := read(t, p.Rows(names))
			ends = append(ends, fmt.Sprintf("%d rows, %v", len(rows), end))
		}
	}
	equal(t, ends, []string{"1 rows, read page after row 1: unexpected EOF", "2 rows, EOF"})
}

func TestJobsThatEndWithoutRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest, reads string
		next        Next
	}{
		"aborted":             {`"state":"Aborted"`, "a new job is created", NextNewJob},
		"failed silently":     {`"state":"Failed"`, "without saying why", NextNewJob},
		"failed, tried often": {`"state":"Failed","retries":15`, "tried the query 15 times", NextNarrow},
		"failed, many chunks": {`"state":"Failed","errorMessage":"InternalServerError : Batch was retried more than 15 times"`, "smaller time window", NextNarrow},
		"failed, timeout":     {`"state":"Failed","errorMessage":"QUERY_TIMEOUT: Your query request was running for too long."`, "smaller time window", NextNarrow},
		"failed, hidden":      {`"state":"Failed","errorMessage":"INVALID_FIELD: \nSELECT X\n ^\nNo such column 'X' on entity 'Account'."`, "No such column 'X'", NextDescribe},
		"failed, other":       {`"state":"Failed","errorMessage":"something new"`, "something new: a new job is created", NextNewJob},
	} {
		o := newOrg(t)
		o.json("GET "+jobsPath+"/"+jobID, 200, `{"id":"`+jobID+`","object":"Account","apiVersion":66.0,`+c.rest+`}`)
		_, err := o.client(t).AwaitJob(t.Context(), jobID, nil)
		var failed *JobError
		if !errors.As(err, &failed) || failed.Next() != c.next || failed.Gone() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		has(t, err.Error(), "bulk job "+jobID+" of Account", c.reads)
	}
}

func TestParallelPagesAreTheSamePages(t *testing.T) {
	t.Parallel()
	for name, nextField := range map[string]string{"as in the sample": "nextRecordsUrl", "as in the table": "nextRecordUrl"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			pages := make([]string, 12)
			for i := range pages {
				pages[i] = page("p" + strconv.Itoa(i))
			}
			o.results(pages...)
			o.pageList(nextField, len(pages), 5)
			for parallel, from := range map[int]int{1: 0, 3: 0, 8: 7} {
				locator := ""
				if from > 0 {
					locator = "L" + strconv.Itoa(from)
				}
				var mu sync.Mutex
				got := make(map[int]string)
				err := o.client(t).EachPage(t.Context(), completeJob(), locator, parallel, func(_ context.Context, index int, p *Page) error {
					rows, _, end := read(t, p.Rows(names))
					mu.Lock()
					defer mu.Unlock()
					got[index] = fmt.Sprint(p.Locator, rows, end)
					return nil
				})
				if err != nil || len(got) != len(pages)-from {
					t.Fatalf("parallel %d: %d pages, %v", parallel, len(got), err)
				}
				for i, text := range got {
					if want := fmt.Sprintf("[001Qk0000000000IAK|Name=p%d] EOF", i+from); !strings.HasSuffix(text, want) {
						t.Errorf("page %d is %s", i, text)
					}
				}
			}
		})
	}
}

// pageList serves resultPages, at most per in an answer.
func (o *org) pageList(nextField string, pages, per int) {
	serve := func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if l := r.URL.Query().Get("locator"); l != "" {
			from, _ = strconv.Atoi(strings.TrimPrefix(l, "L"))
		}
		var list []map[string]string
		for i := from; i < min(from+per, pages); i++ {
			u := jobsPath + "/" + jobID + "/results"
			if i > 0 {
				u += "?locator=L" + strconv.Itoa(i)
			}
			list = append(list, map[string]string{"resultUrl": u})
		}
		out := map[string]any{"resultPages": list, "done": from+per >= pages}
		if from+per < pages {
			out[nextField] = jobsPath + "/" + jobID + "/resultpages?locator=L" + strconv.Itoa(from+per)
		}
		_ = json.NewEncoder(w).Encode(out)
	}
	o.mux.HandleFunc(jobsPath+"/"+jobID+"/resultPages", serve)
	o.mux.HandleFunc(jobsPath+"/"+jobID+"/resultpages", serve)
}

func TestParallelPagesNoticeAMissingPage(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.results(page("a"), page("b"), page("c"))
	o.pageList("nextRecordsUrl", 2, 5) // the list ends one page early
	err := o.client(t).EachPage(t.Context(), completeJob(), "", 2, func(_ context.Context, _ int, p *Page) error {
		_, err := io.Copy(io.Discard, p.Body)
		return err
	})
	if err == nil {
		t.Fatal("a missing page must be an error")
	}
	has(t, err.Error(), "page 2 is followed by \"L2\"")
}

func TestParallelPagesEndWithTheFirstError(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.results(page("a"), page("b"), page("c"))
	o.pageList("nextRecordsUrl", 3, 5)
	stop := errors.New("stop")
	for _, parallel := range []int{1, 2} {
		err := o.client(t).EachPage(t.Context(), completeJob(), "", parallel, func(context.Context, int, *Page) error { return stop })
		if !errors.Is(err, stop) {
			t.Errorf("parallel %d gave %v", parallel, err)
		}
	}
}

func TestParallelPagesCostOneCallMoreThanThePages(t *testing.T) {
	t.Parallel()
	for pages, per := range map[int]int{1: 5, 5: 5, 6: 5, 12: 2} {
		o := newOrg(t)
		var bodies []string
		for i := range pages {
			bodies = append(bodies, page(string(rune('a'+i))))
		}
		o.results(bodies...)
		o.pageList("nextRecordsUrl", pages, per)
		var seen atomic.Int64
		err := o.client(t).EachPage(t.Context(), completeJob(), "", 2, func(_ context.Context, _ int, p *Page) error {
			seen.Add(1)
			_, err := io.Copy(io.Discard, p.Body)
			return err
		})
		if err != nil || seen.Load() != int64(pages) {
			t.Errorf("%d of %d pages, %v", seen.Load(), pages, err)
		}
		lists, results := len(o.requests(jobsPath+"/"+jobID+"/resultPages")), len(o.requests(jobsPath+"/"+jobID+"/results"))
		if lists != 1 || results != pages {
			t.Errorf("%d pages took %d lists and %d result calls", pages, lists, results)
		}
	}
}

package salesforce

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
)

// Bill is what a backfill would cost, from counts and a sample of rows: nothing is published and nothing is changed.
type Bill struct {
	Objects   []BillLine `json:"objects"`
	Calls     int64      `json:"calls"`     // API calls
	Jobs      int64      `json:"bulkJobs"`  // Bulk query jobs
	Rows      int64      `json:"rows"`      // records
	Bytes     int64      `json:"bytes"`     // of the records as Salesforce sends them in JSON, from a sample; texts of ContentNotes left out
	Minutes   float64    `json:"minutes"`   // at each line's rate
	Remaining int64      `json:"remaining"` // API calls that the org has left today; 0: it has not said
	Max       int64      `json:"max"`       // API calls that the org has a day
	Reserve   float64    `json:"reserve"`   // share of them that is left to other apps (api_reserve)
	Left      int64      `json:"left"`      // of Remaining, what the reserve leaves to Crosswalk
	Allowed   bool       `json:"allowed"`   // the backfill fits without touching the reserve; it waits when it does not
}

// BillLine is the part of one object.
type BillLine struct {
	Object string `json:"object"`
	Way    string `json:"way"` // snapshot, ids, query, job
	Rows   int64  `json:"rows"`
	Calls  int64  `json:"calls"`
	Jobs   int64  `json:"bulkJobs"`
	Bytes  int64  `json:"bytes"`

	Minutes       float64   `json:"minutes"`
	RowsPerSecond float64   `json:"rowsPerSecond"` // at which the minutes are reckoned
	Measured      string    `json:"measured"`      // on what that was measured; empty: it is assumed
	MeasuredAt    time.Time `json:"measuredAt,omitzero"`
}

// The rates at which a bill reckons time where nothing was measured in this org yet: a call's answer takes its time, and rows
// have to be sent, compared and published.
const (
	BillRowsPerSecond  = 5000
	BillSecondsPerCall = 0.5
)

// sampleRows are read of each object to learn how large its rows are.
const sampleRows = 200

// What Salesforce chooses by itself, as far as it is known: rows in a page of a job's results, and how often a job is asked for.
const (
	jobPageRows = 50_000
	jobPolls    = 8
)

// Terms are what a bill depends on besides the org.
type Terms struct {
	PageRows int                        // of a Bulk page as configured; 0 for Salesforce's choice
	Reserve  float64                    // share of the org's calls that is left to other apps
	Fields   map[string]sfapi.Selection // by object, as configured
	Rates    Rates                      // as measured
}

// EstimateBackfill counts what a backfill would read, looks at a few rows, and says what it would cost. A condition that
// Salesforce refuses is its error.
func EstimateBackfill(ctx context.Context, client *sfapi.Client, ask *avro.Backfill, terms Terms) (Bill, error) {
	q := requestOf(&avro.Control{Backfill: ask})
	bill := Bill{Reserve: terms.Reserve}
	if q.wrong != nil {
		return bill, q.wrong
	}
	for _, object := range q.objects {
		rows := int64(len(q.named(object)))
		if len(q.ids) == 0 {
			restricted := q.first(object, 0, listJobFrom) != PhaseSnapshot
			n, err := client.Count(ctx, q.countQuery(object), sfapi.QueryOptions{All: restricted && listsDeleted(object)})
			if err != nil {
				return bill, err
			}
			rows = int64(n)
		}
		line := q.line(object, rows, int64(terms.PageRows))
		size, err := rowBytes(ctx, client, object, terms.Fields[object])
		if err != nil {
			return bill, err
		}
		line.Bytes = int64(size * float64(rows))
		line.reckon(&terms.Rates)
		bill.Objects = append(bill.Objects, line)
		bill.Calls, bill.Jobs, bill.Rows, bill.Bytes = bill.Calls+line.Calls, bill.Jobs+line.Jobs, bill.Rows+line.Rows, bill.Bytes+line.Bytes
		bill.Minutes += line.Minutes
	}
	u := client.Usage()
	bill.Max, bill.Remaining = int64(u.Max), int64(u.Max-u.Used)
	bill.Left = max(0, bill.Remaining-int64(math.Ceil(terms.Reserve*float64(bill.Max))))
	bill.Allowed = bill.Max == 0 || bill.Calls <= bill.Left
	return bill, nil
}

// reckon says how long it takes: what was measured holds the time of the calls, what is assumed does not.
func (l *BillLine) reckon(rates *Rates) {
	rate, ok := rates.of(l.Object, l.Way == string(PhaseSnapshot))
	if ok {
		l.RowsPerSecond, l.Measured, l.MeasuredAt = rate.PerSecond, rate.Of, rate.At
		l.Minutes = float64(l.Rows) / rate.PerSecond / 60
		return
	}
	l.RowsPerSecond = BillRowsPerSecond
	l.Minutes = (float64(l.Rows)/BillRowsPerSecond + float64(l.Calls)*BillSecondsPerCall) / 60
}

// rowBytes is how long a row of the object is on average, from a sample; 0 when the org has none.
func rowBytes(ctx context.Context, client *sfapi.Client, object string, chosen sfapi.Selection) (float64, error) {
	columns := noteObjects[object].fields
	if len(columns) == 0 {
		d, err := client.Describe(ctx, object)
		if err != nil {
			return 0, err
		}
		columns = sfapi.FieldNames(sfapi.Schema(d, chosen))
	}
	rows, size := 0, 0
	soql := fmt.Sprintf("SELECT %s FROM %s LIMIT %d", strings.Join(columns, ", "), object, sampleRows)
	for raw, err := range client.Query(ctx, soql, sfapi.QueryOptions{}) {
		if err != nil {
			return 0, err
		}
		rows, size = rows+1, size+len(raw)
	}
	return float64(size) / float64(max(1, rows)), nil
}

// line is what one object costs when so many rows are read of it.
func (q *request) line(object string, rows, pageRows int64) BillLine {
	l := BillLine{Object: object, Rows: rows}
	_, note := noteObjects[object]
	reads := pages(rows, readLimit)
	first := q.first(object, rows, listJobFrom)
	switch first {
	case PhaseSnapshot:
		l.Way, l.Jobs = "snapshot", 1
		l.Calls = 2 + jobPolls + jobCalls(rows, pageRows) // made and deleted
	case PhaseNamed:
		l.Way, l.Calls = "ids", reads
		switch {
		case object == "ContentNote":
			l.Calls = pages(rows, textChunk)
		case note:
			l.Calls = pages(rows, readUpTo)
		case q.conditions() != "":
			l.Calls = 2 * pages(rows, readUpTo)
		}
	case PhaseJob:
		l.Way, l.Jobs = "job", 1
		l.Calls = 1 + 2 + jobPolls + jobCalls(rows, pageRows) + reads
	default:
		l.Way, l.Calls = "query", 1+rows/readLimit+1+reads
		switch {
		case object == "ContentNote":
			l.Calls = 1 + rows/textChunk + 1
		case note:
			l.Calls = 1 + rows/readLimit + 1
		}
	}
	if q.then(object, first) == PhaseDeleted {
		switch {
		case note && !q.restricted():
			l.Calls += pages(rows, askedUpTo)
		case listsDeleted(object):
			l.Calls++
		}
	}
	if object == "ContentNote" {
		l.Calls += rows + pages(rows, textChunk) // each text is a call of its own
	}
	return l
}

func pages(rows, size int64) int64 { return (rows + size - 1) / size }

// jobCalls are those that read a job's results: its pages, and the lists of them, which name five each.
func jobCalls(rows, pageRows int64) int64 {
	if pageRows > 0 {
		return max(1, pages(rows, pageRows))
	}
	n := max(1, pages(rows, jobPageRows))
	return n + pages(n, 5)
}

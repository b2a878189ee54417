package salesforce

import (
	"context"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
)

// Bill is what a backfill would cost, from counts alone: nothing is read and nothing is changed.
type Bill struct {
	Objects   []BillLine `json:"objects"`
	Calls     int64      `json:"calls"`     // API calls
	Jobs      int64      `json:"bulkJobs"`  // Bulk query jobs
	Rows      int64      `json:"rows"`      // records
	Remaining int64      `json:"remaining"` // API calls that the org has left today; 0: it has not said
	Max       int64      `json:"max"`       // API calls that the org has a day
	Reserve   float64    `json:"reserve"`   // share of them that is left to other apps
	Allowed   bool       `json:"allowed"`   // the backfill fits without touching the reserve; it waits when it does not
}

// BillLine is the part of one object.
type BillLine struct {
	Object string `json:"object"`
	Way    string `json:"way"` // snapshot, ids, query, job
	Rows   int64  `json:"rows"`
	Calls  int64  `json:"calls"`
	Jobs   int64  `json:"bulkJobs"`
}

// What Salesforce chooses by itself, as far as it is known: rows in a page of a job's results, and how often a job is asked for.
const (
	jobPageRows = 50_000
	jobPolls    = 8
)

// EstimateBackfill counts what a backfill would read, and says what it would cost. pageRows are those of a Bulk page as
// configured, 0 for Salesforce's choice. A condition that Salesforce refuses is its error.
func EstimateBackfill(ctx context.Context, client *sfapi.Client, ask *avro.Backfill, pageRows int, reserve float64) (Bill, error) {
	q := requestOf(&avro.Control{Backfill: ask})
	bill := Bill{Reserve: reserve}
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
		line := q.line(object, rows, int64(pageRows))
		bill.Objects = append(bill.Objects, line)
		bill.Calls, bill.Jobs, bill.Rows = bill.Calls+line.Calls, bill.Jobs+line.Jobs, bill.Rows+line.Rows
	}
	u := client.Usage()
	bill.Max, bill.Remaining = int64(u.Max), int64(u.Max-u.Used)
	bill.Allowed = u.Max == 0 || float64(bill.Remaining-bill.Calls) >= reserve*float64(bill.Max)
	return bill, nil
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
		if note || q.conditions() != "" {
			l.Calls = 2 * pages(rows, readUpTo)
		}
	case PhaseJob:
		l.Way, l.Jobs = "job", 1
		l.Calls = 1 + 2 + jobPolls + jobCalls(rows, pageRows) + reads
	default:
		l.Way, l.Calls = "query", 1+rows/readLimit+1+reads
		if note {
			l.Calls = 1 + rows/readLimit + 1
		}
	}
	if q.then(object, first) == PhaseDeleted {
		if l.Calls++; note && !q.restricted() {
			l.Calls += pages(rows, askedUpTo)
		}
	}
	if object == "ContentNote" {
		l.Calls += rows + pages(rows, linkChunk) // each text is a call of its own
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

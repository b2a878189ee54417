package simulator

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// delimiters are the column delimiters by name (facts 3.1).
var delimiters = map[string]byte{"BACKQUOTE": '`', "CARET": '^', "COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "TAB": '\t'}

// jobInformation is a job on the wire. apiVersion is a number with a fraction.
type jobInformation struct {
	ID              string `json:"id"`
	Operation       string `json:"operation"`
	Object          string `json:"object"`
	CreatedByID     string `json:"createdById"`
	CreatedDate     string `json:"createdDate"`
	SystemModstamp  string `json:"systemModstamp"`
	State           string `json:"state"`
	ConcurrencyMode string `json:"concurrencyMode"`
	ContentType     string `json:"contentType"`
	APIVersion      number `json:"apiVersion"`
	JobType         string `json:"jobType,omitempty"`
	LineEnding      string `json:"lineEnding"`
	ColumnDelimiter string `json:"columnDelimiter"`
	Processed       *int   `json:"numberRecordsProcessed,omitempty"`
	Retries         *int   `json:"retries,omitempty"`
	ProcessingTime  *int64 `json:"totalProcessingTime,omitempty"`
	ChunkingOK      *bool  `json:"isPkChunkingSupported,omitempty"`
	ErrorMessage    string `json:"errorMessage,omitempty"`
}

// number is JSON text that stays as it is: 66.0.
type number string

// MarshalJSON writes the text.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// information describes a job; the answer to POST has fewer members than the one to GET.
func (j *job) information(s *Simulator, full bool) jobInformation {
	ending := "LF"
	if j.crlf {
		ending = "CRLF"
	}
	info := jobInformation{
		ID: j.id, Operation: j.operation, Object: j.plan.Object.Name, CreatedByID: s.org.User(), CreatedDate: j.created.UTC().Truncate(time.Second).Format(restTime),
		SystemModstamp: j.modified.UTC().Truncate(time.Second).Format(restTime), State: j.state, ConcurrencyMode: "Parallel", ContentType: "CSV", APIVersion: number(j.version),
		LineEnding: ending, ColumnDelimiter: j.delimiter,
	}
	if !full {
		return info
	}
	rows, retries, took, chunking := int(j.rows.Load()), j.retries, j.modified.Sub(j.created).Milliseconds(), !j.plan.Ordered && j.plan.Limit < 0
	info.JobType, info.Processed, info.Retries, info.ProcessingTime, info.ChunkingOK, info.ErrorMessage = "V2Query", &rows, &retries, &took, &chunking, j.message
	return info
}

func (c *call) createJob() {
	if c.versionNumber() < 47 {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	var body struct {
		Operation       string `json:"operation"`
		Query           string `json:"query"`
		ContentType     string `json:"contentType"`
		ColumnDelimiter string `json:"columnDelimiter"`
		LineEnding      string `json:"lineEnding"`
	}
	if !c.decode(&body) {
		return
	}
	set := c.s.settings.Load().Bulk
	j := &job{operation: body.Operation, text: body.Query, version: c.version, settings: set, delimiter: body.ColumnDelimiter, crlf: body.LineEnding == "CRLF"}
	if j.delimiter == "" {
		j.delimiter = "COMMA"
	}
	most := orInt(set.MaxJobs, 10_000)
	today := c.s.jobs.today(c.s.now())
	switch {
	case body.Operation != "query" && body.Operation != "queryAll":
		c.fail(http.StatusBadRequest, "INVALIDJOB", "Must specify valid operation: query, queryAll")
	case body.ContentType != "" && body.ContentType != "CSV":
		c.fail(http.StatusBadRequest, "INVALIDJOB", "Unsupported content type: "+body.ContentType)
	case delimiters[j.delimiter] == 0 || body.LineEnding != "" && body.LineEnding != "LF" && body.LineEnding != "CRLF":
		c.fail(http.StatusBadRequest, "INVALIDJOB", "Unsupported columnDelimiter or lineEnding")
	case today >= most:
		c.fail(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max bulk v2 query jobs ("+strconv.Itoa(most)+") per 24 hrs has been reached ("+strconv.Itoa(today)+")")
	case set.Exhausted:
		c.fail(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded")
	case c.planJob(j):
		j.scope.Deleted = j.operation == "queryAll"
		c.s.jobs.add(c.s, j)
		j.mu.Lock()
		j.start(c.s)
		info := j.information(c.s, false)
		j.mu.Unlock()
		c.json(http.StatusOK, info)
	}
}

func (c *call) versionNumber() int {
	n, _ := strconv.Atoi(strings.TrimSuffix(c.version, ".0")) // takeVersion checked it
	return n
}

// planJob checks the query, also against what Bulk refuses (facts 3.4, 3.5); false when it answered.
func (c *call) planJob(j *job) bool {
	q, err := soql.Parse(j.text)
	var unsupported *soql.Unsupported
	if errors.As(err, &unsupported) {
		c.fail(http.StatusBadRequest, "API_ERROR", unsupported.What+" is not supported in Bulk Query")
		return false
	}
	if err == nil {
		if ob, ok := c.s.catalog().Object(q.Object()); ok && (!ob.Can('b') || slices.Contains(j.settings.Refused, ob.Name)) {
			c.fail(http.StatusBadRequest, "INVALIDENTITY", "Entity '"+ob.Name+"' is not supported by the Bulk API.")
			return false
		}
	}
	var ok bool
	if j.plan, j.scope, ok = c.compile(j.text); !ok {
		return false
	}
	if len(j.plan.Special) > 0 {
		c.fail(http.StatusBadRequest, "API_ERROR", j.plan.Special[0]+" is not supported in Bulk Query")
		return false
	}
	for _, col := range j.plan.Columns {
		switch col.Field.Kind {
		case org.Compound:
			c.fail(http.StatusBadRequest, "API_ERROR", "Selecting compound data not supported in Bulk Query")
			return false
		case org.Blob:
			c.fail(http.StatusBadRequest, "API_ERROR", "Selecting binary data not supported in Bulk Query: "+col.Field.Name)
			return false
		}
	}
	return true
}

// job finds the job of the path and brings it up to date, locked; nil when it answered.
func (c *call) job() *job {
	id, _ := org.NormalizeID(c.path[0])
	j := c.s.jobs.find(id)
	if j == nil {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return nil
	}
	j.mu.Lock()
	j.advance(c.s)
	return j
}

func (c *call) jobInfo() {
	if j := c.job(); j != nil {
		info := j.information(c.s, true)
		j.mu.Unlock()
		c.json(http.StatusOK, info)
	}
}

func (c *call) abortJob() {
	var body struct {
		State string `json:"state"`
	}
	if !c.decode(&body) {
		return
	}
	j := c.job()
	if j == nil {
		return
	}
	defer j.mu.Unlock()
	switch {
	case body.State != aborted:
		c.fail(http.StatusBadRequest, "INVALIDJOBSTATE", "Must specify the state Aborted")
	case j.state != uploadComplete && j.state != inProgress:
		c.fail(http.StatusBadRequest, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
	default:
		j.enter(aborted, c.s.now())
		j.ended = c.s.now()
		j.unpin()
		c.json(http.StatusOK, j.information(c.s, true))
	}
}

func (c *call) deleteJob() {
	j := c.job()
	if j == nil {
		return
	}
	defer j.mu.Unlock()
	if j.state == uploadComplete || j.state == inProgress {
		c.fail(http.StatusBadRequest, "API_ERROR", "Error encountered when deleting the job because the job is not terminated")
		return
	}
	j.unpin()
	c.s.jobs.remove(j)
	c.w.WriteHeader(http.StatusNoContent)
}

// jobsPerPage is how many jobs one page of the list holds.
const jobsPerPage = 1000

func (c *call) listJobs() {
	q := c.r.URL.Query()
	first, _ := strconv.Atoi(unlocate(q.Get("queryLocator")))
	c.s.jobs.mu.Lock()
	all := slices.Clone(c.s.jobs.order)
	c.s.jobs.mu.Unlock()
	records := []jobInformation{}
	last := min(first+jobsPerPage, len(all))
	for _, j := range all[min(max(first, 0), len(all)):last] {
		j.mu.Lock()
		j.advance(c.s)
		info := j.information(c.s, true)
		j.mu.Unlock()
		if t := q.Get("jobType"); (t == "" || t == info.JobType) && (q.Get("concurrencyMode") == "" || strings.EqualFold(q.Get("concurrencyMode"), info.ConcurrencyMode)) {
			records = append(records, info)
		}
	}
	var next any
	if last < len(all) {
		next = "/services/data/v" + c.version + "/jobs/query?queryLocator=" + locate(last)
	}
	c.json(http.StatusOK, map[string]any{"done": next == nil, "records": records, "nextRecordsUrl": next})
}

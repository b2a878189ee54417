package salesforce_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// What follows from a refused call about a bulk job.
const (
	again  reaction = "it warns, and makes another job"
	byREST reaction = "it warns, and reads the object by REST"
	silent reaction = "nothing: what was asked for is so already"
)

// jobAsks are the calls about the job of a snapshot, with the requests that they make of the org and what the log says when they fail.
var jobAsks = map[string]struct{ method, path, fails string }{
	"create":  {"POST", "/services/data/v66.0/jobs/query", "a bulk job could not be created; the object is described again, and another job follows"},
	"state":   {"GET", "/services/data/v66.0/jobs/query/*", "bulk job cannot be read; it is replaced"},
	"results": {"GET", "/services/data/v66.0/jobs/query/*/results", "bulk job cannot be read; it is replaced"},
	"delete":  {"DELETE", "/services/data/v66.0/jobs/query/*", "salesforce call failed, repeating"},
	"abort":   {"PATCH", "/services/data/v66.0/jobs/query/*", ""},
}

// facts35 are the rows of facts 3.5, in their order.
var facts35 = []refusedCall{
	{
		"API_ERROR Selecting compound data not supported", "create", answers(400, "API_ERROR", "Selecting compound data not supported in Bulk Query"), again,
		"a compound field was selected, which Bulk refuses; its components are selected after a new describe",
	},
	{
		"INVALIDENTITY not supported by the Bulk API", "create", answers(400, "INVALIDENTITY", "Entity 'X' is not supported by the Bulk API."), byREST,
		"Bulk does not serve this object; it is read by REST queries instead",
	},
	{
		"API_ERROR API does not support query", "create", answers(400, "API_ERROR", "API does not support query"), ends,
		"the object cannot be queried at all; leave it out of the configuration",
	},
	{
		"LIMIT_EXCEEDED Max bulk v2 query jobs", "create", answers(400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)"), pauses,
		"Salesforce says that the org's Bulk query jobs of the last 24 hours are used up; it is asked again",
	},
	{
		"LIMIT_EXCEEDED Max bulk v2 query result size", "create", answers(400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"), pauses,
		"Salesforce says that the org's megabytes of Bulk results of the last 24 hours are used up; it is asked again",
	},
	{
		"Max bulk v2 query result size under another code", "create", answers(400, "API_ERROR", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"), pauses,
		"Salesforce says that the org's megabytes of Bulk results of the last 24 hours are used up; it is asked again",
	},
	{
		"INVALIDJOBSTATE Aborting already Completed Job", "abort", answers(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"), silent,
		"",
	},
	{
		"API_ERROR deleting a job that is not terminated", "delete", answers(400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated"), passes,
		"the job is still running; it is deleted when it is over",
	},
	{
		"NOT_FOUND unknown job", "state", answers(404, "NOT_FOUND", "The requested resource does not exist"), again,
		"the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"NOT_FOUND results of a deleted job", "results", answers(404, "NOT_FOUND", "The requested resource does not exist"), again,
		"the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"NOT_FOUND deleting a deleted job", "delete", answers(404, "NOT_FOUND", "The requested resource does not exist"), silent,
		"",
	},
	{
		"409 version mismatch", "results", answersPage(409, "", ""), again,
		"the API version does not fit what was asked for (results are read with the version that created their job); a new job is created",
	},
	{
		"MALFORMED_QUERY at create", "create", answers(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), ends,
		"the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"INVALID_FIELD at create", "create", answers(400, "INVALID_FIELD", "No such column 'X' on entity 'Account'."), again,
		"a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_TYPE at create", "create", answers(400, "INVALID_TYPE", "sObject type 'Account' is not supported."), ends,
		"this user may not read the object, or it does not exist; give Read on it (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"401 INVALID_SESSION_ID", "create", answers(401, "INVALID_SESSION_ID", "Session expired or invalid"), ends,
		"the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"INVALIDJOB, legacy code", "state", answers(400, "INVALIDJOB", "Unable to find object"), again,
		"the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"FEATURENOTENABLED, legacy code", "create", answers(400, "FEATURENOTENABLED", "Bulk API is not enabled"), byREST,
		"the Bulk API is not enabled for this org or user; rows are read by REST queries instead",
	},
	{
		"EXCEEDEDQUOTA, legacy code", "create", answers(400, "EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded."), pauses,
		"Salesforce says that the org's Bulk query jobs of the last 24 hours are used up; it is asked again",
	},
}

// TestReactionsToFacts35 loses events to an overflow before each row, so that a snapshot has to close the hole, and lets its job fail.
func TestReactionsToFacts35(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{Events: cdc.Options{OverflowAfter: 2}}, nil)
	for _, row := range facts35 {
		b.row(t, row.fact, func() { row.runJob(b) })
	}
	b.discreet()
}

func (row refusedCall) runJob(b *patient) {
	p, ask, from := b.alive(), jobAsks[row.ask], b.diary.mark()
	b.refuse(ask.method, ask.path, row.wire)
	if row.ask == "abort" {
		b.cancelSnapshot(p)
	}
	id, city := b.overflow()
	switch row.next {
	case ends:
		b.ended("produce from org default: ", row.reads)
		b.sim.ClearFaults()
		p = b.alive()
	case again, passes:
		b.reads(from, slog.LevelWarn, ask.fails, row.reads)
		b.sim.ClearFaults()
	case pauses:
		b.reads(from, slog.LevelWarn, "reading pauses", row.reads)
		b.awaitPause(p, "snapshot")
		b.sim.ClearFaults()
	case byREST: // while Bulk goes on refusing
		b.reads(from, slog.LevelWarn, "the object is read by REST", row.reads)
	}
	b.shown(id, city)
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" && s.Holes == 0 })
	b.reads(from, slog.LevelWarn, "hole closed", "reason=overflow")
	if line, _ := b.diary.find(from, slog.LevelWarn, "job"); row.next == silent && line != "" {
		b.t.Errorf("what is no error is a warning: %s", line)
	}
}

// overflow changes every Account at once, which Salesforce tells by too few events: a snapshot has to show it.
func (b *patient) overflow() (id, city string) {
	b.t.Helper()
	b.n++
	city = fmt.Sprint("city ", b.n)
	tx := b.sim.Org().Begin(org.Actor{})
	for _, id := range b.some {
		b.must(tx.Update("Account", id, org.Fields{"BillingCity": city}))
	}
	tx.Commit()
	return b.some[len(b.some)-1], city
}

// cancelSnapshot has somebody ask for a snapshot, and cancel it while its job is read.
func (b *patient) cancelSnapshot(p *life) {
	b.t.Helper()
	b.sim.Configure(func(s *simulator.Settings) { s.Bulk.Manual = true })
	defer b.sim.Configure(func(s *simulator.Settings) { s.Bulk.Manual = false })
	asked := b.asked(http.MethodGet, "/services/data/v66.0/jobs/query/")
	b.ask("b1", avro.Backfill{Objects: []string{"Contact"}})
	b.await(p, func(salesforce.Status) bool {
		return b.asked(http.MethodGet, "/services/data/v66.0/jobs/query/") > asked
	})
	b.steer(salesforce.AskCancel, "b1", 1)
	b.awaitBackfill(p, "b1", salesforce.BackfillCancelled)
	b.await(p, func(salesforce.Status) bool {
		return b.asked(http.MethodPatch, "/services/data/v66.0/jobs/query/") == 1
	})
}

// asked counts the requests to paths that begin so.
func (b *patient) asked(method, path string) (n int) {
	for _, r := range b.sim.Requests() {
		if r.Method == method && strings.HasPrefix(r.Path, path) {
			n++
		}
	}
	return n
}

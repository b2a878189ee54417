package sfapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
)

// jobAsks are the calls about Bulk jobs, each with the request that it makes. Those about a job that exists are given one.
var jobAsks = map[string]struct {
	method, path string
	call         func(context.Context, *sfapi.Client, sfapi.Job) error
}{
	"create": {"POST", "/services/data/v66.0/jobs/query", func(ctx context.Context, c *sfapi.Client, _ sfapi.Job) error {
		_, err := c.CreateJob(ctx, "SELECT Id FROM Account", false)
		return err
	}},
	"state": {"GET", "/services/data/v66.0/jobs/query/*", func(ctx context.Context, c *sfapi.Client, j sfapi.Job) error {
		_, err := c.Job(ctx, j.ID)
		return err
	}},
	"results": {"GET", "/services/data/v66.0/jobs/query/*/results", func(ctx context.Context, c *sfapi.Client, j sfapi.Job) error {
		for page, err := range c.Pages(ctx, j, "") {
			if err != nil {
				return err
			}
			_ = page
			return nil
		}
		return errors.New("no page and no error")
	}},
	"abort": {"PATCH", "/services/data/v66.0/jobs/query/*", func(ctx context.Context, c *sfapi.Client, j sfapi.Job) error {
		return c.AbortJob(ctx, j.ID)
	}},
	"delete": {"DELETE", "/services/data/v66.0/jobs/query/*", func(ctx context.Context, c *sfapi.Client, j sfapi.Job) error {
		return c.DeleteJob(ctx, j.ID)
	}},
}

// facts35 are the rows of facts 3.5, in their order. A row without a sentence is no error: what was asked for is so already.
var facts35 = []refusedCall{
	{
		"API_ERROR Selecting compound data not supported", "create", said(400, "API_ERROR", "Selecting compound data not supported in Bulk Query"), sfapi.NextDescribe,
		"create bulk job for Account: HOST answered 400 Bad Request (API_ERROR: Selecting compound data not supported in Bulk Query): a compound field was selected, which Bulk refuses; its components are selected after a new describe",
	},
	{
		"INVALIDENTITY not supported by the Bulk API", "create", said(400, "INVALIDENTITY", "Entity 'X' is not supported by the Bulk API."), sfapi.NextUseREST,
		"create bulk job for Account: HOST answered 400 Bad Request (INVALIDENTITY: Entity 'X' is not supported by the Bulk API.): Bulk does not serve this object; it is read by REST queries instead",
	},
	{
		"API_ERROR API does not support query", "create", said(400, "API_ERROR", "API does not support query"), sfapi.NextStop,
		"create bulk job for Account: HOST answered 400 Bad Request (API_ERROR: API does not support query): the object cannot be queried at all; leave it out of the configuration",
	},
	{
		"LIMIT_EXCEEDED Max bulk v2 query jobs", "create", said(400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)"), sfapi.NextWait,
		"create bulk job for Account: HOST answered 400 Bad Request (LIMIT_EXCEEDED: Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)): the org has created as many Bulk query jobs as it may in 24 hours; reading pauses until some are free",
	},
	{
		"LIMIT_EXCEEDED Max bulk v2 query result size", "create", said(400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"), sfapi.NextWait,
		"create bulk job for Account: HOST answered 400 Bad Request (LIMIT_EXCEEDED: Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded): the org's Bulk results of the last 24 hours have reached their volume limit; reading pauses until some is free",
	},
	{
		"Max bulk v2 query result size under another code", "create", said(400, "API_ERROR", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"), sfapi.NextWait,
		"create bulk job for Account: HOST answered 400 Bad Request (API_ERROR: Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded): the org's Bulk results of the last 24 hours have reached their volume limit; reading pauses until some is free",
	},
	{
		"INVALIDJOBSTATE Aborting already Completed Job", "abort", said(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"), sfapi.NextNothing,
		"",
	},
	{
		"API_ERROR deleting a job that is not terminated", "delete", said(400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated"), sfapi.NextRetry,
		"delete bulk job JOB: HOST answered 400 Bad Request (API_ERROR: Error encountered when deleting the job because the job is not terminated): the job is still running; it is deleted when it is over (attempt 8 of 8)",
	},
	{
		"NOT_FOUND unknown job", "state", said(404, "NOT_FOUND", "The requested resource does not exist"), sfapi.NextNewJob,
		"bulk job JOB is gone (HOST answered 404): the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"NOT_FOUND results of a deleted job", "results", said(404, "NOT_FOUND", "The requested resource does not exist"), sfapi.NextNewJob,
		"bulk job JOB of Account is gone (HOST answered 404): the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"NOT_FOUND deleting a deleted job", "delete", said(404, "NOT_FOUND", "The requested resource does not exist"), sfapi.NextNothing,
		"",
	},
	{
		"409 version mismatch", "results", plainPage(409, "", ""), sfapi.NextNewJob,
		"bulk job JOB of Account was created with another API version (HOST answered 409): the API version does not fit what was asked for (results are read with the version that created their job); a new job is created",
	},
	{
		"MALFORMED_QUERY at create", "create", said(400, "MALFORMED_QUERY", "unexpected token: 'FORM'"), sfapi.NextStop,
		"create bulk job for Account: HOST answered 400 Bad Request (MALFORMED_QUERY: unexpected token: 'FORM'): the query is not SOQL; correct the condition, if it is yours, or report this line",
	},
	{
		"INVALID_FIELD at create", "create", said(400, "INVALID_FIELD", "No such column 'X' on entity 'Account'."), sfapi.NextDescribe,
		"create bulk job for Account: HOST answered 400 Bad Request (INVALID_FIELD: No such column 'X' on entity 'Account'.): a field does not exist or is hidden from this user; the object is described again (Setup > Object Manager > the object > Fields > Set Field-Level Security shows who may read it)",
	},
	{
		"INVALID_TYPE at create", "create", said(400, "INVALID_TYPE", "sObject type 'Account' is not supported."), sfapi.NextStop,
		"create bulk job for Account: HOST answered 400 Bad Request (INVALID_TYPE: sObject type 'Account' is not supported.): this user may not read the object, or it does not exist; give Read on it (Setup > Permission Sets > the set > Object Settings)",
	},
	{
		"401 INVALID_SESSION_ID", "create", said(401, "INVALID_SESSION_ID", "Session expired or invalid"), sfapi.NextRefresh,
		"create bulk job for Account: HOST answered 401 Unauthorized (INVALID_SESSION_ID: Session expired or invalid): the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		"INVALIDJOB, legacy code", "state", said(400, "INVALIDJOB", "Unable to find object"), sfapi.NextNewJob,
		"bulk job JOB is gone (HOST answered 400): the job or its results no longer exist (results are kept 7 days); a new job is created",
	},
	{
		"FEATURENOTENABLED, legacy code", "create", said(400, "FEATURENOTENABLED", "Bulk API is not enabled"), sfapi.NextUseREST,
		"create bulk job for Account: HOST answered 400 Bad Request (FEATURENOTENABLED: Bulk API is not enabled): the Bulk API is not enabled for this org or user; rows are read by REST queries instead",
	},
	{
		"EXCEEDEDQUOTA, legacy code", "create", said(400, "EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded."), sfapi.NextWait,
		"create bulk job for Account: HOST answered 400 Bad Request (EXCEEDEDQUOTA: ApiBatchItems Limit exceeded.): a Bulk quota of the last 24 hours is used up; reading pauses until some is free",
	},
}

func TestFacts35(t *testing.T) {
	t.Parallel()
	for _, row := range facts35 {
		t.Run(row.fact, row.runJob)
	}
}

func (row refusedCall) runJob(t *testing.T) {
	t.Parallel()
	o := newFactOrg(t, simulator.Config{})
	job, err := o.client.CreateJob(t.Context(), "SELECT Id FROM Account", false)
	if err == nil {
		job, err = o.client.AwaitJob(t.Context(), job.ID, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := jobAsks[row.ask]
	o.refuse(ask.method, ask.path, -1, row.wire)
	err = ask.call(t.Context(), o.client, job)
	if row.reads == "" {
		if err != nil {
			t.Fatalf("got %v, want no error", err)
		}
	} else {
		reads(t, maskJob(o.sentence(t, err), job.ID), row.reads)
	}
	if next := sfapi.NextOf(err); err != nil && next != row.after {
		t.Errorf("the program does %q next, want %q", next, row.after)
	}
	if n, want := o.struck(), max(1, attempts[row.after]); n != want {
		t.Errorf("asked %d times, want %d", n, want)
	}
	var gone *sfapi.JobError
	if lost := errors.As(err, &gone) && gone.Gone(); lost != (row.after == sfapi.NextNewJob) {
		t.Errorf("the job is lost: %v", lost)
	}
}

// What the org answers by itself: the rows above come from real causes.
func TestJobRefusalsAndTheirCauses(t *testing.T) {
	t.Parallel()
	create := func(soql string) func(context.Context, *factOrg) error {
		return func(ctx context.Context, o *factOrg) error {
			_, err := o.client.CreateJob(ctx, soql, false)
			return err
		}
	}
	bulk := func(change func(*simulator.Bulk)) func(*factOrg) {
		return func(o *factOrg) { o.Configure(func(s *simulator.Settings) { change(&s.Bulk) }) }
	}
	for _, c := range []struct {
		cause string
		org   func(*factOrg)
		call  func(context.Context, *factOrg) error
		code  string
		after sfapi.Next
	}{
		{"a compound field", nil, create("SELECT Id, BillingAddress FROM Account"), "API_ERROR", sfapi.NextDescribe},
		{"a day's jobs used up", bulk(func(b *simulator.Bulk) { b.MaxJobs = 1 }), func(ctx context.Context, o *factOrg) error {
			return errors.Join(create("SELECT Id FROM Account")(ctx, o), create("SELECT Id FROM Account")(ctx, o))
		}, "LIMIT_EXCEEDED", sfapi.NextWait},
		{"a day's volume used up", bulk(func(b *simulator.Bulk) { b.Exhausted = true }), create("SELECT Id FROM Account"), "", sfapi.NextWait},
		{"a job that never was", nil, func(ctx context.Context, o *factOrg) error {
			_, err := o.client.Job(ctx, "750000000000099AAA")
			return err
		}, "NOT_FOUND", sfapi.NextNewJob},
		{"a job read with another version", nil, func(ctx context.Context, o *factOrg) error {
			job, err := o.client.CreateJob(ctx, "SELECT Id FROM Account", false)
			if err == nil {
				job, err = o.client.AwaitJob(ctx, job.ID, nil)
			}
			if err != nil {
				return err
			}
			job.APIVersion = "65.0"
			return jobAsks["results"].call(ctx, o.client, job)
		}, "API_ERROR", sfapi.NextNewJob},
		{"a query that is not SOQL", nil, create("SELECT Id FORM Account"), "MALFORMED_QUERY", sfapi.NextStop},
		{"a hidden field", func(o *factOrg) {
			o.Permit(func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} })
		}, create("SELECT Phone FROM Account"), "INVALID_FIELD", sfapi.NextDescribe},
		{"an object that may not be read", func(o *factOrg) {
			o.Permit(func(p *simulator.Profile) { p.NoRead = []string{"Account"} })
		}, create("SELECT Id FROM Account"), "INVALID_TYPE", sfapi.NextStop},
	} {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			o := newFactOrg(t, simulator.Config{})
			if c.org != nil {
				c.org(o)
			}
			err := c.call(t.Context(), o)
			var answered *sfapi.Error
			if !errors.As(err, &answered) || c.code != "" && answered.Code != c.code || sfapi.NextOf(err) != c.after {
				t.Errorf("next %q after %v", sfapi.NextOf(err), err)
			}
		})
	}
}

// maskJob leaves the job's id open.
func maskJob(text, id string) string { return strings.ReplaceAll(text, id, "JOB") }

package sfapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"crosswalk/internal/retry"
)

// JobState is a Bulk query job's state (facts 3.2).
type JobState string

// The states of a query job.
const (
	JobQueued     JobState = "UploadComplete"
	JobInProgress JobState = "InProgress"
	JobComplete   JobState = "JobComplete"
	JobFailed     JobState = "Failed"
	JobAborted    JobState = "Aborted"
)

// Job is what Salesforce says about a Bulk API 2.0 query job (facts 3.1).
type Job struct {
	ID               string
	Operation        string // query, queryAll
	Object           string
	State            JobState
	APIVersion       json.Number // results must be read with the version that created the job
	CreatedDate      Timestamp
	RecordsProcessed int `json:"numberRecordsProcessed"`
	Retries          int
	ProcessingMillis int64 `json:"totalProcessingTime"`
	ErrorMessage     string
}

// Over reports whether the job will not change any more.
func (j Job) Over() bool {
	return j.State == JobComplete || j.State == JobFailed || j.State == JobAborted
}

// path of the job under the API version that it was created with.
func (j Job) path(c *Client) string {
	version := j.APIVersion.String()
	if version == "" {
		version = c.cfg.Version
	}
	if !strings.Contains(version, ".") {
		version += ".0"
	}
	return "/services/data/v" + version + "/jobs/query/" + url.PathEscape(j.ID)
}

// JobError is a job that cannot give its rows: failed, aborted, deleted, or older than its results.
type JobError struct {
	Job   Job
	Cause error // the answer that showed it, when it was not the job's state
}

// Error is one sentence with what to do.
func (e *JobError) Error() string {
	job := "bulk job " + e.Job.ID
	if e.Job.Object != "" {
		job += " of " + e.Job.Object
	}
	what := "is " + string(e.Job.State)
	var answered *Error
	switch {
	case errors.As(e.Cause, &answered) && answered.Status == http.StatusConflict:
		what = fmt.Sprintf("was created with another API version (%s answered %d)", answered.Host, answered.Status)
	case answered != nil:
		what = fmt.Sprintf("is gone (%s answered %d)", answered.Host, answered.Status)
	case e.Cause != nil:
		what = "is gone"
	case e.Job.State == JobFailed && e.Job.ErrorMessage == "":
		what = fmt.Sprintf("failed after %d retries without saying why", e.Job.Retries)
	case e.Job.State == JobFailed:
		what = "failed: " + strings.Join(strings.Fields(e.Job.ErrorMessage), " ")
	}
	return job + " " + what + ": " + e.Hint()
}

// Unwrap returns the answer that showed it.
func (e *JobError) Unwrap() error { return e.Cause }

// Gone reports that the job or its results no longer exist, so that a stored (job, locator) is of no use.
func (e *JobError) Gone() bool { return e.Cause != nil }

// Hint says what a person can do.
func (e *JobError) Hint() string {
	var answered *Error
	switch {
	case errors.As(e.Cause, &answered) && answered.Status == http.StatusConflict:
		return answered.Hint()
	case e.Gone() || e.Job.State != JobFailed:
		return hintJob
	}
	return e.diagnosis().hint
}

// Next says what the program should do. A failed job gives one more job a chance; the caller bounds how many.
func (e *JobError) Next() Next {
	if e.Gone() || e.Job.State != JobFailed {
		return NextNewJob
	}
	return e.diagnosis().next
}

// diagnosis reads the reason out of errorMessage, which begins with an errorCode when Salesforce gives one.
func (e *JobError) diagnosis() diagnosis {
	message := e.Job.ErrorMessage
	if strings.Contains(message, "retried more than") || e.Job.Retries >= 15 {
		return diagnosis{next: NextNarrow, hint: "Salesforce tried the query 15 times and gave up; a smaller time window is asked for"}
	}
	code, _, _ := strings.Cut(message, ":")
	for _, d := range diagnoses {
		if d.status != 0 || d.code == "" && d.text == "" {
			continue
		}
		if (d.code == "" || d.code == strings.TrimSpace(code)) && strings.Contains(message, d.text) {
			return d
		}
	}
	return diagnosis{next: NextNewJob, hint: "a new job is created; Setup > Bulk Data Load Jobs shows this one"}
}

// CreateJob creates a Bulk query job. all includes deleted and archived records. An object or org that Bulk refuses is
// an *Error with NextUseREST, a used-up quota one with NextWait.
func (c *Client) CreateJob(ctx context.Context, soql string, all bool) (Job, error) {
	operation := "query"
	if all {
		operation = "queryAll"
	}
	var job Job
	err := c.fetchJSON(ctx, call{
		kind: "job", op: "create bulk job for " + objectOf(soql), method: http.MethodPost, path: c.base() + "/jobs/query", uses: []Quota{QuotaJobs, QuotaVolume},
		body: map[string]string{
			"operation": operation, "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF",
		},
	}, &job)
	if err == nil && job.ID == "" {
		err = fmt.Errorf("create bulk job for %s: the answer has no job id", objectOf(soql))
	}
	return job, err
}

// Job asks for a job by its id. A job that no longer exists is a *JobError with Gone.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	var job Job
	err := c.fetchJSON(ctx, call{
		kind: "job", op: "read bulk job " + id, path: c.base() + "/jobs/query/" + url.PathEscape(id),
	}, &job)
	return job, jobGone(Job{ID: id}, err)
}

// jobGone turns "there is no such thing" into a *JobError.
func jobGone(job Job, err error) error {
	var answered *Error
	if errors.As(err, &answered) && (answered.Next() == NextGone || answered.Next() == NextNewJob) {
		return &JobError{Job: job, Cause: err}
	}
	return err
}

// pollWaits is how a job is polled: soon at first, so that a small org is read at once, then every 15 to 30 seconds, so
// that a long job costs few API calls.
var pollWaits = retry.Backoff{First: 250 * time.Millisecond, Max: 30 * time.Second}

// AwaitJob polls until the job is complete. seen, when not nil, is called with each answer. A job that failed, was
// aborted or is gone is a *JobError.
func (c *Client) AwaitJob(ctx context.Context, id string, seen func(Job)) (Job, error) {
	for polls := 1; ; polls++ {
		job, err := c.Job(ctx, id)
		if err != nil {
			return job, err
		}
		if seen != nil {
			seen(job)
		}
		if job.State == JobComplete {
			return job, nil
		}
		if job.Over() {
			return job, &JobError{Job: job}
		}
		if err := retry.Sleep(ctx, pollWaits.Wait(polls)); err != nil {
			return job, err
		}
	}
}

// AbortJob stops a job. One that is over already is left as it is, and that is no error.
func (c *Client) AbortJob(ctx context.Context, id string) error {
	_, _, err := c.fetch(ctx, call{
		kind: "job", op: "abort bulk job " + id, method: http.MethodPatch, path: c.base() + "/jobs/query/" + url.PathEscape(id),
		body: map[string]string{"state": string(JobAborted)},
	})
	var answered *Error
	if errors.As(err, &answered) && answered.Next() == NextNothing {
		return nil
	}
	return jobGone(Job{ID: id}, err)
}

// DeleteJob deletes a job that is over, and its results. One that no longer exists is no error.
func (c *Client) DeleteJob(ctx context.Context, id string) error {
	_, _, err := c.fetch(ctx, call{
		kind: "job", op: "delete bulk job " + id, method: http.MethodDelete, path: c.base() + "/jobs/query/" + url.PathEscape(id),
	})
	var answered *Error
	if errors.As(err, &answered) && answered.Next() == NextGone {
		return nil
	}
	return err
}

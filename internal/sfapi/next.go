package sfapi

import (
	"errors"
	"time"
)

// Next says what a program should do after an error; what a person should do is in the error's Hint.
type Next string

// What may be done after an error.
const (
	NextStop         Next = "stop"          // nothing helps until a person has acted
	NextRetry        Next = "retry"         // repeat with growing waits; the client has done so already before it returned the error
	NextRefresh      Next = "refresh"       // obtain a new token and repeat once; the client does it by itself
	NextWait         Next = "wait"          // a quota of a rolling 24 hours is used up: pause what can wait, do not hammer
	NextRestartQuery Next = "restart query" // the cursor is gone: run the query again from its start
	NextNewJob       Next = "new job"       // the Bulk job or its results are gone: create a new one
	NextUseREST      Next = "use rest"      // Bulk refuses this object: read it by REST queries
	NextNarrow       Next = "narrow"        // the read is too big: a smaller time window, fewer ids, fewer columns
	NextDescribe     Next = "describe"      // the field list is out of date: describe the object again
	NextFullRead     Next = "full read"     // the change list does not reach back far enough: compare all ids
	NextGone         Next = "gone"          // the record or resource does not exist for this user
	NextNothing      Next = "nothing"       // what was asked for has happened already
)

// maxRetryAfter bounds what a Retry-After header may ask for, so that a strange one does not stop the program.
const maxRetryAfter = 15 * time.Minute

// NextOf says what a program should do after an error of this package: what the outermost error that knows says, and
// NextStop for one that does not (a reply that is no JSON). A caller asks its own context first: a call that it cut
// short itself looks like any broken connection.
func NextOf(err error) Next {
	var knows interface{ Next() Next }
	if errors.As(err, &knows) {
		return knows.Next()
	}
	return NextStop
}

// anomaly is an answer that contradicts itself or what Salesforce documents.
type anomaly struct {
	error
	next Next
}

func (e *anomaly) Next() Next    { return e.next }
func (e *anomaly) Unwrap() error { return e.error }

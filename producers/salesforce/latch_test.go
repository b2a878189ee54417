package salesforce_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"crosswalk/internal/simulator"
)

// latch is a hook of the simulator that holds back requests until it is opened. Requests that it has let pass before it
// holds the first are counted down from after.
type latch struct {
	match func(*http.Request) bool
	after int

	mu   sync.Mutex
	held chan struct{} // closed when one is held
	free chan struct{} // closed when it is open
	some bool
	done bool
}

func newLatch(after int, match func(*http.Request) bool) *latch {
	return &latch{match: match, after: after, held: make(chan struct{}), free: make(chan struct{})}
}

// fault is the simulator's hook.
func (l *latch) fault(r *http.Request) *simulator.Fault {
	if !l.holds(r) {
		return nil
	}
	select {
	case <-l.free:
		return nil
	case <-r.Context().Done():
		return &simulator.Fault{Drop: true} // nobody is there to read the answer
	}
}

func (l *latch) holds(r *http.Request) bool {
	if !l.match(r) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.after--; l.after >= 0 || l.done {
		return false
	}
	if !l.some {
		l.some = true
		close(l.held)
	}
	return true
}

// open lets everything pass from now on.
func (l *latch) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.done = true
		close(l.free)
	}
}

// await waits until a request is held.
func (l *latch) await(b *bench) {
	b.t.Helper()
	select {
	case <-l.held:
	case <-b.ctx.Done():
		b.t.Fatal("no request was held back")
	}
}

// resultPage matches requests for result pages of Bulk jobs.
func resultPage(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/results") }

// newJob matches requests that create a Bulk job.
func newJob(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs/query")
}

// nextPage matches requests for pages of a query behind its first.
func nextPage(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/query/") && !strings.Contains(r.URL.Path, "/jobs/")
}

// jobQuery is the query of a request that creates a Bulk job, which it leaves to be read.
func jobQuery(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var job struct{ Query string }
	if err != nil || json.Unmarshal(body, &job) != nil {
		return ""
	}
	return job.Query
}

// jobsOf takes down the queries of all Bulk jobs, and hands requests on to another hook, if any.
type jobsOf struct {
	next func(*http.Request) *simulator.Fault

	mu   sync.Mutex
	list []string
}

// fault is the simulator's hook.
func (j *jobsOf) fault(r *http.Request) *simulator.Fault {
	if newJob(r) {
		query := jobQuery(r)
		j.mu.Lock()
		j.list = append(j.list, query)
		j.mu.Unlock()
	}
	if j.next == nil {
		return nil
	}
	return j.next(r)
}

// like returns the queries with a beginning.
func (j *jobsOf) like(beginning string) (found []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, q := range j.list {
		if strings.HasPrefix(q, beginning) {
			found = append(found, q)
		}
	}
	return found
}

// queries are the SOQL texts with a beginning that were asked for page by page.
func (b *bench) queries(beginning string) (found []string) {
	for _, r := range b.sim.Requests() {
		values, err := url.ParseQuery(r.Query)
		if q := values.Get("q"); err == nil && strings.HasPrefix(q, beginning) {
			found = append(found, q)
		}
	}
	return found
}

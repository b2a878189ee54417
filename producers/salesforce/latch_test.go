package salesforce_test

import (
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

// querying matches queries of pages that contain a text.
func querying(text string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		soql, err := url.QueryUnescape(r.URL.Query().Get("q"))
		return err == nil && strings.Contains(soql, text)
	}
}

package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// journalSize is how many requests are remembered.
const journalSize = 10_000

// Request is one line of the log of requests. It holds no secrets: no headers, no bodies, no OAuth queries.
type Request struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	Status int       `json:"status"` // 0: the connection was dropped
	Bytes  int64     `json:"bytes"`
	Millis float64   `json:"ms"`
	Agent  string    `json:"agent,omitempty"`
	Fault  string    `json:"fault,omitempty"` // name of the fault that answered, delayed or cut it
}

// journal remembers the last requests.
type journal struct {
	mu      sync.Mutex
	ring    []Request
	next    int
	total   int64
	unknown atomic.Int64
	changed chan struct{} // closed when a request was answered; nil while nobody waits
}

// entry is a request that is being answered; it counts what is written.
type entry struct {
	http.ResponseWriter
	request Request
}

func (j *journal) open(now time.Time, w http.ResponseWriter, r *http.Request) (*entry, http.ResponseWriter) {
	e := &entry{ResponseWriter: w, request: Request{Time: now, Method: r.Method, Path: r.URL.Path, Agent: r.UserAgent()}}
	if !strings.HasPrefix(r.URL.Path, "/services/oauth2/") {
		e.request.Query = r.URL.RawQuery
	}
	return e, e
}

func (e *entry) WriteHeader(status int) {
	if e.request.Status == 0 {
		e.request.Status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *entry) Write(b []byte) (int, error) {
	if e.request.Status == 0 {
		e.request.Status = http.StatusOK
	}
	n, err := e.ResponseWriter.Write(b)
	e.request.Bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (e *entry) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *entry) close(s *Simulator) {
	e.request.Millis = float64(s.now().Sub(e.request.Time).Microseconds()) / 1000
	j := &s.requests
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < journalSize {
		j.ring = append(j.ring, e.request)
	} else {
		j.ring[j.next] = e.request
	}
	j.next = (j.next + 1) % journalSize
	j.total++
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Requests returns the last requests, oldest first, at most 10,000.
func (s *Simulator) Requests() []Request {
	j := &s.requests
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < journalSize {
		return append([]Request(nil), j.ring...)
	}
	return append(append([]Request(nil), j.ring[j.next:]...), j.ring[:j.next]...)
}

// AwaitRequest returns the first request that match accepts, of those remembered and those still to come.
func (s *Simulator) AwaitRequest(ctx context.Context, match func(Request) bool) (Request, error) {
	j := &s.requests
	for {
		j.mu.Lock()
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		for _, r := range s.Requests() {
			if match(r) {
				return r, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Request{}, fmt.Errorf("await request: %w", ctx.Err())
		}
	}
}

// Unknown counts requests that the simulator did not know and refused.
func (s *Simulator) Unknown() int64 { return s.requests.unknown.Load() }

package bayeux

import (
	"context"
	"sync"
	"time"
)

// delivery is what the session hands to the handler's goroutine: a batch of events, or the proof of a subscription.
type delivery struct {
	events     []Message
	subscribed func()
	size       int // bytes of the reply that it keeps in memory
}

// queue holds deliveries between the session and the handler, in order, and knows how many bytes they keep. One
// goroutine puts and waits, one takes.
type queue struct {
	mu      sync.Mutex
	waiting []delivery
	held    int // bytes waiting or with the handler
	open    int // deliveries waiting or with the handler

	arrived  chan struct{} // holds a token when something was put
	finished chan struct{} // holds a token when something was handled
}

func newQueue() *queue {
	return &queue{arrived: make(chan struct{}, 1), finished: make(chan struct{}, 1)}
}

// put appends d and never blocks: whoever puts looks at below before it asks the server for more.
func (q *queue) put(d delivery) {
	q.mu.Lock()
	q.waiting = append(q.waiting, d)
	q.held += d.size
	q.open++
	q.mu.Unlock()
	signal(q.arrived)
}

// take waits for the next delivery; the taker calls done with it. False when ctx ended.
func (q *queue) take(ctx context.Context) (delivery, bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			d := q.waiting[0]
			q.waiting[0] = delivery{}
			q.waiting = q.waiting[1:]
			q.mu.Unlock()
			return d, true
		}
		q.waiting = nil // lets go of the array that the taken ones were in
		q.mu.Unlock()
		select {
		case <-q.arrived:
		case <-ctx.Done():
		}
	}
	return delivery{}, false
}

// done says that d has been handled.
func (q *queue) done(d delivery) {
	q.mu.Lock()
	q.held -= d.size
	q.open--
	q.mu.Unlock()
	signal(q.finished)
}

func (q *queue) size() (bytes, deliveries int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held, q.open
}

// below waits until fewer than limit bytes are held, for at most patience, and reports whether it came to that.
func (q *queue) below(ctx context.Context, limit int, patience time.Duration) bool {
	if held, _ := q.size(); held < limit {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		if held, _ := q.size(); held < limit {
			return true
		}
		select {
		case <-q.finished:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// drained waits until everything that was put has been handled. It returns early when ctx ends.
func (q *queue) drained(ctx context.Context) {
	for {
		if _, open := q.size(); open == 0 {
			return
		}
		select {
		case <-q.finished:
		case <-ctx.Done():
			return
		}
	}
}

// signal leaves a token in c unless there is one already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

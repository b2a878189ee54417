package cometd

import (
	"math"
	"time"
)

// exhausted reports whether the delivery limit of the last 24 hours is reached.
func (s *Server) exhausted() bool { return s.opt.DeliveryLimit > 0 && s.allowance() <= 0 }

// allowance is how many events may be delivered now.
func (s *Server) allowance() int {
	if s.opt.DeliveryLimit == 0 {
		return math.MaxInt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opt.DeliveryLimit - s.window.sum(s.opt.Clock())
}

// Delivered returns how many events were delivered in the last 24 hours, to all clients.
func (s *Server) Delivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.window.sum(s.opt.Clock())
}

// window counts events in the last 24 hours, by the minute.
type window struct {
	minutes []minute
	total   int
}

type minute struct {
	start  time.Time
	events int
}

func (w *window) add(now time.Time, n int) {
	if n == 0 {
		return
	}
	w.expire(now)
	w.total += n
	if last := len(w.minutes) - 1; last >= 0 && now.Sub(w.minutes[last].start) < time.Minute {
		w.minutes[last].events += n
		return
	}
	w.minutes = append(w.minutes, minute{now, n})
}

func (w *window) sum(now time.Time) int {
	w.expire(now)
	return w.total
}

func (w *window) expire(now time.Time) {
	for len(w.minutes) > 0 && now.Sub(w.minutes[0].start) >= 24*time.Hour {
		w.total -= w.minutes[0].events
		w.minutes = w.minutes[1:]
	}
}

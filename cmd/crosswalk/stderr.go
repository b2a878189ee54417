package main

import (
	"io"
	"sync"
)

// stderr is where a command tells what happens beside its result: its log, its progress and its error, each from goroutines of its
// own. A write goes out whole, whoever else writes, and none after the command has ended: whoever reads what was told then
// reads it alone.
type stderr struct {
	out io.Writer

	mu    sync.Mutex
	ended bool
}

// Write passes on what is told.
func (s *stderr) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return len(b), nil
	}
	return s.out.Write(b)
}

// end is called when the command has ended.
func (s *stderr) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

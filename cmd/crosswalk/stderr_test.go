package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestWhatIsToldComesWholeAndNotLate writes from many goroutines at once, and once more after the end.
func TestWhatIsToldComesWholeAndNotLate(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	s := &stderr{out: &told}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				fmt.Fprintln(s, "a whole line")
			}
		})
	}
	all.Wait()
	s.end()
	if n, err := fmt.Fprintln(s, "too late"); n == 0 || err != nil {
		t.Errorf("who is left behind is disturbed: %d, %v", n, err)
	}
	if text := told.String(); text != strings.Repeat("a whole line\n", 800) {
		t.Errorf("it was told %q", text)
	}
}

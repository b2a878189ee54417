package matcher

import (
	"testing"
	"time"
)

// TestGathers holds the conditions under which views wait for more inputs: each alone ends the waiting.
func TestGathers(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1763805600000)
	for _, c := range []struct {
		what  string
		lag   int64
		taken int
		since time.Duration
		want  bool
	}{
		{"a backlog", gatherRecords + 1, 9000, time.Millisecond, true},
		{"a backlog that a settle can take", gatherRecords, 9000, time.Millisecond, false},
		{"nothing waits", 0, 1, time.Millisecond, false},
		{"half is taken", gatherRecords + 1, gatherRecords + 1, time.Millisecond, false},
		{"half of many is not taken yet", 10 * gatherRecords, 9 * gatherRecords, time.Millisecond, true},
		{"the oldest has waited", gatherRecords + 1, 9000, gatherFor, false},
		{"the first settle", gatherRecords + 1, 9000, now.Sub(time.Time{}), false},
	} {
		s := session{lag: c.lag, taken: c.taken, settled: now.Add(-c.since)}
		if s.gathers(now) != c.want {
			t.Errorf("%s: gathers is %v", c.what, !c.want)
		}
	}
}

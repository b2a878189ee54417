package handover

import (
	"testing"

	"crosswalk/internal/change"
)

// TestWhatNeedsRepair is H15: later than what reads and events have shown, by more than ten seconds, or not known as live;
// and another SystemModstamp than that of a read after which no event has come.
func TestWhatNeedsRepair(t *testing.T) {
	t.Parallel()
	const at = int64(1_795_000_000_000)
	absent, older, same := change.Value{}, change.DatetimeValue(at-20_000), change.DatetimeValue(at)
	for _, c := range []struct {
		name   string
		rec    Record
		stored change.Value
		stamp  int64
		want   bool
	}{
		{"unknown", Record{}, absent, at, true},
		{"deleted here, modified there", Record{State: Deleted, AsOf: at + 60_000, Commit: at + 60_000}, absent, at, true},
		{"read after it", Record{State: Live, AsOf: at + 1}, absent, at, false},
		{"its event has come", Record{State: Live, AsOf: at - 3_600_000, Commit: at}, absent, at, false},
		{"within the slack of a read", Record{State: Live, AsOf: at - 10_000}, absent, at, false},
		{"beyond the slack of a read", Record{State: Live, AsOf: at - 10_001}, absent, at, true},
		{"beyond the slack of an event, read long ago", Record{State: Live, AsOf: 1, Commit: at - 10_001}, absent, at, true},
		{"beyond the slack of a read, its event has come", Record{State: Live, AsOf: at - 10_001, Commit: at - 10_000}, absent, at, false},
		{"saved before the read, seen by it", Record{State: Live, AsOf: at + 5_000}, same, at, false},
		{"saved before the read, committed after it, no event", Record{State: Live, AsOf: at + 5_000}, older, at, true},
		{"the same, after an old event", Record{State: Live, AsOf: at + 5_000, Commit: at - 5_001}, older, at, true},
		{"an event within the slack of the read may be it", Record{State: Live, AsOf: at + 5_000, Commit: at - 5_000}, older, at, false},
		{"its event has come after the read", Record{State: Live, AsOf: at + 5_000, Commit: at + 6_000}, older, at, false},
	} {
		if got := NeedsRepair(c.rec, c.stored, change.DatetimeValue(c.stamp)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

package handover

import "testing"

// TestWhatNeedsRepair is H15: later than what reads and events have shown, by more than ten seconds, or not known as live.
func TestWhatNeedsRepair(t *testing.T) {
	t.Parallel()
	const at = int64(1_795_000_000_000)
	for _, c := range []struct {
		name  string
		rec   Record
		stamp int64
		want  bool
	}{
		{"unknown", Record{}, at, true},
		{"deleted here, modified there", Record{State: Deleted, AsOf: at + 60_000, Commit: at + 60_000}, at, true},
		{"read after it", Record{State: Live, AsOf: at + 1}, at, false},
		{"its event has come", Record{State: Live, AsOf: at - 3_600_000, Commit: at}, at, false},
		{"within the slack of a read", Record{State: Live, AsOf: at - 10_000}, at, false},
		{"beyond the slack of a read", Record{State: Live, AsOf: at - 10_001}, at, true},
		{"beyond the slack of an event, read long ago", Record{State: Live, AsOf: 1, Commit: at - 10_001}, at, true},
		{"beyond the slack of a read, its event has come", Record{State: Live, AsOf: at - 10_001, Commit: at - 10_000}, at, false},
	} {
		if got := NeedsRepair(c.rec, c.stamp); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

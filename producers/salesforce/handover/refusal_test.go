package handover

import (
	"testing"
	"time"

	"crosswalk/internal/change"
)

func TestWhichRefusalsAreHarmless(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Millisecond)
	silent := Refusal{ReplayID: 7, Commit: 100 * hour, At: 200*hour - hour/4, Now: 200 * hour, Retention: 72 * hour, Proof: hour}
	for _, c := range []struct {
		name string
		with func(*Refusal)
		want bool
	}{
		{"silent for 100 hours, reconciled a quarter of an hour ago", func(*Refusal) {}, true},
		{"the event ought to be kept still", func(r *Refusal) { r.Commit = r.Now - 71*hour }, false},
		{"nobody knows when the event was committed", func(r *Refusal) { r.Commit = 0 }, false},
		{"the last reconciliation is long ago", func(r *Refusal) { r.At = r.Now - 2*hour }, false},
		{"the last proof is the event itself", func(r *Refusal) { r.At = r.Commit }, false},
		{"the proof is of the future", func(r *Refusal) { r.At = r.Now + 1 }, false},
		{"a window is open", func(r *Refusal) { r.Open = true }, false},
		{"no id was asked for", func(r *Refusal) { r.ReplayID = ReplayAll }, false},
		{"a proof as old as what is kept", func(r *Refusal) { r.Proof = r.Retention }, false},
	} {
		r := silent
		c.with(&r)
		if got := r.Harmless(); got != c.want {
			t.Errorf("%s: Harmless is %v, want %v (%+v)", c.name, got, c.want, r)
		}
	}
}

// TestASilentPositionIsKept takes a Machine through a refusal, before and after a restart.
func TestASilentPositionIsKept(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Millisecond)
	now := 500 * hour
	stored := Position{Epoch: 1, Lineage: 1, ReplayID: 40, High: 40, Seen: 40, Commit: 300 * hour, At: 350 * hour, T0: hour}
	m := New(stored, Config{})
	if m.Refused(40, now, 72*hour, hour) {
		t.Error("the position is kept although nobody has proved that the stream was read to its end")
	}
	m.ReadTo(now - hour/4)
	if !m.Refused(40, now, 72*hour, hour) {
		t.Fatal("the position of a silent stream is given up")
	}
	m.Subscribed(ReplayAll)
	if p := m.Position(); p.ReplayID != 40 || p.Commit != stored.Commit {
		t.Errorf("the position has become %+v", p)
	}
	if from := m.Renew(); from != 40 || !m.Refused(from, now, 72*hour, hour) {
		t.Errorf("the subscription is renewed from %d, and given up when that is refused once more", from)
	}
	if m.Contradicts(41) || m.Contradicts(12) {
		t.Error("an event behind the position is taken for a contradiction, or one that comes after that proof")
	}
	if err := m.Event(&change.Event{Entity: "Case", ReplayID: 41, CommitTimestamp: now}); err != nil {
		t.Fatal(err)
	}
	if p := m.Position(); p.ReplayID != 41 || p.Commit != now {
		t.Errorf("the next event's position is %+v", p)
	}
	m = New(stored, Config{})
	m.ReadTo(now - hour/4)
	if !m.Refused(40, now, 72*hour, hour) || !m.Contradicts(40) {
		t.Error("an event that ought to be gone does not give the position up")
	}
}

// TestAnOpenWindowAgesThePosition holds that a snapshot of days shows as old as what has to be read again after a crash.
func TestAnOpenWindowAgesThePosition(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Millisecond)
	m := New(Position{
		Epoch: 1, Lineage: 1, ReplayID: 40, Commit: 300 * hour, At: 300 * hour, T0: hour,
		Snapshots: map[string]Snapshot{"Account": {Phase: Reading, Anchor: 40, AsOf: 301 * hour}},
	}, Config{})
	m.ReadTo(380 * hour)
	p := m.Position()
	if p.At != 301*hour || m.At() != 380*hour {
		t.Errorf("the position is as of hour %d, the stream as of hour %d, want 301 and 380", p.At/hour, m.At()/hour)
	}
	if p.Expired(372*hour, 72*hour) || !p.Expired(374*hour, 72*hour) {
		t.Error("a window that began 73 hours ago can be resumed, or one of 71 cannot")
	}
	if m.Refused(40, 380*hour, 72*hour, hour) {
		t.Error("the refusal of an open window's beginning is taken for harmless")
	}
}

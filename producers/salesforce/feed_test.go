package salesforce

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

func TestEvidenceDecidesBetweenStreamAndPolls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		e    evidence
		why  string // beginning of the reason; empty: streamed
	}{
		{"nothing is known", evidence{}, ""},
		{"selected", evidence{member: yes}, ""},
		{"not selected", evidence{member: no}, whyUnselected},
		{"selected elsewhere", evidence{member: no, custom: true}, whyCustom},
		{"selected here and elsewhere", evidence{member: yes, custom: true}, ""},
		{"not visible, granted", evidence{own: yes}, ""},
		{"not visible, refused", evidence{own: no, said: "403::User not allowed"}, "CDC is not selected for it, or the user lacks View All Records on it (403::User"},
		{"visible and selected outweighs a refusal", evidence{member: yes, own: no}, ""},
		{"no channel at all", evidence{member: yes, refused: "400::The channel"}, "the org's channel of change events was refused (400::The channel)"},
		{"silent twice", evidence{member: yes, deaf: deafAfter - 1}, ""},
		{"silent three times", evidence{member: yes, deaf: deafAfter}, "no event of it comes"},
		{"silent, then heard", evidence{member: yes, deaf: deafAfter, heard: true}, ""},
	} {
		why, advice := c.e.why()
		if !strings.HasPrefix(why, c.why) || why != "" && c.why == "" {
			t.Errorf("%s: polled because %q, want %q", c.name, why, c.why)
		}
		if (why == "") != (advice == "") {
			t.Errorf("%s: the reason is %q and the advice %q", c.name, why, advice)
		}
	}
}

func TestSilenceIsJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		found, silent, deaf, renewed bool
		want                         conclusion
	}{
		{want: proven},
		{silent: true, want: proven},
		{silent: true, renewed: true, want: proven},
		{found: true, want: noted},
		{found: true, silent: true, want: renew},
		{found: true, silent: true, renewed: true, want: giveUp},
		{found: true, deaf: true, want: renew},
		{found: true, deaf: true, renewed: true, want: noted},
		{found: true, silent: true, deaf: true, renewed: true, want: giveUp},
	} {
		if got := judgeSilence(c.found, c.silent, c.deaf, c.renewed); got != c.want {
			t.Errorf("found %v, silent %v, deaf %v, renewed %v: %d, want %d", c.found, c.silent, c.deaf, c.renewed, got, c.want)
		}
	}
}

func TestAPollReadsWhatNoReadHasShown(t *testing.T) {
	t.Parallel()
	const at = 1_795_000_000_000
	stamp := func(ms int64) change.Value { return change.DatetimeValue(ms) }
	live := func(asof int64) handover.Record { return handover.Record{State: handover.Live, AsOf: asof} }
	for _, c := range []struct {
		name    string
		rec     handover.Record
		stored  change.Value
		deleted bool
		want    bool
	}{
		{"unknown", handover.Record{}, change.Value{}, false, true},
		{"deleted here, live there", handover.Record{State: handover.Deleted}, change.Value{}, false, true},
		{"as stored", live(at + 60_000), stamp(at), false, false},
		{"changed", live(at + 60_000), stamp(at - 1000), false, true},
		{"read within the second of its change", live(at), stamp(at), false, true},
		{"read seconds after its change", live(at + 9_000), stamp(at), false, true},
		{"the column is not published", live(at + 60_000), change.Value{}, false, true},
		{"deleted there, live here", live(at + 60_000), stamp(at), true, true},
		{"deleted on both sides", handover.Record{State: handover.Deleted}, change.Value{}, true, false},
		{"deleted there, never known here", handover.Record{}, change.Value{}, true, false},
	} {
		if got := unseen(c.rec, c.stored, stamp(at), c.deleted); got != c.want {
			t.Errorf("%s: read %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAPollGoesOnBehindWhatIsPublished(t *testing.T) {
	t.Parallel()
	f := &feed{}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f.reach(start.UnixMilli())
	if got, want := f.clause(), "WHERE SystemModstamp >= 2026-11-22T11:45:00Z ORDER BY SystemModstamp, Id"; got != want {
		t.Errorf("after a snapshot: %s", got)
	}
	f.Stamp, f.ID = start.UnixMilli(), "003000000000001AAA"
	if got, want := f.clause(), "WHERE SystemModstamp > 2026-11-22T12:00:00Z OR (SystemModstamp = 2026-11-22T12:00:00Z AND Id > '003000000000001AAA') ORDER BY SystemModstamp, Id"; got != want {
		t.Errorf("in the middle of a poll: %s", got)
	}
	f.Stamp = 0
	f.pass(start.UnixMilli(), "003000000000001AAA", start.Add(time.Minute))
	f.pass(start.UnixMilli(), "003000000000002AAA", start.Add(time.Hour)) // by the next process
	if f.over(start.Add(time.Hour), start); f.Covered != start.Add(time.Minute).UnixMilli() {
		t.Errorf("a poll that was interrupted for an hour covers %s, want what it covered when it was begun", moment(f.Covered))
	}
	f.Covered = start.UnixMilli()
	f.over(start.Add(-time.Hour), start.Add(-time.Hour))
	if f.Covered != start.UnixMilli() || f.Gone != start.UnixMilli() || f.Stamp != 0 {
		t.Errorf("what is covered went back: %+v", f)
	}
}

func TestScheduledWorkIsDue(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Millisecond)
	for _, c := range []struct {
		every     time.Duration
		last, now int64
		want      bool
	}{
		{time.Hour, 0, 9 * hour, false}, // nothing was read yet: the snapshot does it
		{time.Hour, hour, 2*hour - 1, false},
		{time.Hour, hour, 2 * hour, true},
		{-1, hour, 99 * hour, false},
	} {
		if got := due(c.every, c.last, c.now); got != c.want {
			t.Errorf("every %s, last at %d, now %d: due %v", c.every, c.last, c.now, got)
		}
	}
}

func TestHashesOfIds(t *testing.T) {
	t.Parallel()
	h := newHashes(10)
	for i := range 1000 {
		h.add(fmt.Sprintf("001%015d", 2*i))
	}
	h.sort()
	for i := range 1000 {
		if !h.has(fmt.Sprintf("001%015d", 2*i)) || h.has(fmt.Sprintf("001%015d", 2*i+1)) {
			t.Fatalf("the set is wrong about %d", i)
		}
	}
}

// TestTheRulesTimesAreTheDefaults holds what Part C names: S4, H3, H15, H16.
func TestTheRulesTimesAreTheDefaults(t *testing.T) {
	t.Parallel()
	c := Config{Client: &sfapi.Client{}, Tokens: &sfapi.TokenSource{}, Kafka: &topic.Client{}, Registry: &registry.Client{}, StateDir: "x"}
	if err := c.fill(); err != nil {
		t.Fatal(err)
	}
	for rule, got := range map[string][2]time.Duration{
		"S4: events are kept":             {c.Retention, 72 * time.Hour},
		"H15: at least every":             {c.ReconcileEvery, 15 * time.Minute},
		"H15: less":                       {feedOverlap, 15 * time.Minute},
		"H16: silence_limit":              {c.SilenceLimit, 5 * time.Minute},
		"a proof that nothing was missed": {c.Retention / proofShare, time.Hour},
	} {
		if got[0] != got[1] {
			t.Errorf("%s %s, want %s", rule, got[0], got[1])
		}
	}
}

func TestWordsOfAFeed(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", 24 * time.Hour: "24h", 90 * time.Second: "1m30s", 90 * time.Minute: "1h30m", 200 * time.Millisecond: "200ms"} {
		if got := brief(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
	if got, want := pollText("Contact", 5*time.Minute, whyUnselected), "Contact: polled every 5m, because CDC is not selected for it"; got != want {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ after, upTo, want string }{
		{"", "", ""},
		{"a", "", "WHERE Id > 'a'"},
		{"", "b", "WHERE Id <= 'b'"},
		{"a", "b", "WHERE Id > 'a' AND Id <= 'b'"},
	} {
		if got := between(c.after, c.upTo); got != c.want {
			t.Errorf("between %q and %q: %q", c.after, c.upTo, got)
		}
	}
}

package salesforce

import (
	"strings"
	"testing"
	"time"

	"crosswalk/internal/quota"
	"crosswalk/internal/sfapi"
)

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// read is a quota that was read once: its use is spread over the day.
func read(used, limit int64) quota.Window {
	var w quota.Window
	w.Read(at, used, limit)
	return w
}

func TestDecide(t *testing.T) {
	t.Parallel()
	calls, job := []sfapi.Quota{sfapi.QuotaCalls}, []sfapi.Quota{sfapi.QuotaCalls, sfapi.QuotaJobs, sfapi.QuotaVolume}
	window := func(used int64) map[sfapi.Quota]quota.Window {
		return map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: read(used, 100_000)}
	}
	refused := map[sfapi.Quota]sfapi.Refused{sfapi.QuotaCalls: {Until: at.Add(time.Minute)}}
	const reserve = 0.2
	for _, c := range []struct {
		what    string
		s       sfapi.Standing
		q       question
		hold    bool
		until   time.Duration // from now; −1: not within a day
		reasons []string
	}{
		{what: "nothing is known", q: question{workRefresh, calls, reserve, nil}},
		{what: "a limit of 0 is none", s: sfapi.Standing{Windows: map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: read(0, 0)}}, q: question{workSnapshot, calls, reserve, nil}},
		{what: "below the reserve", s: sfapi.Standing{Windows: window(79_999)}, q: question{workSnapshot, calls, reserve, nil}},
		{
			what: "at the reserve", s: sfapi.Standing{Windows: window(80_000)}, q: question{workSnapshot, calls, reserve, nil}, hold: true, until: -1,
			reasons: []string{"80,000 of the org's 100,000 API calls of the last 24 hours are used", "the last 20,000 are kept for the org's other apps", "api_reserve is 20 %"},
		},
		{what: "what is needed never waits for a share", s: sfapi.Standing{Windows: window(100_000)}, q: question{workNeeded, calls, reserve, nil}},
		{what: "polls go on as long as snapshots", s: sfapi.Standing{Windows: window(79_999)}, q: question{workPoll, calls, reserve, nil}},
		{
			what: "notes wait before", s: sfapi.Standing{Windows: window(76_000)}, q: question{workNotes, calls, reserve, nil}, hold: true, until: -1,
			reasons: []string{"the last 24,000 are for other apps and for what matters more than notes"},
		},
		{what: "and refreshes first", s: sfapi.Standing{Windows: window(60_000)}, q: question{workRefresh, calls, reserve, nil}, hold: true, until: -1},
		{what: "when backfills still go on", s: sfapi.Standing{Windows: window(60_000)}, q: question{workBackfill, calls, reserve, nil}},
		{what: "no reserve", s: sfapi.Standing{Windows: window(99_999)}, q: question{workSnapshot, calls, 0, nil}},
		{what: "no reserve and nothing left", s: sfapi.Standing{Windows: window(100_000)}, q: question{workSnapshot, calls, 0, nil}, hold: true, until: -1},
		{what: "what waits goes on a little below", s: sfapi.Standing{Windows: window(78_001)}, q: question{workSnapshot, calls, reserve, calls}, hold: true, until: -1},
		{what: "there", s: sfapi.Standing{Windows: window(77_999)}, q: question{workSnapshot, calls, reserve, calls}},
		{ // the pause ends 2,000 below the reserve; 80,000 spread over the day free 278 every five minutes
			what: "our own calls stop while we wait", q: question{workSnapshot, calls, reserve, nil}, hold: true, until: 40 * time.Minute,
			s: sfapi.Standing{Windows: window(80_000), PerHour: map[string]float64{"snapshot": 3000, "notes": 300, "poll": 200}},
		},
		{
			what: "refused by Salesforce", s: sfapi.Standing{Windows: window(10), Refused: refused}, q: question{workSnapshot, calls, reserve, nil}, hold: true,
			until: time.Minute, reasons: []string{"Salesforce says that the org's API calls of the last 24 hours are used up"},
		},
		{what: "then what is needed waits too", s: sfapi.Standing{Refused: refused}, q: question{workNeeded, calls, reserve, nil}, hold: true, until: time.Minute},
		{what: "asked again when it is due", s: sfapi.Standing{Refused: map[sfapi.Quota]sfapi.Refused{sfapi.QuotaCalls: {Until: at}}}, q: question{workNeeded, calls, reserve, nil}},
		{
			what: "no more jobs today", s: sfapi.Standing{Windows: map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: read(5, 100_000), sfapi.QuotaJobs: read(9000, 10_000)}},
			q: question{workSnapshot, job, reserve, nil}, hold: true, until: -1, reasons: []string{"9,000 of the org's 10,000 Bulk query jobs"},
		},
		{
			what: "pages of a job that exists are read", q: question{workSnapshot, []sfapi.Quota{sfapi.QuotaCalls, sfapi.QuotaVolume}, reserve, nil},
			s: sfapi.Standing{Windows: map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: read(5, 100_000), sfapi.QuotaJobs: read(9000, 10_000)}},
		},
		{
			what: "the app's own limit", q: question{workSnapshot, calls, reserve, nil}, hold: true, until: -1, reasons: []string{"95 of the 100 API calls", "the app Crosswalk"},
			s: sfapi.Standing{Usage: sfapi.Usage{Used: 95, Max: 100_000, Apps: map[string]sfapi.App{"Crosswalk": {Used: 95, Max: 100}}}, Windows: window(95)},
		},
		{
			what: "nobody else uses the app's calls", q: question{workSnapshot, calls, reserve, nil},
			s: sfapi.Standing{Usage: sfapi.Usage{Apps: map[string]sfapi.App{"Crosswalk": {Used: 94, Max: 100}}}, Windows: window(94)},
		},
	} {
		v := decide(&c.s, c.q, at)
		switch {
		case v.hold != c.hold:
			t.Errorf("%s: hold %v (%s)", c.what, v.hold, v.reason)
		case c.hold && c.until < 0 && !v.until.IsZero():
			t.Errorf("%s: until %v, want unknown", c.what, v.until.Sub(at))
		case c.hold && c.until >= 0 && v.until.Sub(at) != c.until:
			t.Errorf("%s: until %v, want %v", c.what, v.until.Sub(at), c.until)
		}
		for _, part := range c.reasons {
			if !strings.Contains(v.reason, part) {
				t.Errorf("%s: %q does not say %q", c.what, v.reason, part)
			}
		}
	}
}

// The kinds wait one after the other, in the order in which they are listed, and never for more than our part.
func TestKindsWaitInOrder(t *testing.T) {
	t.Parallel()
	last := 0.0
	for _, w := range kinds {
		if share := w.share(); share < last || share > 1 || share < 0.5 {
			t.Errorf("%s waits at %v of our part, the kind before at %v", w, share, last)
		} else {
			last = share
		}
		if w.line(1000, 0.2, true) >= w.line(1000, 0.2, false) {
			t.Errorf("%s goes on where it waits", w)
		}
	}
	if last != 1 {
		t.Errorf("the last kind waits at %v of our part", last)
	}
}

func TestForecast(t *testing.T) {
	t.Parallel()
	busy := func(limit int64) map[sfapi.Quota]quota.Window { // 6,000 calls in the last hour after a quiet day
		var w quota.Window
		for i := range 13 {
			w.Read(at.Add(time.Duration(i-12)*5*time.Minute), int64(500*i), limit)
		}
		return map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: w}
	}
	for _, c := range []struct {
		what   string
		s      sfapi.Standing
		pauses []pause
		says   []string
	}{
		{"before the first reply", sfapi.Standing{}, nil, []string{"no reply of the org has said yet"}},
		{"far away", sfapi.Standing{Windows: busy(1_000_000)}, nil, []string{"6,000 of 1,000,000 API calls", "6,000 an hour", "the reserve of 200,000 is not reached within a day"}},
		{"soon", sfapi.Standing{Windows: busy(15_000)}, nil, []string{"the reserve of 3,000 is reached in 60 minutes and the limit in 90 minutes"}},
		{"the reserve only", sfapi.Standing{Windows: busy(160_000)}, nil, []string{"the reserve of 32,000 is reached in 20 hours and the limit not within a day"}},
		{
			"paused",
			sfapi.Standing{Windows: busy(7000)},
			[]pause{{pauseKey: pauseKey{work: workSnapshot}, since: at, until: at.Add(90 * time.Minute), reason: "r"}},
			[]string{"snapshot waits until 2026-11-22 13:30 UTC"},
		},
		{"paused for good", sfapi.Standing{Windows: busy(7000)}, []pause{{pauseKey: pauseKey{work: workRefresh}, since: at}}, []string{"refresh waits until an unknown time"}},
		{
			"events", sfapi.Standing{Windows: map[sfapi.Quota]quota.Window{
				sfapi.QuotaCalls: read(100, 100_000), sfapi.QuotaEvents: busy(10_000)[sfapi.QuotaCalls],
			}}, nil, []string{"6,000 of 10,000 events delivered, the allocation is used up in 40 minutes"},
		},
	} {
		b := forecast(&c.s, 0.2, c.pauses, at)
		for _, part := range c.says {
			if !strings.Contains(b.Forecast, part) {
				t.Errorf("%s: %q does not say %q", c.what, b.Forecast, part)
			}
		}
	}
	s := sfapi.Standing{Windows: busy(15_000), PerHour: map[string]float64{"snapshot": 5000, "notes": 36}, Usage: sfapi.Usage{Apps: map[string]sfapi.App{"x": {Used: 1, Max: 2}}}}
	b := forecast(&s, 0.2, nil, at)
	q := b.Quotas["api_calls"]
	if b.CallsPerHour["snapshot"] != 5000 || b.CallsPerHour["other apps"] < 900 || b.CallsPerHour["other apps"] > 1100 || b.Apps["x"] != "1/2" ||
		q.Used != 6000 || q.Limit != 15_000 || b.Reserve != 3000 || !q.ReserveAt.Equal(at.Add(time.Hour)) || !q.LimitAt.Equal(at.Add(90*time.Minute)) {
		t.Errorf("%+v", b)
	}
}

func TestEventsShort(t *testing.T) {
	t.Parallel()
	rising := func(perStep, limit int64) *quota.Window {
		var w quota.Window
		for i := range int64(13) {
			w.Read(at.Add(time.Duration(i-12)*5*time.Minute), perStep*i, limit)
		}
		return &w
	}
	for _, c := range []struct {
		what string
		w    *quota.Window
		says string
	}{
		{"unknown", &quota.Window{}, ""},
		{"in a day", rising(100, 25_000), ""},
		{"in five hours", rising(350, 25_000), "4,200 of the org's 25,000 delivered events of the last 24 hours are used and at this rate the allocation is used up in 5h"},
		{"now", rising(2500, 25_000), "the allocation is used up; the stream then stops"},
	} {
		got, short := eventsShort(c.w, at)
		if short != (c.says != "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %v %q", c.what, short, got)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

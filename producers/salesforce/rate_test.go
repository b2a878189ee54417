package salesforce

import (
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/avro"
)

func TestRates(t *testing.T) {
	t.Parallel()
	done := func(id string, at int, part Part, where string) *Backfill {
		part.Phase = PhaseDone
		return &Backfill{ID: id, EndedAt: clock(at), Where: where, Parts: []Part{part}}
	}
	snapshot := func(object, kind, state, rows string, seconds, at int) *avro.Audit {
		opened := clock(at).UnixMilli() - int64(1000*seconds)
		return &avro.Audit{
			Kind: kind, State: state, Subject: &object, OpenedAt: &opened, Time: clock(at).UnixMilli(), Detail: map[string]string{"rows": rows},
		}
	}
	var none, r Rates
	for _, b := range []*Backfill{
		done("old", 1, Part{Object: "Account", Read: 1000, Seconds: 100}, "X = 1"),
		done("new", 9, Part{Object: "Account", Read: 1000, Seconds: 5}, "X = 1"),
		done("older", 2, Part{Object: "Account", Read: 1000, Seconds: 500}, "X = 1"),
		done("few", 20, Part{Object: "Account", Read: 499, Seconds: 1}, "X = 1"),
		done("untimed", 20, Part{Object: "Account", Read: 1000}, "X = 1"),
		done("whole", 20, Part{Object: "ContentNote", Read: 600, Seconds: 300}, ""),
		{ID: "cut short", EndedAt: clock(30), Where: "X = 1", Parts: []Part{{Object: "Account", Phase: PhaseRows, Read: 1000, Seconds: 1}}},
	} {
		r.AddBackfill(b)
	}
	for _, a := range []*avro.Audit{
		snapshot("Contact", "snapshot", "closed", "6000", 2, 10), snapshot("Contact", "snapshot", "opened", "9000", 2, 11),
		snapshot("Contact", "hole", "closed", "9000", 2, 12), snapshot("Contact", "snapshot", "closed", "", 2, 12),
		{Kind: "login", State: "closed"},
	} {
		r.AddAudit(a)
	}
	for _, c := range []struct {
		object string
		whole  bool
		want   float64
		of     string
	}{
		{"Account", false, 200, "the backfill new"},
		{"Contact", false, 200, "the backfill new"}, // as Accounts
		{"Contact", true, 3000, "the snapshot of Contact"},
		{"Account", true, 3000, "the snapshot of Contact"},
		{"ContentNote", false, 2, "the backfill whole"},
		{"Task", false, 0, ""},
	} {
		rate, ok := r.of(c.object, c.whole)
		if ok != (c.want > 0) || rate.PerSecond != c.want || rate.Of != c.of {
			t.Errorf("%s, whole %v: %+v, %v; want %v of %s", c.object, c.whole, rate, ok, c.want, c.of)
		}
		if _, ok := none.of(c.object, c.whole); ok {
			t.Error("the zero value knows a rate")
		}
	}
	line := BillLine{Object: "Account", Way: "query", Rows: 12_000, Calls: 12}
	if line.reckon(&r); line.Minutes != 1 || line.Measured != "the backfill new" || !line.MeasuredAt.Equal(clock(9)) {
		t.Errorf("12,000 rows at 200 a second: %+v", line)
	}
	line = BillLine{Object: "Task", Way: "query", Rows: 60 * BillRowsPerSecond, Calls: 120}
	if line.reckon(&r); line.Minutes != 2 || line.Measured != "" {
		t.Errorf("a minute of rows and a minute of calls: %+v", line)
	}
}

// TestTimeOfWaitingIsNotCounted holds that a pause of the budget is none of a part's time.
func TestTimeOfWaitingIsNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &governor{pauses: map[pauseKey]*pause{}, past: map[work]time.Duration{}}
		e := &errand{clerk: &clerk{loop: &loop{governor: g}}, since: time.Now().Add(-time.Hour)}
		g.past[workBackfill] = 50 * time.Minute
		g.pauses[pauseKey{work: workSnapshot}] = &pause{pauseKey: pauseKey{work: workSnapshot}, since: time.Now().Add(-9 * time.Minute)}
		g.past[workSweep] = time.Hour
		p := &Part{Seconds: 1}
		if e.timed(p); p.Seconds != 61 {
			t.Errorf("an hour, of which 59 minutes were waited for, is %v seconds", p.Seconds-1)
		}
	})
}

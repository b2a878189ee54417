package salesforce

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
)

func clock(second int) time.Time { return time.Date(2026, 11, 21, 10, 0, second, 0, time.UTC) }

func TestSteering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		from   BackfillState
		before int // second of what was obeyed last
		steers []steer
		want   BackfillState
		obeyed bool
	}{
		{"nothing", BackfillRunning, 0, nil, BackfillRunning, false},
		{"paused", BackfillRunning, 0, []steer{{AskPause, "b", clock(5)}}, BackfillPaused, true},
		{"paused before its turn", BackfillWaiting, 0, []steer{{AskPause, "b", clock(5)}}, BackfillPaused, true},
		{"another one's", BackfillRunning, 0, []steer{{AskPause, "c", clock(5)}}, BackfillRunning, false},
		{"all", BackfillRunning, 0, []steer{{AskPause, "", clock(5)}}, BackfillPaused, true},
		{"all, before it was asked for", BackfillRunning, 0, []steer{{AskPause, "", clock(1)}}, BackfillRunning, false},
		{"itself, by a clock that is behind", BackfillRunning, 0, []steer{{AskPause, "b", clock(1)}}, BackfillPaused, true},
		{"obeyed before", BackfillRunning, 6, []steer{{AskPause, "b", clock(5)}, {AskResume, "b", clock(6)}}, BackfillRunning, false},
		{"in any order", BackfillRunning, 0, []steer{{AskResume, "b", clock(6)}, {AskPause, "b", clock(5)}}, BackfillWaiting, true},
		{"resumed although it runs", BackfillRunning, 0, []steer{{AskResume, "b", clock(5)}}, BackfillRunning, true},
		{"cancelled while paused", BackfillPaused, 0, []steer{{AskCancel, "b", clock(5)}}, BackfillCancelled, true},
		{"cancelled, then resumed", BackfillPaused, 0, []steer{{AskCancel, "b", clock(5)}, {AskResume, "b", clock(6)}}, BackfillCancelled, true},
		{"done", BackfillDone, 0, []steer{{AskCancel, "b", clock(5)}}, BackfillDone, false},
	} {
		b := Backfill{ID: "b", State: c.from, RequestedAt: clock(2)}
		if c.before > 0 {
			b.SteeredAt = clock(c.before)
		}
		if obeyed := b.obey(c.steers); b.State != c.want || obeyed != c.obeyed {
			t.Errorf("%s: %s (obeyed: %v), want %s (%v)", c.name, b.State, obeyed, c.want, c.obeyed)
		}
	}
}

func TestQueriesOfABackfill(t *testing.T) {
	t.Parallel()
	part := Part{Object: "Account", Modstamp: clock(3), ID: "001000000000001AAA"}
	all := request{since: clock(1), until: clock(9), where: "Name = 'O\\'Hara' OR Name = null"}
	const window = "SystemModstamp >= 2026-11-21T10:00:01.000Z AND SystemModstamp < 2026-11-21T10:00:09.000Z AND (Name = 'O\\'Hara' OR Name = null)"
	for _, c := range []struct{ got, want string }{
		{all.countQuery("Account"), "SELECT COUNT() FROM Account WHERE " + window},
		{all.jobQuery("Account"), "SELECT Id FROM Account WHERE " + window},
		{all.listQuery(&Part{Object: "Account"}, "Id", 7), "SELECT Id FROM Account WHERE " + window + " ORDER BY SystemModstamp, Id LIMIT 7"},
		{
			all.listQuery(&part, "Id", 7), "SELECT Id FROM Account WHERE " + window + " AND (SystemModstamp > 2026-11-21T10:00:03.000Z OR " +
				"(SystemModstamp = 2026-11-21T10:00:03.000Z AND Id > '001000000000001AAA')) ORDER BY SystemModstamp, Id LIMIT 7",
		},
		{(&request{}).listQuery(&Part{Object: "Note"}, "Id", 7), "SELECT Id FROM Note ORDER BY SystemModstamp, Id LIMIT 7"},
		{(&request{where: "X = 1"}).namedQuery("Account", "Id", []string{"a", "b'"}), `SELECT Id FROM Account WHERE Id IN ('a','b\'') AND (X = 1)`},
	} {
		if c.got != c.want {
			t.Errorf("the query is\n%s, want\n%s", c.got, c.want)
		}
	}
}

func TestPhasesOfABackfill(t *testing.T) {
	t.Parallel()
	window, condition, ids := &request{since: clock(1)}, &request{where: "X = 1"}, &request{ids: []string{"x"}, since: clock(1)}
	for _, c := range []struct {
		q      *request
		object string
		n      int64
		first  Phase
		then   Phase
	}{
		{&request{}, "Account", 1_000_000, PhaseSnapshot, PhaseDone},
		{&request{}, "Note", 1_000_000, PhaseRows, PhaseDeleted},
		{window, "Account", 50_000, PhaseRows, PhaseDeleted},
		{window, "Contact", 50_001, PhaseJob, PhaseDeleted},
		{window, "Note", 50_001, PhaseRows, PhaseDeleted},
		{condition, "Account", 10, PhaseRows, PhaseDone},
		{condition, "Note", 10, PhaseRows, PhaseDone},
		{condition, "ContentNote", 10, PhaseRows, PhaseDeleted}, // which says that deletions cannot be looked at
		{&request{until: clock(1)}, "Account", 60_000, PhaseJob, PhaseDone},
		{ids, "Account", 60_000, PhaseNamed, PhaseDone},
	} {
		first := c.q.first(c.object, c.n, listJobFrom)
		if then := c.q.then(c.object, first); first != c.first || then != c.then {
			t.Errorf("%+v of %d %s: %s and then %s, want %s and %s", c.q, c.n, c.object, first, then, c.first, c.then)
		}
	}
}

func TestCheckBackfill(t *testing.T) {
	t.Parallel()
	early, late := clock(1).UnixMilli(), clock(2).UnixMilli()
	for _, c := range []struct {
		ask  avro.Backfill
		want string // of the error
		ids  string
	}{
		{avro.Backfill{Objects: []string{"Account"}}, "", ""},
		{avro.Backfill{}, "needs an object", ""},
		{avro.Backfill{Objects: []string{"Lead"}}, `"Lead" cannot be backfilled: give one or more of Account`, ""},
		{avro.Backfill{Objects: []string{"Account", "Account"}}, "named twice", ""},
		{avro.Backfill{Objects: []string{"Account"}, Since: &late, Until: &early}, "ends (2026-11-21T10:00:01Z) before it begins", ""},
		{avro.Backfill{Objects: []string{"Account"}, Since: &early, Until: &late}, "", ""},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"001D000000IqhSL", "001D000000IqhSLIAZ"}}, "", "001D000000IqhSLIAZ"},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"001D000000IqhSLiaz"}}, "", "001D000000IqhSLIAZ"},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"001d000000iqhslIAZ"}}, "no Salesforce id", ""},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"001D000000Iqh-L"}}, "no Salesforce id", ""},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"0"}}, "no Salesforce id", ""},
		{avro.Backfill{Objects: []string{"Contact", "Note"}, IDs: []string{"001D000000IqhSL"}}, "is of no Contact or Note", ""},
		{avro.Backfill{Objects: []string{"Account"}, IDs: make([]string, maxNamed+1)}, "ask for them in several", ""},
	} {
		ids, err := CheckBackfill(&c.ask)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || strings.Join(ids, " ") != c.ids {
			t.Errorf("%v: %q, %v; want %q, %q", c.ask.Objects, ids, err, c.ids, c.want)
		}
	}
}

func TestDeletedWindow(t *testing.T) {
	t.Parallel()
	now := clock(0)
	for _, c := range []struct {
		name         string
		since, until time.Time
		from, to     time.Time
		cut          bool
	}{
		{"a day", now.AddDate(0, 0, -1), time.Time{}, now.AddDate(0, 0, -1), now, false},
		{"ended", now.AddDate(0, 0, -3), now.AddDate(0, 0, -2), now.AddDate(0, 0, -3), now.AddDate(0, 0, -2), false},
		{"too long", now.AddDate(0, -1, 0), time.Time{}, now.Add(-deletionsReach), now, true},
		{"just now", now.Add(-time.Second), time.Time{}, now.Add(-2 * time.Minute), now, false},
		{"to come", now.AddDate(0, 0, -1), now.AddDate(0, 0, 1), now.AddDate(0, 0, -1), now, false},
	} {
		if from, to, cut := deletedWindow(c.since, c.until, now); !from.Equal(c.from) || !to.Equal(c.to) || cut != c.cut {
			t.Errorf("%s: %s to %s (cut: %v)", c.name, from, to, cut)
		}
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		again bool
	}{
		{&sfapi.Error{Status: 503}, true},
		{&sfapi.Error{Status: 400, Code: "INVALID_QUERY_LOCATOR"}, true},
		{&sfapi.Error{Status: 400, Code: "MALFORMED_QUERY"}, false},
		{&sfapi.Error{Status: 400, Code: "INVALID_FIELD"}, false},
		{fmt.Errorf("read notes: %w", errTextsWait), true},
		{errors.New("anything else"), false},
	} {
		if wait, again := patience(c.err, 1); again != c.again || again != (wait > 0) {
			t.Errorf("%v: again %v after %s", c.err, again, wait)
		}
	}
}

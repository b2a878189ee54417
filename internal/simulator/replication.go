package simulator

import (
	"net/http"
	"time"

	"crosswalk/internal/simulator/org"
)

// Bounds of the replication calls (facts 2.7).
const (
	updatedReach = 30 * 24 * time.Hour
	deletedReach = 15 * 24 * time.Hour
	maxUpdated   = 600_000
)

// restTime is how REST writes a moment.
const restTime = "2006-01-02T15:04:05.000-0700"

// window reads start and end; false when it answered.
func (c *call) window(ob *org.Object, reach time.Duration) (start, end time.Time, ok bool) {
	if !ob.Can('R') {
		c.fail(http.StatusBadRequest, "INVALID_TYPE_FOR_OPERATION", "entity type "+ob.Name+" does not support replication")
		return start, end, false
	}
	q := c.r.URL.Query()
	start, ok1 := org.ParseDatetime(plusForSpace(q.Get("start")))
	end, ok2 := org.ParseDatetime(plusForSpace(q.Get("end")))
	if !ok1 || !ok2 {
		c.fail(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "start and end must be date times like 2026-11-21T10:00:00+00:00")
		return start, end, false
	}
	now := c.s.now()
	switch {
	case end.Sub(start) <= time.Minute:
		c.fail(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate must precede endDate by more than one minute")
	case now.Sub(start) > reach:
		c.fail(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate cannot be more than "+quantity(reach)+" ago")
	default: // seconds are ignored
		return start.Truncate(time.Minute), end.Truncate(time.Minute), true
	}
	return start, end, false
}

// plusForSpace repairs an offset whose + arrived as a space because the client did not encode it.
func plusForSpace(text string) string {
	if n := len(text); n > 6 && text[n-6] == ' ' {
		return text[:n-6] + "+" + text[n-5:]
	}
	return text
}

func quantity(d time.Duration) string {
	if d == updatedReach {
		return "30 days"
	}
	return "15 days"
}

// covered is the end that the answer can vouch for: not later than now, less the lag of long transactions.
func (c *call) covered(end time.Time) time.Time {
	now := c.s.now().Add(-time.Duration(c.s.settings.Load().UpdatedLag))
	if end.After(now) {
		end = now.Truncate(time.Minute)
	}
	return end
}

// updated lists the ids of records saved in the window and still there.
func (c *call) updated() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	start, end, ok := c.window(ob, updatedReach)
	if !ok {
		return
	}
	end = c.covered(end)
	field, _ := ob.Field("SystemModstamp")
	from, to := start.Format(org.DatetimeLayout), end.Format(org.DatetimeLayout)
	may := c.s.catalog().may(ob)
	ids := []string{}
	take := func(r org.Row) {
		if text, _ := r.Text(field); text >= from && text < to && !r.Deleted() && (may == nil || may(r)) {
			ids = append(ids, r.ID())
		}
	}
	c.s.org.View(func(v org.View) {
		if from > v.SeedTime() { // rows as the seed made them are older
			for _, slot := range v.Changed(ob) {
				if r, ok := v.Row(ob, slot); ok {
					take(r)
				}
			}
			return
		}
		for r := range v.Rows(ob, 0) {
			take(r)
		}
	})
	if len(ids) > maxUpdated {
		c.fail(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", "The number of ids exceeds the limit of 600000")
		return
	}
	c.json(http.StatusOK, map[string]any{"ids": ids, "latestDateCovered": end.Format(restTime)})
}

// deleted lists the records that left in the window, hard deletions too.
func (c *call) deleted() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	start, end, ok := c.window(ob, deletedReach)
	if !ok {
		return
	}
	end = c.covered(end)
	type gone struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}
	records := []gone{}
	c.s.org.View(func(v org.View) {
		for _, g := range v.Gone(ob, start.Format(org.DatetimeLayout), end.Format(org.DatetimeLayout)) {
			records = append(records, gone{g.ID, g.When[:len(g.When)-1] + "+0000"})
		}
	})
	c.json(http.StatusOK, map[string]any{
		"deletedRecords": records, "earliestDateAvailable": c.s.now().UTC().Add(-deletedReach).Format(restTime), "latestDateCovered": end.Format(restTime),
	})
}

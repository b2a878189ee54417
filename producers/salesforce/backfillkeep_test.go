package salesforce

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOutdatedBackfills(t *testing.T) {
	t.Parallel()
	now := clock(0)
	one := func(id string, state BackfillState, age time.Duration) Backfill {
		return Backfill{ID: id, State: state, RequestedAt: now.Add(-age), EndedAt: now.Add(-age)}
	}
	all := []Backfill{
		one("paused for long", BackfillPaused, 2*keptFor), one("old", BackfillDone, keptFor+time.Hour), one("young", BackfillFailed, keptFor-time.Hour),
		one("cancelled", BackfillCancelled, keptFor+2*time.Hour),
	}
	if got := strings.Join(Outdated(all, now), " "); got != "cancelled old" {
		t.Errorf("of a few: %s", got)
	}
	all = nil
	for i := range keptBackfills + 2 {
		all = append(all, one(fmt.Sprint(i), BackfillDone, time.Duration(i)*time.Minute))
	}
	all = append(all, one("running", BackfillRunning, time.Hour))
	if got := strings.Join(Outdated(all, now), " "); got != "101 100" { // the oldest
		t.Errorf("of many: %s", got)
	}
}

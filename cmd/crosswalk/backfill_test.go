package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator/org"
	producer "crosswalk/producers/salesforce"
)

func TestBackfillRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ args, words string }{
		{"backfill", "needs an object"},
		{"backfill Lead", "cannot be backfilled"},
		{"backfill Account --since yesterday", "is no time"},
		{"backfill Account --since 1h --until 2h", "before it begins"},
		{"backfill Account --ids 12", "no Salesforce id"},
		{"backfill Account --ids @/nowhere/ids", "read --ids"},
		{"backfill pause", "accepts 1 arg"},
	} {
		b.refused(strings.Fields(c.args), exitUsage, c.words)
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-11-21": "2026-11-21T00:00:00Z", "2026-11-21T10:00:00+02:00": "2026-11-21T08:00:00Z", "24h": "2026-11-21T10:00:00Z",
	} {
		at, err := moment("--since", text, now)
		if err != nil || time.UnixMilli(*at).UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", text, at, err, want)
		}
	}
}

// TestBackfillWithoutAProducer estimates, does and lists a backfill when nobody runs, and is told of a refused condition.
func TestBackfillWithoutAProducer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 6, Contacts: 4, Seed: 7})
	config := b.config(salesforce(ready, ready.Password))
	exit, out, said := b.run("backfill", "account", "--where", "Name != null", "--dry-run", "--json", "--config", config)
	var bill producer.Bill
	if err := json.Unmarshal([]byte(out), &bill); err != nil || exit != exitDone || bill.Rows != 6 || bill.Calls != 3 || !bill.Allowed {
		t.Errorf("dry run: exit status %d, %v, %q %q", exit, err, out, said)
	}
	if exit, out, said = b.run("backfill", "Account", "--where", "Name != null", "--config", config); exit != exitDone || !strings.Contains(out, "done") {
		t.Fatalf("exit status %d, %q %q", exit, out, said)
	}
	b.refused([]string{"backfill", "Account", "--where", "Nonsense__c = 1", "--config", config}, exitFailed, "INVALID_FIELD", "Nonsense__c")
	if exit, out, said = b.run("backfill", "list", "--config", config); exit != exitDone || strings.Count(out, "\n") != 3 {
		t.Errorf("list: exit status %d, %q %q", exit, out, said)
	}
	b.refused([]string{"backfill", "cancel", "none", "--config", config}, exitFailed, "backfill list")
}

package app

import (
	"testing"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/customer"
	"crosswalk/producers/erp"
	"crosswalk/producers/salesforce"
)

// TestOverview reads what a person would, and what it marks as urgent.
func TestOverview(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	link := &customer.Link{SalesforceField: "ERP__c", ERPField: "identifier", Cardinality: customer.CardinalityOneToOne}
	for name, c := range map[string]struct {
		components map[string]any
		want       map[string]string // value by what; urgent ones with a ! before
		absent     []string
	}{
		"live": {
			components: map[string]any{
				Matcher: matcher.Status{
					Phase: matcher.Live, Link: link, Customers: 1200, Matched: 1199, NearMisses: 3, SalesforceAt: now.Add(-90 * time.Second), ERPAt: now.Add(-5 * time.Hour),
				},
				Salesforce: salesforce.Status{Phase: "streaming", ReadTo: now.Add(-2 * time.Second)},
			},
			want: map[string]string{
				"ERP customers": "1,200", "Matched with Salesforce": "1,199 (99 %), by ERP__c = identifier (one_to_one, without near misses)",
				"Identifiers that several records have": "0", "Alike but not equal (near misses)": "!3", "Newest change from Salesforce": "90 s ago",
				"Newest change from the ERP": "5 h ago", "Reading Salesforce": "each change as it happens, read to its end 2 s ago",
			},
			absent: []string{"Matching", "Holes that are being repaired", "Records that could not be read"},
		},
		"starting, without a link": {
			components: map[string]any{
				Matcher: matcher.Status{Phase: matcher.Rebuilding, Lag: 4_000_000, DeadLetters: 2},
				Salesforce: salesforce.Status{
					Phase: "snapshot", Holes: 1, Snapshots: map[string]salesforce.SnapshotStatus{"Account": {Rows: 5, Expected: 5}, "Contact": {Rows: 1500, Expected: 6000}},
					Interrupted: &salesforce.Interruption{Text: "no", Since: now.Add(-72 * time.Hour)},
					Budget:      &salesforce.BudgetStatus{Forecast: "much", Paused: []salesforce.PauseStatus{{Work: "notes", Reason: "the reserve", Until: "noon"}}},
					Backfills:   []salesforce.Backfill{{ID: "b1", State: salesforce.BackfillPaused, Objects: []string{"Account", "Contact"}}, {State: salesforce.BackfillDone}},
				},
			},
			want: map[string]string{
				"Matching":                       "!rebuilding: 4,000,000 records of the topics are still to be read",
				"Matched with Salesforce":        "!nothing: no link is set; 'crosswalk identifier suggest' ranks the fields that could be it",
				"Records that could not be read": "!2; crosswalk.deadletter has them, with the reason", "Newest change from Salesforce": "not yet",
				"First read of Contact": "1,500 of 6,000 rows (25 %)", "No events since 3 days ago": "!no", "Holes that are being repaired": "!1",
				"API calls": "much", "Waiting for the API budget: notes": "!the reserve; it is expected to go on noon",
				"Backfill of Account, Contact": "paused; 'crosswalk backfill list' says how far (b1)",
			},
			absent: []string{"First read of Account", "Backfill of "},
		},
		"another process's": {
			components: map[string]any{Matcher: matcher.Status{Phase: matcher.Standby}, Salesforce: salesforce.Status{Phase: "stopped"}},
			want: map[string]string{
				"Matching": "another process does it, or is about to; this one is standing by for it", "Reading Salesforce": "not in this process at the moment",
			},
			absent: []string{"ERP customers"},
		},
		"ERP sources": {
			components: map[string]any{ERP: map[string]erp.State{
				"a": {Kind: "folder", Last: now}, "b": {Kind: "push", Address: "http://here", Last: now.Add(-time.Hour)},
				"c": {Kind: "postgres", Error: "refused", Failing: now.Add(-time.Minute)},
			}},
			want: map[string]string{
				"ERP source a": "folder, last read 0 s ago", "ERP source b": "takes customers at http://here, last 60 min ago", "ERP source c": "!fails since 60 s ago: refused",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for _, line := range overview(c.components, now) {
				mark := ""
				if line.Urgent {
					mark = "!"
				}
				got[line.What] = mark + line.Value
			}
			for what, want := range c.want {
				if got[what] != want {
					t.Errorf("%s: %q, want %q", what, got[what], want)
				}
			}
			for _, what := range c.absent {
				if value, ok := got[what]; ok {
					t.Errorf("%s: %q, want none", what, value)
				}
			}
		})
	}
}

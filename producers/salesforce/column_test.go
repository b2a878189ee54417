package salesforce_test

import (
	"maps"
	"slices"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestAnEventTellsOfAChangedField adds and removes a field while the stream runs, and nobody describes by the clock: the
// event of the next change has the fields looked at, a snapshot fills the new one, and a removed one is left out, not null.
func TestAnEventTellsOfAChangedField(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 31, Accounts: 20}})
	p := b.start()
	b.await(p, allReady)
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "1"}))
	p.settle()
	b.must(b.sim.AddField("Account", org.FieldSpec{Name: "Tier__c"}))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Tier__c": "gold"}))
	b.await(p, func(s salesforce.Status) bool { return slices.Contains(s.Columns["Account"], "Tier__c") })
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	b.compare("Account")
	b.must(b.sim.RemoveField("Account", "Tier__c"))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "2"}))
	b.await(p, func(s salesforce.Status) bool { return !slices.Contains(s.Columns["Account"], "Tier__c") })
	b.awaitAudit(p, "schema_change noted fields")
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "3"}))
	p.settle()
	row := b.published("salesforce.account")[ids[0]]
	if tier, there := row["Tier__c"]; there || row["Phone"] != "3" {
		t.Errorf("H13: the removed field is published as %q: %v", tier, row)
	}
	b.compare("Account")
}

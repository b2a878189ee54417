package salesforce_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestFormulasAreRefreshed changes what a formula of Contact shows, of which neither an event nor SystemModstamp tells.
func TestFormulasAreRefreshed(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 51, Accounts: 10, Contacts: 20}})
	b.must(b.sim.AddField("Contact", org.FieldSpec{Name: "Payer__c", Formula: "Account.Name"}))
	b.config.RefreshEvery = 300 * time.Millisecond
	p := b.start()
	p.settle()
	first := p.Status().Calculated["Contact"]
	if !slices.Equal(first.Fields, []string{"Payer__c"}) || first.AsOf.IsZero() {
		t.Fatalf("the snapshot has read the formulas, and the status says %+v", first)
	}
	contact, account := "", ""
	for id, row := range b.truth("Contact") {
		if row["AccountId"] != "null" && id > contact {
			contact, account = id, row["AccountId"]
		}
	}
	b.must(b.sim.Org().Update("Account", account, org.Fields{"Name": "Renamed"}))
	b.await(p, func(salesforce.Status) bool {
		return b.published("salesforce.contact")[contact]["Payer__c"] == "Renamed"
	})
	b.await(p, func(s salesforce.Status) bool {
		return s.Calculated["Contact"].AsOf.After(first.AsOf) && s.Counts.Refreshed > 0
	})
	if s := p.Status(); s.Counts.Repaired != 0 {
		t.Errorf("a formula that changed is no alarm: %+v", s.Counts)
	}
	if _, there := p.Status().Calculated["Account"]; there {
		t.Error("the status tells of formulas of Account, which has none")
	}
	asof := p.Status().Calculated["Contact"].AsOf
	p.end()
	b.config.RefreshEvery = time.Hour
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	if now := p.Status().Calculated["Contact"].AsOf; now.Before(asof) {
		t.Errorf("the formulas were as of %v, and as of %v after a restart", asof, now)
	}
	if audits := b.audits(); !slices.Contains(audits, "refresh noted scheduled") {
		t.Errorf("the audit does not tell of the refresh: %q", audits)
	}
	for _, r := range b.sim.Requests() {
		if strings.HasSuffix(r.Path, "/query") && strings.Contains(r.Query, "FROM+Account") {
			t.Errorf("an object without formulas was read: %s?%s", r.Path, r.Query)
		}
	}
}

package salesforce_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// drain has the org's calls used up to the reserve as soon as it sees a request, once it is armed.
type drain struct {
	match func(*http.Request) bool
	sim   atomic.Pointer[simulator.Simulator]
	armed atomic.Bool
	seen  atomic.Int64 // requests that match
}

func (d *drain) fault(r *http.Request) *simulator.Fault {
	if sim := d.sim.Load(); sim != nil && d.match(r) {
		d.seen.Add(1)
		if d.armed.Swap(false) {
			others(85_000)(sim)
		}
	}
	return nil
}

// drained is a bench whose calls can be used up.
func drained(t *testing.T, d *drain, config simulator.Config) *bench {
	t.Helper()
	config.Fault = d.fault
	config.Settings.DailyRequests, config.Settings.QueryBatch = 100_000, 20
	b := setup(t, config)
	d.sim.Store(b.sim)
	b.config.LimitsEvery = 100 * time.Millisecond
	b.config.Notes = salesforce.Notes{}
	return b
}

// pausedAt uses the calls up in the middle of a work, and returns when it waits.
func (b *bench) pausedAt(p *life, d *drain, work string) {
	b.t.Helper()
	d.armed.Store(true)
	b.awaitPause(p, work)
}

// TestASweepPausesAndGoesOn has the calls run out between two ranges of a sweep.
func TestASweepPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	d := &drain{match: newJobLike("SELECT Id FROM Contact WHERE Id > ")}
	b := drained(t, d, simulator.Config{Org: org.Config{Seed: 46, Accounts: 30, Contacts: 90}})
	b.large()
	b.config.SweepEvery = 500 * time.Millisecond
	p := b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	b.pausedAt(p, d, "sweep")
	seen := d.seen.Load()
	_, contacts := b.purgeUnheard()
	b.must(b.sim.Org().Update("Account", b.ids("Account")[0], org.Fields{"Phone": "the stream goes on"}))
	p.settle()
	if s := p.Status(); d.seen.Load() > seen+1 || s.Counts.Swept != 0 {
		t.Errorf("%d ranges were asked for before the pause and %d in it; %d records were swept", seen, d.seen.Load()-seen, s.Counts.Swept)
	}
	others(0)(b.sim)
	b.converge(p, "Account")
	b.converge(p, "Contact")
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Swept == int64(1+len(contacts)) })
}

// TestARefreshPausesAndGoesOn has the calls run out between two pages of formulas.
func TestARefreshPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	d := &drain{match: nextPage}
	b := drained(t, d, simulator.Config{Org: org.Config{Seed: 53, Accounts: 10, Contacts: 90}})
	b.must(b.sim.AddField("Contact", org.FieldSpec{Name: "Payer__c", Formula: "Account.Name"}))
	b.config.RefreshEvery = 500 * time.Millisecond
	_, account, contacts := b.family()
	p := b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	b.pausedAt(p, d, "refresh")
	asof, seen := p.Status().Calculated["Contact"].AsOf, d.seen.Load()
	b.must(b.sim.Org().Update("Account", account, org.Fields{"Name": "Renamed"}))
	p.settle()
	if s := p.Status(); d.seen.Load() > seen+1 || s.Calculated["Contact"].AsOf != asof {
		t.Errorf("%d pages were asked for in the pause, and the formulas are as of %v, were as of %v", d.seen.Load()-seen, s.Calculated["Contact"].AsOf, asof)
	}
	others(0)(b.sim)
	b.await(p, func(salesforce.Status) bool {
		rows := b.published("salesforce.contact")
		return !slices.ContainsFunc(contacts, func(id string) bool { return rows[id]["Payer__c"] != "Renamed" })
	})
	b.await(p, func(s salesforce.Status) bool { return s.Calculated["Contact"].AsOf.After(asof) })
}

// TestAPollPausesAndGoesOn has the calls run out between two pages of changed records, and the org forget the query meanwhile.
func TestAPollPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	d := &drain{match: nextPage}
	b := drained(t, d, simulator.Config{Org: org.Config{Seed: 25, Accounts: 10, Contacts: 90}, Events: cdc.Options{Selected: []string{"Account"}}})
	b.impatient()
	b.config.PollRows = 20
	p := b.start()
	b.polledFor(p, "Contact", "CDC is not selected for it")
	b.converge(p, "Contact")
	o, contacts := b.sim.Org(), b.ids("Contact")
	tx := o.Begin(org.Actor{})
	for _, id := range contacts[:80] {
		b.must(tx.Update("Contact", id, org.Fields{"Title": "changed"}))
	}
	d.armed.Store(true)
	tx.Commit()
	b.awaitPause(p, "poll")
	seen := d.seen.Load()
	b.sim.ExpireCursors()
	b.must(o.Delete("Contact", contacts[0]))
	b.must(o.Update("Contact", contacts[85], org.Fields{"Title": "in the pause"}))
	_, err := o.Create("Contact", org.Fields{"LastName": "In the pause"})
	b.must(err)
	b.must(o.Update("Account", b.ids("Account")[0], org.Fields{"Phone": "the stream goes on"}))
	p.settle()
	titles := 0
	for _, row := range b.published("salesforce.contact") {
		if strings.HasPrefix(row["Title"], "changed") {
			titles++
		}
	}
	if d.seen.Load() > seen+1 || titles >= 80 {
		t.Errorf("%d pages were asked for in the pause, and %d of 80 changes are published", d.seen.Load()-seen, titles)
	}
	others(0)(b.sim)
	b.converge(p, "Contact")
	b.converge(p, "Account")
}

package salesforce_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// large makes a small org be read as a large one is: ids and formulas by Bulk jobs, ids in several ranges.
func (b *bench) large() { b.config.SweepRange, b.config.ListJob = 25, 5 }

// purgeUnheard deletes an Account with Contacts for good, of which no event tells, and returns what is gone.
func (b *bench) purgeUnheard() (account string, contacts []string) {
	b.t.Helper()
	_, account, contacts = b.family()
	b.unheard(func(o *org.Org) error { return o.Purge("Account", account) })
	return account, contacts
}

// TestALargeOrgIsSweptByBulk finds what was deleted for good with Bulk jobs over several ranges of ids, also when result pages
// break off, and by pages where Bulk refuses the object.
func TestALargeOrgIsSweptByBulk(t *testing.T) {
	t.Parallel()
	for name, bulk := range map[string]simulator.Bulk{
		"bulk": {PageRows: 10}, "contacts are refused": {PageRows: 10, Refused: []string{"Contact"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs := &jobsOf{}
			b := setup(t, simulator.Config{
				Org: org.Config{Seed: 44, Accounts: 30, Contacts: 90}, Fault: jobs.fault, Settings: simulator.Settings{Bulk: bulk},
			})
			b.large()
			b.config.SweepEvery = 500 * time.Millisecond
			p := b.start()
			b.await(p, allReady)
			b.await(p, func(salesforce.Status) bool { return len(jobs.like("SELECT Id FROM Account")) > 0 })
			b.sim.Inject(simulator.Rule{Fault: simulator.Fault{Truncate: 100}, Path: "/services/data/*/jobs/query/*/results", Count: 3})
			account, contacts := b.purgeUnheard()
			b.converge(p, "Account")
			b.converge(p, "Contact")
			b.await(p, func(s salesforce.Status) bool { return s.Counts.Swept == int64(1+len(contacts)) })
			rows := b.published("salesforce.contact")
			for _, id := range contacts {
				if row, known := rows[id]; !known || row != nil {
					t.Errorf("contact %s is published as %v, want a tombstone", id, row)
				}
			}
			if row, known := b.published("salesforce.account")[account]; !known || row != nil {
				t.Errorf("the account is published as %v, want a tombstone", row)
			}
			for _, header := range b.headers("salesforce.account", account) {
				if op := header["op"]; op != "snapshot" && op != "repair" {
					t.Errorf("the account has a record of op %q", op)
				}
			}
			ranges, refused := jobs.like("SELECT Id FROM Contact WHERE Id > "), len(bulk.Refused) > 0
			if pages := b.queries("SELECT Id FROM Contact WHERE Id > "); (len(pages) > 0) != refused {
				t.Errorf("ranges of Contact were read by %d pages and %d jobs", len(pages), len(ranges))
			}
			slices.Sort(ranges)
			if ranges = slices.Compact(ranges); len(ranges) < 3 {
				t.Errorf("the ids of 90 contacts were compared in the ranges %q, want 25 at a time", ranges)
			}
			if s := p.Status(); s.Counts.Repaired != 0 || s.Epoch != 1 {
				t.Errorf("a sweep is no reconciliation: %+v", s.Counts)
			}
		})
	}
}

// TestASweepGoesOnAtItsRange kills a producer between two ranges: the next one does not compare again what was compared.
func TestASweepGoesOnAtItsRange(t *testing.T) {
	t.Parallel()
	l := newLatch(1, newJobLike("SELECT Id FROM Contact WHERE Id > "))
	jobs := &jobsOf{next: l.fault}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 45, Accounts: 10, Contacts: 100}, Fault: jobs.fault})
	b.large()
	b.config.SweepEvery = time.Second
	p := b.start()
	l.await(b)
	began := jobs.like("SELECT Id FROM Contact WHERE Id ")
	b.awaitFeed(p, "Contact", func(f feedStored) bool {
		return f.SweepAfter != "" && strings.Contains(began[len(began)-1], "Id > '"+f.SweepAfter+"'")
	})
	p.end()
	b.purgeUnheard()
	l.open()
	b.config.SweepEvery = time.Hour // only what was begun is due
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return strings.HasPrefix(s.Sweeps["Contact"], "every 1h, last 20") })
	after := jobs.like("SELECT Id FROM Contact WHERE Id ")[len(began):]
	if len(after) == 0 || after[0] != began[len(began)-1] || slices.Contains(after, began[0]) {
		t.Errorf("the ranges were %q, and %q after the kill", began, after)
	}
	live := b.truth("Contact")
	_, place, _ := strings.Cut(after[0], "Id > '")
	for id, row := range b.published("salesforce.contact") {
		if row != nil && live[id] == nil && id > place[:len(id)] {
			t.Errorf("contact %s was deleted for good in a range that was compared after that, and is still published", id)
		}
	}
}

// TestALargeOrgIsRefreshedByBulk compares formulas with a Bulk job and says as of when they are.
func TestALargeOrgIsRefreshedByBulk(t *testing.T) {
	t.Parallel()
	jobs := &jobsOf{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 52, Accounts: 10, Contacts: 40}, Fault: jobs.fault})
	b.must(b.sim.AddField("Contact", org.FieldSpec{Name: "Payer__c", Formula: "Account.Name"}))
	b.large()
	b.config.RefreshEvery = 300 * time.Millisecond
	p := b.start()
	b.await(p, allReady)
	first := p.Status().Calculated["Contact"].AsOf
	_, account, contacts := b.family()
	b.must(b.sim.Org().Update("Account", account, org.Fields{"Name": "Renamed"}))
	changed := time.Now()
	b.await(p, func(salesforce.Status) bool {
		rows := b.published("salesforce.contact")
		return !slices.ContainsFunc(contacts, func(id string) bool { return rows[id]["Payer__c"] != "Renamed" })
	})
	b.await(p, func(s salesforce.Status) bool { return s.Calculated["Contact"].AsOf.After(changed.Add(-time.Second)) })
	if s := p.Status(); !s.Calculated["Contact"].AsOf.After(first) || s.Counts.Repaired != 0 || s.Counts.Refreshed < int64(len(contacts)) {
		t.Errorf("the formulas are as of %v, were as of %v; counts %+v", s.Calculated["Contact"].AsOf, first, s.Counts)
	}
	if len(jobs.like("SELECT Id, Payer__c FROM Contact")) == 0 || len(b.queries("SELECT Id, Payer__c FROM Contact")) != 0 {
		t.Error("the formulas of 40 contacts were not compared by a Bulk job")
	}
	p.settle()
	b.compare("Contact")
}

// newJobLike matches the creation of Bulk jobs whose query contains a text.
func newJobLike(text string) func(*http.Request) bool {
	return func(r *http.Request) bool { return newJob(r) && strings.Contains(jobQuery(r), text) }
}

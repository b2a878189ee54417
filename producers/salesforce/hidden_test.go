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

// hide takes Account fields away from the integration user.
func (b *bench) hide(fields ...string) {
	b.sim.Permit(func(p *simulator.Profile) {
		p.Hidden = nil
		for _, f := range fields {
			p.Hidden = append(p.Hidden, "Account."+f)
		}
	})
}

// TestAFieldIsHiddenWhileTheSnapshotIsRead has the rest of a job's pages show a column that the user may no longer read, for
// the same process and for the next one: the pages are read on without it.
func TestAFieldIsHiddenWhileTheSnapshotIsRead(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"the same process": false, "the next process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLatch(4, resultPage)
			b := setup(t, simulator.Config{
				Org: org.Config{Seed: 91, Accounts: 200}, Fault: l.fault, Settings: simulator.Settings{Bulk: simulator.Bulk{PageRows: 20}},
			})
			b.config.DescribeEvery = 50 * time.Millisecond
			p := b.start()
			l.await(b)
			b.awaitStored(60)
			if killed {
				p.end()
			}
			b.hide("Phone")
			if killed {
				p = b.start()
			}
			b.awaitAudit(p, "schema_change noted fields")
			l.open()
			b.await(p, allReady)
			b.compare("Account")
			with := 0
			for _, row := range b.published("salesforce.account") {
				if _, there := row["Phone"]; there {
					with++
				}
			}
			if with > 60 {
				t.Errorf("H13: %d records have the hidden field, want the 60 that were published before", with)
			}
			jobs := 0
			for _, r := range b.sim.Requests() {
				if r.Method == "POST" && strings.HasSuffix(r.Path, "/jobs/query") {
					jobs++
				}
			}
			if jobs != 2 {
				t.Errorf("%d jobs were created, want one of Account and one of Contact", jobs)
			}
		})
	}
}

// TestNoValueOfANewFormulaIsMadeUp has a record change while a formula that is new was read of none: it is not published as
// null, which the org never had (I5).
func TestNoValueOfANewFormulaIsMadeUp(t *testing.T) {
	t.Parallel()
	l := newLatch(2, newJob)
	b := setup(t, simulator.Config{Org: org.Config{Seed: 92, Accounts: 10, Contacts: 20}, Fault: l.fault})
	b.config.DescribeEvery = 50 * time.Millisecond
	p := b.start()
	b.await(p, allReady)
	contact, account := "", ""
	for id, row := range b.truth("Contact") {
		if row["AccountId"] != "null" && id > contact {
			contact, account = id, row["AccountId"]
		}
	}
	b.must(b.sim.AddField("Contact", org.FieldSpec{Name: "Payer__c", Formula: "Account.Name"}))
	l.await(b) // the snapshot that fills the column does not begin
	b.must(b.sim.Org().Update("Contact", contact, org.Fields{"Title": "CFO"}))
	b.await(p, func(salesforce.Status) bool { return b.published("salesforce.contact")[contact]["Title"] == "CFO" })
	l.open()
	p.settle()
	want := b.published("salesforce.account")[account]["Name"]
	for _, row := range b.all("salesforce.contact", contact) {
		if payer, there := row["Payer__c"]; there && payer != want {
			t.Errorf("I5: the formula is published as %q, and was never other than %q", payer, want)
		}
	}
	if row := b.published("salesforce.contact")[contact]; row["Payer__c"] != want {
		t.Errorf("the record is published as %v", row)
	}
}

// TestTheLinkFieldIsHidden says so wherever a person looks, leaves the field out and never makes it null.
func TestTheLinkFieldIsHidden(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 93, Accounts: 10}})
	b.config.DescribeEvery, b.config.LinkField = 50*time.Millisecond, "accountnumber"
	p := b.start()
	b.await(p, allReady)
	ids := b.ids("Account")
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"AccountNumber": "K-1"}))
	p.settle()
	b.hide("AccountNumber")
	b.await(p, func(s salesforce.Status) bool { return s.LinkUnreadable != "" })
	const want = "accountnumber of Account links accounts to customers and cannot be read: make it readable for the integration user again, or activate another one"
	if text := p.Status().LinkUnreadable; text != want {
		t.Errorf("the status says %q", text)
	}
	b.awaitAudit(p, "schema_change noted fields")
	told := b.holes("fields")
	if m := told[len(told)-1].Message; !strings.Contains(m, "AccountNumber can no longer be read") || !strings.Contains(m, "it is the field that links accounts to customers") {
		t.Errorf("the audit says %q", m)
	}
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "1", "AccountNumber": "K-2"}))
	p.settle()
	if row := b.published("salesforce.account")[ids[0]]; row["Phone"] != "1" || slices.Contains(p.Status().Columns["Account"], "AccountNumber") {
		t.Errorf("published is %v", row)
	} else if number, there := row["AccountNumber"]; there {
		t.Errorf("H13: the hidden link is published as %q", number)
	}
	b.hide()
	b.await(p, func(s salesforce.Status) bool { return s.LinkUnreadable == "" })
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	b.compare("Account")
}

package salesforce_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestALostEventIsRepaired is H15: changes whose events never came are found and repaired, and that is an alarm.
func TestALostEventIsRepaired(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 31, Accounts: 20, Contacts: 20, Now: c.now}})
	b.impatient()
	b.config.PollEvery, b.config.SilenceLimit = time.Hour, time.Hour
	b.config.SafetyLag = 30 * time.Second // until then an event may be on its way
	registered := prometheus.NewPedanticRegistry()
	b.config.Metrics = salesforce.NewMetrics(registered)
	p := b.start()
	p.settle()
	contacts := b.ids("Contact")
	c.forward(2 * time.Minute)
	b.must(b.sim.Org().Update("Contact", contacts[0], org.Fields{"Title": "heard"}))
	p.settle()
	b.unheard(func(o *org.Org) error { return o.Update("Contact", contacts[1], org.Fields{"Title": "lost"}) })
	b.unheard(func(o *org.Org) error { return o.Delete("Contact", contacts[2]) })
	b.unheard(func(o *org.Org) error { _, err := o.Create("Account", org.Fields{"Name": "Lost"}); return err })
	c.forward(time.Minute)
	b.converge(p, "Contact")
	b.converge(p, "Account")
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Repaired == 3 })
	if s := p.Status(); s.Epoch != 1 || len(s.Polled) != 0 {
		t.Errorf("three lost events cost more than their repair: %+v", s)
	}
	for _, id := range contacts[1:3] {
		headers := b.headers("salesforce.contact", id)
		if last := headers[len(headers)-1]; len(headers) != 2 || last["op"] != "repair" {
			t.Errorf("contact %s was published %d times, at last with op %q", id, len(headers), last["op"])
		}
	}
	if n := gathered(b, registered, "crosswalk_salesforce_repaired_total"); n != 3 {
		t.Errorf("the alarm counts %v repaired records, want 3", n)
	}
	repaired := int64(0)
	for _, h := range b.holes("missed_events") {
		if h.State != "closed" || h.Bounds == nil || len(h.Bounds.IDs) == 0 {
			t.Errorf("the audit says %+v of lost events", h)
		}
		repaired += int64(number(h.Detail["records"]))
	}
	if repaired != 3 {
		t.Errorf("the audit tells of %d repaired records, want 3", repaired)
	}
}

// TestAReconciliationReadsTheListOfDeletions deletes for good, of which only that list tells.
func TestAReconciliationReadsTheListOfDeletions(t *testing.T) {
	t.Parallel()
	b, p, c := watched(t, 35, time.Hour, time.Hour)
	c.forward(3 * time.Minute)
	account, contacts := b.purgeUnheard()
	c.forward(3 * time.Minute) // it tells whole minutes
	b.converge(p, "Account")
	b.converge(p, "Contact")
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Repaired == int64(1+len(contacts)) })
	headers := b.headers("salesforce.account", account)
	if last := headers[len(headers)-1]; last["op"] != "repair" {
		t.Errorf("the tombstone has op %q", last["op"])
	}
}

// TestAReconciliationBeginsWhereTheLastOneEnded loses an event and stops the producer before it could notice: the next one
// asks for what was changed since the last reconciliation, not since its own start.
func TestAReconciliationBeginsWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 36, Accounts: 20, Now: c.now}})
	b.config.PollEvery, b.config.SilenceLimit, b.config.ReconcileEvery = time.Hour, time.Hour, time.Hour
	p := b.start()
	b.await(p, allReady)
	accounts := b.ids("Account")
	c.forward(time.Minute)
	b.must(b.sim.Org().Update("Account", accounts[0], org.Fields{"Phone": "heard"}))
	p.settle()
	b.unheard(func(o *org.Org) error { return o.Update("Account", accounts[1], org.Fields{"Phone": "lost"}) })
	p.end()
	c.forward(time.Hour)
	b.impatient()
	p = b.start()
	b.converge(p, "Account")
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Repaired == 1 })
}

// TestADeadSubscriptionIsRenewed is H16: a subscription that carries nothing although records change is made anew.
func TestADeadSubscriptionIsRenewed(t *testing.T) {
	t.Parallel()
	b, p, c := watched(t, 32, time.Millisecond, time.Hour)
	accounts := b.ids("Account")
	b.must(b.sim.Org().Update("Account", accounts[0], org.Fields{"Phone": "before"}))
	p.settle()
	b.sim.Stream().Mute(0)
	c.forward(2 * time.Minute)
	b.must(b.sim.Org().Update("Account", accounts[1], org.Fields{"Phone": "unheard"}))
	b.converge(p, "Account")
	p.settle() // what was withheld comes from the position on
	if s := p.Status(); s.Epoch != 1 || s.Counts.Repaired == 0 {
		t.Errorf("the position was given up, or nothing was found: %+v", s)
	}
}

// TestASubscriptionThatStaysDeadIsGivenUp is H16 and H10: after the renewal, too, no event comes.
func TestASubscriptionThatStaysDeadIsGivenUp(t *testing.T) {
	t.Parallel()
	b, p, c := watched(t, 33, time.Millisecond, time.Hour)
	accounts := b.ids("Account")
	b.sim.Stream().Mute(1)
	for i, id := range accounts {
		c.forward(time.Minute)
		b.must(b.sim.Org().Update("Account", id, org.Fields{"Phone": "unheard"}))
		if err := p.Await(p.living, func(s salesforce.Status) bool { return s.Epoch > 1 || s.Counts.Repaired > int64(i) }); err != nil {
			t.Fatal(err)
		}
		if p.Status().Epoch > 1 {
			break
		}
	}
	b.await(p, func(s salesforce.Status) bool { return s.Epoch == 2 })
	p.settle()
	b.compare("Account")

	if audits := b.audits(); !slices.Contains(audits, "hole opened silence") {
		t.Errorf("the audit does not tell of the position that was given up: %q", audits)
	}
}

// TestAnEntityThatStaysSilentIsPolled withholds the events of one entity without any sign of it (facts 5.8).
func TestAnEntityThatStaysSilentIsPolled(t *testing.T) {
	t.Parallel()
	b, p, c := watched(t, 34, time.Hour, 200*time.Millisecond)
	b.must(b.sim.Org().Update("Account", b.ids("Account")[0], org.Fields{"Phone": "heard"}))
	p.settle()
	contacts := b.ids("Contact")
	for i, id := range contacts {
		c.forward(time.Minute)
		b.sim.Events().Select([]string{"Account"})
		b.must(b.sim.Org().Update("Contact", id, org.Fields{"Title": "withheld"}))
		b.sim.Events().Select(nil)
		done := func(s salesforce.Status) bool { return len(s.Polled) > 0 || s.Counts.Repaired > int64(i) }
		if err := p.Await(p.living, done); err != nil {
			t.Fatalf("%v: %+v", err, p.Status())
		}
		if len(p.Status().Polled) > 0 {
			break
		}
	}
	b.polledFor(p, "Contact", "no event of it comes although its records change")
	c.forward(time.Minute)
	b.must(b.sim.Org().Update("Contact", contacts[0], org.Fields{"Title": "heard"})) // the events come again
	b.streamed(p, "Contact")
	b.converge(p, "Contact")
}

// watched is an org whose events are reconciled several times a second, and whose ids nobody compares. silence is how long it
// may be silent, poll how often it is asked what it sends events of.
func watched(t *testing.T, seed uint64, silence, poll time.Duration) (*bench, *life, *clock) {
	t.Helper()
	c := &clock{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: seed, Accounts: 20, Contacts: 40, Now: c.now}})
	b.impatient()
	b.config.SilenceLimit, b.config.PollEvery, b.config.SweepEvery = silence, poll, -1
	p := b.start()
	p.settle()
	return b, p, c
}

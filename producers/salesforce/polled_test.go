package salesforce_test

import (
	"maps"
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

// clock is an org's clock that a test may put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// impatient makes everything that is done every few minutes be done several times a second.
func (b *bench) impatient() {
	b.config.PollEvery, b.config.ReconcileEvery, b.config.SafetyLag = 200*time.Millisecond, 300*time.Millisecond, time.Millisecond
}

// converge waits until a topic equals the org.
func (b *bench) converge(p *life, object string) {
	b.t.Helper()
	err := p.Await(p.living, func(salesforce.Status) bool { return b.equal(object) })
	if err != nil {
		b.compare(object)
		b.t.Fatalf("%v (status %+v)", err, p.Status())
	}
}

// equal reports whether a topic equals the org.
func (b *bench) equal(object string) bool {
	b.t.Helper()
	got, want := b.published("salesforce."+strings.ToLower(object)), b.truth(object)
	for id, row := range got {
		if row != nil && want[id] == nil {
			return false
		}
	}
	for id, fields := range want {
		row := got[id]
		for name, value := range fields {
			if row == nil || row[name] != value {
				return false
			}
		}
	}
	return true
}

// ids are those of the live records of an object, in their order.
func (b *bench) ids(object string) []string { return slices.Sorted(maps.Keys(b.truth(object))) }

// unheard makes changes of which no event is sent, as if they had been lost on the way.
func (b *bench) unheard(change func(*org.Org) error) {
	b.t.Helper()
	b.sim.Events().Select([]string{})
	defer b.sim.Events().Select(nil)
	b.must(change(b.sim.Org()))
}

// polledFor waits until an entity is polled for a reason.
func (b *bench) polledFor(p *life, name, why string) {
	b.t.Helper()
	b.await(p, func(s salesforce.Status) bool { return strings.Contains(s.Polled[name].Why, why) })
}

// streamed waits until an entity is not polled.
func (b *bench) streamed(p *life, name string) {
	b.t.Helper()
	b.await(p, func(s salesforce.Status) bool { _, polled := s.Polled[name]; return s.Phase == "streaming" && !polled })
}

func TestAnUnselectedObjectIsPolled(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 21, Accounts: 20, Contacts: 30}, Events: cdc.Options{Selected: []string{"Account"}}})
	b.impatient()
	p := b.start()
	p.settle()
	b.polledFor(p, "Contact", "CDC is not selected for it")
	const text = "Contact: polled every 200ms, because CDC is not selected for it; " + salesforce.ClickCDC
	if s := p.Status(); s.Polled["Contact"].Text != text || len(s.Polled) != 1 {
		t.Errorf("the status says %+v, want only %q", s.Polled, text)
	}
	o, contacts := b.sim.Org(), b.ids("Contact")
	made, err := o.Create("Contact", org.Fields{"LastName": "Made"})
	b.must(err)
	b.must(o.Update("Contact", contacts[0], org.Fields{"Title": "CFO", "MailingCity": nil}))
	b.must(o.Delete("Contact", contacts[1]))
	tx := o.Begin(org.Actor{Direct: true}) // a gap event beside it
	b.must(tx.Update("Account", b.ids("Account")[0], org.Fields{"BillingCity": "Bern"}))
	tx.Commit()
	b.converge(p, "Contact")
	b.must(o.Undelete("Contact", contacts[1]))
	b.must(o.Delete("Contact", made))
	b.converge(p, "Contact")
	p.settle()
	b.compare("Account")

	o.Update("Contact", contacts[2], org.Fields{"Title": "before it is selected"})
	b.sim.Events().Select([]string{"Account", "Contact"})
	b.streamed(p, "Contact")
	b.converge(p, "Contact")
	b.must(o.Update("Contact", contacts[3], org.Fields{"Title": "by an event"}))
	p.settle()
	b.compare("Contact")

	b.sim.Events().Select([]string{"Account"})
	b.must(o.Update("Contact", contacts[4], org.Fields{"Title": "after it was selected"}))
	b.polledFor(p, "Contact", "CDC is not selected for it")
	b.converge(p, "Contact")
	p.end()
	b.must(o.Update("Contact", contacts[5], org.Fields{"Title": "while nobody looked"}))
	p = b.start()
	b.converge(p, "Contact")
	if s := p.Status(); s.Counts.Repaired != 0 || s.Epoch != 2 {
		t.Errorf("polling is routine, and the status says %+v", s.Counts)
	}
	audits := b.audits()
	for _, state := range []string{"opened", "closed"} {
		if want := "polling " + state + " CDC is not selected for it"; !slices.Contains(audits, want) {
			t.Errorf("the audit does not say %q: %q", want, audits)
		}
	}
}

func TestAnOrgWithoutChannelIsPolled(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 22, Accounts: 20, Contacts: 20, Now: c.now}, Profile: simulator.Profile{NoStreaming: true}})
	b.impatient()
	p := b.start()
	b.polledFor(p, "Account", "403::User not enabled for streaming")
	b.polledFor(p, "Contact", "refused")
	b.converge(p, "Contact") // the snapshot does not wait for a subscription
	b.converge(p, "Account")
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "polling" })
	o, accounts := b.sim.Org(), b.ids("Account")
	b.must(o.Update("Account", accounts[0], org.Fields{"BillingCity": "Bern"}))
	b.converge(p, "Account")
	c.forward(3 * time.Minute)
	b.must(o.Purge("Account", accounts[1])) // its Contacts go with it; the list of deletions tells of whole minutes
	c.forward(3 * time.Minute)
	b.converge(p, "Account")
	b.converge(p, "Contact")

	b.sim.Permit(func(profile *simulator.Profile) { profile.NoStreaming = false })
	b.streamed(p, "Account")
	b.streamed(p, "Contact")
	b.must(o.Update("Account", accounts[2], org.Fields{"BillingCity": "Basel"}))
	p.settle()
	b.compare("Account")
	b.compare("Contact")
}

func TestWhereTheSelectionCannotBeSeen(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 23, Accounts: 5, Contacts: 5}, Events: cdc.Options{Selected: []string{"Account"}}, Profile: simulator.Profile{NoSetup: true},
	})
	b.impatient()
	p := b.start()
	b.polledFor(p, "Contact", "403::User not allowed to subscribe CDC")
	b.streamed(p, "Account")
	b.must(b.sim.Org().Update("Contact", b.ids("Contact")[0], org.Fields{"Title": "CFO"}))
	b.converge(p, "Contact")
	b.sim.Events().Select(nil)
	b.streamed(p, "Contact")
	b.must(b.sim.Org().Update("Contact", b.ids("Contact")[1], org.Fields{"Title": "CEO"}))
	p.settle()
	b.compare("Contact")
}

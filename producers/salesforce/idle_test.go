package salesforce_test

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// idle is an org in which one event was sent long ago: longer than Salesforce keeps it, and the producer has proved since that
// it missed none.
func idle(t *testing.T, events cdc.Options) (b *bench, p *life, c *clock) {
	t.Helper()
	c = &clock{}
	b = setup(t, simulator.Config{
		Org: org.Config{Seed: 94, Accounts: 20, Contacts: 20, Now: c.now}, Events: events,
		Settings: simulator.Settings{SessionIdle: simulator.Duration(1000 * time.Hour)},
	})
	b.impatient()
	b.config.SilenceLimit, b.config.PollEvery = time.Hour, time.Hour
	b.config.SafetyLag = 30 * time.Second // more than the clock that is learned from Salesforce's replies is ahead at most
	p = b.start()
	b.await(p, allReady)
	b.must(b.sim.Org().Update("Account", b.ids("Account")[0], org.Fields{"Phone": "the last for days"}))
	p.settle()
	b.pass(p, c, 73*time.Hour)
	return b, p, c
}

// pass lets time go by, until the producer has seen that nothing happened.
func (b *bench) pass(p *life, c *clock, d time.Duration) {
	b.t.Helper()
	c.forward(d)
	now := c.now()
	b.await(p, func(s salesforce.Status) bool { return s.ReadTo.After(now.Add(-time.Minute)) })
}

// refusals counts how often a replay id was refused.
func (b *bench) refusals() int64 { return b.sim.Stream().Stats().TooOld }

// TestASilentOrgKeepsItsPosition loses the session after 73 hours of silence: the id of the last event is refused because of
// its age alone, and nothing is read again, neither by this process nor by the next one.
func TestASilentOrgKeepsItsPosition(t *testing.T) {
	t.Parallel()
	b, p, _ := idle(t, cdc.Options{})
	before, audits := b.records("salesforce.account", "salesforce.contact"), b.audits()
	b.sim.Stream().ExpireSessions()
	b.await(p, func(salesforce.Status) bool { return b.refusals() == 1 })
	b.must(b.sim.Org().Update("Account", b.ids("Account")[1], org.Fields{"Phone": "after the silence"}))
	p.settle()
	b.compare("Account")
	if s, after := p.Status(), b.records("salesforce.account", "salesforce.contact"); s.Epoch != 1 || s.Counts.Repaired != 0 || after != before+1 {
		t.Errorf("%d records became %d, and the status is %+v", before, after, s)
	}
	if after := b.audits(); !slices.Equal(after, audits) {
		t.Errorf("the audit tells of what was no hole: %q, before %q", after, audits)
	}
}

// TestASilentOrgKeepsItsPositionOverARestart has the next process be refused.
func TestASilentOrgKeepsItsPositionOverARestart(t *testing.T) {
	t.Parallel()
	b, p, c := idle(t, cdc.Options{})
	b.awaitStoredPosition(p, func(s positionStored) bool { return s.Position.At >= c.now().Add(-time.Minute).UnixMilli() })
	before, audits := b.records("salesforce.account", "salesforce.contact"), b.audits()
	p.end()
	p = b.start()
	b.await(p, func(salesforce.Status) bool { return b.refusals() == 1 })
	b.must(b.sim.Org().Update("Account", b.ids("Account")[1], org.Fields{"Phone": "after the silence"}))
	p.settle()
	b.compare("Account")
	if s, after := p.Status(), b.records("salesforce.account", "salesforce.contact"); s.Epoch != 2 || s.Counts.Repaired != 0 || after != before+1 {
		t.Errorf("%d records became %d, and the status is %+v", before, after, s)
	}
	if after := b.audits(); !slices.Equal(after, audits) {
		t.Errorf("the audit tells of what was no hole: %q, before %q", after, audits)
	}
}

// TestASilenceThatWasNoneIsAHole refuses an id, for its age as it seems, of which the event still comes: the position is none
// of this stream, and is given up after all.
func TestASilenceThatWasNoneIsAHole(t *testing.T) {
	t.Parallel()
	b, p, _ := idle(t, cdc.Options{Retention: 1000 * time.Hour})
	b.unheard(func(o *org.Org) error {
		return o.Update("Account", b.ids("Account")[1], org.Fields{"Phone": "of the other stream"})
	})
	b.sim.Inject(simulator.Rule{
		Channel: "/meta/subscribe", Error: "400::The replayId {1} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.",
	})
	b.sim.Stream().ExpireSessions()
	b.awaitAudit(p, "hole closed refused_replay_id")
	b.await(p, func(s salesforce.Status) bool { return s.Epoch == 2 && s.Phase == "streaming" })
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	if told := b.holes("refused_replay_id"); len(told) != 4 || told[0].State != "opened" || told[0].Detail["why"] == "" {
		t.Errorf("the audit tells %d times of the hole, want opened and closed of both entities: %v", len(told), told)
	}
}

// TestAStopOfDaysIsAHole starts a producer that was stopped for 73 hours: what is kept may lack what it missed.
func TestAStopOfDaysIsAHole(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 95, Accounts: 20, Now: c.now}, Settings: simulator.Settings{SessionIdle: simulator.Duration(1000 * time.Hour)},
	})
	p := b.start()
	b.await(p, allReady)
	b.must(b.sim.Org().Update("Account", b.ids("Account")[0], org.Fields{"Phone": "before"}))
	p.settle()
	p.end()
	b.must(b.sim.Org().Update("Account", b.ids("Account")[1], org.Fields{"Phone": "nobody listens"}))
	b.must(b.sim.Org().Delete("Account", b.ids("Account")[2]))
	c.forward(73 * time.Hour)
	b.must(b.sim.Org().Update("Account", b.ids("Account")[3], org.Fields{"Phone": "of today"}))
	p = b.start()
	b.awaitAudit(p, "hole closed expired_position")
	p.settle()
	b.compare("Account")
	if told := b.holes("expired_position"); told[0].State != "opened" || told[0].Bounds.ToTime == nil || *told[0].Bounds.ToTime-*told[0].Bounds.FromTime < 72*time.Hour.Milliseconds() {
		t.Errorf("the hole is not said to reach over the days: %+v", told[0])
	}
}

// TestTheReplayAgeIsToldInTime lets an org's clock go while nothing proves that the stream was read: the age shows it, the
// alarm comes two days before the events are gone, and the proof brings the age down.
func TestTheReplayAgeIsToldInTime(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 96, Accounts: 10, Now: c.now}, Settings: simulator.Settings{SessionIdle: simulator.Duration(1000 * time.Hour)},
	})
	registered := prometheus.NewPedanticRegistry()
	b.config.Metrics = salesforce.NewMetrics(registered)
	b.config.ReconcileEvery, b.config.SweepEvery = time.Hour, 200*time.Millisecond // a sweep asks for the time, and proves nothing
	p := b.start()
	b.await(p, allReady)
	age := func() time.Duration {
		return time.Duration(gathered(b, registered, "crosswalk_salesforce_replay_age_seconds")) * time.Second
	}
	for _, hours := range []time.Duration{1, 11, 24} {
		was := age()
		c.forward(hours * time.Hour)
		b.await(p, func(salesforce.Status) bool { return age() >= was+hours*time.Hour-time.Minute })
	}
	if now := age(); now > 37*time.Hour {
		t.Errorf("after 36 hours without a proof the position is said to be %s old", now)
	}
	p.end()
	b.impatient()
	p = b.start()
	b.await(p, func(salesforce.Status) bool { return age() < time.Hour })
	if s := p.Status(); s.Epoch != 2 || len(b.holes("expired_position")) != 0 {
		t.Errorf("a position of 36 hours is no hole: %+v", s)
	}
	rules, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	b.must(err)
	if !bytes.Contains(rules, []byte("expr: crosswalk_salesforce_replay_age_seconds > 24 * 3600\n")) {
		t.Error("no alert comes when the position is 24 hours old, two days before its events are gone")
	}
}

// gathered is the value of a gauge or a counter without labels.
func gathered(b *bench, from prometheus.Gatherer, name string) float64 {
	b.t.Helper()
	families, err := from.Gather()
	b.must(err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	b.t.Fatalf("there is no metric %s", name)
	return 0
}

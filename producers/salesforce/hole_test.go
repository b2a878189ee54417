package salesforce_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// TestABurstOfGapEventsIsOneHole has 3,000 gap events in one go: one hole with their bounds, and every record read once.
func TestABurstOfGapEventsIsOneHole(t *testing.T) {
	t.Parallel()
	const n = 3000
	b := setup(t, simulator.Config{Org: org.Config{Seed: 21, Accounts: n, Contacts: 10}, Events: cdc.Options{MaxMerged: 1}})
	p := b.start()
	b.await(p, allReady)
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	calls := b.callsFor("Account")
	tx := b.sim.Org().Begin(org.Actor{Direct: true})
	for i, id := range ids {
		b.must(tx.Update("Account", id, org.Fields{"BillingCity": fmt.Sprint("city ", i)}))
	}
	last := tx.Commit().ReplayID
	p.settle()
	b.compare("Account")
	holes := b.holes("gap_event")
	if len(holes) != 2 || holes[0].State != "opened" || holes[1].State != "closed" || holes[0].ID != holes[1].ID {
		t.Fatalf("the audit has %d events of the burst: %v", len(holes), holes)
	}
	h := holes[1]
	if h.Detail["findings"] != strconv.Itoa(n) || h.Detail["records"] != strconv.Itoa(n) || h.Detail["records_read"] != strconv.Itoa(n) ||
		len(h.Bounds.IDs) != 500 || *h.Bounds.ToReplayID != last || h.Bounds.FromReplayID != nil && *h.Bounds.FromReplayID >= last || h.Bounds.FromTime == nil {
		t.Errorf("the hole is %+v, bounds %+v", h, h.Bounds)
	}
	made := b.callsFor("Account") - calls
	if said := h.Detail["calls"]; said != strconv.Itoa(made) || made > n/2000+3 {
		t.Errorf("%d calls read %d records, the audit says %s", made, n, said)
	}
}

// TestEachGapIsRepairedByItsReads has one event of each kind that tells less than what changed, and an unknown one.
func TestEachGapIsRepairedByItsReads(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 22, Accounts: 20, Contacts: 20}})
	p := b.start()
	b.await(p, allReady)
	accounts, contacts := slices.Sorted(maps.Keys(b.truth("Account"))), slices.Sorted(maps.Keys(b.truth("Contact")))
	emit := func(entity, kind, id string) {
		b.sim.Events().Commit(cdc.Commit{Changes: []cdc.Change{{Entity: entity, ID: id, Kind: kind}}})
	}
	emit("Account", "GAP_UPDATE", accounts[0])
	emit("Contact", "SNAPSHOT", contacts[0])
	direct := b.sim.Org().Begin(org.Actor{Direct: true})
	b.must(direct.Delete("Account", accounts[1]))
	created, err := direct.Create("Account", org.Fields{"Name": "behind the application's back"})
	b.must(err)
	direct.Commit()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	for reason, records := range map[string]int{"gap_event": 3, "unknown_event": 1} {
		holes := b.holes(reason)
		total, read := 0, 0
		for _, h := range holes {
			if h.State == "closed" {
				total += number(h.Detail["records"])
				read += number(h.Detail["records_read"])
			}
		}
		if total < records || read == 0 {
			t.Errorf("%s: %d records in closed holes, %d read, want %d: %v", reason, total, read, records, holes)
		}
	}
	if !slices.ContainsFunc(b.holes("gap_event"), func(a avro.Audit) bool { return slices.Contains(a.Bounds.IDs, created) }) {
		t.Errorf("no hole names %s", created)
	}
	live := strconv.Itoa(len(b.truth("Contact"))) // some went with their account
	emit("Contact", "UPDATE", "003*")
	p.settle()
	if holes := b.holes("wildcard"); len(holes) != 2 || holes[1].State != "closed" || holes[1].Detail["rows"] != live || holes[1].Detail["rows_expected"] != live {
		t.Errorf("the wildcard left %v", holes)
	}
	b.compare("Contact")
}

// TestAHoleIsClosedByTheNextOwner kills a producer while records of a gap wait to be read: the next one closes the same hole.
func TestAHoleIsClosedByTheNextOwner(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 23, Accounts: 50}})
	p := b.start()
	b.await(p, allReady)
	_, err := b.sim.Org().Create("Account", org.Fields{"Name": "first"})
	b.must(err)
	p.settle()
	b.sim.Inject(simulator.Rule{Fault: simulator.Fault{Delay: simulator.Duration(time.Hour)}, Path: "/services/data/*/composite/sobjects/Account", Count: -1})
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	tx := b.sim.Org().Begin(org.Actor{Direct: true})
	for _, id := range ids[:10] {
		b.must(tx.Update("Account", id, org.Fields{"Phone": "unseen"}))
	}
	tx.Commit()
	b.await(p, func(s salesforce.Status) bool { return s.Holes == 1 })
	b.awaitAudit(p, "hole opened gap_event")
	p.end()
	b.sim.ClearFaults()
	p = b.start()
	p.settle()
	b.compare("Account")
	holes := b.holes("gap_event")
	first, last := holes[0], holes[len(holes)-1]
	if first.ID != last.ID || last.State != "closed" || last.Detail["records"] != "10" || last.Detail["records_read"] != "10" || last.Detail["epoch"] != "2" {
		t.Errorf("the holes are %v", holes)
	}
}

// TestOverflowsThatComeAgainAreNotReadAgain loses the connection behind an overflow: what was snapshotted for it stays.
func TestOverflowsThatComeAgainAreNotReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 24, Accounts: 10, Contacts: 30}, Events: cdc.Options{OverflowAfter: 5}})
	p := b.start()
	b.await(p, allReady)
	tx := b.sim.Org().Begin(org.Actor{})
	for id := range b.truth("Contact") {
		b.must(tx.Update("Contact", id, org.Fields{"Title": id}))
	}
	tx.Commit()
	p.settle()
	for range 2 {
		b.sim.Stream().ExpireSessions()
		before := p.Status().Counts.Events
		_, err := b.sim.Org().Create("Account", org.Fields{"Name": "behind it"})
		b.must(err)
		b.await(p, func(s salesforce.Status) bool { return s.Counts.Events > before })
		p.settle()
	}
	p.end()
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Epoch == 2 && s.Phase == "streaming" })
	if holes := b.holes("overflow"); len(holes) != 2 {
		t.Errorf("the audit has %d events of one overflow: %v", len(holes), holes)
	}
	b.compare("Contact")
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // an empty one is 0
	return n
}

// callsFor counts the calls that read records of an entity by id.
func (b *bench) callsFor(entity string) (n int) {
	for _, r := range b.sim.Requests() {
		if strings.HasSuffix(r.Path, "/composite/sobjects/"+entity) {
			n++
		}
	}
	return n
}

// holes are the audit events with a reason, in their order.
func (b *bench) holes(reason string) (out []avro.Audit) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.audit"}, func(r topic.Record) error {
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		a, err := avro.DecodeAudit(schemas.Audit, body)
		if err == nil && *a.Reason == reason {
			out = append(out, a)
		}
		return err
	})
	b.must(err)
	return out
}

// awaitAudit waits until the audit has said something, as kind, state and reason.
func (b *bench) awaitAudit(p *life, text string) {
	b.t.Helper()
	b.await(p, func(salesforce.Status) bool { return slices.Contains(b.audits(), text) })
}

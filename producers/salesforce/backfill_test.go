package salesforce_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// TestBackfillCorrectsWhatIsDamaged has wrong values and a ghost in the topic, which no event tells of, and reads them again
// in each way, while the org changes. Afterwards the topic equals the org, and nothing of it was an alarm.
func TestBackfillCorrectsWhatIsDamaged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask   func(ids []string) avro.Backfill
		job   int // from how many rows on a bulk job lists them
		calls string
	}{
		"a window":              {func([]string) avro.Backfill { return avro.Backfill{Since: ago(years)} }, 0, "ORDER BY SystemModstamp"},
		"a window, by a job":    {func([]string) avro.Backfill { return avro.Backfill{Since: ago(years)} }, 10, "/results"},
		"ids":                   {func(ids []string) avro.Backfill { return avro.Backfill{IDs: short(ids)} }, 0, ""},
		"ids and a condition":   {func(ids []string) avro.Backfill { return avro.Backfill{IDs: ids, Where: text("Id != null")} }, 0, "Id IN ("},
		"a condition":           {func([]string) avro.Backfill { return avro.Backfill{Where: text("Name LIKE '%'")} }, 0, "(Name LIKE '%')"},
		"everything there is":   {func([]string) avro.Backfill { return avro.Backfill{} }, 0, "/jobs/query"},
		"an end, and so a list": {func([]string) avro.Backfill { return avro.Backfill{Until: ago(-time.Hour)} }, 0, "SystemModstamp < "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 21, Accounts: 90}})
			b.config.BackfillRows, b.config.BackfillJob = 20, c.job
			p := b.start()
			p.settle()
			ids := slices.Sorted(maps.Keys(b.truth("Account")))
			ghost := ids[7]
			b.must(b.sim.Org().Delete("Account", ghost))
			p.settle()
			p.end()
			for _, id := range []string{ids[3], ids[30], ghost} {
				b.damage("Account", ids[3], id)
			}
			b.config.StateDir = t.TempDir()
			p = b.start()
			p.settle()
			if row := b.published("salesforce.account")[ids[30]]; row["BillingCity"] != "damaged" {
				t.Fatalf("the damage is not in the topic: %v", row)
			}
			before := len(b.sim.Requests())

			ask := c.ask([]string{ids[3], ids[30], ghost})
			ask.Objects = []string{"Account"}
			b.ask("b1", ask)
			for i := range 30 {
				b.must(b.sim.Org().Update("Account", ids[10+i], org.Fields{"Phone": strconv.Itoa(i)}))
			}
			done := b.awaitBackfill(p, "b1", salesforce.BackfillDone)
			p.settle()
			if name == "a condition" || name == "an end, and so a list" { // its deletion is found in the recycle bin
				b.must(b.sim.Org().Update("Account", ids[8], org.Fields{"Phone": "last"}))
				p.settle()
			}
			b.compare("Account")
			if s := p.Status(); s.Counts.Repaired != 0 {
				t.Errorf("H15: %d repairs were counted as an alarm", s.Counts.Repaired)
			}
			if restricted := name != "everything there is"; restricted && done.Changed() < 3 || done.Parts[0].Read < 3 {
				t.Errorf("it says that %d differed: %+v", done.Changed(), done)
			}
			if c.calls != "" && !slices.ContainsFunc(b.sim.Requests()[before:], func(r simulator.Request) bool { return strings.Contains(call(r), c.calls) }) {
				t.Errorf("no call has %q", c.calls)
			}
			for _, want := range []string{"backfill opened asked for by tester", "backfill closed asked for by tester"} {
				if audits := b.audits(); !slices.Contains(audits, want) {
					t.Errorf("the audit does not say %q: %q", want, audits)
				}
			}
			if slices.ContainsFunc(b.audits(), func(a string) bool { return strings.HasPrefix(a, "hole") }) {
				t.Errorf("the audit tells of a hole: %q", b.audits())
			}
		})
	}
}

// TestBackfillGoesOnWhereItWas kills the producer in the middle of a backfill, and again while the org changes at random.
func TestBackfillGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	lists := &toll{match: "ORDER BY SystemModstamp", left: 4}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 22, Accounts: 100, Contacts: 40}, Fault: lists.fault})
	b.config.BackfillRows = 10
	p := b.start()
	p.settle()
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	b.ask("b1", avro.Backfill{Objects: []string{"Account", "Contact"}, Since: ago(years)})
	b.await(p, func(s salesforce.Status) bool { return len(s.Backfills) == 1 && s.Backfills[0].Parts[0].Read == 30 })
	p.end()
	for i, id := range ids[:50] {
		b.must(b.sim.Org().Update("Account", id, org.Fields{"Phone": strconv.Itoa(i)}))
	}
	lists.lift()
	before := len(b.sim.Requests())
	b.config.StateDir = t.TempDir() // the task goes to another process
	p = b.start()
	b.ask("b1", avro.Backfill{Objects: []string{"Note"}}) // the same id: it changes nothing
	done := b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	first := slices.IndexFunc(b.sim.Requests()[before:], func(r simulator.Request) bool { return strings.Contains(call(r), lists.match) })
	if soql := call(b.sim.Requests()[before+first]); !strings.Contains(soql, "AND Id > '") {
		t.Errorf("the list begins anew: %s", soql)
	}
	if done.Parts[0].Read < 100 || done.Parts[1].Read < 40 || len(done.Objects) != 2 {
		t.Errorf("it is done with %+v", done)
	}
}

func TestBackfillIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]avro.Backfill{"a list": {Since: ago(years)}, "a snapshot": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lists, pages := &toll{match: "ORDER BY SystemModstamp", left: 3}, &toll{match: "/results", left: 1000}
			b := setup(t, simulator.Config{
				Org:   org.Config{Seed: 23, Accounts: 200},
				Fault: func(r *http.Request) *simulator.Fault { return first(lists.fault(r), pages.fault(r)) },
			})
			b.config.BackfillRows = 20
			p := b.start()
			p.settle()
			pages.leave(2)
			ask.Objects = []string{"Account"}
			b.ask("b1", ask)
			b.await(p, func(s salesforce.Status) bool { return len(s.Backfills) == 1 && s.Backfills[0].Parts[0].Read >= 40 })
			b.steer(salesforce.AskPause, "b1", 1)
			lists.lift()
			pages.lift()
			b.awaitBackfill(p, "b1", salesforce.BackfillPaused)
			p.end()
			p = b.start()
			b.must(b.sim.Org().Update("Account", slices.Sorted(maps.Keys(b.truth("Account")))[0], org.Fields{"Phone": "while it is paused"}))
			b.await(p, func(s salesforce.Status) bool {
				return len(s.Backfills) == 1 && s.ReplayID == b.sim.Events().Last() && s.Phase != "recovering"
			})
			if now := p.Status().Backfills[0]; now.State != salesforce.BackfillPaused || now.Parts[0].Read >= 200 {
				t.Fatalf("a restart resumes it: %+v", now)
			}
			b.steer(salesforce.AskResume, "b1", 2)
			b.awaitBackfill(p, "b1", salesforce.BackfillDone)
			p.settle()
			b.compare("Account")
			b.steer(salesforce.AskCancel, "b1", 3) // it is over: this changes nothing

			lists.leave(2)
			pages.leave(2)
			b.ask("b2", ask)
			b.await(p, func(s salesforce.Status) bool { return len(s.Backfills) == 2 && s.Backfills[1].Parts[0].Read >= 20 })
			b.steer(salesforce.AskCancel, "", 4) // all of the org's
			lists.lift()
			pages.lift()
			b.awaitBackfill(p, "b2", salesforce.BackfillCancelled)
			p.settle()
			b.compare("Account")
			if s := p.Status(); s.Backfills[0].State != salesforce.BackfillDone || len(s.Snapshots) != 0 {
				t.Errorf("after the second was cancelled: %+v", s)
			}
		})
	}
}

// TestAPauseThatLastsTooLong closes the snapshot's window; a resume begins it anew.
func TestAPauseThatLastsTooLong(t *testing.T) {
	t.Parallel()
	pages := &toll{match: "/results", left: 1000}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 24, Accounts: 200}, Fault: pages.fault})
	b.config.BackfillPause = 200 * time.Millisecond
	p := b.start()
	p.settle()
	pages.leave(2)
	b.ask("b1", avro.Backfill{Objects: []string{"Account"}})
	b.await(p, func(s salesforce.Status) bool { return s.Snapshots["Account"].Rows >= 50 })
	b.steer(salesforce.AskPause, "b1", 1)
	b.await(p, func(s salesforce.Status) bool { return len(s.Snapshots) == 0 && s.Phase == "streaming" })
	pages.lift()
	b.steer(salesforce.AskResume, "b1", 2)
	if done := b.awaitBackfill(p, "b1", salesforce.BackfillDone); done.Parts[0].Read != 200 {
		t.Errorf("it is done with %+v", done)
	}
	p.settle()
	b.compare("Account")
}

func TestBackfillThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 25, Accounts: 5}})
	p := b.start()
	p.settle()
	n := 0
	for _, c := range []struct {
		ask   avro.Backfill
		words []string
	}{
		{avro.Backfill{Objects: []string{"Account"}, Where: text("Nonsense__c = '1'")}, []string{"INVALID_FIELD", "No such column 'Nonsense__c'"}},
		{avro.Backfill{Objects: []string{"Account"}, Where: text("Name = = 'x'")}, []string{"MALFORMED_QUERY", "correct the condition"}},
		{avro.Backfill{Objects: []string{"Account"}, Where: text("Name = 'x') OR (Name != null LIMIT 1")}, []string{"MALFORMED_QUERY"}},
		{avro.Backfill{Objects: []string{"Account"}, Where: text("Name = '" + strings.Repeat("x", 20_000) + "'")}, []string{"does not fit into an address"}},
		{avro.Backfill{Objects: []string{"Opportunity"}}, []string{`"Opportunity" cannot be backfilled`, "Account, Contact"}},
		{avro.Backfill{Objects: []string{"Account"}, IDs: []string{"003Qk0000000001IAA"}}, []string{"is of no Account", "Account 001"}},
		{avro.Backfill{Objects: []string{"ContentNote"}}, []string{"not read from this org", "notes.objects"}},
		{avro.Backfill{}, []string{"needs an object"}},
	} {
		n++
		id := fmt.Sprint("b", n)
		b.ask(id, c.ask)
		failed := b.awaitBackfill(p, id, salesforce.BackfillFailed)
		for _, w := range c.words {
			if !strings.Contains(failed.Reason, w) {
				t.Errorf("%+v failed with %q, want %q in it", c.ask, failed.Reason, w)
			}
		}
		if audits := b.audits(); !slices.ContainsFunc(audits, func(a string) bool {
			return strings.HasPrefix(a, "backfill failed ") && strings.Contains(a, c.words[0])
		}) {
			t.Errorf("the audit does not say %q: %q", c.words[0], audits)
		}
	}
	_, err := b.sim.Org().Create("Account", org.Fields{"Name": "the producer lives"})
	b.must(err)
	p.settle()
	b.compare("Account")
}

func TestBackfillOfRecordsThatAreNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 26, Accounts: 10}})
	p := b.start()
	p.settle()
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	b.must(b.sim.Org().Delete("Account", ids[0]))
	b.must(b.sim.Org().Delete("Account", ids[1]))
	b.must(b.sim.Org().Purge("Account", ids[1]))
	p.settle()
	before := b.records("salesforce.account")
	b.ask("b1", avro.Backfill{Objects: []string{"Account"}, IDs: []string{ids[0], ids[1], ids[2], "001000000000001AAA"}})
	done := b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	if after := b.records("salesforce.account"); after != before || done.Changed() != 0 || done.Parts[0].Read != 4 {
		t.Errorf("the topic had %d records and has %d; %+v", before, after, done)
	}
	b.compare("Account")
}

// TestBackfillsWhileEverythingHappens asks for backfills while the org changes at random and producers die.
func TestBackfillsWhileEverythingHappens(t *testing.T) {
	t.Parallel()
	for seed := range 6 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: uint64(seed), Accounts: 60, Contacts: 80}})
			b.config.BackfillRows, b.config.BackfillJob = 7, 50
			c := &chaos{bench: b, rng: rand.New(rand.NewPCG(uint64(seed), 31)), ids: map[string][]string{}}
			for _, object := range []string{"Account", "Contact"} {
				c.ids[object] = slices.Sorted(maps.Keys(b.truth(object)))
			}
			p := c.start()
			asked := []avro.Backfill{
				{Objects: []string{"Contact", "Account"}, Since: ago(years)},
				{Objects: []string{"Account"}},
				{Objects: []string{"Account", "Contact"}, Where: text("Id != null")},
			}
			for i, ask := range asked {
				b.ask(fmt.Sprint("b", i), ask)
				for range 15 {
					c.change()
				}
				if c.rng.IntN(2) == 0 {
					b.await(p, func(s salesforce.Status) bool { return s.Phase != "starting" }) // it has the task
					c.progress(p)
					p.end()
					c.change()
					p = c.start()
				}
			}
			for _, tx := range c.tx {
				tx.Commit()
			}
			for i := range asked {
				b.awaitBackfill(p, fmt.Sprint("b", i), salesforce.BackfillDone)
			}
			b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
			_, err := b.sim.Org().Create("Account", org.Fields{"Name": "the last change"})
			b.must(err)
			p.settle()
			b.compare("Account")
			b.compare("Contact")
		})
	}
}

// TestAWithdrawnBackfillIsForgotten removes the request of one that is over, as whoever asks for another does with old ones: what
// became of it goes as well, at once or at the next start, and it is not done again.
func TestAWithdrawnBackfillIsForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 28, Accounts: 10}})
	withdraw := func(id string) {
		for _, key := range salesforce.WithdrawnKeys("", id) {
			b.say(key, nil)
		}
	}
	p := b.start()
	p.settle()
	for _, id := range []string{"b1", "b2", "b3"} {
		b.ask(id, avro.Backfill{Objects: []string{"Account"}, Since: ago(time.Hour)})
		b.awaitBackfill(p, id, salesforce.BackfillDone)
	}
	withdraw("b1")
	b.await(p, func(s salesforce.Status) bool { return len(s.Backfills) == 2 })
	p.end()
	withdraw("b2")
	before := len(b.sim.Requests())
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return len(s.Backfills) == 1 && s.Phase == "streaming" })
	if s := p.Status(); s.Backfills[0].ID != "b3" {
		t.Errorf("it knows of %+v", s.Backfills)
	}
	b.ask("b4", avro.Backfill{Objects: []string{"Account"}, Since: ago(time.Hour)})
	b.awaitBackfill(p, "b4", salesforce.BackfillDone)
	counted := 0
	for _, r := range b.sim.Requests()[before:] {
		if strings.Contains(call(r), "COUNT() FROM Account WHERE SystemModstamp") {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("%d backfills were begun, want one", counted)
	}
	kept := map[string]bool{}
	_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.position"}, func(r topic.Record) error {
		if id, ok := strings.CutPrefix(string(r.Key), "default/backfill/"); ok {
			kept[id] = r.Value != nil
		}
		return nil
	})
	b.must(err)
	if want := map[string]bool{"b1": false, "b2": false, "b3": true, "b4": true}; !maps.Equal(kept, want) {
		t.Errorf("crosswalk.position keeps %v, want %v", kept, want)
	}
}

// TestAnAuditedBackfillEndsAfterItBegan has one done within the second to which the org tells its time.
func TestAnAuditedBackfillEndsAfterItBegan(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 94, Accounts: 3}})
	p := b.start()
	b.await(p, allReady)
	b.ask("short", avro.Backfill{Objects: []string{"Account"}, IDs: b.ids("Account")[:1]})
	b.awaitBackfill(p, "short", salesforce.BackfillDone)
	b.awaitAudit(p, "backfill closed asked for by tester")
}

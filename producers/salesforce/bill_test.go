package salesforce_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestBillIsWhatARunCosts holds the estimate to the org's own log of requests: within 5 % and a constant.
func TestBillIsWhatARunCosts(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 41, Accounts: 4500}})
	b.config.Notes = salesforce.Notes{}
	p := b.start()
	p.settle()
	for id, ask := range map[string]avro.Backfill{"query": {Since: ago(years)}, "snapshot": {}} {
		ask.Objects = []string{"Account"}
		bill, err := salesforce.EstimateBackfill(b.ctx, b.client, &ask, salesforce.Terms{PageRows: pageRows(t), Reserve: 0.2})
		b.must(err)
		if row := bill.Bytes / bill.Rows; row < 500 || row > 10_000 || bill.Minutes <= 0 || bill.Minutes > 1 {
			t.Errorf("%s: the bill says %d bytes and %.1f minutes for %d rows", id, bill.Bytes, bill.Minutes, bill.Rows)
		}
		few, err := salesforce.EstimateBackfill(b.ctx, b.client, &ask, salesforce.Terms{Fields: map[string]sfapi.Selection{"Account": {Include: []string{"Phone"}}}})
		b.must(err)
		if few.Rows != bill.Rows || few.Bytes > bill.Bytes/3 {
			t.Errorf("%s: of one chosen field it says %d bytes, of all %d", id, few.Bytes, bill.Bytes)
		}
		if want := bill.Remaining - bill.Max/5; bill.Max == 0 || bill.Left != want {
			t.Errorf("%s: a reserve of a fifth of %d leaves %d of %d calls, want %d", id, bill.Max, bill.Left, bill.Remaining, want)
		}
		before := len(b.sim.Requests())
		b.ask(id, ask)
		b.awaitBackfill(p, id, salesforce.BackfillDone)
		made := 0
		for _, r := range b.sim.Requests()[before:] {
			if strings.HasPrefix(r.Path, "/services/data/") {
				made++
			}
		}
		const constant = 8 // polls of a job, and what else the producer asks in the meantime
		if math.Abs(float64(bill.Calls)-float64(made)) > 0.05*float64(made)+constant || bill.Rows != 4500 || bill.Objects[0].Way != id {
			t.Errorf("%s: the bill says %d calls and %d rows, and %d calls were made: %+v", id, bill.Calls, bill.Rows, made, bill)
		}
	}
}

// TestBillOfNotes holds the estimate for each kind of note, asked for in each way, to the calls that are made.
func TestBillOfNotes(t *testing.T) {
	t.Parallel()
	for kind := range writings {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 42, Accounts: 3}})
			var ids []string
			for range 120 {
				ids = append(ids, b.write(kind, "a text", b.ids("Account")[0]))
			}
			b.config.PollEvery, b.config.LimitsEvery = time.Hour, time.Hour
			p := b.idle(kind)
			for id, ask := range map[string]avro.Backfill{"rows": {}, "ids": {IDs: ids}, "window": {Since: ago(years)}} {
				ask.Objects = []string{kind}
				bill, err := salesforce.EstimateBackfill(b.ctx, b.client, &ask, salesforce.Terms{Reserve: 0.2})
				b.must(err)
				before := len(b.sim.Requests())
				b.ask(id, ask)
				b.awaitBackfill(p, id, salesforce.BackfillDone)
				made := 0
				for _, r := range b.sim.Requests()[before:] {
					if strings.HasPrefix(r.Path, "/services/data/") {
						made++
					}
				}
				if math.Abs(float64(bill.Calls)-float64(made)) > 2 || bill.Rows != 120 {
					t.Errorf("%s: the bill says %d calls and %d rows, and %d calls were made", id, bill.Calls, bill.Rows, made)
				}
			}
		})
	}
}

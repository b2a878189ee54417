package salesforce_test

import (
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// BenchmarkSnapshot publishes an org of 25,000 accounts and 75,000 contacts. The simulated org and the broker are in the
// same process, so its figures are those of all three.
func BenchmarkSnapshot(b *testing.B) {
	const accounts, contacts = 25_000, 75_000
	for b.Loop() {
		bench := setup(b, simulator.Config{Org: org.Config{Seed: 1, Accounts: accounts, Contacts: contacts}})
		bench.config.Notes.Objects = nil
		p := bench.start()
		bench.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
		p.end()
	}
	b.ReportMetric(float64(b.N)*(accounts+contacts)/b.Elapsed().Seconds(), "rows/s")
}

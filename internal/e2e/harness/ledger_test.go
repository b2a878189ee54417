package harness

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/customer"
)

// TestLedgerHasEveryOutcome holds the trial's data to be worth a trial: about half is matched, and every other outcome occurs.
func TestLedgerHasEveryOutcome(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("001%015d", i))
	}
	l, carries := NewLedger(rand.New(rand.NewPCG(1, 2)), ids)
	l.Revise()
	accounts := map[string]naive.Record{}
	for _, id := range ids {
		var identifier any
		if x, ok := carries[id]; ok {
			identifier = x
		}
		accounts[id] = naive.Record{Fields: customer.Fields{"Id": id, LinkField: identifier}}
	}
	state := naive.Compute(naive.Inputs{
		Accounts: accounts, Customers: l.Records(),
		Link: &customer.Link{SalesforceField: LinkField, ERPField: "identifier", Cardinality: "one_to_one", NearMiss: true},
	})
	near, sides := 0, map[string]int{}
	for _, u := range state.Unmatched {
		sides[string(u.Side)]++
		if len(u.NearMisses) > 0 {
			near++
		}
	}
	if len(state.Views) < 400 || len(state.Views) > 550 || len(state.Ambiguous) < 20 || near < 100 || len(sides) != 2 {
		t.Errorf("%d views, %d ambiguous, %d near misses, unmatched %v", len(state.Views), len(state.Ambiguous), near, sides)
	}
}

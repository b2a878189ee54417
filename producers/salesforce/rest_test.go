package salesforce_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestAnObjectThatBulkRefuses is read by REST. A crash in the middle costs the ids that were not published, and no more.
func TestAnObjectThatBulkRefuses(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	pages, limit := 0, 2
	gate := func(r *http.Request) *simulator.Fault {
		if !strings.HasSuffix(r.URL.Path, "/composite/sobjects/Account") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if pages == limit {
			return &simulator.Fault{Delay: simulator.Duration(time.Hour)} // or until the client is gone
		}
		pages++
		return nil
	}
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 61, Accounts: 7000, Contacts: 10}, Fault: gate,
		Settings: simulator.Settings{Bulk: simulator.Bulk{Refused: []string{"Account"}}},
	})
	p := b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Snapshots["Account"].Rows >= 4000 })
	b.awaitStored(4000)
	p.end()
	mu.Lock()
	limit = -1
	mu.Unlock()
	b.must(b.sim.Org().Update("Account", b.ids("Account")[10], org.Fields{"BillingCity": "changed while nobody looked"}))
	p = b.start()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	mu.Lock()
	defer mu.Unlock()
	if pages != 4 {
		t.Errorf("7000 rows were read in %d calls of up to 2000, want 4: nothing twice", pages)
	}
}

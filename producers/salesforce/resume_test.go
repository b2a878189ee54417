package salesforce_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// gate lets the first result pages through and holds the others back until it is opened.
type gate struct {
	mu     sync.Mutex
	left   int
	open   bool
	passed []string // URLs
}

// fault is the simulator's hook.
func (g *gate) fault(r *http.Request) *simulator.Fault {
	if !strings.HasSuffix(r.URL.Path, "/results") {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open && g.left == 0 {
		return &simulator.Fault{Delay: simulator.Duration(time.Hour)} // or until the client is gone
	}
	g.left--
	g.passed = append(g.passed, r.URL.String())
	return nil
}

// TestSnapshotGoesOnWhereItWas kills a producer in the middle of a snapshot: pages that are published are not read again.
func TestSnapshotGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	g := &gate{left: 11} // the one of Contact, and ten
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 3, Accounts: 400}, Fault: g.fault, Settings: simulator.Settings{Bulk: simulator.Bulk{PageRows: 20}},
	})
	p := b.start()
	b.await(p, func(s salesforce.Status) bool {
		_, open := s.Snapshots["Contact"]
		return !open && s.Snapshots["Account"].Rows == 200
	})
	b.awaitStored(200)
	p.end()

	g.mu.Lock()
	before := slices.Clone(g.passed)
	g.open, g.passed = true, nil
	g.mu.Unlock()
	p = b.start()
	p.settle()
	b.compare("Account")
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, url := range g.passed {
		if slices.Contains(before, url) {
			t.Errorf("%s was published and is read again", url)
		}
	}
	if len(before) != 11 || len(g.passed) != 10 {
		t.Errorf("%d pages were read before and %d after, want 11 and 10", len(before), len(g.passed))
	}
}

// awaitStored waits until the stored position knows so many published rows of Account.
func (b *bench) awaitStored(rows int64) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for stored := false; !stored; {
		_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.position"}, func(r topic.Record) error {
			id, body, err := avro.Unframe(r.Value)
			if err != nil {
				return err
			}
			text, err := b.registry.Schema(b.ctx, id)
			if err != nil {
				return err
			}
			position, err := avro.DecodePosition(text, body)
			for _, s := range position.Snapshots {
				stored = stored || s.Entity == "Account" && s.RowsPublished == rows
			}
			return err
		})
		b.must(err)
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.t.Fatalf("no position with %d rows of Account was stored", rows)
		}
	}
}

// TestABrokenPageIsReadAgain cuts connections in the middle of result pages, twice in a row at one place.
func TestABrokenPageIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 4, Accounts: 200}, Settings: simulator.Settings{Bulk: simulator.Bulk{PageRows: 20}},
	})
	cut := simulator.Fault{Truncate: 3000}
	for _, after := range []int{3, 3, 5} {
		b.sim.Inject(simulator.Rule{Fault: cut, Path: "/services/data/*/jobs/query/*/results", After: after})
	}
	b.start().settle()
	b.compare("Account")
}

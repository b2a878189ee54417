package salesforce_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestAPollGoesOnWhereItWas kills a producer in the middle of a poll of 120 changed contacts, for an hour: the next one reads
// those behind the place and no others, and does not lose a change that was saved before the place and committed behind it.
func TestAPollGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	c := &clock{}
	var polling atomic.Bool
	l := newLatch(0, func(r *http.Request) bool { return polling.Load() && nextPage(r) })
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 24, Accounts: 10, Contacts: 150, Now: c.now}, Events: cdc.Options{Selected: []string{"Account"}}, Fault: l.fault,
		Settings: simulator.Settings{QueryBatch: 40},
	})
	b.impatient()
	b.config.PollRows = 40
	p := b.start()
	b.polledFor(p, "Contact", "CDC is not selected for it")
	b.converge(p, "Contact")
	o, contacts := b.sim.Org(), b.ids("Contact")
	late, tx := o.Begin(org.Actor{}), o.Begin(org.Actor{})
	b.must(late.Update("Contact", contacts[0], org.Fields{"Title": "saved first, committed last"}))
	for i, id := range contacts[1:121] {
		b.must(tx.Update("Contact", id, org.Fields{"Title": fmt.Sprint("title ", i)}))
	}
	c.forward(30 * time.Second) // what is read from now on need not be read again
	forward := c.now().Add(-10 * time.Second).UnixMilli()
	b.awaitFeed(p, "Contact", func(f feedStored) bool { return f.Covered > forward }) // the producer knows the time
	polling.Store(true)
	tx.Commit()
	l.await(b)
	b.awaitFeed(p, "Contact", func(f feedStored) bool { return f.ID != "" })
	p.end()
	read := p.Status().Counts.Polled
	late.Commit()
	c.forward(time.Hour)
	l.open()

	registered := prometheus.NewPedanticRegistry()
	b.config.Metrics = salesforce.NewMetrics(registered)
	p = b.start()
	b.awaitFeed(p, "Contact", func(f feedStored) bool { return f.ID == "" && f.Covered > c.now().Add(-10*time.Minute).UnixMilli() })
	b.compare("Contact")
	if again := gathered(b, registered, "crosswalk_salesforce_refetched_total"); read != 40 || again != 81 {
		t.Errorf("%d records were read before the kill and %v after it, want 40 and 81", read, again)
	}
}

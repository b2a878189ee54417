package salesforce_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

var (
	chaosSeeds = flag.Int("chaos", 20, "histories of the whole producer against the simulated org")
	chaosFrom  = flag.Int("chaos-from", 0, "seed of the first history")
	chaosSeed  = flag.Int("chaos-seed", -1, "run the history of this seed alone")
)

// chaos changes an org at random while a producer runs, is killed and comes back.
type chaos struct {
	*bench
	rng *rand.Rand
	ids map[string][]string
	tx  []*org.Tx // open transactions, committed later
}

func TestChaosConverges(t *testing.T) {
	t.Parallel()
	first, n := *chaosFrom, *chaosSeeds
	if *chaosSeed >= 0 {
		first, n = *chaosSeed, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(seed), 11))
			b := setup(t, simulator.Config{
				Org: org.Config{Seed: uint64(seed), Accounts: 60, Contacts: 120},
				Settings: simulator.Settings{Bulk: simulator.Bulk{
					Chunks: 1 + rng.IntN(4), Shuffle: rng.IntN(2) == 0, ReadTime: simulator.Duration(time.Duration(rng.IntN(400)) * time.Millisecond),
				}},
			})
			c := &chaos{bench: b, rng: rng, ids: map[string][]string{}}
			c.run()
		})
	}
}

func (c *chaos) run() {
	for _, object := range []string{"Account", "Contact"} {
		for id := range c.truth(object) {
			c.ids[object] = append(c.ids[object], id)
		}
	}
	p := c.start()
	for round := range 2 + c.rng.IntN(4) {
		for range 5 + c.rng.IntN(30) {
			c.change()
		}
		switch c.rng.IntN(5) {
		case 0: // killed at some moment of whatever it is doing
			p.end()
			c.change()
			p = c.start()
		case 1:
			c.sim.Stream().ExpireSessions()
		case 2:
			c.sim.RevokeTokens()
		case 3:
			c.sim.SetSchedule(simulator.Schedule{Seed: c.rng.Uint64(), Rate: 0.1, Path: "/services/data/*"})
		case 4: // the retention passes while nobody listens; at T0 alone only the clock could tell
			if s := p.Status(); round > 0 && s.Phase == "streaming" && s.ReplayID > 0 {
				p.end()
				c.change()
				c.sim.Events().Purge()
				p = c.start()
			}
		}
		c.progress(p)
	}
	c.sim.ClearFaults()
	for _, tx := range c.tx {
		tx.Commit()
	}
	c.must(p.Await(p.living, func(s salesforce.Status) bool { return s.Phase == "streaming" }))
	_, err := c.sim.Org().Create("Account", org.Fields{"Name": "the last change"})
	c.must(err)
	p.settle()
	c.compare("Account")
	c.compare("Contact")
}

// progress lets the producer come some random way.
func (c *chaos) progress(p *life) {
	steps := c.rng.IntN(4)
	ctx, cancel := context.WithTimeout(c.ctx, 400*time.Millisecond)
	defer cancel()
	_ = p.Await(ctx, func(salesforce.Status) bool { steps--; return steps < 0 }) // as far as it comes
}

// change makes one change, or a transaction of some that is committed later.
func (c *chaos) change() {
	o := c.sim.Org()
	object := []string{"Account", "Contact"}[c.rng.IntN(2)]
	if len(c.tx) > 0 && c.rng.IntN(3) == 0 {
		c.tx[0].Commit()
		c.tx = c.tx[1:]
	}
	id := c.ids[object][c.rng.IntN(len(c.ids[object]))]
	switch c.rng.IntN(8) {
	case 0:
		fields := c.fields(object)
		if object == "Account" {
			fields["Name"] = fmt.Sprint("made ", c.rng.IntN(1000))
		} else {
			fields["LastName"] = fmt.Sprint("made ", c.rng.IntN(1000))
		}
		made, err := o.Create(object, fields)
		c.must(err)
		c.ids[object] = append(c.ids[object], made)
	case 1:
		_ = o.Delete(object, id) // refused when it is deleted or locked
	case 2:
		_ = o.Undelete(object, id)
	case 3:
		tx := o.Begin(org.Actor{Direct: c.rng.IntN(2) == 0})
		if tx.Update(object, id, c.fields(object)) != nil {
			tx.Rollback()
			return
		}
		c.tx = append(c.tx, tx)
	case 4:
		_ = o.Update("Contact", c.ids["Contact"][c.rng.IntN(len(c.ids["Contact"]))], org.Fields{
			"AccountId": c.ids["Account"][c.rng.IntN(len(c.ids["Account"]))],
		})
	default:
		_ = o.Update(object, id, c.fields(object))
	}
}

func (c *chaos) fields(object string) org.Fields {
	value := func() any {
		if c.rng.IntN(4) == 0 {
			return nil
		}
		return fmt.Sprint("v", c.rng.IntN(100000))
	}
	if object == "Account" {
		return org.Fields{"BillingCity": value(), "Industry": nil, "Phone": value(), "Description": value()}
	}
	return org.Fields{"FirstName": value(), "MailingCity": value(), "Title": value()}
}

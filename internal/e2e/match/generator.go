package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// org is one org's inputs: what is live, and the writer that stands for its producers.
type org struct {
	name    string
	rng     *rand.Rand
	records int // accounts, and by them the rest
	encoder *encoder
	writer  *topic.Writer
	rev     int64
	live    [kinds]map[string]*record
}

func newOrg(ctx context.Context, kafka *topic.Client, reg *registry.Client, name string, records int, seed uint64) (*org, error) {
	o := &org{name: name, rng: rand.New(rand.NewPCG(seed, 7)), records: records}
	var names []string
	for k, input := range harness.Inputs {
		o.live[k] = map[string]*record{}
		names = append(names, name+"."+input)
		if err := kafka.Ensure(ctx, topic.Spec{Name: name + "." + input, Partitions: 3, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
			return nil, err
		}
	}
	var err error
	if o.encoder, err = newEncoder(ctx, reg, name); err != nil {
		return nil, err
	}
	o.writer, err = kafka.NewWriter(ctx, topic.WriterConfig{Task: "trial/" + name, Topics: names})
	return o, err
}

func accountKey(i int) string { return fmt.Sprintf("001%012dAAA", i) }
func contactKey(i int) string { return fmt.Sprintf("003%012dAAA", i) }

// change writes one change of one record.
func (o *org) change(ctx context.Context) error {
	var k kind
	r := &record{}
	n := o.rng.IntN(o.records)
	switch draw := o.rng.IntN(10); {
	case draw < 3:
		k, r.key = account, accountKey(n)
	case draw < 6:
		k, r.key = contact, contactKey(n+o.records*o.rng.IntN(2))
	case draw < 7:
		k, r.key = note, fmt.Sprintf("002%012dAAA", n)
	default:
		k, r.key = erpCustomer, fmt.Sprintf("C%06d", n)
	}
	if o.rng.IntN(8) > 0 {
		o.fill(k, n, r)
	}
	return o.write(ctx, k, r)
}

// write publishes a record; without fields it is a tombstone.
func (o *org) write(ctx context.Context, k kind, r *record) error {
	o.rev++
	out, err := o.encoder.encode(o.name, k, r, o.rev)
	if err != nil {
		return err
	}
	if r.fields == nil {
		delete(o.live[k], r.key)
	} else {
		o.live[k][r.key] = r
	}
	return o.writer.Send(ctx, out, nil)
}

// fill makes up the record with number n of its kind.
func (o *org) fill(k kind, n int, r *record) {
	id := change.StringValue(r.key)
	switch k {
	case account:
		r.fields = map[string]change.Value{
			"Id": id, "Name": o.word("Account"), harness.LinkField: o.identifier(n), "Phone": o.word("+1"), "NumberOfEmployees": change.IntValue(o.rng.Int64N(5000)),
		}
	case contact:
		r.fields = map[string]change.Value{"Id": id, "AccountId": change.StringValue(accountKey(o.rng.IntN(o.records))), "LastName": o.word("Person"), "Email": change.NullValue()}
	case note:
		r.fields = map[string]change.Value{"title": o.word("Call")}
		r.links = []string{accountKey(o.rng.IntN(o.records)), contactKey(o.rng.IntN(2 * o.records))}[:1+o.rng.IntN(2)]
	default:
		r.fields = map[string]change.Value{"name": o.word("Customer"), "identifier": o.identifier(n), "region": o.word("Region")}
	}
}

func (o *org) word(what string) change.Value {
	return change.StringValue(fmt.Sprintf("%s %d", what, o.rng.IntN(1_000_000)))
}

// identifier is mostly that of the Account and the customer with number n; or that of others, one that is only alike, or none.
func (o *org) identifier(n int) change.Value {
	switch o.rng.IntN(12) {
	case 0:
		return change.NullValue()
	case 1:
		return change.StringValue(fmt.Sprint("00", n))
	case 2:
		return change.StringValue(fmt.Sprint("k", n))
	case 3, 4:
		n = o.rng.IntN(o.records)
	}
	return change.StringValue(fmt.Sprint("K", n))
}

// inputs are what is live now.
func (o *org) inputs() naive.Inputs {
	in := naive.Inputs{Link: &harness.Link}
	for k, target := range []*map[string]naive.Record{account: &in.Accounts, contact: &in.Contacts, note: &in.Notes, erpCustomer: &in.Customers} {
		*target = make(map[string]naive.Record, len(o.live[k]))
		for _, key := range slices.Sorted(maps.Keys(o.live[k])) {
			(*target)[key] = o.live[k][key].truth(kind(k))
		}
	}
	return in
}

// generator writes the events of all orgs in turn, as fast as the trial's course asks for.
type generator struct {
	orgs   []*org
	total  int
	target atomic.Int64 // how many events are wanted by about two seconds from when it was set
	sent   int
}

// run writes until all events are written.
func (g *generator) run(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	const ticks = 100 // in which a target is reached
	step, until := 1, 0
	for g.sent < g.total {
		if target := int(g.target.Load()); target != until {
			until, step = target, max(1, (target-g.sent)/ticks)
		}
		for range min(step, until-g.sent) {
			if err := g.orgs[g.sent%len(g.orgs)].change(ctx); err != nil {
				return fmt.Errorf("write changes: %w", err)
			}
			g.sent++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return g.flush(ctx)
}

// flush waits until everything is acknowledged.
func (g *generator) flush(ctx context.Context) error {
	for _, o := range g.orgs {
		if err := o.writer.Flush(ctx); err != nil {
			return fmt.Errorf("write changes: %w", err)
		}
	}
	return nil
}

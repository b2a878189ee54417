package join_test

import (
	"fmt"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
)

// customers are n ERP customers with their Accounts and three Contacts each.
func customers(n int, name string) []conformance.Record {
	var out []conformance.Record
	for i := range n {
		identifier := fmt.Sprint("C", i)
		out = append(out,
			record(join.Account, fmt.Sprint("a", i), customer.Fields{"X": identifier, "Name": name}),
			record(join.Customer, fmt.Sprint("e", i), customer.Fields{"Y": identifier, "Name": name}))
		for c := range 3 {
			fields := customer.Fields{"AccountId": conformance.ID(fmt.Sprint("a", i)), "Name": name}
			out = append(out, record(join.Contact, fmt.Sprint("c", 3*i+c), fields))
		}
	}
	return out
}

// What does not fit into memory is read from the log, and nothing of it shows in the outputs.
func TestValuesOnDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.matcher = newSmallMatcher(t)
	all := customers(50, strings.Repeat("long ", 100))
	b.step(all...)
	b.settle() // what is committed only now can be sent away by the next step
	b.step(customers(1, "short")...)
	if on := b.engine.Stats().OnDisk; on < len(all)/2 {
		t.Fatalf("%d of %d values are on disk", on, len(all))
	}
	b.check()
	for range 3 {
		b.restart(false)
		if again := b.settle(); len(again) > 0 {
			t.Fatalf("R35: %d records are published after a restart", len(again))
		}
		if on := b.engine.Stats().OnDisk; on < len(all)/2 {
			t.Fatalf("%d of %d values are on disk after a restart", on, len(all))
		}
		other := *conformance.DefaultLink()
		other.SalesforceField = "Name"
		for _, link := range []*customer.Link{&other, conformance.DefaultLink()} {
			b.give(conformance.Step{IsLink: true, Link: link})
			b.in.Give(conformance.Step{IsLink: true, Link: link})
			if _, err := b.tracker.Step(b.settle(), false); err != nil {
				t.Fatal(err)
			}
			b.check()
		}
	}
}

// The same value under a newer version changes nothing, also when the value that it is compared with is on disk.
func TestSameValueOnDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.matcher = newSmallMatcher(t)
	all := customers(20, strings.Repeat("long ", 100))
	b.step(all...)
	b.step(all...)
	if produced := b.step(all...); len(produced) > 0 {
		t.Errorf("%d records are published for values that are as they were", len(produced))
	}
	if on := b.engine.Stats().OnDisk; on == 0 {
		t.Error("no value is on disk")
	}
}

// A value that the log does not have any more is an error, not a view without it.
func TestValueIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.matcher = newSmallMatcher(t)
	b.step(customers(20, "name")...)
	b.restart(false)
	for key := range b.store.m {
		if key[0] == 'b' {
			delete(b.store.m, key)
		}
	}
	b.engine.MarkAll()
	if err := b.engine.Settle(b.now, &b.outs); err == nil {
		t.Error("views are published without what is lost")
	}
}

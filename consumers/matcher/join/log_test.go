package join_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
)

func (s *memory) size() (bytes int) {
	for _, v := range s.m {
		bytes += len(v)
	}
	return bytes
}

// The log must not grow with what is out of date, and what is true must survive its cleaning.
func TestLogIsCleaned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(append(matched(), contacts(500)...)...)
	largest := 0
	for round := range 40 {
		var changed []conformance.Record
		for i := range 400 { // a hundred contacts are never written again by themselves
			text := fmt.Sprintf("round %d %01000d", round, i)
			changed = append(changed, record(join.Contact, fmt.Sprint("c", i+1), customer.Fields{"AccountId": conformance.ID("a1"), "Name": text}))
		}
		b.step(changed...)
		largest = max(largest, b.store.size())
	}
	if bound := 7 << 20; largest > bound { // twice 0.5 MB of what is true, and the slack of 4 MiB
		t.Errorf("the log grows to %d bytes for 0.5 MB of records", largest)
	}
	b.restart(false)
	b.engine.MarkAll() // every value that came back is looked at
	if again := b.settle(); len(again) > 0 {
		t.Errorf("after a restart from a cleaned log %d records are published", len(again))
	}
	b.step(record(join.Contact, "c500", nil))
	b.check()
}

func TestDamagedLogIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	for key, block := range b.store.m {
		if key == "log" || key == "shapes" {
			continue
		}
		for _, damaged := range [][]byte{block[:len(block)-1], append([]byte{9}, block...), {1, 1, 1, 0xff}, {2, 1, 7, 0, 0}} {
			b.store.m[key] = damaged
			if _, err := b.newEngine().Load(b.store, nil); err == nil {
				t.Errorf("a block that is damaged is read")
			}
		}
		b.store.m[key] = block
	}
}

func TestLogOfAnotherFormatIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	b.store.m["log"][0]++
	if loaded, err := b.newEngine().Load(b.store, nil); loaded || err != nil {
		t.Errorf("loaded %v, %v", loaded, err)
	}
}

// F14: an error of the store leaves the store as it was, and is told.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	b.store.allow = 0
	b.give(conformance.Step{Records: []conformance.Record{record(join.Customer, "e2", customer.Fields{"Y": "C2"})}})
	if err := b.engine.Settle(b.now, &b.outs); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.Commit(b.store); !errors.Is(err, errFull) {
		t.Fatalf("Commit returns %v", err)
	}
	b.store.allow = -1
	before := len(b.outs.outs)
	b.restart(false)
	if again := b.settle(); len(again) > 0 {
		t.Errorf("R35: after the disk has room again, %d of %d records are published again", len(again), before)
	}
}

// What is too much for one write is written ahead, and does not count until the last write does.
func TestLogWrittenAheadDoesNotCount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	var many []conformance.Record
	for i := range 20 {
		text := strings.Repeat("x", 1<<20)
		many = append(many, record(join.Contact, fmt.Sprint("c", i), customer.Fields{"AccountId": conformance.ID("a1"), "Name": text}))
	}
	for i := range many {
		many[i].Version.Epoch, many[i].Version.Rev = 1, 100
	}
	b.give(conformance.Step{Records: many})
	if err := b.engine.Settle(b.now, &b.outs); err != nil {
		t.Fatal(err)
	}
	b.store.allow = 1
	if err := b.engine.Commit(b.store); err == nil || len(b.store.m) < 5 {
		t.Fatalf("Commit returns %v with %d keys in the store; want one write ahead, then the error", err, len(b.store.m))
	}
	b.store.allow = -1
	b.restart(false)
	b.settle()
	if got := b.engine.Stats().Live[join.Contact]; got != 20 {
		t.Fatalf("%d contacts after the restart, want 20", got)
	}
	b.restart(false)
	if again := b.settle(); len(again) > 0 || b.engine.Stats().Live[join.Contact] != 20 {
		t.Errorf("after a second restart %d records are published, %d contacts", len(again), b.engine.Stats().Live[join.Contact])
	}
}

// R2: a deletion's version is remembered until it is old enough, then forgotten.
func TestDeletionsAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.step(matched()...)
	b.now = 1000
	b.step(record(join.Account, "a1", nil))
	old := conformance.Step{Records: []conformance.Record{record(join.Account, "a1", customer.Fields{"X": "C1"})}}
	old.Records[0].Version.Epoch, old.Records[0].Version.Rev = 1, 1
	b.engine.Forget(1000)
	b.give(old)
	if produced := b.settle(); len(produced) > 0 {
		t.Fatalf("an old version brings a deleted record back: %+v", produced)
	}
	b.engine.Forget(1001)
	b.give(old)
	if produced := b.settle(); len(produced) == 0 {
		t.Fatal("the deletion is still remembered")
	}
}

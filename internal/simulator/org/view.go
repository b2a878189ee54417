package org

import (
	"iter"
	"slices"
)

// View reads the org as it was after one commit. It holds the org's read lock: it lives inside the function that
// Org.View or Org.ViewAt calls, and that function must not change the org.
type View struct {
	org *Org
	seq uint64
}

// View calls fn with the org as it is after the last commit. fn holds up every change until it returns.
func (o *Org) View(fn func(View)) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	fn(View{org: o, seq: o.seq})
}

// ViewAt calls fn with the org as it was after commit seq, which must be pinned.
func (o *Org) ViewAt(seq uint64, fn func(View)) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	fn(View{org: o, seq: min(seq, o.seq)})
}

// Seq is the number of the last commit that the View sees.
func (v View) Seq() uint64 { return v.seq }

// Size is the number of slots of an object: every Slot is below it.
func (v View) Size(ob *Object) uint32 { return ob.table.size() }

// Base is the number of slots that came from the seed.
func (v View) Base(ob *Object) uint32 { return ob.table.base }

// Row returns the record in a slot, deleted ones included; false when there is none.
func (v View) Row(ob *Object, slot uint32) (Row, bool) {
	if slot >= ob.table.size() {
		return Row{}, false
	}
	ver, ok := ob.table.at(slot, v.seq)
	return Row{view: v, t: ob.table, slot: slot, v: ver}, ok
}

// Find returns the record with an 18-character id, deleted ones included.
func (v View) Find(ob *Object, id string) (Row, bool) {
	slot, ok := ob.table.slotOf(id)
	if !ok {
		return Row{}, false
	}
	return v.Row(ob, slot)
}

// Rows yields every record of an object from slot first on, deleted ones included.
func (v View) Rows(ob *Object, first uint32) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		t := ob.table
		for slot := first; slot < t.size(); slot++ {
			if ver, ok := t.at(slot, v.seq); ok && !yield(Row{view: v, t: t, slot: slot, v: ver}) {
				return
			}
		}
	}
}

// Changed lists the slots that are not as the seed made them, in ascending order.
func (v View) Changed(ob *Object) []uint32 {
	t := ob.table
	out := make([]uint32, 0, len(t.changed)+len(t.added))
	for slot := range t.changed {
		out = append(out, slot)
	}
	slices.Sort(out)
	for i := range t.added {
		out = append(out, t.base+uint32(i))
	}
	return out
}

// SeedTime is the latest time of any kind in the rows that the seed made, as canonical text.
func (v View) SeedTime() string { return stamp(v.org.seeded) }

// Children lists the slots of the rows whose reference field f names id now, or did once: the caller checks.
// ok is false when rows cannot be found by this field.
func (v View) Children(f *Field, ob *Object, id string) (slots []uint32, ok bool) {
	if !f.indexed() {
		return nil, false
	}
	t := ob.table
	if t.base > 0 {
		lo, hi := t.gen.children(f, id)
		for slot := lo; slot < hi; slot++ {
			slots = append(slots, slot)
		}
	}
	for _, slot := range t.children[f][id] {
		if !slices.Contains(slots, slot) {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slots, true
}

// Gone is a record that left the org, as getDeleted reports it.
type Gone struct {
	ID   string
	When string // canonical datetime
}

// Gone yields deleted and purged records whose deletion was saved in [start, end), both canonical datetimes.
func (v View) Gone(ob *Object, start, end string) []Gone {
	var out []Gone
	stampField := ob.sys.modstamp
	if stampField == nil {
		return nil
	}
	for _, slot := range v.Changed(ob) {
		ver := ob.table.newest(slot)
		for ver != nil && ver.seq > v.seq {
			ver = ver.older
		}
		if ver == nil || ver.state == live {
			continue
		}
		if when := packedField(ver.packed, stampField.Index); when >= start && when < end {
			out = append(out, Gone{ID: ob.table.id(slot), When: when})
		}
	}
	return out
}

package org

import "slices"

// table holds the records of one object. Slots below base come from the seed; the others were loaded or created.
// Fields are guarded by Org.mu.
type table struct {
	object *Object
	gen    *generator // nil when base is 0
	base   uint32

	added    []*version           // by slot-base; nil for a slot that was never used
	changed  map[uint32]*version  // newest version of a slot below base that is no longer as the seed made it
	isDirty  []uint64             // bit set of the slots below base in changed
	ids      map[string]uint32    // explicit ids
	named    map[uint32]string    // the same, by slot
	children map[*Field]childList // rows by the id that a reference field had at some time
}

// childList maps a parent's id to the slots that have, or had, that parent.
type childList map[string][]uint32

func newTable(ob *Object) *table {
	return &table{object: ob, changed: make(map[uint32]*version), ids: make(map[string]uint32), named: make(map[uint32]string), children: make(map[*Field]childList)}
}

func (t *table) size() uint32 { return t.base + uint32(len(t.added)) }

// id is the id of a slot: computed, unless it was given.
func (t *table) id(slot uint32) string { return string(t.appendID(nil, slot)) }

func (t *table) appendID(dst []byte, slot uint32) []byte {
	if len(t.named) > 0 {
		if id, ok := t.named[slot]; ok {
			return append(dst, id...)
		}
	}
	return appendID(dst, t.object.Prefix, uint64(slot)+1)
}

// slotOf finds the slot of an id, whether or not the record is still there.
func (t *table) slotOf(id string) (uint32, bool) {
	if slot, ok := t.ids[id]; ok {
		return slot, true
	}
	n, ok := rowNumber(id, t.object.Prefix)
	if !ok || n == 0 || n > uint64(t.size()) {
		return 0, false
	}
	slot := uint32(n - 1)
	if _, named := t.named[slot]; named {
		return 0, false
	}
	return slot, t.id(slot) == id
}

// newSlot reserves a slot, for the given id or for one of the simulator's own.
func (t *table) newSlot(id string) uint32 {
	for {
		slot := t.size()
		t.added = append(t.added, nil)
		if id != "" && id != t.id(slot) {
			t.ids[id], t.named[slot] = slot, id
			return slot
		}
		if _, taken := t.ids[t.id(slot)]; !taken || id != "" {
			return slot
		}
	}
}

// newest returns the newest version; nil for a row as the seed made it and for a slot never used.
func (t *table) newest(slot uint32) *version {
	if slot >= t.base {
		return t.added[slot-t.base]
	}
	if t.isDirty == nil || t.isDirty[slot/64]&(1<<(slot%64)) == 0 {
		return nil
	}
	return t.changed[slot]
}

// at returns the version that a reader of seq sees; ok is false when there is no record then, purged ones included.
func (t *table) at(slot uint32, seq uint64) (v *version, ok bool) {
	v = t.newest(slot)
	for v != nil && v.seq > seq {
		v = v.older
	}
	if v == nil {
		return nil, slot < t.base
	}
	return v, v.state != purged
}

// install makes v the newest version of its slot and drops what no reader of pinned or later can see.
func (t *table) install(slot uint32, v *version, pinned uint64) {
	v.older = t.newest(slot)
	for keep := v; keep != nil; keep = keep.older {
		if keep.seq <= pinned {
			keep.older = nil
		}
	}
	if slot >= t.base {
		t.added[slot-t.base] = v
	} else {
		if t.isDirty == nil {
			t.isDirty = make([]uint64, (t.base+63)/64)
		}
		t.isDirty[slot/64] |= 1 << (slot % 64)
		t.changed[slot] = v
	}
	t.indexChildren(slot, v.packed)
}

// indexed reports whether rows are found by this reference: all but those to users, which would list every row.
func (f *Field) indexed() bool {
	return f.Type == "reference" && !slices.Equal(f.ReferenceTo, []string{"User"}) && f.Name != "MasterRecordId"
}

func (t *table) indexChildren(slot uint32, packed string) {
	for _, f := range t.object.Fields() {
		if !f.indexed() {
			continue
		}
		id := packedField(packed, f.Index)
		if id == "" {
			continue
		}
		list := t.children[f]
		if list == nil {
			list = make(childList)
			t.children[f] = list
		}
		if slots := list[id]; !slices.Contains(slots, slot) {
			list[id] = append(slots, slot)
		}
	}
}

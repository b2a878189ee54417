package org

import (
	"fmt"
	"slices"
	"strings"
)

// RetypeField gives a custom field another type, as changing it in Setup does. Records keep their values as far as the new
// type can hold them, and lose them otherwise; no save is noted, so that SystemModstamp stays. lossy says that the change is
// an incompatible one, of which an event tells (facts 5.4): from text to anything else, or between other types.
func (o *Org) RetypeField(object string, spec FieldSpec) (lossy bool, err error) {
	ob, ok := o.Object(object)
	if !ok {
		return false, fmt.Errorf("retype field %s: there is no object %s", spec.Name, object)
	}
	next, err := o.customField(ob, spec)
	if err != nil {
		return false, fmt.Errorf("retype field %s.%s: %w", object, spec.Name, err)
	}
	o.commit.Lock()
	defer o.commit.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := ob.Field(spec.Name)
	switch {
	case !ok || !old.Custom:
		return false, fmt.Errorf("retype field %s.%s: there is no such custom field", object, spec.Name)
	case old.recipe != nil || old.Kind == ID || next.Kind == ID || old.Kind == Compound || next.Kind == Compound:
		return false, fmt.Errorf("retype field %s.%s: neither references, nor locations, nor made-up values can be converted", object, spec.Name)
	case len(o.locks) > 0:
		return false, fmt.Errorf("retype field %s.%s: records are locked by transactions that are held; commit them", object, spec.Name)
	}
	ob.replaceField(old, next)
	o.convert(ob, next)
	o.schema.Store(o.now().UnixNano())
	return old.Kind != next.Kind && next.Kind != Text, nil
}

// replaceField puts next in the place of a field.
func (ob *Object) replaceField(old, next *Field) {
	was := ob.fields.Load()
	set := &fieldSet{all: slices.Clone(was.all), live: slices.Clone(was.live), byName: map[string]*Field{}}
	next.Index = old.Index
	set.all[old.Index] = next
	set.live[slices.Index(set.live, old)] = next
	for _, f := range set.live {
		set.byName[strings.ToLower(f.Name)] = f
	}
	ob.fields.Store(set)
}

// convert brings the stored values of a field to what its new type can hold. The caller holds both locks.
func (o *Org) convert(ob *Object, f *Field) {
	o.seq++
	if len(o.pins) == 0 {
		o.moments = o.moments[:0]
	}
	o.moments = append(o.moments, moment{seq: o.seq, at: o.now()})
	t, pinned := ob.table, o.oldestPin()
	for slot := range t.size() {
		v := t.newest(slot)
		if v == nil || v.state == purged {
			continue
		}
		was := packedField(v.packed, f.Index)
		is, err := f.canonical(was)
		if err != nil {
			is = ""
		}
		if is == was {
			continue
		}
		values := make([]string, len(ob.fields.Load().all))
		unpack(v.packed, values)
		values[f.Index] = is
		t.install(slot, &version{seq: o.seq, packed: pack(values), state: v.state, cascade: v.cascade}, pinned)
	}
}

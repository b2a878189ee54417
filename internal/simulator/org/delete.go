package org

// Delete moves a record and all that goes with it to the recycle bin.
func (tx *Tx) Delete(object, id string) error {
	return tx.with(object, 'd', id, func(p *pending) error {
		if p.state != live {
			return refuse("ENTITY_IS_DELETED", "entity is deleted")
		}
		tx.org.cascades++
		return tx.bin(p, tx.org.cascades)
	})
}

// bin deletes p and its children as part of one cascade.
func (tx *Tx) bin(p *pending, cascade uint64) error {
	tx.mark(p, deleted, cascade)
	if twin := tx.noteTwin(p); twin != nil && twin.state == live {
		if err := tx.bin(twin, cascade); err != nil {
			return err
		}
	}
	return tx.eachChild(p, true, func(child *pending, _ *Field) error {
		if child.state != live {
			return nil
		}
		return tx.bin(child, cascade)
	})
}

// mark moves a record between its states and sets SystemModstamp, as every save does.
func (tx *Tx) mark(p *pending, to state, cascade uint64) {
	p.state, p.cascade = to, cascade
	if f := p.object.sys.modstamp; f != nil {
		p.values[f.Index] = stamp(tx.org.now())
	}
	switch {
	case to == live:
		p.kind = "UNDELETE"
	case p.kind == "CREATE":
		p.kind = "" // nobody ever saw it
	default:
		p.kind = "DELETE"
	}
}

// eachChild calls fn with the records whose reference names p: those that cascade, or all.
func (tx *Tx) eachChild(p *pending, cascading bool, fn func(*pending, *Field) error) error {
	id := p.object.table.id(p.slot)
	for _, ob := range tx.org.Objects() {
		for _, f := range ob.Fields() {
			if cascading && !f.Cascade || !f.refersTo(p.object) {
				continue
			}
			for _, child := range tx.childSlots(ob, f, id) {
				c, err := tx.openSlot(ob, child)
				if err != nil {
					if e, ok := err.(*Error); ok && e.Code == "ENTITY_IS_DELETED" {
						continue // purged
					}
					return err
				}
				if c.values[f.Index] != id {
					continue
				}
				if err := fn(c, f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *Field) refersTo(ob *Object) bool {
	if !f.indexed() {
		return false
	}
	for _, name := range f.ReferenceTo {
		if name == ob.Name {
			return true
		}
	}
	return false
}

// childSlots are the slots whose field f names id for others or for this Tx.
func (tx *Tx) childSlots(ob *Object, f *Field, id string) []uint32 {
	var out []uint32
	slots, _ := tx.view().Children(f, ob, id)
	for _, slot := range slots {
		if p := tx.byKey[recordKey{ob, slot}]; p != nil {
			continue // below
		}
		if row, ok := tx.view().Row(ob, slot); ok {
			if text, _ := row.Text(f); text == id {
				out = append(out, slot)
			}
		}
	}
	for _, p := range tx.order {
		if p.object == ob && p.values[f.Index] == id {
			out = append(out, p.slot)
		}
	}
	return out
}

// Undelete brings a record back from the recycle bin with all that was deleted together with it.
func (tx *Tx) Undelete(object, id string) error {
	return tx.with(object, 'U', id, func(p *pending) error {
		if p.state != deleted {
			return refuse("UNDELETE_FAILED", "Entity is not in the recycle bin")
		}
		return tx.restore(p, p.cascade)
	})
}

func (tx *Tx) restore(p *pending, cascade uint64) error {
	if f := p.object.sys.master; f != nil {
		p.values[f.Index] = ""
	}
	tx.mark(p, live, 0)
	if twin := tx.noteTwin(p); twin != nil && twin.state == deleted {
		if err := tx.restore(twin, cascade); err != nil {
			return err
		}
	}
	return tx.eachChild(p, true, func(child *pending, _ *Field) error {
		if child.state != deleted || child.cascade != cascade {
			return nil
		}
		return tx.restore(child, cascade)
	})
}

// Purge removes a record for good. One that was in the recycle bin leaves without an event; a live one, and all that
// goes with it, is deleted on the way (facts 5.4).
func (tx *Tx) Purge(object, id string) error {
	return tx.with(object, 'd', id, func(p *pending) error {
		if p.state == live {
			tx.org.cascades++
			if err := tx.bin(p, tx.org.cascades); err != nil {
				return err
			}
		}
		if twin := tx.noteTwin(p); twin != nil {
			twin.state = purged
		}
		p.state = purged
		return nil
	})
}

// Archive hides an activity from plain queries, as the nightly archiving does: its event is a GAP_UPDATE (facts 5.4, 7).
func (tx *Tx) Archive(object, id string) error {
	ob, err := tx.lookup(object, 'u')
	if err != nil {
		return err
	}
	f, ok := ob.Field("IsArchived")
	if !ok || ob.Name != "Task" {
		return refuse("INVALID_TYPE_FOR_OPERATION", "entity type %s is not archived", ob.Name)
	}
	return tx.with(object, 'u', id, func(p *pending) error {
		if p.state != live {
			return refuse("ENTITY_IS_DELETED", "entity is deleted")
		}
		p.values[f.Index] = "true"
		p.direct = true
		tx.touch(p)
		return nil
	})
}

// Merge moves what belongs to the losers to the winner, saves fields on the winner, and deletes the losers, whose
// MasterRecordId names the winner from then on (facts 5.4).
func (tx *Tx) Merge(object, winner string, losers []string, fields Fields) error {
	return tx.with(object, 'u', winner, func(w *pending) error {
		if err := tx.update(w, fields); err != nil {
			return err
		}
		for _, loser := range losers {
			if err := tx.absorb(w, loser); err != nil {
				return err
			}
		}
		return nil
	})
}

// absorb merges one loser into the winner.
func (tx *Tx) absorb(w *pending, loser string) error {
	ob := w.object
	winner := ob.table.id(w.slot)
	p, err := tx.open(ob, loser)
	if err != nil {
		return err
	}
	if p == w || p.state != live || ob.sys.master == nil {
		return refuse("MERGE_FAILED", "%s cannot be merged into %s", loser, winner)
	}
	err = tx.eachChild(p, false, func(child *pending, f *Field) error {
		if child.state != live {
			return nil
		}
		child.values[f.Index] = winner
		tx.derive(child)
		tx.touch(child)
		return nil
	})
	if err != nil {
		return err
	}
	p.values[ob.sys.master.Index] = winner
	tx.org.cascades++
	tx.mark(p, deleted, tx.org.cascades)
	return nil
}

package org

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// Change is what one transaction did to one record.
type Change struct {
	Entity, ID string
	Kind       string // CREATE UPDATE DELETE UNDELETE, or GAP_ and one of these
	// Fields are API names with string, json.Number, bool or nil: every non-empty field of a record created or undeleted,
	// the changed ones of an update (nil is null now), none of a deletion. Id, IsDeleted and SystemModstamp are never in it.
	Fields map[string]any
	Old    map[string]any // of an update: the previous values of changed text fields
}

// Commit is one transaction that others can see now.
type Commit struct {
	At             time.Time
	User, Origin   string
	TransactionKey string
	Number         int64 // rises with every commit
	ReplayID       int64 // of the last event, as Config.Committed returned it
	Changes        []Change
}

// commitNumberBase makes commit numbers look like the database's.
const commitNumberBase = 1_082_990_000_000

// Commit makes the changes visible, unlocks the records and tells Config.Committed.
func (tx *Tx) Commit() Commit {
	o := tx.org
	o.commit.Lock()
	defer o.commit.Unlock()
	c := tx.install()
	if o.config.Committed != nil && len(c.Changes) > 0 {
		c.ReplayID = o.config.Committed(c)
	}
	return c
}

// Rollback forgets the changes and unlocks the records.
func (tx *Tx) Rollback() {
	tx.org.mu.Lock()
	defer tx.org.mu.Unlock()
	tx.end()
}

func (tx *Tx) end() {
	for _, p := range tx.order {
		delete(tx.org.locks, p.recordKey)
	}
	tx.done = true
}

// install writes the versions.
func (tx *Tx) install() Commit {
	o := tx.org
	o.mu.Lock()
	defer o.mu.Unlock()
	if tx.done {
		return Commit{}
	}
	now := o.now()
	if !tx.load {
		o.seq++
		if len(o.pins) == 0 {
			o.moments = o.moments[:0]
		}
		o.moments = append(o.moments, moment{seq: o.seq, at: now})
	}
	pinned := o.oldestPin()
	c := Commit{At: now, User: tx.actor.User, Origin: tx.actor.Origin, TransactionKey: newKey(), Number: commitNumberBase + int64(o.seq)*7}
	for _, p := range tx.order {
		if p.before != nil && p.kind == "" && p.state == live {
			continue // looked at, not changed
		}
		p.object.table.install(p.slot, &version{seq: o.seq, packed: pack(p.values), state: p.state, cascade: p.cascade}, pinned)
		if tx.load {
			continue
		}
		if change, ok := tx.change(p); ok {
			c.Changes = append(c.Changes, change)
		}
	}
	tx.end()
	return c
}

// change describes what the Tx did to a record; false when there is nothing to tell.
func (tx *Tx) change(p *pending) (Change, bool) {
	if p.kind == "" || !p.object.Can('e') {
		return Change{}, false
	}
	c := Change{Entity: p.object.Name, ID: p.object.table.id(p.slot), Kind: p.kind}
	switch {
	case tx.actor.Direct || p.direct:
		c.Kind = "GAP_" + p.kind
		return c, true
	case p.kind == "CREATE" || p.kind == "UNDELETE":
		c.Fields = tx.wholeRecord(p)
	case p.kind == "UPDATE":
		c.Fields, c.Old = changedFields(p)
	}
	return c, p.kind != "UPDATE" || len(c.Fields) > 0
}

func (tx *Tx) wholeRecord(p *pending) map[string]any {
	out := make(map[string]any)
	for _, f := range p.object.Fields() {
		switch {
		case f.NoEvent || !f.Selectable() || p.object.IsCompound(f) || f.Name == "Id":
		case f.Calculated():
			if tx.org.config.FormulasInEvents {
				if row, ok := tx.ownView().Row(p.object, p.slot); ok {
					if text, ok := row.Text(f); ok {
						out[f.Name] = f.Value(text, true)
					}
				}
			}
		case f.Kind == Bool:
			out[f.Name] = p.values[f.Index] == "true"
		case p.values[f.Index] != "":
			out[f.Name] = f.Value(p.values[f.Index], true)
		}
	}
	return out
}

// ownView sees the versions that install has just written.
func (tx *Tx) ownView() View { return View{org: tx.org, seq: tx.org.seq} }

// changedFields are the fields that differ from before the Tx, LastModifiedDate in any case (facts 5.3).
func changedFields(p *pending) (fields, old map[string]any) {
	fields, old = make(map[string]any), make(map[string]any)
	for _, f := range p.object.Fields() {
		if f.NoEvent || !f.Selectable() || f.Calculated() || p.object.IsCompound(f) || f.Index >= len(p.values) {
			continue
		}
		was, is := "", p.values[f.Index]
		if f.Index < len(p.before) {
			was = p.before[f.Index]
		}
		if was == is && f != p.object.sys.modifiedDate {
			continue
		}
		if f.Kind == Bool {
			fields[f.Name] = is == "true"
			continue
		}
		fields[f.Name] = f.Value(is, is != "")
		if f.Kind == Text {
			old[f.Name] = f.Value(was, was != "")
		}
	}
	if len(fields) == 1 && p.object.sys.modifiedDate != nil && p.before[p.object.sys.modifiedDate.Index] == p.values[p.object.sys.modifiedDate.Index] {
		return nil, nil
	}
	return fields, old
}

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Pin keeps the org as it is now, and as it is at any later commit, readable by ViewAt until release is called.
func (o *Org) Pin() (seq uint64, release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seq = o.seq
	o.pins[seq]++
	return seq, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.pins[seq]--; o.pins[seq] <= 0 {
			delete(o.pins, seq)
		}
		oldest := o.oldestPin()
		o.moments = slices.DeleteFunc(o.moments, func(m moment) bool { return m.seq < oldest })
	}
}

// oldestPin is the lowest sequence number that someone may still read.
func (o *Org) oldestPin() uint64 {
	oldest := o.seq
	for seq := range o.pins {
		oldest = min(oldest, seq)
	}
	return oldest
}

// SeqAt is the number of the last commit visible at a moment not before the caller's pin.
func (o *Org) SeqAt(at time.Time) uint64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	seq := o.oldestPin()
	for _, m := range o.moments {
		if m.at.After(at) {
			break
		}
		seq = max(seq, m.seq)
	}
	return seq
}

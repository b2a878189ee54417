package org

import (
	"fmt"
	"slices"
	"strings"
)

// Actor is who makes a change and by what way.
type Actor struct {
	User   string // 18-character user id; "" is the integration user
	Origin string // changeOrigin of the events: com/salesforce/api/rest/66.0;client=x
	Direct bool   // a change behind the application's back: its events are GAP_… without fields (facts 5.4)
}

// Tx is one transaction. Its changes are saved, with their times, when the methods are called, and seen by others from
// Commit on. Until then the records are locked. A Tx belongs to one goroutine; it must end by Commit or Rollback, and
// by Rollback when a method returned an error: part of what the method was to do may be done.
type Tx struct {
	org   *Org
	actor Actor
	load  bool // rows come from files: system fields may be given, references are not checked
	order []*pending
	byKey map[recordKey]*pending
	done  bool
}

// pending is a record that a Tx has changed.
type pending struct {
	recordKey
	kind    string   // CREATE UPDATE DELETE UNDELETE: what the event will be; "" for none
	before  []string // values before the Tx; nil for a new record
	values  []string
	state   state
	cascade uint64
	direct  bool // changed behind the application's back
}

// Begin starts a transaction by actor, the integration user when it names none. It must end by Commit or Rollback: records that
// it touches are locked until then.
func (o *Org) Begin(actor Actor) *Tx {
	if actor.User == "" {
		actor.User = o.user
	}
	return &Tx{org: o, actor: actor, byKey: make(map[recordKey]*pending)}
}

func (o *Org) beginLoad() *Tx {
	tx := o.Begin(Actor{})
	tx.load = true
	return tx
}

// lookup finds object and field set by name, as every change must.
func (tx *Tx) lookup(object string, can byte) (*Object, error) {
	ob, ok := tx.org.Object(object)
	if !ok || tx.done {
		return nil, refuse("NOT_FOUND", "The requested resource does not exist")
	}
	if !tx.load && !ob.Can(can) {
		return nil, refuse("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type %s does not support this operation", ob.Name)
	}
	return ob, nil
}

// with opens a record for an operation on its object, as lookup names it, and hands it to do, which holds Org.mu meanwhile.
func (tx *Tx) with(object string, operation byte, id string, do func(p *pending) error) error {
	ob, err := tx.lookup(object, operation)
	if err != nil {
		return err
	}
	tx.org.mu.Lock()
	defer tx.org.mu.Unlock()
	p, err := tx.open(ob, id)
	if err != nil {
		return err
	}
	return do(p)
}

// open returns the record of an id as the Tx sees it, locked for the Tx. The caller holds Org.mu.
func (tx *Tx) open(ob *Object, id string) (*pending, error) {
	full, ok := NormalizeID(id)
	if !ok {
		return nil, &Error{Code: "MALFORMED_ID", Message: ob.Name + " ID: id value of incorrect type: " + id, Fields: []string{"Id"}}
	}
	slot, ok := ob.table.slotOf(full)
	if !ok {
		return nil, refuse("NOT_FOUND", "The requested resource does not exist")
	}
	return tx.openSlot(ob, slot)
}

func (tx *Tx) openSlot(ob *Object, slot uint32) (*pending, error) {
	key := recordKey{ob, slot}
	if p := tx.byKey[key]; p != nil {
		return p, nil
	}
	if holder := tx.org.locks[key]; holder != nil {
		return nil, refuse("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: %s", ob.table.id(slot))
	}
	row, ok := tx.view().Row(ob, slot)
	if !ok {
		return nil, refuse("ENTITY_IS_DELETED", "entity is deleted")
	}
	p := &pending{recordKey: key, before: row.values()}
	p.values = slices.Clone(p.before)
	if row.v != nil {
		p.state, p.cascade = row.v.state, row.v.cascade
	}
	tx.hold(p)
	return p, nil
}

func (tx *Tx) hold(p *pending) {
	tx.byKey[p.recordKey] = p
	tx.order = append(tx.order, p)
	tx.org.locks[p.recordKey] = tx
}

func (tx *Tx) view() View { return View{org: tx.org, seq: tx.org.seq} }

// Create saves a new record and returns its 18-character id.
func (tx *Tx) Create(object string, fields Fields) (string, error) {
	ob, err := tx.lookup(object, 'c')
	if err != nil {
		return "", err
	}
	tx.org.mu.Lock()
	defer tx.org.mu.Unlock()
	if ob.Name == "ContentNote" {
		return tx.createNote(ob, fields)
	}
	return tx.create(ob, "", fields)
}

// create saves a record under the given id, or a new one. The caller holds Org.mu.
func (tx *Tx) create(ob *Object, id string, fields Fields) (string, error) {
	p := &pending{values: make([]string, len(ob.fields.Load().all)), kind: "CREATE"}
	p.object = ob
	for _, f := range ob.Fields() {
		if f.Default != "" && f.Default != "false" {
			p.values[f.Index] = f.Default
		}
	}
	if err := tx.set(p, fields, true); err != nil {
		return "", err
	}
	tx.setSystem(p, fields)
	tx.derive(p)
	if err := missing(p); err != nil {
		return "", err
	}
	p.slot = ob.table.newSlot(id)
	tx.hold(p)
	return ob.table.id(p.slot), nil
}

// Update saves new values of some fields; nil and "" are null.
func (tx *Tx) Update(object, id string, fields Fields) error {
	return tx.with(object, 'u', id, func(p *pending) error { return tx.update(p, fields) })
}

func (tx *Tx) update(p *pending, fields Fields) error {
	if p.state != live {
		return refuse("ENTITY_IS_DELETED", "entity is deleted")
	}
	old := slices.Clone(p.values)
	err := tx.set(p, fields, false)
	if err == nil {
		tx.derive(p)
		err = missing(p)
	}
	if err != nil {
		p.values = old
		return err
	}
	tx.touch(p)
	if p.object.Name == "ContentNote" {
		return tx.updateNote(p, fields)
	}
	return nil
}

// set writes values on their way in.
func (tx *Tx) set(p *pending, fields Fields, creating bool) error {
	for name, v := range fields {
		f, ok := p.object.Field(name)
		if !ok {
			return &Error{Code: "INVALID_FIELD", Message: fmt.Sprintf("No such column '%s' on sobject of type %s", name, p.object.Name)}
		}
		if !tx.load && (creating && !f.Createable || !creating && !f.Updateable) {
			return &Error{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "Unable to create/update fields: " + f.Name + ". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", Fields: []string{f.Name}}
		}
		text, err := f.canonical(v)
		if err != nil {
			return err
		}
		if f.Kind == Bool && text == "false" {
			text = ""
		}
		if !tx.load && f.Kind == ID && text != "" && text != p.values[f.Index] {
			if err := tx.checkReference(f, text); err != nil {
				return err
			}
		}
		p.values[f.Index] = text
	}
	return nil
}

// checkReference refuses a reference to a record that is not there.
func (tx *Tx) checkReference(f *Field, id string) error {
	for _, name := range f.ReferenceTo {
		ob, ok := tx.org.Object(name)
		if !ok || ob.Prefix != id[:3] {
			continue
		}
		slot, ok := ob.table.slotOf(id)
		if !ok {
			break
		}
		if p := tx.byKey[recordKey{ob, slot}]; p != nil && p.state == live {
			return nil
		}
		if row, ok := tx.view().Row(ob, slot); ok && !row.Deleted() {
			return nil
		}
		return &Error{Code: "ENTITY_IS_DELETED", Message: "entity is deleted", Fields: []string{f.Name}}
	}
	return &Error{Code: "INVALID_CROSS_REFERENCE_KEY", Message: "invalid cross reference id", Fields: []string{f.Name}}
}

// missing reports required fields without a value.
func missing(p *pending) error {
	var names []string
	for _, f := range p.object.Fields() {
		if f.Required && f.Kind != Bool && p.values[f.Index] == "" {
			names = append(names, f.Name)
		}
	}
	if names == nil {
		return nil
	}
	return &Error{Code: "REQUIRED_FIELD_MISSING", Message: "Required fields are missing: [" + strings.Join(names, ", ") + "]", Fields: names}
}

// setSystem writes the fields that a save sets on a new record, unless a file gave them.
func (tx *Tx) setSystem(p *pending, given Fields) {
	now := stamp(tx.org.now())
	sys := p.object.sys
	put := func(f *Field, text string) {
		if f == nil || p.values[f.Index] != "" {
			return
		}
		p.values[f.Index] = text
	}
	_, changed := given["LastModifiedDate"]
	put(sys.createdDate, now)
	put(sys.createdBy, tx.actor.User)
	if tx.load && !changed && sys.modifiedDate != nil {
		put(sys.modifiedDate, p.values[sys.createdDate.Index])
	}
	put(sys.modifiedDate, now)
	put(sys.modifiedBy, tx.actor.User)
	if sys.modstamp != nil && sys.modifiedDate != nil {
		put(sys.modstamp, p.values[sys.modifiedDate.Index])
	}
	put(sys.modstamp, now)
	put(sys.owner, tx.actor.User)
}

// touch writes the fields that a save sets on a record that was there: the time of the save, cut to the second.
func (tx *Tx) touch(p *pending) {
	now := stamp(tx.org.now())
	sys := p.object.sys
	if sys.modifiedDate != nil {
		p.values[sys.modifiedDate.Index] = now
	}
	if sys.modifiedBy != nil {
		p.values[sys.modifiedBy.Index] = tx.actor.User
	}
	if sys.modstamp != nil {
		p.values[sys.modstamp.Index] = now
	}
	if p.kind == "" {
		p.kind = "UPDATE"
	}
}

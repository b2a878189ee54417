package org

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Kind is how a field's values are written and compared.
type Kind uint8

// The kinds of a field.
const (
	Text     Kind = iota // compared without regard to case
	ID                   // 18 characters, compared exactly
	Bool                 // "true", "false"; never null
	Int                  // digits
	Number               // plain decimal text
	Date                 // 2006-01-02
	Time                 // 15:04:05.000Z
	Datetime             // 2006-01-02T15:04:05.000Z, always whole seconds
	Blob                 // bytes that queries show as a URL
	Compound             // an address, a location: made of other fields
)

// Field describes one field. It is immutable once its object has it.
type Field struct {
	Name, Label string
	Type        string // describe's type: string, textarea, currency, …
	Kind        Kind
	Index       int // position among the object's fields, deleted ones included
	Length      int // characters; 0 for types without a length
	Precision   int
	Scale       int
	Custom      bool
	Required    bool // not nillable
	Createable  bool
	Updateable  bool
	Filterable  bool
	System      bool // set by the org on every save
	NameField   bool
	NoEvent     bool // never part of a change event (facts 5.3)
	ExternalID  bool
	Unique      bool
	Component   string   // the compound field that this one is part of
	ReferenceTo []string // objects that a reference may name
	Relation    string   // name of the relationship upwards: Owner, Account, My__r
	ChildName   string   // the parent's name for the rows that refer to it
	Cascade     bool     // the row is deleted with the parent
	Values      []string // picklist
	Default     string   // canonical text; "" is null
	Formula     *Formula // of a calculated field

	recipe recipe    // for made-up rows, of a field that was added when they were there already; nil: they are null
	made   makeValue // by the recipe
}

// Calculated reports a formula field: never stored, never in an index, in no change event unless asked for.
func (f *Field) Calculated() bool { return f.Formula != nil }

// Selectable reports whether Bulk may return the field: neither compound nor base64 (facts 3.4).
func (f *Field) Selectable() bool { return f.Kind != Compound && f.Kind != Blob }

// ComponentName is the name of a component inside its compound field as a change event spells it: Street of BillingAddress.
func (f *Field) ComponentName() string {
	prefix := strings.TrimSuffix(f.Component, "Address")
	if f.Component == "Name" || prefix == "" {
		return f.Name
	}
	if base, ok := strings.CutSuffix(f.Component, "__c"); ok {
		rest := strings.TrimPrefix(f.Name, base+"__")
		return strings.TrimSuffix(rest, "__s")
	}
	return strings.TrimPrefix(f.Name, prefix)
}

// fieldSet is one version of an object's fields. Fields are only ever appended, so that an index stays valid.
type fieldSet struct {
	all    []*Field
	live   []*Field // without the removed ones
	byName map[string]*Field
}

// Object describes one object.
type Object struct {
	Name, Label, Prefix string
	Custom              bool
	can                 string // letters of standard.txt
	fields              atomic.Pointer[fieldSet]
	table               *table
	name                *Field
	sys                 systemFields
}

// systemFields are the fields that a save sets; nil where the object has none.
type systemFields struct {
	id, isDeleted, createdDate, createdBy, modifiedDate, modifiedBy, modstamp, owner, master *Field
}

// Can reports one ability by its letter: q query, r retrieve, R replicate, c create, u update, d delete, U undelete,
// e change events, b bulk.
func (ob *Object) Can(letter byte) bool { return strings.IndexByte(ob.can, letter) >= 0 }

// Fields are the fields that the object has now, in the order of describe.
func (ob *Object) Fields() []*Field { return ob.fields.Load().live }

// Field finds a field by its API name without regard to case.
func (ob *Object) Field(name string) (*Field, bool) {
	f, ok := ob.fields.Load().byName[strings.ToLower(name)]
	return f, ok
}

// NameField is the field that names a record to people (Name, Title, Subject).
func (ob *Object) NameField() *Field { return ob.name }

// Relation finds the reference field behind a relationship name (Owner, Account, Parent).
func (ob *Object) Relation(name string) (*Field, bool) {
	for _, f := range ob.Fields() {
		if f.Relation != "" && strings.EqualFold(f.Relation, name) {
			return f, true
		}
	}
	return nil, false
}

// Components are the fields that make up the compound field of that name.
func (ob *Object) Components(compound string) []*Field {
	var out []*Field
	for _, f := range ob.Fields() {
		if f.Component == compound {
			out = append(out, f)
		}
	}
	return out
}

// IsCompound reports whether other fields are components of f: an address, or a person's Name.
func (ob *Object) IsCompound(f *Field) bool {
	return f.Kind == Compound || f.NameField && len(ob.Components(f.Name)) > 0
}

// addField appends f and makes the new set of fields visible at once.
func (ob *Object) addField(f *Field) {
	old := ob.fields.Load()
	next := &fieldSet{byName: make(map[string]*Field)}
	if old != nil {
		next.all = slices.Clone(old.all)
		next.live = slices.Clone(old.live)
		for k, v := range old.byName {
			next.byName[k] = v
		}
	}
	f.Index = len(next.all)
	if f.recipe != nil {
		f.made = f.recipe(f)
	}
	next.all = append(next.all, f)
	next.live = append(next.live, f)
	next.byName[strings.ToLower(f.Name)] = f
	ob.fields.Store(next)
	if f.NameField {
		ob.name = f
	}
	ob.noteSystem(f)
}

func (ob *Object) noteSystem(f *Field) {
	switch f.Name {
	case "Id":
		ob.sys.id = f
	case "IsDeleted":
		ob.sys.isDeleted = f
	case "CreatedDate":
		ob.sys.createdDate = f
	case "CreatedById":
		ob.sys.createdBy = f
	case "LastModifiedDate":
		ob.sys.modifiedDate = f
	case "LastModifiedById":
		ob.sys.modifiedBy = f
	case "SystemModstamp":
		ob.sys.modstamp = f
	case "OwnerId":
		ob.sys.owner = f
	case "MasterRecordId":
		ob.sys.master = f
	}
}

// removeField hides a field; its index and its stored values stay behind.
func (ob *Object) removeField(name string) bool {
	old := ob.fields.Load()
	f, ok := old.byName[strings.ToLower(name)]
	if !ok {
		return false
	}
	next := &fieldSet{all: old.all, byName: make(map[string]*Field)}
	for _, g := range old.live {
		if g != f {
			next.live = append(next.live, g)
			next.byName[strings.ToLower(g.Name)] = g
		}
	}
	ob.fields.Store(next)
	return true
}

package change

import "slices"

// Type is the type of a field, as Salesforce's describe gives it, reduced to what differs on the wire.
type Type uint8

// The types of a field. Every describe type maps to one of them.
const (
	TypeString   Type = iota // id, string, textarea, picklist, multipicklist (";"-separated), reference, email, phone, url, …
	TypeBool                 // boolean
	TypeInt                  // int, long
	TypeDecimal              // double, currency, percent
	TypeDate                 // date
	TypeTime                 // time
	TypeDatetime             // datetime
)

// Field describes one field of an entity.
type Field struct {
	Name string // API name: BillingStreet, ERP_Customer_No__c
	Type Type
	// Precision and Scale are describe's, for a TypeDecimal; documentation only, the value itself is not cut.
	Precision, Scale int
	// ReadOnly marks what events cannot carry (S6): formulas, SystemModstamp, IsDeleted. Such a field takes
	// the value of the newest read (H5) and is left out of I1.
	ReadOnly bool
	Label    string
}

// Schema is the ordered list of the readable fields of one entity: the columns of its rows. Immutable.
type Schema struct {
	Entity string // Account, Contact
	Fields []Field
	index  map[string]int
}

// NewSchema builds a Schema with its fields sorted by name, so that the same describe gives the same schema.
func NewSchema(entity string, fields []Field) *Schema {
	s := &Schema{Entity: entity, Fields: slices.Clone(fields), index: make(map[string]int, len(fields))}
	slices.SortFunc(s.Fields, func(a, b Field) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	for i, f := range s.Fields {
		s.index[f.Name] = i
	}
	return s
}

// Index returns the position of the named field, or -1.
func (s *Schema) Index(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Row is one whole record: Values[i] belongs to Schema.Fields[i].
type Row struct {
	Schema *Schema
	ID     string // 18 characters
	Values []Value
}

// Get returns the named field's value; Absent when the schema does not have it.
func (r Row) Get(name string) Value {
	if i := r.Schema.Index(name); i >= 0 {
		return r.Values[i]
	}
	return Value{}
}

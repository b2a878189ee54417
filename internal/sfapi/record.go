package sfapi

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"crosswalk/internal/change"
)

// RowDecoder turns JSON records into rows: those of queries and collections, and the payloads of change events. Nested
// compounds become the flat fields that Bulk has; parents of a query (Owner.Name) become the column of that name.
// Members that are no column (attributes, ChangeEventHeader, excluded fields) are passed over. Not safe for concurrent use.
type RowDecoder struct {
	schema     *change.Schema
	components map[string]map[string]string
	parents    map[string]bool // Owner, when there is a column Owner.Name
	values     []change.Value
}

// NewRowDecoder makes a decoder for the columns of schema. components is that of Components; nil when records were read
// by their flat fields.
func NewRowDecoder(schema *change.Schema, components map[string]map[string]string) *RowDecoder {
	d := &RowDecoder{schema: schema, components: components, parents: make(map[string]bool), values: make([]change.Value, len(schema.Fields))}
	for _, f := range schema.Fields {
		for i := range len(f.Name) {
			if f.Name[i] == '.' {
				d.parents[f.Name[:i]] = true
			}
		}
	}
	return d
}

// Row decodes one record. Columns that are no members are Absent. Values are valid until the next call; strings in them
// stay. A record that cannot be decoded, or has no Id, is a *RowError.
func (d *RowDecoder) Row(record []byte) (change.Row, error) {
	clear(d.values)
	diffs, err := d.Fields(record, func(field int, v change.Value) { d.values[field] = v })
	if err == nil && len(diffs) > 0 {
		err = &RowError{Field: diffs[0], Reason: "its value is an object", Raw: string(record)}
	}
	var bad *RowError
	if errors.As(err, &bad) {
		if i := d.schema.Index("Id"); i >= 0 && isID([]byte(d.values[i].Str())) {
			bad.ID = d.values[i].Str()
		}
	}
	if err != nil {
		return change.Row{}, err
	}
	row := change.Row{Schema: d.schema, Values: d.values}
	row.ID = row.Get("Id").Str()
	if len(row.ID) != 18 {
		return change.Row{}, &RowError{Field: "Id", Reason: excerpt(row.ID) + " is not an id of 18 characters", Raw: string(record)}
	}
	return row, nil
}

// Fields decodes the members of one record that are columns and calls fn with each, by its index in the schema. diffs
// are the columns that came as a text diff (facts 5.3): they have a new value, and the record must be read to know it.
func (d *RowDecoder) Fields(record []byte, fn func(field int, v change.Value)) (diffs []string, err error) {
	w := walk{decoder: d, fn: fn}
	err = errNotObject
	if utf8.Valid(record) {
		err = w.object(record, "", nil)
	}
	if err != nil {
		return nil, rowError(err, record)
	}
	return w.diffs, nil
}

// rowError is what is wrong with a record as a *RowError.
func rowError(err error, record []byte) *RowError {
	var bad *RowError
	if !errors.As(err, &bad) {
		bad = &RowError{Reason: err.Error()}
	}
	bad.Raw = string(record)
	return bad
}

// Flat returns the column that a member's path means: BillingStreet for BillingAddress.Street, as changedFields has it.
func (d *RowDecoder) Flat(path string) (name string, ok bool) {
	if d.schema.Index(path) >= 0 {
		return path, true
	}
	compound, component, nested := strings.Cut(path, ".")
	if !nested {
		return "", false
	}
	name, ok = d.components[compound][component]
	return name, ok && d.schema.Index(name) >= 0
}

// Flats is Flat for a member that may be a whole compound: every column of it that the schema has.
func (d *RowDecoder) Flats(path string) []string {
	if name, ok := d.Flat(path); ok {
		return []string{name}
	}
	var names []string
	for _, name := range d.components[path] {
		if d.schema.Index(name) >= 0 {
			names = append(names, name)
		}
	}
	return names
}

// walk is one pass over a record.
type walk struct {
	decoder *RowDecoder
	fn      func(field int, v change.Value)
	diffs   []string
}

// object walks one object: the record itself, a compound (names is its components), or a parent (prefix is its path).
func (w *walk) object(raw []byte, prefix string, names map[string]string) error {
	return eachMember(raw, func(key, value []byte) error {
		if names != nil {
			name, ok := names[string(key)]
			if !ok {
				name, ok = names[upperFirst(string(key))] // REST writes street where events write Street
			}
			if !ok {
				return nil
			}
			return w.field(w.decoder.schema.Index(name), value)
		}
		if prefix != "" {
			return w.member(prefix+"."+string(key), value)
		}
		return w.memberKey(key, value)
	})
}

func (w *walk) memberKey(key, value []byte) error {
	if field := w.decoder.schema.Index(string(key)); field >= 0 && value[0] != '{' {
		return w.field(field, value)
	}
	return w.member(string(key), value)
}

func (w *walk) member(name string, value []byte) error {
	field := w.decoder.schema.Index(name)
	if value[0] != '{' {
		if compound := w.decoder.components[name]; field < 0 && compound != nil && string(value) == "null" {
			return w.nulls(compound)
		}
		return w.field(field, value)
	}
	if field >= 0 { // a text diff, or the Name of a Person Account, which the row has as one text
		w.diffs = append(w.diffs, name)
	}
	if compound := w.decoder.components[name]; compound != nil {
		return w.object(value, "", compound)
	}
	if w.decoder.parents[name] {
		return w.object(value, name, nil)
	}
	return nil
}

// nulls is a compound that is null as a whole.
func (w *walk) nulls(compound map[string]string) error {
	for _, name := range compound {
		if field := w.decoder.schema.Index(name); field >= 0 {
			w.fn(field, change.NullValue())
		}
	}
	return nil
}

func (w *walk) field(field int, raw []byte) error {
	if field < 0 {
		return nil
	}
	if raw[0] == '{' {
		w.diffs = append(w.diffs, w.decoder.schema.Fields[field].Name)
		return nil
	}
	f := &w.decoder.schema.Fields[field]
	v, err := parseJSON(f.Type, raw)
	if err != nil {
		return &RowError{Field: f.Name, Reason: err.Error()}
	}
	w.fn(field, v)
	return nil
}

// parseJSON turns a JSON value that is no object into a value of the type. Numbers keep every digit (R9).
func parseJSON(t change.Type, raw []byte) (change.Value, error) {
	switch c := raw[0]; {
	case c == '"':
		text, err := jsonText(raw)
		if err != nil {
			return change.Value{}, err
		}
		return parseText(t, text)
	case string(raw) == "null":
		return change.NullValue(), nil
	case t == change.TypeBool && string(raw) == "true":
		return change.BoolValue(true), nil
	case t == change.TypeBool && string(raw) == "false":
		return change.BoolValue(false), nil
	case (t == change.TypeInt || t == change.TypeDecimal) && (c == '-' || c >= '0' && c <= '9'):
		return parseText(t, string(raw))
	}
	return change.Value{}, fmt.Errorf("%s is not a %s", excerpt(string(raw)), typeName(t))
}

func upperFirst(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

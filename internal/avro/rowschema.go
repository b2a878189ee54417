package avro

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
)

// rowNamespace is the namespace of Account, Contact and their Change.
const rowNamespace = "crosswalk.salesforce"

// rowDecimal is how a number of Salesforce is kept: 38 digits, 18 of them after the point, so that no describe can change it.
const (
	rowPrecision = 38
	rowScale     = 18
)

// The attributes of a field by which its Salesforce type is known again.
const (
	propType      = "salesforce.type"
	propPrecision = "salesforce.precision"
	propScale     = "salesforce.scale"
	propReadOnly  = "salesforce.readOnly"
)

// rowTypes are the names and Avro types of change.Type.
var rowTypes = [...]struct{ name, avro string }{
	change.TypeString:   {"string", `"string"`},
	change.TypeBool:     {"boolean", `"boolean"`},
	change.TypeInt:      {"int", `"long"`},
	change.TypeDecimal:  {"decimal", `{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}`},
	change.TypeDate:     {"date", `{"type":"int","logicalType":"date"}`},
	change.TypeTime:     {"time", `{"type":"int","logicalType":"time-millis"}`},
	change.TypeDatetime: {"datetime", `{"type":"long","logicalType":"timestamp-millis"}`},
}

// rowSchema writes the schema of an entity's rows. Each field's union holds the branches that it had in the previous
// schemas, in their order, so that what was written under them still resolves; then that of its present type.
func rowSchema(s *change.Schema, previous []*schema.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"record","name":%s,"namespace":%s,"doc":%s,"fields":[`, quote(s.Entity), quote(rowNamespace),
		quote("One "+s.Entity+" of Salesforce: every readable field as it is now, and the change that made it so."))
	for _, f := range s.Fields {
		writeRowField(&b, f, previous)
		b.WriteByte(',')
	}
	fmt.Fprintf(&b, `{"name":"_change","type":%s,"doc":"Which change made this version."}]}`, changeSchema())
	return b.String()
}

func writeRowField(b *strings.Builder, f change.Field, previous []*schema.Node) {
	typ := rowTypes[f.Type].avro
	if f.Name == "Id" {
		fmt.Fprintf(b, `{"name":"Id","type":%s`, typ)
	} else {
		fmt.Fprintf(b, `{"name":%s,"type":[%s]`, quote(f.Name), strings.Join(rowBranches(f, previous), ","))
	}
	if f.Label != "" {
		fmt.Fprintf(b, `,"doc":%s`, quote(f.Label))
	}
	if f.Name != "Id" {
		b.WriteString(`,"default":null`)
	}
	fmt.Fprintf(b, `,%s:%s`, quote(propType), quote(rowTypes[f.Type].name))
	if f.Precision != 0 || f.Scale != 0 {
		fmt.Fprintf(b, `,%s:%d,%s:%d`, quote(propPrecision), f.Precision, quote(propScale), f.Scale)
	}
	if f.ReadOnly {
		fmt.Fprintf(b, `,%s:true`, quote(propReadOnly))
	}
	b.WriteByte('}')
}

// rowBranches is the union of a field: null, what it was, what it is.
func rowBranches(f change.Field, previous []*schema.Node) []string {
	branches := []string{`"null"`}
	kinds := []string{"null"}
	add := func(n *schema.Node) {
		if !slices.Contains(kinds, n.Kind.String()) {
			kinds = append(kinds, n.Kind.String())
			branches = append(branches, n.Text())
		}
	}
	for _, p := range previous {
		for i := range p.Fields {
			if p.Fields[i].Name == f.Name && p.Fields[i].Type.Kind == schema.Union {
				for _, b := range p.Fields[i].Type.Branches {
					add(b)
				}
			}
		}
	}
	now := mustNode(rowTypes[f.Type].avro)
	if clash := slices.Contains(kinds, now.Kind.String()) && !slices.Contains(branches, now.Text()); clash {
		now = mustNode(`"string"`) // two meanings of one Avro type cannot stand in a union: the new one is written as text
	}
	add(now)
	return branches
}

// changeSchema is the schema of the _change member, the same as in the fixed schema of a note.
func changeSchema() string {
	f := noteSchema.Fields[slices.IndexFunc(noteSchema.Fields, func(f schema.Field) bool { return f.Name == changeField })]
	return f.Type.Branches[1].Text()
}

// ParseRowSchema reads the fields of an entity back from the JSON that RowCodec.Schema gave and a registry stored.
func ParseRowSchema(text string) (*change.Schema, error) {
	n, err := schema.Parse(text)
	if err != nil {
		return nil, err
	}
	return rowFields(n)
}

func rowFields(n *schema.Node) (*change.Schema, error) {
	if n.Kind != schema.Record {
		return nil, fmt.Errorf("read row schema: it is a %s, not a record", n.Kind)
	}
	var fields []change.Field
	for i := range n.Fields {
		f := &n.Fields[i]
		if f.Name == changeField {
			continue
		}
		name, _ := f.Prop(propType)
		typ := slices.IndexFunc(rowTypes[:], func(t struct{ name, avro string }) bool { return t.name == name })
		if typ < 0 {
			return nil, fmt.Errorf("read row schema: the field %s.%s has no attribute %q: it was not written by a Salesforce producer", n.FullName(), f.Name, propType)
		}
		v, _ := f.Prop(propReadOnly)
		readOnly, _ := v.(bool)
		fields = append(fields, change.Field{
			Name: f.Name, Type: change.Type(typ), Label: f.Doc, ReadOnly: readOnly,
			Precision: intProp(f, propPrecision), Scale: intProp(f, propScale),
		})
	}
	return change.NewSchema(n.Name, fields), nil
}

func intProp(f *schema.Field, key string) int {
	v, _ := f.Prop(key)
	num, ok := v.(json.Number)
	if !ok {
		return 0
	}
	n, err := num.Int64()
	if err != nil {
		return 0
	}
	return int(n)
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("avro: quote: " + err.Error()) // a string always marshals
	}
	return string(b)
}

// mustNode parses a schema of our own.
func mustNode(text string) *schema.Node {
	n, err := schema.Parse(text)
	if err != nil {
		panic("avro: " + err.Error())
	}
	return n
}

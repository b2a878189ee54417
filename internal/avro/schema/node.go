// Package schema reads Avro schemas: the JSON text becomes a tree of Nodes, checked as the Avro specification asks.
//
// Three things are asked of the tree: what a writer's bytes look like (package avro compiles its walkers from it), whether
// one schema can read what another wrote (CanRead, for the schema registry), and the one text form by which two
// spellings of a schema are known to be the same (Text, Normalized). The package uses the standard library only.
package schema

import "fmt"

// Kind is the type of a Node.
type Kind uint8

// The types of the Avro specification.
const (
	Null Kind = iota
	Boolean
	Int
	Long
	Float
	Double
	Bytes
	String
	Record
	Enum
	Array
	Map
	Union
	Fixed
)

var kindNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map", "union", "fixed"}

// String returns the type's name as a schema spells it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Named reports whether types of this kind have a name by which they are referred to.
func (k Kind) Named() bool { return k == Record || k == Enum || k == Fixed }

// Node is one type. A named type that is used in several places is one Node: the tree is a graph when a type contains itself.
// A Node is immutable once parsed.
type Node struct {
	Kind      Kind
	Name      string   // of a named type, without namespace
	Namespace string   // of a named type; empty is the null namespace
	Aliases   []string // full names
	Doc       string
	Fields    []Field  // of a Record, in the order of the wire
	Symbols   []string // of an Enum
	Default   string   // of an Enum: the symbol that stands for unknown ones; empty when there is none
	Elem      *Node    // items of an Array, values of a Map
	Branches  []*Node  // of a Union
	Size      int      // of a Fixed, in bytes
	// Logical is the logical type; empty when there is none or when the specification tells readers to ignore it
	// (a decimal on a string, a scale above the precision).
	Logical          string
	Precision, Scale int    // of a decimal
	Props            []Prop // every other attribute, logicalType and its parameters included, as written
	aliasesWritten   []string
}

// Field is one field of a Record.
type Field struct {
	Name       string
	Aliases    []string
	Doc        string
	Type       *Node
	HasDefault bool
	Default    any // as Prop.Value
	Order      string
	Props      []Prop
}

// Prop is an attribute that the specification does not name. Value is nil, bool, json.Number, string, []any or *Object.
type Prop struct {
	Key   string
	Value any
}

// FullName returns the name with its namespace; for an unnamed type, the type's name.
func (n *Node) FullName() string {
	switch {
	case !n.Kind.Named():
		return n.Kind.String()
	case n.Namespace == "":
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// Prop returns the value of a further attribute of the type.
func (n *Node) Prop(key string) (any, bool) { return propOf(n.Props, key) }

// Prop returns the value of a further attribute of the field.
func (f *Field) Prop(key string) (any, bool) { return propOf(f.Props, key) }

func propOf(props []Prop, key string) (any, bool) {
	for _, p := range props {
		if p.Key == key {
			return p.Value, true
		}
	}
	return nil, false
}

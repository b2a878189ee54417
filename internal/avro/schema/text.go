package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Text returns the schema as one line of JSON: attributes in a fixed order, documentation, defaults and further
// attributes kept, namespaces left out where they are inherited. Two texts that differ only in spacing or in the order
// of attributes have the same Text, so it tells whether a schema is known already. Types that refs define are written by name.
func (n *Node) Text(refs ...*Node) string { return write(n, false, refs) }

// Normalized is Text with further attributes sorted by name and every type under its full name: the form that a registry
// stores when it is asked to normalize.
func (n *Node) Normalized(refs ...*Node) string { return write(n, true, refs) }

func write(n *Node, normal bool, refs []*Node) string {
	p := parser{named: map[string]*Node{}}
	w := writer{normal: normal, defined: map[string]bool{}}
	for _, r := range refs {
		p.adopt(r)
	}
	for name := range p.named {
		w.defined[name] = true
	}
	w.node(n, "")
	return w.b.String()
}

type writer struct {
	b       strings.Builder
	normal  bool
	defined map[string]bool
}

func (w *writer) node(n *Node, namespace string) {
	switch {
	case n.Kind.Named():
		w.namedType(n, namespace)
	case n.Kind == Union:
		w.b.WriteByte('[')
		for i, b := range n.Branches {
			w.comma(i > 0)
			w.node(b, namespace)
		}
		w.b.WriteByte(']')
	case n.Kind == Array, n.Kind == Map:
		member := `","items":`
		if n.Kind == Map {
			member = `","values":`
		}
		w.b.WriteString(`{"type":"` + n.Kind.String() + member)
		w.node(n.Elem, namespace)
		w.props(n.Props)
		w.b.WriteByte('}')
	case len(n.Props) > 0:
		w.b.WriteString(`{"type":"` + n.Kind.String() + `"`)
		w.props(n.Props)
		w.b.WriteByte('}')
	default:
		w.b.WriteString(`"` + n.Kind.String() + `"`)
	}
}

func (w *writer) namedType(n *Node, namespace string) {
	if w.defined[n.FullName()] {
		if !w.normal && n.Namespace == namespace {
			w.b.WriteString(encodeJSON(n.Name))
			return
		}
		w.b.WriteString(encodeJSON(n.FullName()))
		return
	}
	w.defined[n.FullName()] = true
	w.b.WriteString(`{"type":"` + n.Kind.String() + `","name":` + encodeJSON(n.Name))
	if n.Namespace != namespace || w.normal && n.Namespace != "" {
		w.member("namespace", n.Namespace)
	}
	if n.Doc != "" {
		w.member("doc", n.Doc)
	}
	switch n.Kind {
	case Record:
		w.fields(n)
	case Enum:
		w.member("symbols", n.Symbols)
		if n.Default != "" {
			w.member("default", n.Default)
		}
	case Fixed:
		w.member("size", n.Size)
	}
	w.props(n.Props)
	if len(n.aliasesWritten) > 0 {
		w.member("aliases", n.aliasesWritten)
	}
	w.b.WriteByte('}')
}

func (w *writer) fields(n *Node) {
	w.b.WriteString(`,"fields":[`)
	for i, f := range n.Fields {
		w.comma(i > 0)
		w.b.WriteString(`{"name":` + encodeJSON(f.Name) + `,"type":`)
		w.node(f.Type, n.Namespace)
		if f.Doc != "" {
			w.member("doc", f.Doc)
		}
		if f.HasDefault {
			w.member("default", f.Default)
		}
		if f.Order != "" && f.Order != "ascending" {
			w.member("order", f.Order)
		}
		if len(f.Aliases) > 0 {
			w.member("aliases", f.Aliases)
		}
		w.props(f.Props)
		w.b.WriteByte('}')
	}
	w.b.WriteByte(']')
}

func (w *writer) props(props []Prop) {
	if w.normal {
		props = slices.Clone(props)
		slices.SortFunc(props, func(a, b Prop) int { return strings.Compare(a.Key, b.Key) })
	}
	for _, p := range props {
		w.member(p.Key, p.Value)
	}
}

func (w *writer) member(key string, v any) {
	w.b.WriteString("," + encodeJSON(key) + ":" + encodeJSON(v))
}

func (w *writer) comma(yes bool) {
	if yes {
		w.b.WriteByte(',')
	}
}

// encodeJSON writes a value that decodeJSON gave, or a plain Go string, number or list of strings. Nothing of these can fail.
func encodeJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("schema: encode JSON: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// MarshalJSON writes the members in their order.
func (o *Object) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o.Members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(encodeJSON(m.Key) + ":" + encodeJSON(m.Value))
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

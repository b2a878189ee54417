package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a schema's JSON text. Names that the text uses without defining them are looked up in refs, earlier parsed
// schemas. An error says where in the schema it is, by the names on the way.
func Parse(text string, refs ...*Node) (*Node, error) {
	v, err := decodeJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read schema JSON: %w", err)
	}
	p := parser{named: map[string]*Node{}}
	for _, r := range refs {
		p.adopt(r)
	}
	n, err := p.node(v, "", "")
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	for _, check := range p.defaults {
		if err := check(); err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
	}
	return n, nil
}

type parser struct {
	named map[string]*Node
	// defaults are checked when all types are known: a default may be a value of a type that is still being read.
	defaults []func() error
}

// adopt makes the named types of a referenced schema known.
func (p *parser) adopt(n *Node) {
	if n.Kind.Named() {
		if p.named[n.FullName()] != nil {
			return
		}
		p.named[n.FullName()] = n
	}
	for _, f := range n.Fields {
		p.adopt(f.Type)
	}
	for _, b := range n.Branches {
		p.adopt(b)
	}
	if n.Elem != nil {
		p.adopt(n.Elem)
	}
}

func (p *parser) node(v any, namespace, path string) (*Node, error) {
	switch v := v.(type) {
	case string:
		return p.reference(v, namespace, path)
	case []any:
		return p.union(v, namespace, path)
	case *Object:
		return p.object(v, namespace, path)
	}
	return nil, fmt.Errorf("%s: a type is a name, a list or an object, not %s", at(path), describe(v))
}

func (p *parser) reference(name, namespace, path string) (*Node, error) {
	if k, ok := primitive(name); ok {
		return &Node{Kind: k}, nil
	}
	if !strings.Contains(name, ".") && namespace != "" {
		if n := p.named[namespace+"."+name]; n != nil {
			return n, nil
		}
	}
	if n := p.named[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%s: the type %q is not defined before it is used", at(path), name)
}

func (p *parser) union(list []any, namespace, path string) (*Node, error) {
	n := &Node{Kind: Union}
	seen := map[string]bool{}
	for _, v := range list {
		b, err := p.node(v, namespace, path)
		if err != nil {
			return nil, err
		}
		if b.Kind == Union {
			return nil, fmt.Errorf("%s: a union directly inside a union", at(path))
		}
		if seen[b.FullName()] {
			return nil, fmt.Errorf("%s: the union has %s twice", at(path), b.FullName())
		}
		seen[b.FullName()] = true
		n.Branches = append(n.Branches, b)
	}
	return n, nil
}

func (p *parser) object(o *Object, namespace, path string) (*Node, error) {
	v, ok := o.Get("type")
	if !ok {
		return nil, fmt.Errorf("%s: an object without \"type\"", at(path))
	}
	name, ok := v.(string)
	if !ok {
		return p.node(v, namespace, path) // {"type": {"type": …}}
	}
	if k, ok := primitive(name); ok {
		n := &Node{Kind: k, Props: otherProps(o, "")}
		n.readLogical()
		return n, nil
	}
	switch name {
	case "record", "error":
		return p.record(o, namespace, path)
	case "enum":
		return p.enum(o, namespace, path)
	case "fixed":
		return p.fixed(o, namespace, path)
	case "array":
		return p.container(Array, "items", o, namespace, path)
	case "map":
		return p.container(Map, "values", o, namespace, path)
	}
	return p.reference(name, namespace, path)
}

func (p *parser) container(k Kind, member string, o *Object, namespace, path string) (*Node, error) {
	v, ok := o.Get(member)
	if !ok {
		return nil, fmt.Errorf("%s: a type %q without %q", at(path), k, member)
	}
	elem, err := p.node(v, namespace, path+"[]")
	if err != nil {
		return nil, err
	}
	return &Node{Kind: k, Elem: elem, Props: otherProps(o, "")}, nil
}

// define reads what all named types have and makes the name known.
func (p *parser) define(k Kind, o *Object, namespace, path string) (*Node, error) {
	name, _ := stringMember(o, "name")
	if name == "" {
		return nil, fmt.Errorf("%s: a type %q without a \"name\"", at(path), k)
	}
	n := &Node{Kind: k, Name: name, Namespace: namespace}
	if ns, ok := stringMember(o, "namespace"); ok {
		n.Namespace = ns
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		n.Namespace, n.Name = name[:i], name[i+1:]
	}
	if err := checkFullName(n.Namespace, n.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", at(path), err)
	}
	if _, ok := primitive(n.Name); ok {
		return nil, fmt.Errorf("%s: %q is a primitive type and cannot be defined", at(path), n.Name)
	}
	if p.named[n.FullName()] != nil {
		return nil, fmt.Errorf("%s: the type %q is defined twice", at(path), n.FullName())
	}
	n.Doc, _ = stringMember(o, "doc")
	aliases, err := stringList(o, "aliases")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(path), err)
	}
	n.aliasesWritten = aliases
	for _, a := range aliases {
		if !strings.Contains(a, ".") && n.Namespace != "" {
			a = n.Namespace + "." + a
		}
		n.Aliases = append(n.Aliases, a)
	}
	p.named[n.FullName()] = n
	return n, nil
}

func (p *parser) record(o *Object, namespace, path string) (*Node, error) {
	n, err := p.define(Record, o, namespace, path)
	if err != nil {
		return nil, err
	}
	v, _ := o.Get("fields")
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: the record %q has no list of \"fields\"", at(path), n.Name)
	}
	seen := map[string]bool{}
	for _, v := range list {
		f, err := p.field(v, n.Namespace, path+"/"+n.Name)
		if err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, fmt.Errorf("%s: the record %q has the field %q twice", at(path), n.Name, f.Name)
		}
		seen[f.Name] = true
		n.Fields = append(n.Fields, f)
	}
	n.Props = otherProps(o, "")
	return n, nil
}

func (p *parser) field(v any, namespace, path string) (Field, error) {
	o, ok := v.(*Object)
	if !ok {
		return Field{}, fmt.Errorf("%s: a field is an object, not %s", at(path), describe(v))
	}
	f := Field{}
	f.Name, _ = stringMember(o, "name")
	if !validName(f.Name) {
		return f, fmt.Errorf("%s: %q is not a field name: letters, digits and _ only, not a digit first", at(path), f.Name)
	}
	path += "/" + f.Name
	t, ok := o.Get("type")
	if !ok {
		return f, fmt.Errorf("%s: a field without \"type\"", at(path))
	}
	var err error
	if f.Type, err = p.node(t, namespace, path); err != nil {
		return f, err
	}
	if f.Aliases, err = stringList(o, "aliases"); err != nil {
		return f, fmt.Errorf("%s: %w", at(path), err)
	}
	f.Doc, _ = stringMember(o, "doc")
	f.Order, _ = stringMember(o, "order")
	f.Default, f.HasDefault = o.Get("default")
	if f.HasDefault {
		node, def := f.Type, f.Default
		p.defaults = append(p.defaults, func() error {
			if !validDefault(node, def) {
				return fmt.Errorf("%s: the default %s is no value of type %s", at(path), encodeJSON(def), node.FullName())
			}
			return nil
		})
	}
	f.Props = fieldProps(o)
	return f, nil
}

func (p *parser) enum(o *Object, namespace, path string) (*Node, error) {
	n, err := p.define(Enum, o, namespace, path)
	if err != nil {
		return nil, err
	}
	if n.Symbols, err = stringList(o, "symbols"); err != nil || len(n.Symbols) == 0 {
		return nil, fmt.Errorf("%s: the enum %q has no list of \"symbols\"", at(path), n.Name)
	}
	seen := map[string]bool{}
	for _, s := range n.Symbols {
		if !validName(s) || seen[s] {
			return nil, fmt.Errorf("%s: the symbol %q of %q is not a name or is there twice", at(path), s, n.Name)
		}
		seen[s] = true
	}
	if d, ok := stringMember(o, "default"); ok {
		if !slices.Contains(n.Symbols, d) {
			return nil, fmt.Errorf("%s: the default %q of the enum %q is none of its symbols", at(path), d, n.Name)
		}
		n.Default = d
	}
	n.Props = otherProps(o, "default")
	return n, nil
}

func (p *parser) fixed(o *Object, namespace, path string) (*Node, error) {
	n, err := p.define(Fixed, o, namespace, path)
	if err != nil {
		return nil, err
	}
	v, _ := o.Get("size")
	if n.Size, err = intOf(v); err != nil || n.Size < 0 {
		return nil, fmt.Errorf("%s: the fixed type %q has no \"size\" in bytes", at(path), n.Name)
	}
	n.Props = otherProps(o, "")
	n.readLogical()
	return n, nil
}

func intOf(v any) (int, error) {
	num, ok := v.(json.Number)
	if !ok {
		return 0, errors.New("not a number")
	}
	n, err := strconv.ParseInt(num.String(), 10, 32)
	return int(n), err
}

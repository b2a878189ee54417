package avro

import (
	"fmt"
	"slices"
	"strings"

	"crosswalk/internal/avro/schema"
)

// step is how to walk over one value: a schema.Node, compiled. Recursive types make it a graph.
type step struct {
	kind     schema.Kind
	logical  logical
	scale    int // of a decimal
	size     int // of a fixed
	empty    bool
	fields   []stepField // of a record, in the order of the wire
	sorted   bool        // fields stand in the order of their names
	order    []int       // the fields that a view shows, in the order of their names
	branches []*step
	elem     *step
	symbols  []string
	// wrapper marks AttributeMap and AttributeList: records with one field, which stand for that field's value.
	wrapper bool
}

type stepField struct {
	name    string
	encoded []byte // the name as an Avro string
	step    *step
	json    any // attribute crosswalk.json: see package schemas
}

// The values of the attribute crosswalk.json.
const (
	jsonAttribute = "crosswalk.json"
	jsonInline    = "inline"
	jsonOmitNull  = "omitNull"
)

// logical is the meaning of a number or of bytes.
type logical uint8

const (
	plain logical = iota
	decimal
	date
	timeMillis
	timeMicros
	timestampMillis
	timestampMicros
	timestampNanos
	localMillis
	localMicros
	localNanos
)

var logicals = map[string]logical{
	"decimal": decimal, "date": date, "time-millis": timeMillis, "time-micros": timeMicros,
	"timestamp-millis": timestampMillis, "timestamp-micros": timestampMicros, "timestamp-nanos": timestampNanos,
	"local-timestamp-millis": localMillis, "local-timestamp-micros": localMicros, "local-timestamp-nanos": localNanos,
}

// maxScale bounds what a schema may make us write out: 10^-128 has that many zeros.
const maxScale = 128

// attributeMap and attributeList are the records by which a FieldValue holds objects and lists.
const (
	attributeMap  = "crosswalk.AttributeMap"
	attributeList = "crosswalk.AttributeList"
	changeField   = "_change"
)

// compile turns a schema into steps.
func compile(root *schema.Node) (*step, error) {
	c := compiler{done: map[*schema.Node]*step{}}
	s := c.step(root)
	if c.err != nil {
		return nil, c.err
	}
	for _, s := range c.done {
		s.empty = isEmpty(s, nil)
	}
	return s, nil
}

type compiler struct {
	done map[*schema.Node]*step
	err  error
}

func (c *compiler) step(n *schema.Node) *step {
	if s := c.done[n]; s != nil {
		return s
	}
	s := &step{kind: n.Kind, logical: logicals[n.Logical], size: n.Size, symbols: n.Symbols, scale: n.Scale}
	c.done[n] = s
	if s.logical == decimal && s.scale > maxScale {
		c.err = fmt.Errorf("a decimal with a scale of %d: at most %d is read", s.scale, maxScale)
	}
	for _, f := range n.Fields {
		json, _ := f.Prop(jsonAttribute)
		s.fields = append(s.fields, stepField{f.Name, appendString(nil, f.Name), c.step(f.Type), json})
	}
	s.sorted = slices.IsSortedFunc(s.fields, func(a, b stepField) int { return strings.Compare(a.name, b.name) })
	for i := range s.fields {
		if s.fields[i].name != changeField {
			s.order = append(s.order, i)
		}
	}
	slices.SortFunc(s.order, func(a, b int) int { return strings.Compare(s.fields[a].name, s.fields[b].name) })
	for _, b := range n.Branches {
		s.branches = append(s.branches, c.step(b))
	}
	if n.Elem != nil {
		s.elem = c.step(n.Elem)
	}
	if len(n.Fields) == 1 && n.Kind == schema.Record {
		only := n.Fields[0].Type.Kind
		s.wrapper = n.FullName() == attributeMap && only == schema.Map || n.FullName() == attributeList && only == schema.Array
	}
	return s
}

// isEmpty reports whether values of the type take no bytes. above are the records that it is asked for on the way down.
func isEmpty(s *step, above []*step) bool {
	switch s.kind {
	case schema.Null:
		return true
	case schema.Fixed:
		return s.size == 0
	case schema.Record:
		if slices.Contains(above, s) {
			return true
		}
		above = append(above, s)
		return !slices.ContainsFunc(s.fields, func(f stepField) bool { return !isEmpty(f.step, above) })
	}
	return false
}

// field returns the index of the named field of a record, or -1.
func (s *step) field(name string) int {
	for i := range s.fields {
		if s.fields[i].name == name {
			return i
		}
	}
	return -1
}

// skip walks over one value, checking every byte of it.
func (r *reader) skip(s *step, depth int) error {
	if depth > maxNesting {
		return errDepth
	}
	if s.kind == schema.Union {
		i, err := r.index(len(s.branches), errBranch)
		if err != nil {
			return err
		}
		s = s.branches[i]
	}
	switch s.kind {
	case schema.Null:
		return nil
	case schema.Boolean:
		_, err := r.bool()
		return err
	case schema.Int:
		_, err := r.int()
		return err
	case schema.Long:
		_, err := r.long()
		return err
	case schema.Float:
		_, err := r.take(4)
		return err
	case schema.Double:
		_, err := r.take(8)
		return err
	case schema.String:
		_, err := r.string()
		return err
	case schema.Bytes:
		_, err := r.bytes()
		return err
	case schema.Fixed:
		_, err := r.take(int64(s.size))
		return err
	case schema.Enum:
		_, err := r.index(len(s.symbols), errSymbol)
		return err
	case schema.Record:
		for i := range s.fields {
			if err := r.skip(s.fields[i].step, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return r.items(s, func([]byte) error { return r.skip(s.elem, depth+1) })
}

// items calls fn at the start of each item of an array or a map, with its key in a map; fn must consume the item.
func (r *reader) items(s *step, fn func(key []byte) error) error {
	for {
		count, end, err := r.block(s.kind == schema.Array && s.elem.empty)
		if err != nil {
			return err
		}
		for range count {
			var key []byte
			if s.kind == schema.Map {
				if key, err = r.string(); err != nil {
					return err
				}
			}
			if err := fn(key); err != nil {
				return err
			}
		}
		if err := r.done(end); err != nil {
			return err
		}
		if count == 0 {
			return nil
		}
	}
}

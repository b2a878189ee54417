package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

func primitive(name string) (Kind, bool) {
	for k := Null; k <= String; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return 0, false
}

func checkFullName(namespace, name string) error {
	if !validName(name) {
		return fmt.Errorf("%q is not a type name: letters, digits and _ only, not a digit first", name)
	}
	if namespace == "" {
		return nil
	}
	for part := range strings.SplitSeq(namespace, ".") {
		if !validName(part) {
			return fmt.Errorf("%q is not a namespace: names joined by dots", namespace)
		}
	}
	return nil
}

func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// readLogical takes the logical type from the attributes, if it is one that the specification lets stand.
func (n *Node) readLogical() {
	v, _ := n.Prop("logicalType")
	logical, _ := v.(string)
	if logical == "decimal" {
		n.readDecimal()
		return
	}
	on := map[string]Kind{
		"date": Int, "time-millis": Int, "time-micros": Long, "uuid": String, "duration": Fixed,
		"timestamp-millis": Long, "timestamp-micros": Long, "timestamp-nanos": Long,
		"local-timestamp-millis": Long, "local-timestamp-micros": Long, "local-timestamp-nanos": Long,
	}
	k, known := on[logical]
	uuidFixed := logical == "uuid" && n.Kind == Fixed && n.Size == 16
	if known && (k == n.Kind && (logical != "duration" || n.Size == 12) || uuidFixed) {
		n.Logical = logical
	}
}

func (n *Node) readDecimal() {
	if n.Kind != Bytes && n.Kind != Fixed {
		return
	}
	p, _ := n.Prop("precision")
	precision, err := intOf(p)
	if err != nil || precision < 1 {
		return
	}
	scale := 0
	if s, ok := n.Prop("scale"); ok {
		if scale, err = intOf(s); err != nil || scale < 0 {
			return
		}
	}
	if scale > precision || n.Kind == Fixed && precision > fixedDigits(n.Size) {
		return
	}
	n.Logical, n.Precision, n.Scale = "decimal", precision, scale
}

// fixedDigits is the number of decimal digits that any two's-complement number of so many bytes holds.
func fixedDigits(size int) int {
	if size == 0 {
		return 0
	}
	return int(math.Floor(float64(8*size-1) * math.Log10(2)))
}

// validDefault reports whether v, as JSON, is a default for the type. For a union it may be one of any branch.
func validDefault(n *Node, v any) bool {
	switch n.Kind {
	case Null:
		return v == nil
	case Boolean:
		_, ok := v.(bool)
		return ok
	case Int:
		return validInt(v, 32)
	case Long:
		return validInt(v, 64)
	case Float, Double:
		if s, ok := v.(string); ok {
			return s == "NaN" || s == "Infinity" || s == "-Infinity"
		}
		_, ok := v.(json.Number)
		return ok
	case String, Bytes:
		_, ok := v.(string)
		return ok
	case Fixed:
		s, ok := v.(string)
		return ok && len([]rune(s)) == n.Size
	case Enum:
		s, ok := v.(string)
		return ok && slices.Contains(n.Symbols, s)
	case Union:
		return slices.ContainsFunc(n.Branches, func(b *Node) bool { return validDefault(b, v) })
	}
	return validContainerDefault(n, v)
}

func validContainerDefault(n *Node, v any) bool {
	switch n.Kind {
	case Array:
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(item any) bool { return !validDefault(n.Elem, item) })
	case Map:
		o, ok := v.(*Object)
		return ok && !slices.ContainsFunc(o.Members, func(m Prop) bool { return !validDefault(n.Elem, m.Value) })
	}
	o, ok := v.(*Object)
	return ok && !slices.ContainsFunc(n.Fields, func(f Field) bool {
		m, there := o.Get(f.Name)
		return !there && !f.HasDefault || there && !validDefault(f.Type, m)
	})
}

func validInt(v any, bits int) bool {
	num, ok := v.(json.Number)
	if !ok {
		return false
	}
	_, err := strconv.ParseInt(num.String(), 10, bits)
	return err == nil
}

func stringMember(o *Object, key string) (string, bool) {
	v, ok := o.Get(key)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	return s, ok
}

func stringList(o *Object, key string) ([]string, error) {
	v, ok := o.Get(key)
	if !ok {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%q is a list of names, not %s", key, describe(v))
	}
	var out []string
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("%q is a list of names, with %s in it", key, describe(item))
		}
		out = append(out, s)
	}
	return out, nil
}

// otherProps are the attributes of a type that the specification does not name. also is one more that it names here.
func otherProps(o *Object, also string) []Prop {
	var out []Prop
	for _, m := range o.Members {
		switch m.Key {
		case "type", "name", "namespace", "doc", "aliases", "fields", "symbols", "items", "values", "size", also:
		default:
			out = append(out, m)
		}
	}
	return out
}

func fieldProps(o *Object) []Prop {
	var out []Prop
	for _, m := range o.Members {
		switch m.Key {
		case "type", "name", "doc", "aliases", "default", "order":
		default:
			out = append(out, m)
		}
	}
	return out
}

func at(path string) string {
	if path == "" {
		return "top level"
	}
	return strings.TrimPrefix(path, "/")
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "an object"
}

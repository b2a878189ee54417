package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"crosswalk/internal/nearest"
)

// decode reads YAML strictly: a key that is not known, or stands twice, is an error. All of these are reported at once, as
// Errors; text that is no YAML is one error of another type.
func decode(text []byte, c *Config) error {
	var document yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))).Decode(&document)
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("%s; correct this line", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	wrong := shape(document.Content[0], reflect.TypeFor[Config](), nil)
	var types *yaml.TypeError
	switch err := document.Decode(c); {
	case errors.As(err, &types):
		for _, text := range types.Errors {
			wrong = append(wrong, errors.New(sentence(text)))
		}
	case err != nil:
		return fmt.Errorf("%s; correct this line", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// shape compares a node with the type that it is for: it names every unknown key, and gives the short forms of a value (one
// text for a list, true for tls, a bare number of seconds for a duration) their long form. The rest is the decoder's.
func shape(n *yaml.Node, t reflect.Type, wrong Errors) Errors {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		lengthen(n, t)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, item := range n.Content {
			wrong = shape(item, t.Elem(), wrong)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Value == "<<" {
				wrong = shape(value, t, wrong)
				continue
			}
			field, ok := member(t, key.Value)
			if !ok {
				wrong = append(wrong, unknown(key, t))
				continue
			}
			wrong = shape(value, field, wrong)
		}
	}
	return wrong
}

// member is the type of a struct's field by its key.
func member(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == key && key != "" && key != "-" {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// lengthen rewrites the short form of a value.
func lengthen(n *yaml.Node, t reflect.Type) {
	switch {
	case t == reflect.TypeFor[time.Duration]() && (n.Tag == "!!int" || n.Tag == "!!float"):
		n.Tag, n.Value = "!!str", n.Value+"s"
	case t == reflect.TypeFor[TLS]() && n.Tag == "!!bool":
		value := *n
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column, Content: []*yaml.Node{
			{Kind: yaml.ScalarNode, Tag: "!!str", Value: "enabled", Line: n.Line}, &value,
		}}
	case t == reflect.TypeFor[[]string]() && n.Tag != "!!null":
		list := yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
		for _, item := range texts(n.Value) {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item, Line: n.Line})
		}
		*n = list
	}
}

// texts are the items of a list that was written as one text.
func texts(list string) (items []string) {
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// unknown says which key is meant by one that is not known: one of its own group first.
func unknown(key *yaml.Node, group reflect.Type) error {
	own := keysOf(group)
	if group == reflect.TypeFor[Fields]() {
		return fmt.Errorf("line %d: fields cannot be chosen of %q; give %s", key.Line, key.Value, strings.Join(own, " or "))
	}
	for _, known := range [][]string{own, allKeys()} {
		if near := nearest.Of(key.Value, known, 2); near != "" && near != key.Value {
			return fmt.Errorf("line %d: unknown key %q; did you mean %q? Correct or remove it", key.Line, key.Value, near)
		}
	}
	if slices.Contains(allKeys(), key.Value) {
		return fmt.Errorf("line %d: the key %q does not belong here, where %s may stand; move or remove it", key.Line, key.Value, strings.Join(own, ", "))
	}
	return fmt.Errorf("line %d: unknown key %q; remove it, or see the README for the keys", key.Line, key.Value)
}

// The parser's words for a value of another type. It quotes the value, which may be a secret, and is left out.
var wrongType = regexp.MustCompile(`^line ([0-9]+): cannot unmarshal (\S+) (?s:.*) into (\S+)$`)

func sentence(text string) string {
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("line %s: the value is no %s; correct it", m[1], typeWord(m[3]))
	}
	return text + "; correct this line"
}

// typeWord says what a Go type is called in a configuration.
func typeWord(t string) string {
	switch {
	case strings.HasPrefix(t, "[]"):
		return "list"
	case t == "int" || t == "float64":
		return "number"
	case t == "bool":
		return "true or false"
	case t == "time.Duration":
		return "duration (30s, 5m, 2h)"
	case t == "string" || strings.HasSuffix(t, ".String"):
		return "single text"
	}
	return "group of keys"
}

// keysOf lists the keys of one group.
func keysOf(group reflect.Type) (keys []string) {
	for i := range group.NumField() {
		keys = append(keys, group.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// allKeys lists every key of the configuration, at any depth.
func allKeys() []string {
	seen := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if tag := f.Tag.Get("yaml"); tag != "" {
				seen[tag] = true
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	return keys
}

package org

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed standard.txt
var standardText string

// kinds maps describe's types to kinds; a type that is not here does not exist.
var kinds = map[string]Kind{
	"id": ID, "reference": ID, "string": Text, "textarea": Text, "picklist": Text, "multipicklist": Text, "combobox": Text,
	"email": Text, "phone": Text, "url": Text, "encryptedstring": Text, "anyType": Text, "boolean": Bool, "int": Int, "long": Int,
	"double": Number, "currency": Number, "percent": Number, "date": Date, "datetime": Datetime, "time": Time, "base64": Blob,
	"address": Compound, "location": Compound,
}

// parseStandard reads the object table of standard.txt.
func parseStandard(text string) ([]*Object, error) {
	var objects []*Object
	var ob *Object
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#" || strings.HasPrefix(words[0], "#"):
		case words[0] == "object":
			ob = &Object{Name: words[1], Prefix: words[2], Label: words[3], can: strings.TrimPrefix(words[4], "can=")}
			objects = append(objects, ob)
		default:
			f, err := parseStandardField(words)
			if err != nil {
				return nil, fmt.Errorf("read standard objects, line %d: %w", n+1, err)
			}
			ob.addField(f)
		}
	}
	return objects, nil
}

func parseStandardField(words []string) (*Field, error) {
	kind, ok := kinds[words[1]]
	if !ok {
		return nil, fmt.Errorf("field %s has the unknown type %s", words[0], words[1])
	}
	f := &Field{
		Name: words[0], Label: label(words[0]), Type: words[1], Kind: kind,
		Createable: true, Updateable: true, Filterable: kind != Blob && kind != Compound,
	}
	if kind == ID {
		f.Length = 18
	}
	for _, w := range words[2:] {
		if err := f.setAttribute(w); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// setAttribute reads one word of a field's line.
func (f *Field) setAttribute(word string) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "ro", "sys":
		f.Createable, f.Updateable = false, false
		f.System = f.System || key == "sys"
	case "co":
		f.Updateable = false
	case "req":
		f.Required = true
	case "name":
		f.NameField = true
	case "nofilter":
		f.Filterable = false
	case "noevent":
		f.NoEvent = true
	case "cascade":
		f.Cascade = true
	case "of":
		f.Component = value
	case "to":
		f.ReferenceTo = strings.Split(value, "|")
	case "rel":
		f.Relation = value
	case "child":
		f.ChildName = value
	case "default":
		f.Default = strings.ReplaceAll(value, "~", " ")
	case "v":
		f.Values = strings.Split(strings.ReplaceAll(value, "~", " "), "|")
	default:
		return f.setSize(word)
	}
	return nil
}

func (f *Field) setSize(word string) error {
	first, second, two := strings.Cut(word, ",")
	n, err := strconv.Atoi(first)
	if err != nil {
		return fmt.Errorf("field %s has the unknown attribute %q", f.Name, word)
	}
	if !two {
		f.Length = n
		if f.Kind == Int {
			f.Precision, f.Length = n, 0
		}
		return nil
	}
	f.Precision = n
	f.Scale, err = strconv.Atoi(second)
	return err
}

// label makes "Billing Street" of BillingStreet.
func label(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "__c"), "_", " ")
	var out strings.Builder
	for i := range len(name) {
		if i > 0 && name[i] >= 'A' && name[i] <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			out.WriteByte(' ')
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

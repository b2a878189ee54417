package org

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// FieldSpec declares a custom field, in Go or in schema.json.
type FieldSpec struct {
	Name         string   `json:"name"` // API name, ending in __c
	Label        string   `json:"label"`
	Type         string   `json:"type"`   // describe's type; "" is string
	Length       int      `json:"length"` // of texts; 0 is 255, of a textarea 32768
	Precision    int      `json:"precision"`
	Scale        int      `json:"scale"`
	Formula      string   `json:"formula"` // makes the field calculated: see Formula
	ReferenceTo  []string `json:"referenceTo"`
	MasterDetail bool     `json:"masterDetail"` // the row is deleted with the record it refers to
	ExternalID   bool     `json:"externalId"`
	Unique       bool     `json:"unique"` // as described; duplicates are not refused
	Required     bool     `json:"required"`
	Values       []string `json:"values"` // of a picklist
	Default      string   `json:"default"`
	MadeUp       bool     `json:"madeUp"` // made-up rows have values: numbers, or texts of about ten characters; else they are null
}

// Schema is schema.json: custom objects and the custom fields of any object.
type Schema struct {
	Objects map[string]ObjectSpec `json:"objects"`
}

// ObjectSpec is one object of schema.json. Prefix and Label count for a custom object only.
type ObjectSpec struct {
	Prefix string      `json:"prefix"` // 3 characters; "" takes the next free one from a00
	Label  string      `json:"label"`
	Fields []FieldSpec `json:"fields"`
}

// readSchema applies schema.json.
func (o *Org) readSchema(data []byte) error {
	var s Schema
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return fmt.Errorf("read schema.json: %w", err)
	}
	names := make([]string, 0, len(s.Objects))
	for name := range s.Objects {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names { // objects first: a field may refer to any
		if _, ok := o.Object(name); !ok {
			if err := o.AddObject(name, s.Objects[name].Label, s.Objects[name].Prefix); err != nil {
				return fmt.Errorf("read schema.json: %w", err)
			}
		}
	}
	for _, name := range names {
		for _, f := range s.Objects[name].Fields {
			if err := o.AddField(name, f); err != nil {
				return fmt.Errorf("read schema.json: %w", err)
			}
		}
	}
	return nil
}

// AddObject adds a custom object with the fields that every object has.
func (o *Org) AddObject(name, label, prefix string) error {
	if !strings.HasSuffix(name, "__c") {
		return fmt.Errorf("add object %s: the API name of a custom object ends in __c", name)
	}
	if _, ok := o.Object(name); ok {
		return fmt.Errorf("add object %s: it is there already", name)
	}
	if prefix == "" {
		prefix = o.freePrefix()
	}
	if len(prefix) != 3 {
		return fmt.Errorf("add object %s: the key prefix %q has not three characters", name, prefix)
	}
	label = cmp.Or(label, strings.TrimSuffix(name, "__c"))
	text := "object " + name + " " + prefix + " " + strings.ReplaceAll(label, " ", "~") + " can=qrRcudUeb\n" + customObjectFields
	obs, err := parseStandard(text)
	if err != nil {
		return fmt.Errorf("add object %s: %w", name, err)
	}
	obs[0].Custom = true
	obs[0].Label = label
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addObject(obs[0])
	return nil
}

const customObjectFields = `Id id ro
OwnerId reference to=User rel=Owner req
IsDeleted boolean ro sys noevent
Name string 80 name
CreatedDate datetime ro sys
CreatedById reference ro sys to=User rel=CreatedBy
LastModifiedDate datetime ro sys
LastModifiedById reference ro sys to=User rel=LastModifiedBy
SystemModstamp datetime ro sys noevent
`

func (o *Org) freePrefix() string {
	taken := func(p string) bool {
		return slices.ContainsFunc(o.Objects(), func(ob *Object) bool { return ob.Prefix == p })
	}
	for n := 0; ; n++ {
		p := "a" + string([]byte{digits62[n/62], digits62[n%62]})
		if !taken(p) {
			return p
		}
	}
}

// AddField adds a custom field to an object. Readers see it at once; it is null in all records, but for made-up values.
func (o *Org) AddField(object string, spec FieldSpec) error {
	ob, ok := o.Object(object)
	if !ok {
		return fmt.Errorf("add field %s: there is no object %s", spec.Name, object)
	}
	if _, ok := ob.Field(spec.Name); ok {
		return fmt.Errorf("add field %s.%s: it is there already", object, spec.Name)
	}
	f, err := o.customField(ob, spec)
	if err != nil {
		return fmt.Errorf("add field %s.%s: %w", object, spec.Name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.Type == "location" {
		for _, part := range []string{"Latitude", "Longitude"} {
			base := strings.TrimSuffix(f.Name, "__c")
			ob.addField(&Field{
				Name: base + "__" + part + "__s", Label: f.Label + " (" + part + ")", Type: "double", Kind: Number, Precision: 18, Scale: 15,
				Custom: true, Component: f.Name, Createable: true, Updateable: true, Filterable: true,
			})
		}
	}
	ob.addField(f)
	o.schema.Store(o.now().UnixNano())
	return nil
}

func (o *Org) customField(ob *Object, spec FieldSpec) (*Field, error) {
	base, ok := strings.CutSuffix(spec.Name, "__c")
	if !ok || base == "" {
		return nil, fmt.Errorf("the API name of a custom field ends in __c")
	}
	kind, ok := kinds[cmp.Or(spec.Type, "string")]
	if !ok || kind == Blob || spec.Type == "id" || spec.Type == "address" || spec.Type == "anyType" {
		return nil, fmt.Errorf("a custom field cannot have the type %q", spec.Type)
	}
	f := &Field{
		Name: spec.Name, Label: cmp.Or(spec.Label, label(spec.Name)), Type: cmp.Or(spec.Type, "string"), Kind: kind, Custom: true,
		Length: spec.Length, Precision: spec.Precision, Scale: spec.Scale, Createable: true, Updateable: true, Filterable: kind != Compound,
		ExternalID: spec.ExternalID, Unique: spec.Unique, Required: spec.Required, Values: spec.Values, Default: spec.Default,
		ReferenceTo: spec.ReferenceTo, Cascade: spec.MasterDetail,
	}
	switch {
	case kind == Text && f.Length == 0 && f.Type == "textarea":
		f.Length = 32768
	case kind == Text && f.Length == 0:
		f.Length = 255
	case kind == ID:
		f.Length = 18
		if len(f.ReferenceTo) == 0 {
			return nil, fmt.Errorf("a reference needs referenceTo")
		}
		f.Relation, f.ChildName = base+"__r", strings.TrimSuffix(ob.Name, "__c")+"s__r"
	case kind == Number && f.Precision == 0:
		f.Precision = 18
		if f.Scale == 0 {
			f.Scale = 2
		}
	}
	if f.Type == "textarea" && f.Length > 255 {
		f.Filterable = false
	}
	if spec.Formula != "" {
		formula, err := parseFormula(o, ob, spec.Formula)
		if err != nil {
			return nil, err
		}
		f.Formula, f.Createable, f.Updateable = formula, false, false
	}
	if spec.MadeUp {
		if f.recipe = madeUp[kind]; f.recipe == nil {
			return nil, fmt.Errorf("made-up rows can have numbers and texts, but no %s", f.Type)
		}
	}
	return f, nil
}

// RemoveField takes a field away, as deleting it in Setup does.
func (o *Org) RemoveField(object, field string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ob, ok := o.Object(object)
	if !ok || !strings.HasSuffix(field, "__c") || !ob.removeField(field) {
		return fmt.Errorf("remove field %s.%s: there is no such custom field", object, field)
	}
	o.schema.Store(o.now().UnixNano())
	return nil
}

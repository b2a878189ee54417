package app

import (
	"fmt"

	"crosswalk/internal/simulator/org"
)

// orgWriter gives the demo's changes the simulated org's verbs.
type orgWriter struct{ org *org.Org }

// Create makes a record and returns its id.
func (w orgWriter) Create(object string, fields map[string]any) (string, error) {
	return w.org.Create(object, fields)
}

// Update changes fields; nil sets null.
func (w orgWriter) Update(object, id string, fields map[string]any) error {
	return w.org.Update(object, id, fields)
}

// Delete moves a record to the recycle bin.
func (w orgWriter) Delete(object, id string) error { return w.org.Delete(object, id) }

// Undelete brings it back.
func (w orgWriter) Undelete(object, id string) error { return w.org.Undelete(object, id) }

// Find returns the ids of the live records whose field has the value.
func (w orgWriter) Find(object, field, value string) ([]string, error) {
	ob, ok := w.org.Object(object)
	if !ok {
		return nil, fmt.Errorf("no object %s", object)
	}
	f, ok := ob.Field(field)
	if !ok {
		return nil, fmt.Errorf("no field %s of %s", field, object)
	}
	var ids []string
	w.org.View(func(v org.View) {
		var text []byte
		for row := range v.Rows(ob, 0) {
			text, _ = row.Append(text[:0], f)
			if !row.Deleted() && string(text) == value {
				ids = append(ids, row.ID())
			}
		}
	})
	return ids, nil
}

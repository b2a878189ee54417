package avro

import (
	"strings"
	"testing"

	"crosswalk/internal/change"
	"crosswalk/schemas"
)

// What Leaves gives for a path is what Lookup finds there, and no path that Lookup cannot follow is given.
func TestLeavesAreWhatLookupFinds(t *testing.T) {
	t.Parallel()
	text := change.StringValue
	c := Customer{Number: "7", Name: text("Æ"), UpdatedAt: change.DatetimeValue(1), Attributes: []Attribute{
		{Name: "City", Value: FieldValue{Scalar: text("Århus")}},
		{Name: "a.b", Value: FieldValue{Scalar: text("no path")}},
		{Name: "crm", Value: FieldValue{Object: []Attribute{
			{Name: "id", Value: FieldValue{Scalar: change.IntValue(12)}},
			{Name: "no", Value: FieldValue{Scalar: change.NullValue()}},
		}}},
		{Name: "tags", Value: FieldValue{List: []FieldValue{{Scalar: text("x")}}}},
		{Name: "vip", Value: FieldValue{Scalar: change.BoolValue(true)}},
	}}
	body, err := c.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWalker(schemas.ERPCustomer)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Value{}
	if err := w.Leaves(body, func(path []byte, v Value) { got[string(path)] = v }); err != nil {
		t.Fatal(err)
	}
	for path, v := range got {
		if want, err := w.Lookup(body, strings.Split(path, ".")...); err != nil || want != v {
			t.Errorf("%s is %+v, Lookup finds %+v, %v", path, v, want, err)
		}
	}
	for path, kind := range map[string]Kind{
		"number": Text, "name": Text, "identifier": Null, "balance": Null, "updated_at": Text, "attributes.City": Text,
		"attributes.crm.id": Number, "attributes.crm.no": Null, "attributes.tags": Other, "attributes.vip": Bool, "company": Null,
		"currency": Null, "terms": Null, "email": Null, "phone": Null,
	} {
		if v, ok := got[path]; !ok || v.Kind != kind {
			t.Errorf("%s is of kind %v (there: %v), want %v", path, v.Kind, ok, kind)
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("leaves too many: %v", got)
	}
	if err := w.Leaves(body[:len(body)-1], func([]byte, Value) {}); err == nil {
		t.Error("a body that is cut off gives no error")
	}
}

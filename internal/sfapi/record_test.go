package sfapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/change"
)

// contact is a describe with two compounds, a custom geolocation and a parent column.
func contact() *Describe {
	return &Describe{Name: "Contact", Fields: []DescribedField{
		{Name: "Id", Type: "id"},
		{Name: "Name", Type: "string", CompoundFieldName: "Name"},
		{Name: "FirstName", Type: "string", CompoundFieldName: "Name"},
		{Name: "LastName", Type: "string", CompoundFieldName: "Name"},
		{Name: "MailingAddress", Type: "address", SoapType: "urn:address"},
		{Name: "MailingStreet", Type: "textarea", CompoundFieldName: "MailingAddress"},
		{Name: "MailingCity", Type: "string", CompoundFieldName: "MailingAddress"},
		{Name: "MailingLatitude", Type: "double", CompoundFieldName: "MailingAddress"},
		{Name: "Loc__c", Type: "location", SoapType: "urn:location"},
		{Name: "Loc__Latitude__s", Type: "double", CompoundFieldName: "Loc__c"},
		{Name: "Loc__Longitude__s", Type: "double", CompoundFieldName: "Loc__c"},
		{Name: "Description", Type: "textarea"},
		{Name: "Score__c", Type: "double"},
		{Name: "Visits__c", Type: "int"},
	}}
}

func TestRecordsAndEventsBecomeTheSameRow(t *testing.T) {
	t.Parallel()
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	const id = "003Qk00000aBcDeIAK"
	want := "Description=null FirstName=Ann Id=" + id + " LastName=Lee Loc__Latitude__s=52.5 Loc__Longitude__s=13.4 MailingCity=null MailingLatitude=-0.000001 MailingStreet=Main St\n1 Score__c=123456789012345678.1 Visits__c=3 "
	for name, record := range map[string]string{
		"flat": `{"attributes":{"type":"Contact","url":"/x"},"Id":"` + id + `","FirstName":"Ann","LastName":"Lee","MailingStreet":"Main St\n1","MailingCity":null,
			"MailingLatitude":-1.0e-6,"Loc__Latitude__s":52.50,"Loc__Longitude__s":13.4,"Description":"","Score__c":123456789012345678.10,"Visits__c":3}`,
		"REST compounds": `{"attributes":{"type":"Contact","url":"/x"},"Id":"` + id + `","Name":"Ann Lee","FirstName":"Ann","LastName":"Lee","MailingAddress":{"street":"Main St\n1","city":null,"latitude":-1.0e-6,"unknown":[1,{"a":"}"}]},
			"Loc__c":{"latitude":52.5,"longitude":13.4},"Description":null,"Score__c":123456789012345678.1,"Visits__c":3.0}`,
		"event compounds": `{"ChangeEventHeader":{"entityName":"Contact","recordIds":["` + id + `"]},"Id":"` + id + `","Name":{"FirstName":"Ann","LastName":"Lee"},
			"MailingAddress":{"Street":"Main St\n1","City":null,"Latitude":-0.000001},"Loc__c":{"Latitude":5.25E1,"Longitude":13.4},"Description":null,"Score__c":1234567890123456781e-1,"Visits__c":3}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewRowDecoder(d.schema, d.components)
			row, err := d.Row([]byte(record))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for i, f := range row.Schema.Fields {
				fmt.Fprintf(&b, "%s=%v ", f.Name, row.Values[i])
			}
			if b.String() != want || row.ID != id {
				t.Errorf("got  %s\nwant %s", b.String(), want)
			}
		})
	}
}

func TestAbsentNullAndDiffDiffer(t *testing.T) {
	t.Parallel()
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	got := make(map[string]string)
	diffs, err := d.Fields([]byte(`{"LastName":null,"MailingAddress":null,"Description":{"diff":"--- \n+++ 0a"},"Other__c":{"a":1}}`),
		func(field int, v change.Value) { got[d.schema.Fields[field].Name] = v.String() })
	if err != nil || !slices.Equal(diffs, []string{"Description"}) {
		t.Fatalf("diffs %v, %v", diffs, err)
	}
	want := map[string]string{"LastName": "null", "MailingStreet": "null", "MailingCity": "null", "MailingLatitude": "null"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A Person Account's Name comes nested while its row has it as one text: the parts are known, the text must be read.
func TestPersonAccountNameIsReadAgain(t *testing.T) {
	t.Parallel()
	account := &Describe{Name: "Account", Fields: []DescribedField{
		{Name: "Id", Type: "id"}, {Name: "Name", Type: "string"}, {Name: "LastName", Type: "string", CompoundFieldName: "Name"},
	}}
	d := NewRowDecoder(Schema(account, Selection{}), Components(account))
	var got []string
	diffs, err := d.Fields([]byte(`{"Name":{"LastName":"Lee"}}`), func(field int, v change.Value) { got = append(got, d.schema.Fields[field].Name+"="+v.String()) })
	if err != nil || !slices.Equal(diffs, []string{"Name"}) || !slices.Equal(got, []string{"LastName=Lee"}) {
		t.Errorf("got %v, diffs %v, %v", got, diffs, err)
	}
	got = nil
	if _, err := d.Fields([]byte(`{"Name":"Acme"}`), func(field int, v change.Value) { got = append(got, d.schema.Fields[field].Name+"="+v.String()) }); err != nil || !slices.Equal(got, []string{"Name=Acme"}) {
		t.Errorf("a business account gave %v, %v", got, err)
	}
}

func TestParentsBecomeDottedColumns(t *testing.T) {
	t.Parallel()
	schema := change.NewSchema("Task", []change.Field{{Name: "Id"}, {Name: "Owner.Name"}, {Name: "What.Owner.Name"}})
	row, err := NewRowDecoder(schema, nil).Row([]byte(`{"Id":"00TQk00000aBcDeIAK","Owner":{"attributes":{},"Name":"Ann"},"What":{"Owner":{"Name":"Bob"}}}`))
	if err != nil || row.Get("Owner.Name").Str() != "Ann" || row.Get("What.Owner.Name").Str() != "Bob" {
		t.Errorf("%v, %v", row.Values, err)
	}
}

func TestBadRecordsSayWhy(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		`{"Id":"003Qk00000aBcDeIAK","Visits__c":"many"}`:    `field Visits__c: "many" is not a whole number`,
		`{"Id":"003Qk00000aBcDeIAK","Visits__c":1.5}`:       `field Visits__c: "1.5" is not a whole number`,
		`{"Id":"003Qk00000aBcDeIAK","Score__c":true}`:       `field Score__c: "true" is not a decimal number`,
		`{"Id":"003Qk00000aBcDeIAK","LastName":[1]}`:        `field LastName: "[1]" is not a text`,
		`{"Id":"003Qk00000aBcDeIAK","LastName":5}`:          `field LastName: "5" is not a text`,
		`{"Id":"003Qk00000aBcDeIAK","LastName":{"diff":1}}`: `field LastName: its value is an object`,
		`{"Id":"003"}`:      `field Id: "003" is not an id`,
		`{"LastName":"x"}`:  `field Id: "" is not an id`,
		`[1]`:               "not a JSON object",
		`{"Id":`:            "not a JSON object",
		"{\"Id\":\"\xff\"}": "in UTF-8",
	} {
		d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
		_, err := d.Row([]byte(record))
		var bad *RowError
		if !errors.As(err, &bad) || bad.Raw != record {
			t.Errorf("%s gave %v", record, err)
			continue
		}
		has(t, err.Error(), want)
		if told := strings.HasPrefix(record, `{"Id":"003Qk00000aBcDeIAK"`); told != (bad.ID == "003Qk00000aBcDeIAK") {
			t.Errorf("%s is said to be of the record %q", record, bad.ID)
		}
	}
}

func TestFlatNamesOfChangedFields(t *testing.T) {
	t.Parallel()
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	for path, want := range map[string]string{
		"LastName": "LastName", "Name.FirstName": "FirstName", "MailingAddress.Street": "MailingStreet",
		"Loc__c.Latitude": "Loc__Latitude__s", "Nope": "", "Name.Nope": "", "LastModifiedDate": "",
	} {
		if got, ok := d.Flat(path); got != want && ok {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	names := d.Flats("MailingAddress")
	slices.Sort(names)
	if !slices.Equal(names, []string{"MailingCity", "MailingLatitude", "MailingStreet"}) {
		t.Errorf("a whole compound is %v", names)
	}
}

package sfapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"crosswalk/internal/change"
)

const updateEvent = `{"LastModifiedDate":"2026-11-20T21:20:00.000Z","ChangeEventHeader": {"entityName":"Contact","recordIds":["003Qk00000cOnTaIAK", "003Qk00000cOnTbIAK"],
	"changeType":"UPDATE","changeOrigin":"com/salesforce/api/soap/66.0;client=Data\u004coader","transactionKey":"0002-a","sequenceNumber":1,"commitTimestamp":1795209600000,
	"commitNumber":1082990428293,"commitUser":"005Qk000001UsErIAK","nulledFields":[],"diffFields":null,"changedFields":["Title","MailingAddress.City"]},"Title":"Ms, ]"}`

func TestEventHeader(t *testing.T) {
	t.Parallel()
	want := EventHeader{
		Entity: "Contact", ChangeType: "UPDATE", Origin: "com/salesforce/api/soap/66.0;client=DataLoader", TransactionKey: "0002-a",
		CommitUser: "005Qk000001UsErIAK", RecordIDs: []string{"003Qk00000cOnTaIAK", "003Qk00000cOnTbIAK"}, ChangedFields: []string{"Title", "MailingAddress.City"},
		CommitTimestamp: 1795209600000, CommitNumber: 1082990428293, SequenceNumber: 1,
	}
	got, err := readHeader([]byte(updateEvent))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// readHeader reads an event without its fields.
func readHeader(payload []byte) (EventHeader, error) {
	h, _, err := new(EventReader).Read(payload, func(*EventHeader) *RowDecoder { return nil }, nil)
	return h, err
}

func TestEventHeaderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for payload, why := range map[string]string{
		`{"Title":"Ms"}`: "no ChangeEventHeader",
		`{"ChangeEventHeader":{"entityName":"Contact"}}`:                         "no ChangeEventHeader with entityName and changeType",
		`{"ChangeEventHeader":{"entityName":7,"changeType":"UPDATE"}}`:           "ChangeEventHeader.entityName: \"7\" is not a text",
		`{"ChangeEventHeader":{"changeType":"UPDATE","recordIds":[1]}}`:          "ChangeEventHeader.recordIds: \"1\" is not a text",
		`{"ChangeEventHeader":{"changeType":"UPDATE","recordIds":"003"}}`:        "is not a list",
		`{"ChangeEventHeader":{"changeType":"UPDATE","commitTimestamp":"soon"}}`: "is not a whole number",
		`{"ChangeEventHeader":[]}`:                                               "not a JSON object",
		`[]`:                                                                     "not a JSON object",
	} {
		if _, err := readHeader([]byte(payload)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", payload, err, why)
		}
	}
}

// TestEventFields reads events of one kind after each other, as a stream brings them.
func TestEventFields(t *testing.T) {
	t.Parallel()
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	const header = `"ChangeEventHeader":{"entityName":"Contact","changeType":"UPDATE","changeOrigin":"a\tb","recordIds":["003"],"changedFields":["Description"]}`
	var r EventReader
	for _, c := range []struct{ payload, fields, diffs, fault string }{
		{`{` + header + `,"Description":"one","Visits__c":3}`, "Description=one Visits__c=3 ", "[]", ""},
		{`{` + header + `,"Description":null}`, "Description=null ", "[]", ""},
		{`{"Description":"before",` + header + `,"Visits__c":4}`, "Description=before Visits__c=4 ", "[]", ""}, // members have no order
		{`{` + header + `,"Description":{"diff":"--- "},"Unknown":{"a":[1]}}`, "", "[Description]", ""},
		{`{` + header + `,"Visits__c":"many","Description":"after"}`, "", "[]", "field Visits__c"},
		{`{"Visits__c":"many",` + header + `}`, "", "[]", "field Visits__c"},
		{`{` + header + `,"Description":"` + "\xff" + `"}`, "Description=\xff ", "[]", "UTF-8"},
	} {
		var fields string
		h, diffs, err := r.Read([]byte(c.payload), func(h *EventHeader) *RowDecoder {
			if h.Entity != "Contact" {
				t.Errorf("%s: columns of %q asked for", c.payload, h.Entity)
			}
			return d
		}, func(field int, v change.Value) { fields += d.schema.Fields[field].Name + "=" + v.String() + " " })
		if fields != c.fields || fmt.Sprint(diffs) != c.diffs {
			t.Errorf("%s: fields %q and diffs %v, want %q and %s", c.payload, fields, diffs, c.fields, c.diffs)
		}
		var bad *RowError
		if (err != nil) != (c.fault != "") || err != nil && (!errors.As(err, &bad) || !strings.Contains(err.Error()+bad.Reason, c.fault) || bad.Raw != c.payload) {
			t.Errorf("%s: %v, want %q", c.payload, err, c.fault)
		}
		want := EventHeader{Entity: "Contact", ChangeType: "UPDATE", Origin: "a\tb", RecordIDs: []string{"003"}, ChangedFields: []string{"Description"}}
		if !reflect.DeepEqual(h, want) {
			t.Errorf("%s: header %+v", c.payload, h)
		}
	}
}

// TestEventsShareOnlyWhatIsTheSame reads events whose texts differ little.
func TestEventsShareOnlyWhatIsTheSame(t *testing.T) {
	t.Parallel()
	var r EventReader
	for _, origin := range []string{`ab`, `ab`, `a\\b`, `a\b`, `a\b`, `a\u0008`, `ac`, ``, `ab`} {
		for _, changed := range []string{`["A"]`, `["A"]`, `["A","B"]`, `[]`, `[ "A"]`} {
			payload := `{"ChangeEventHeader":{"entityName":"Contact","changeType":"UPDATE","changeOrigin":"` + origin + `","changedFields":` + changed + `}}`
			var want struct {
				ChangeEventHeader struct {
					ChangeOrigin  string
					ChangedFields []string
				}
			}
			if err := json.Unmarshal([]byte(payload), &want); err != nil {
				t.Fatal(err)
			}
			got, _, err := r.Read([]byte(payload), func(*EventHeader) *RowDecoder { return nil }, nil)
			if err != nil || got.Origin != want.ChangeEventHeader.ChangeOrigin || !reflect.DeepEqual(got.ChangedFields, want.ChangeEventHeader.ChangedFields) {
				t.Errorf("%s: %+v, %v", payload, got, err)
			}
		}
	}
}

// FuzzEventHeader holds it to encoding/json wherever that accepts a payload.
func FuzzEventHeader(f *testing.F) {
	f.Add([]byte(updateEvent))
	f.Add([]byte(`{"ChangeEventHeader":{"entityName":"A","changeType":"C","recordIds":[],"changedFields":[ "a" ,"b"]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := readHeader(payload)
		var body struct {
			ChangeEventHeader struct {
				EntityName, ChangeType, TransactionKey string
				RecordIDs                              []string `json:"recordIds"`
			}
		}
		if err != nil || json.Unmarshal(payload, &body) != nil || strings.Count(string(payload), "ChangeEventHeader") != 1 {
			return
		}
		h := body.ChangeEventHeader
		if strings.Count(strings.ToLower(string(payload)), "name") != 1 || strings.Contains(string(payload), "null") {
			return // keys of another case, or twice: encoding/json takes what we do not
		}
		if got.Entity != h.EntityName {
			t.Errorf("%q: entity %q, want %q", payload, got.Entity, h.EntityName)
		}
	})
}

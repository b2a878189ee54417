package sfapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const updateEvent = `{"LastModifiedDate":"2026-11-20T21:20:00.000Z","ChangeEventHeader": {"entityName":"Contact","recordIds":["003Qk00000cOnTaIAK", "003Qk00000cOnTbIAK"],
	"changeType":"UPDATE","changeOrigin":"com/salesforce/api/soap/66.0;client=Data\u004coader","transactionKey":"0002-a","sequenceNumber":1,"commitTimestamp":1795209600000,
	"commitNumber":1082990428293,"commitUser":"005Qk000001UsErIAK","nulledFields":[],"diffFields":null,"changedFields":["Title","MailingAddress.City"]},"Title":"Ms, ]"}`

func TestReadEventHeader(t *testing.T) {
	t.Parallel()
	want := EventHeader{
		Entity: "Contact", ChangeType: "UPDATE", Origin: "com/salesforce/api/soap/66.0;client=DataLoader", TransactionKey: "0002-a",
		CommitUser: "005Qk000001UsErIAK", RecordIDs: []string{"003Qk00000cOnTaIAK", "003Qk00000cOnTbIAK"}, ChangedFields: []string{"Title", "MailingAddress.City"},
		CommitTimestamp: 1795209600000, CommitNumber: 1082990428293, SequenceNumber: 1,
	}
	got, err := ReadEventHeader([]byte(updateEvent))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadEventHeaderSaysWhatIsWrong(t *testing.T) {
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
		if _, err := ReadEventHeader([]byte(payload)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", payload, err, why)
		}
	}
}

// FuzzReadEventHeader holds it to encoding/json wherever that accepts a payload.
func FuzzReadEventHeader(f *testing.F) {
	f.Add([]byte(updateEvent))
	f.Add([]byte(`{"ChangeEventHeader":{"entityName":"A","changeType":"C","recordIds":[],"changedFields":[ "a" ,"b"]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := ReadEventHeader(payload)
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

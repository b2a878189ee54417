package avro

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"crosswalk/internal/change"
)

func accountSchema() *change.Schema {
	return change.NewSchema("Account", []change.Field{
		{Name: "Id"},
		{Name: "Name", Label: `Account "Name"`},
		{Name: "AnnualRevenue", Type: change.TypeDecimal, Precision: 18, Scale: 2},
		{Name: "NumberOfEmployees", Type: change.TypeInt, Precision: 8},
		{Name: "IsActive__c", Type: change.TypeBool},
		{Name: "Founded__c", Type: change.TypeDate},
		{Name: "Opens__c", Type: change.TypeTime},
		{Name: "SystemModstamp", Type: change.TypeDatetime, ReadOnly: true},
		{Name: "Phone"},
	})
}

func decimalOf(t testing.TB, text string) change.Value {
	t.Helper()
	v, err := change.DecimalValue(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func accountRow(t testing.TB, s *change.Schema) change.Row {
	values := map[string]change.Value{
		"Id": change.StringValue("001D000000IqhSLIAZ"), "Name": change.StringValue("Müller & Söhne\x00"), "AnnualRevenue": decimalOf(t, "-1234567.89"),
		"NumberOfEmployees": change.IntValue(1 << 40), "IsActive__c": change.BoolValue(true), "Founded__c": change.DateValue(-25567),
		"Opens__c": change.TimeValue(34_200_001), "SystemModstamp": change.DatetimeValue(1_795_000_000_123), "Phone": change.NullValue(),
	}
	row := change.Row{Schema: s, ID: "001D000000IqhSLIAZ"}
	for _, f := range s.Fields {
		row.Values = append(row.Values, values[f.Name])
	}
	return row
}

func eventMeta() change.Meta {
	return change.Meta{
		Op: change.OpUpdate, ChangedFields: []string{"Name", "Phone"}, CommitTimestamp: 1_795_000_000_999, CommitNumber: 11, SequenceNumber: 0,
		TransactionKey: "0005-x", CommitUser: "005x", Origin: "com/salesforce/api", ReplayID: 77,
	}
}

func TestRowCodecGivesBackWhatItTook(t *testing.T) {
	t.Parallel()
	c, err := NewRowCodec(accountSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, meta := range []change.Meta{eventMeta(), {Op: change.OpSnapshot}} {
		row := accountRow(t, c.Fields())
		body, err := c.Append([]byte("kept"), row, meta)
		if err != nil || string(body[:4]) != "kept" {
			t.Fatalf("Append = %q, %v", body, err)
		}
		parsed, err := ParseRowCodec(c.Schema())
		if err != nil {
			t.Fatal(err)
		}
		for _, codec := range []*RowCodec{c, parsed} {
			got, gotMeta, err := codec.Decode(body[4:])
			if err != nil || !reflect.DeepEqual(got.Values, row.Values) || got.ID != row.ID || !reflect.DeepEqual(gotMeta, meta) {
				t.Errorf("Decode = %v %v, %v\nwant %v %v", got.Values, gotMeta, err, row.Values, meta)
			}
		}
	}
}

// goavro and twmb/avro must read from our bytes what we wrote, and write the bytes that we write.
func TestRowCodecAgreesWithTheWitnesses(t *testing.T) {
	t.Parallel()
	c, err := NewRowCodec(accountSchema())
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.Append(nil, accountRow(t, c.Fields()), eventMeta())
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(c.Schema())
	if err != nil {
		t.Fatal(err)
	}
	native, rest, err := codec.NativeFromBinary(body)
	if err != nil || len(rest) != 0 {
		t.Fatalf("goavro: %v, %d bytes left", err, len(rest))
	}
	rec := native.(map[string]any)
	change := rec["_change"].(map[string]any)
	for what, pair := range map[string][2]any{
		"Id":      {rec["Id"], "001D000000IqhSLIAZ"},
		"Name":    {rec["Name"], map[string]any{"string": "Müller & Söhne\x00"}},
		"Phone":   {rec["Phone"], nil},
		"revenue": {rec["AnnualRevenue"].(map[string]any)["bytes.decimal"].(*big.Rat).FloatString(3), "-1234567.890"},
		"staff":   {rec["NumberOfEmployees"], map[string]any{"long": int64(1 << 40)}},
		"founded": {rec["Founded__c"].(map[string]any)["int.date"], time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)},
		"stamp":   {rec["SystemModstamp"].(map[string]any)["long.timestamp-millis"], time.UnixMilli(1_795_000_000_123).UTC()},
		"op":      {change["op"], "UPDATE"},
		"changed": {change["changed_fields"], []any{"Name", "Phone"}},
		"number":  {change["sequence_number"], map[string]any{"long": int64(0)}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("goavro reads %s as %v, want %v", what, pair[0], pair[1])
		}
	}
	if again, err := codec.BinaryFromNative(nil, native); err != nil || string(again) != string(body) {
		t.Errorf("goavro writes other bytes: %v\n%x\n%x", err, again, body)
	}
	witness, err := avro.Parse(c.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if rest, err := witness.Decode(body, &v); err != nil || len(rest) != 0 {
		t.Fatalf("twmb: %v, %d bytes left", err, len(rest))
	}
	if again, err := witness.Encode(v); err != nil || string(again) != string(body) {
		t.Errorf("twmb writes other bytes: %v\n%x\n%x", err, again, body)
	}
}

func TestRowCodecRefuses(t *testing.T) {
	t.Parallel()
	c, err := NewRowCodec(accountSchema())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		field string
		value change.Value
		want  string
	}{
		"absent":      {"Phone", change.Value{}, "field Phone: a string cannot be absent"},
		"null id":     {"Id", change.NullValue(), "field Id: a string cannot be null"},
		"other kind":  {"AnnualRevenue", change.StringValue("12"), "field AnnualRevenue: a decimal cannot be 12"},
		"fraction":    {"AnnualRevenue", decimalOf(t, "0.1234567890123456789"), "0.1234567890123456789 has more digits after the point"},
		"too large":   {"AnnualRevenue", decimalOf(t, "123456789012345678901"), "123456789012345678901 has more digits before the point"},
		"not UTF-8":   {"Name", change.StringValue("a\xff"), `field Name: the text "a\xff" is not UTF-8`},
		"far-off day": {"Founded__c", change.DateValue(1 << 40), "does not fit 32 bits"},
	} {
		row := accountRow(t, c.Fields())
		row.Values[c.Fields().Index(tc.field)] = tc.value
		if out, err := c.Append([]byte("x"), row, eventMeta()); err == nil || !strings.Contains(err.Error(), tc.want) || string(out) != "x" {
			t.Errorf("%s: Append = %q, %v; want an error with %q", name, out, err, tc.want)
		}
	}
	row := accountRow(t, c.Fields())
	if _, err := c.Append(nil, row, change.Meta{Op: "NOPE"}); err == nil || !strings.Contains(err.Error(), "field _change") {
		t.Errorf("an unknown op is written: %v", err)
	}
	row.Schema = change.NewSchema("Account", []change.Field{{Name: "Id"}})
	if _, err := c.Append(nil, row, eventMeta()); err == nil || !strings.Contains(err.Error(), "other fields") {
		t.Errorf("a row of another schema is written: %v", err)
	}
}

func TestParseRowSchemaGivesBackTheFields(t *testing.T) {
	t.Parallel()
	want := accountSchema()
	c, err := NewRowCodec(want)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Fields []struct {
			Name    string
			Default json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(c.Schema()), &doc); err != nil {
		t.Fatal(err)
	}
	for _, f := range doc.Fields {
		if nullable := string(f.Default) == "null"; nullable == (f.Name == "Id" || f.Name == "_change") {
			t.Errorf("%s: default %q", f.Name, f.Default)
		}
	}
	got, err := ParseRowSchema(c.Schema())
	if err != nil || got.Entity != want.Entity || !reflect.DeepEqual(got.Fields, want.Fields) {
		t.Fatalf("ParseRowSchema = %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := ParseRowSchema(`{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`); err == nil {
		t.Error("a schema of somebody else's is taken for ours")
	}
}

// Whatever the bytes are, they are a row or an error; a row that comes out goes in again as a row that comes out the same.
func FuzzRowCodec(f *testing.F) {
	c, err := NewRowCodec(accountSchema())
	if err != nil {
		f.Fatal(err)
	}
	row := accountRow(f, c.Fields())
	body, err := c.Append(nil, row, eventMeta())
	if err != nil {
		f.Fatal(err)
	}
	w := walker(f, c.Schema())
	f.Add(body)
	f.Add(bytes.Replace(body, []byte(row.ID[:1]), []byte("\xff"), 1)) // no UTF-8 in a column
	f.Add(bytes.Replace(body, []byte(eventMeta().CommitUser[:1]), []byte("\xff"), -1))
	f.Add(body[:len(body)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		row, meta, err := c.Decode(body)
		if (w.Check(body) == nil) != (err == nil) {
			t.Fatalf("Decode: %v, Check: %v", err, w.Check(body))
		}
		if bare, bareErr := c.Row(body); (bareErr == nil) != (err == nil) || !reflect.DeepEqual(bare, row) {
			t.Fatalf("Row: %v, %v; Decode: %v, %v", bare, bareErr, row, err)
		}
		if err != nil {
			return
		}
		again, err := c.Append(nil, row, meta)
		if err != nil {
			return // a number or a text that we do not write
		}
		row2, meta2, err := c.Decode(again)
		if err != nil || !reflect.DeepEqual(row.Values, row2.Values) || !reflect.DeepEqual(meta, meta2) {
			t.Fatalf("%v %v comes back as %v %v, %v", row.Values, meta, row2.Values, meta2, err)
		}
	})
}

func TestFrame(t *testing.T) {
	t.Parallel()
	b := append(Frame([]byte("kept"), 0x01020304), "body"...)
	if string(b) != "kept\x00\x01\x02\x03\x04body" {
		t.Errorf("Frame = %q", b)
	}
	if id, body, err := Unframe(b[4:]); id != 0x01020304 || string(body) != "body" || err != nil {
		t.Errorf("Unframe = %#x, %q, %v", id, body, err)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x01", "{\"json\":1}"} {
		if id, body, err := Unframe([]byte(bad)); err == nil || !strings.Contains(err.Error(), "Confluent's wire format") {
			t.Errorf("Unframe(%q) = %d, %q, %v", bad, id, body, err)
		}
	}
}

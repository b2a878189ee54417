package avro

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestToJSON(t *testing.T) {
	t.Parallel()
	w, body := zoo(t)
	got, err := w.AppendJSON([]byte("x"), body)
	if err != nil || got[0] != 'x' {
		t.Fatal(err)
	}
	got = got[1:]
	if !json.Valid(got) {
		t.Fatalf("not JSON: %s", got)
	}
	for _, want := range []string{
		`{"z_string":"Grüße","nothing":null,"optional":"o"`, `"flag":true`, `"long":-9223372036854775808`, `"float":0.1`, `"double":1000000000000000000000`,
		`"nan":"NaN","inf":"-Infinity","bytes":"AP8=","fixed":"YWJj","money":-123.45,"coin":1.75,"huge":1234567890123456789012345678901234567890.25`,
		`"enum":"B","date":"2026-11-21","time":"10:00:00.001Z"`, `"array":[null,1,"x"],"map":{`, `"empty":{},"tree":{"value":1,"next":{"value":2,"next":null}},"_change":"never"}`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if _, err := ToJSON(zooSchema, body[:9]); err == nil {
		t.Error("half a body is rendered")
	}
	if _, err := ToJSON("{", body); err == nil {
		t.Error("no schema at all is taken")
	}
}

// The JSON of what the matcher publishes is that of the matching rules, byte for byte.
func TestToJSONOfViewsAndReports(t *testing.T) {
	t.Parallel()
	for name, tc := range viewExamples {
		tagged := tc.tagged
		if tagged == "" {
			tagged = tc.plain
		}
		got, err := ToJSON(tc.text, exampleBody(t, tc.text, tagged))
		if err != nil || string(got) != tc.plain {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, tc.plain)
		}
	}
}

func FuzzAppendJSONText(f *testing.F) {
	f.Add("a\"\\\n\x00\x7f\u2028\u2029é\xff=\U0001F600")
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(appendJSONText(nil, []byte(text)), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := strings.ToValidUTF8(text, "\ufffd"); len([]rune(got)) != len([]rune(text)) || strings.ToValidUTF8(text, "") == text && got != want {
			t.Fatalf("%q reads back as %q", text, got)
		}
	})
}

package sfapi

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"crosswalk/internal/change"
)

// FuzzRowReader: whatever comes, the reader ends, says the same when bytes come one by one, and reads what the standard
// library's reader reads where that accepts the page.
func FuzzRowReader(f *testing.F) {
	f.Add("\"Id\",\"Name\"\n\"" + acme + "\",\"a\"\"b\"\n\"" + globex + "\",\"x\ny\"\n")
	f.Add("Id,Name\r\n" + acme + ",\r\n\r\n" + globex + ",b")
	f.Add("\ufeff\"Id\",\"Name\"\n\"\"\"\",\"a\"b\n\"")
	f.Add("\"Id\",\"Name\"\n\"" + acme + "\"\r\"x\"\n,\n,")
	f.Fuzz(func(t *testing.T, page string) {
		rows, bad, end := read(t, NewRowReader(strings.NewReader(page), names))
		again, badAgain, endAgain := read(t, NewRowReader(iotest.OneByteReader(strings.NewReader(page)), names))
		equal(t, again, rows)
		if len(bad) != len(badAgain) || end.Error() != endAgain.Error() {
			t.Errorf("byte by byte: %d bad rows and %v, at once: %d and %v", len(badAgain), endAgain, len(bad), end)
		}
		// The standard library also takes single quotes within bare cells and \r\n within quotes as \n.
		if end == io.EOF && len(bad) == 0 && !strings.Contains(page, "\r") {
			theirs, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(page, "\ufeff"))).ReadAll()
			if err == nil && len(theirs) > 0 && len(theirs)-1 != len(rows) {
				t.Errorf("%d rows, encoding/csv reads %d", len(rows), len(theirs)-1)
			}
		}
	})
}

// FuzzRowDecoder: whatever comes, the decoder returns, and reads what encoding/json reads where that accepts the record.
func FuzzRowDecoder(f *testing.F) {
	for _, seed := range []string{
		`{"attributes":{"type":"Contact"},"Id":"003Qk00000aBcDeIAK","LastName":"L\u0065e\n","Visits__c":3,"Score__c":-1.5e3}`,
		`{"MailingAddress":{"Street":null,"city":"x"},"Name":{"FirstName":"\ud83d\ude00"},"x":[{"}":"]"}]}`, `{}`, `{"Id":}`, `{"Id":"a"`, `{"a":1,}`, `[`, `{"Description":{"diff":"x"}}`,
	} {
		f.Add(seed)
	}
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	f.Fuzz(func(t *testing.T, record string) {
		last := make(map[string]change.Value)
		_, err := d.Fields([]byte(record), func(field int, v change.Value) { last[d.schema.Fields[field].Name] = v })
		var bad *RowError
		if err != nil && (!errors.As(err, &bad) || bad.Raw != record) {
			t.Fatalf("error %v keeps %q", err, record)
		}
		var theirs map[string]any
		if json.Unmarshal([]byte(record), &theirs) != nil || theirs == nil || !utf8.ValidString(record) {
			return
		}
		if err == nil {
			if text, ok := theirs["LastName"].(string); ok && text != "" && last["LastName"].Str() != text && theirs["Name"] == nil {
				t.Errorf("LastName is %q, encoding/json says %q", last["LastName"].Str(), text)
			}
			return
		}
		if bad.Field == "" {
			t.Errorf("%v for an object that encoding/json reads", err)
		}
	})
}

func FuzzParseUsage(f *testing.F) {
	f.Add("api-usage=10018/100000; per-app-api-usage=17/250(appName=x)")
	f.Add("per-app-api-usage=1/2(appName=a=b;c), x, api-usage= 5/6 (?)")
	f.Fuzz(func(t *testing.T, header string) {
		if u, ok := parseUsage(header); !ok && u.Max != 0 {
			t.Errorf("%q gave %+v without saying so", header, u)
		}
	})
}

func FuzzLoginCode(f *testing.F) {
	for _, seed := range []string{"http://localhost/callback?code=a%3D%3D&state=s", "aPrx%3D%3D", "error=x&error_description=%zz", "?code=a"} {
		f.Add(seed)
	}
	login := &Login{State: "s", host: "https://login.salesforce.com"}
	f.Fuzz(func(t *testing.T, answer string) {
		if code, err := login.Code(answer); (code == "") == (err == nil) {
			t.Errorf("%q gave %q, %v", answer, code, err)
		}
	})
}

package sfapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"crosswalk/internal/change"
)

const (
	acme   = "001Qk00000aBcDeIAK"
	globex = "001Qk00000aBcDfIAK"
)

// wide is a schema with a column of every type.
func wide() *change.Schema {
	return change.NewSchema("Account", []change.Field{
		{Name: "Id"},
		{Name: "Name"},
		{Name: "Active__c", Type: change.TypeBool},
		{Name: "NumberOfEmployees", Type: change.TypeInt},
		{Name: "AnnualRevenue", Type: change.TypeDecimal},
		{Name: "Since__c", Type: change.TypeDate},
		{Name: "Opens__c", Type: change.TypeTime},
		{Name: "SystemModstamp", Type: change.TypeDatetime, ReadOnly: true},
	})
}

// read drains a reader: whole rows rendered as "Id|Name=…", bad rows as their errors.
func read(t *testing.T, r *RowReader) (rows []string, bad []*RowError, end error) {
	t.Helper()
	for {
		row, err := r.Next()
		var wrong *RowError
		switch {
		case errors.As(err, &wrong):
			bad = append(bad, wrong)
			continue
		case err != nil:
			return rows, bad, err
		}
		var b strings.Builder
		b.WriteString(row.ID)
		for i, v := range row.Values {
			if v.Kind() != change.Absent && row.Schema.Fields[i].Name != "Id" {
				fmt.Fprintf(&b, "|%s=%v", row.Schema.Fields[i].Name, v)
			}
		}
		rows = append(rows, b.String())
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRowReaderConvertsEveryType(t *testing.T) {
	t.Parallel()
	page := `"Id","Name","Active__c","NumberOfEmployees","AnnualRevenue","Since__c","Opens__c","SystemModstamp"
"` + acme + `","Acme ""Best"", Inc.","true","1200","1.25E7","2024-02-29","09:30:00.000Z","2026-11-20T21:20:00.000Z"
"` + globex + `","two
lines","false","-7.0","123456789012345678.90","1969-12-31","","2026-11-20T21:20:00.000+0000"
"001Qk00000aBcDgIAK","","","","","","",""
`
	want := []string{
		acme + `|Active__c=true|AnnualRevenue=12500000|Name=Acme "Best", Inc.|NumberOfEmployees=1200|Opens__c=09:30:00.000Z|Since__c=2024-02-29|SystemModstamp=2026-11-20T21:20:00.000Z`,
		globex + "|Active__c=false|AnnualRevenue=123456789012345678.9|Name=two\nlines|NumberOfEmployees=-7|Opens__c=null|Since__c=1969-12-31|SystemModstamp=2026-11-20T21:20:00.000Z",
		"001Qk00000aBcDgIAK|Active__c=null|AnnualRevenue=null|Name=null|NumberOfEmployees=null|Opens__c=null|Since__c=null|SystemModstamp=null",
	}
	for name, src := range map[string]io.Reader{
		"as it comes":          strings.NewReader(page),
		"byte by byte":         iotest.OneByteReader(strings.NewReader(page)),
		"CRLF between records": strings.NewReader(strings.ReplaceAll(page, "\"\n\"", "\"\r\n\"")),
		"no last line break":   strings.NewReader(strings.TrimSuffix(page, "\n")),
		"byte order mark":      strings.NewReader("\ufeff" + page),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, bad, end := read(t, NewRowReader(src, wide()))
			if len(bad) > 0 || end != io.EOF {
				t.Fatalf("bad %v, end %v", bad, end)
			}
			equal(t, rows, want)
		})
	}
}

func TestRowReaderNamesWhatIsWrongAndGoesOn(t *testing.T) {
	t.Parallel()
	page := `"Id","Name","AnnualRevenue","SystemModstamp"
"` + acme + `","short"
"` + acme + `","wrong number","12,5",""
"` + acme + `","wrong time","","2026-13-01T00:00:00.000Z"
"` + acme + `","bad ` + "\xff" + `","",""
"` + acme + `","quote"s,"",""
"","no id","",""
"` + globex + `","fine","1",""
`
	r := NewRowReader(strings.NewReader(page), wide())
	rows, bad, end := read(t, r)
	if end != io.EOF || r.Rows() != 7 {
		t.Fatalf("end %v after %d rows", end, r.Rows())
	}
	equal(t, rows, []string{globex + "|AnnualRevenue=1|Name=fine|SystemModstamp=null"})
	want := []struct {
		row               int
		field, reason, id string
	}{
		{1, "", "2 values where the page has 4 columns", ""},
		{2, "AnnualRevenue", `"12,5" is not a decimal number`, acme},
		{3, "SystemModstamp", `"2026-13-01T00:00:00.000Z" is not a datetime`, acme},
		{4, "Name", "is not UTF-8", acme},
		{5, "", "a quote is followed by neither", ""},
		{6, "Id", `"" is not an id of 18 characters`, ""},
	}
	if len(bad) != len(want) {
		t.Fatalf("%d bad rows, want %d: %v", len(bad), len(want), bad)
	}
	for i, w := range want {
		if bad[i].Row != w.row || bad[i].Field != w.field || bad[i].ID != w.id {
			t.Errorf("bad row %d is %+v", i, bad[i])
		}
		has(t, bad[i].Error(), w.reason)
	}
	if bad[1].Raw != `"`+acme+`","wrong number","12,5",""` {
		t.Errorf("raw text %q", bad[1].Raw)
	}
}

func TestRowReaderEndsOnADamagedPage(t *testing.T) {
	t.Parallel()
	head := "\"Id\",\"Name\"\n\"" + acme + "\",\"a\"\n"
	broken := io.MultiReader(strings.NewReader(head+`"`+globex+`","half"`), iotest.ErrReader(io.ErrUnexpectedEOF))
	for name, c := range map[string]struct {
		src  io.Reader
		want string
		next Next
	}{
		"stream breaks off after a whole cell": {broken, "after row 1: unexpected EOF", NextRetry},
		"open quote at the end":                {strings.NewReader(head + `"` + globex + `","half`), "after row 1: unexpected EOF", NextRetry},
		"unknown column":                       {strings.NewReader("\"Id\",\"Other\"\n"), `column "Other" that Account is not known to have`, NextDescribe},
		"column twice":                         {strings.NewReader("\"Id\",\"Id\"\n"), "column Id twice", NextDescribe},
		"no Id":                                {strings.NewReader("\"Name\"\n"), "no column Id", NextDescribe},
		"a row without end":                    {io.MultiReader(strings.NewReader("\"Id\"\n\""), zeros{}), "a row is longer than", NextRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewRowReader(c.src, wide())
			_, _, end := read(t, r)
			has(t, end.Error(), c.want)
			if next := NextOf(end); next != c.next {
				t.Errorf("next is %q, want %q", next, c.next)
			}
			if _, again := r.Next(); again != end {
				t.Errorf("the end changed from %v to %v", end, again)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{'x'}, len(p))), nil }

// A job that was created when the object had more columns is read on without them.
func TestRowReaderPassesOverColumns(t *testing.T) {
	t.Parallel()
	r := NewRowReader(strings.NewReader("\"Gone__c\",\"Id\",\"Left__c\",\"Name\"\n\"a\",\""+acme+"\",\"\xff\",\"kept\"\n"), wide())
	r.PassOver()
	rows, bad, end := read(t, r)
	if end != io.EOF || len(bad) != 0 {
		t.Fatalf("end %v, bad rows %v", end, bad)
	}
	equal(t, rows, []string{acme + "|Name=kept"})
}

func TestRowReaderTakesBothFormsOfNoRows(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "\"Id\",\"Name\"\n"} {
		if rows, bad, end := read(t, NewRowReader(strings.NewReader(page), wide())); len(rows)+len(bad) != 0 || end != io.EOF {
			t.Errorf("%q gave %v %v %v", page, rows, bad, end)
		}
	}
}

func TestRowsOutliveTheReader(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString("\"Id\",\"Name\"\n")
	for i := range 20000 {
		fmt.Fprintf(&page, "\"001Qk0000%06dIAK\",\"name %d\"\n", i, i)
	}
	r := NewRowReader(strings.NewReader(page.String()), wide())
	var kept []change.Value
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, row.Get("Name"))
	}
	for i, v := range kept {
		if v.Str() != fmt.Sprintf("name %d", i) {
			t.Fatalf("the text of row %d became %q", i, v.Str())
		}
	}
}

func TestDatesAgreeWithTheCalendar(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1970-01-01T00:00:00Z": 0, "2026-11-20T21:20:00.000Z": 1795209600000, "2026-11-20T21:20:00.123+0000": 1795209600123,
		"2026-11-20T22:20:00.5+01:00": 1795209600500, "2026-11-20T15:50:00-0530": 1795209600000, "1900-03-01T00:00:00Z": -2203891200000,
		"0001-01-01T00:00:00Z": -62135596800000, "9999-12-31T23:59:59.999999Z": 253402300799999,
	} {
		if ms, ok := parseDatetime(text); !ok || ms != want {
			t.Errorf("%s is %d, %v; want %d", text, ms, ok, want)
		}
	}
	for _, text := range []string{
		"", "2026-11-20", "2026-11-20 21:20:00Z", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T21:20:00", "2026-11-20T21:20:00.Z",
		"2026-11-20T21:20:00+1", "2026-11-20T21:20:00+00:0", "2026-11-20T21:20:00Zx", "20x6-11-20T21:20:00Z", "2026-11-31T21:20:00Z", "2026-11-20T21:20:00+00:",
	} {
		if ms, ok := parseDatetime(text); ok {
			t.Errorf("%q was taken as %d", text, ms)
		}
	}
}

// A page of any length is read in the memory of its longest row.
func TestRowReaderMemoryDoesNotGrowWithThePage(t *testing.T) {
	t.Parallel()
	row := `"` + acme + `","` + strings.Repeat("x", 1000) + "\"\n"
	const rows = 50_000
	r := NewRowReader(io.MultiReader(strings.NewReader("\"Id\",\"Name\"\n"), &repeated{text: row, left: rows}), names)
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if r.Rows() != rows || len(r.scanner.buf) != firstBuffer || cap(r.texts) > 4096 {
		t.Errorf("%d rows with buffers of %d and %d bytes", r.Rows(), len(r.scanner.buf), cap(r.texts))
	}
}

type repeated struct {
	text string
	left int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

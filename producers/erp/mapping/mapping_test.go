package mapping

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/producers/erp/rows"
)

// mapped reads a text under a source. Rejects come as key|error.
func mapped(t *testing.T, name, text string, edit func(*config.ERPSource)) (customers []*Customer, rejects []string, err error) {
	t.Helper()
	source := config.ERPSource{
		Name:    "ar",
		Columns: map[string]string{"number": "No", "name": "Name", "identifier": "Ref", "balance": "Balance", "updated_at": "Changed"},
	}
	if edit != nil {
		edit(&source)
	}
	source.Fill()
	r, err := rows.Open(name, strings.NewReader(text), rows.Options{Encoding: rows.Encoding(source.Encoding), Delimiter: source.Delimiter, Header: Header(source)})
	if err != nil {
		return nil, nil, err
	}
	m, err := New(source, name, r)
	if err != nil {
		return nil, nil, err
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return customers, rejects, m.Unseen()
		}
		key := ""
		var c *Customer
		skipped := false
		if err == nil {
			if c, skipped, err = m.Map(row); err != nil {
				key = m.Key(row)
			}
		}
		var bad *rows.Reject
		switch {
		case errors.As(err, &bad):
			rejects = append(rejects, key+"|"+bad.Error())
		case err != nil:
			return customers, rejects, err
		case !skipped:
			customers = append(customers, c)
		}
	}
}

const head = "No,Name,Ref,Balance,Changed,City\n"

func TestGoodRows(t *testing.T) {
	t.Parallel()
	want := fmt.Sprintln("C1", "Acme, Ltd", "R-1", "1234.5", "2026-11-21T10:00:00.000Z", []avro.Attribute{{Name: "City", Value: avro.FieldValue{Scalar: change.StringValue("Köln")}}}, change.Absent)
	for name, text := range map[string]string{
		"comma":            head + "C1,\"Acme, Ltd\",R-1,\"1,234.50\",2026-11-21T10:00:00Z,Köln\n",
		"BOM and CRLF":     "\xef\xbb\xbf" + strings.ReplaceAll(head, "\n", "\r\n") + "C1,\"Acme, Ltd\",R-1,1234.5,2026-11-21 10:00:00,Köln\r\n",
		"semicolon":        strings.ReplaceAll(head, ",", ";") + "C1;Acme, Ltd;R-1;1234.50;2026-11-21T11:00:00+01:00;Köln\n",
		"tab":              strings.ReplaceAll(head, ",", "\t") + "C1\tAcme, Ltd\tR-1\t+1234.5\t2026-11-21T10:00:00Z\tKöln",
		"delimiter quoted": "No;\"Name\";Ref;Balance;Changed;\"City\"\nC1;\"Acme, Ltd\";R-1;1234.50;2026-11-21T10:00:00Z;Köln\n",
		"other case":       strings.ToUpper("No,name,ref,balance,changed") + ",City\nC1,\"Acme, Ltd\",R-1,1234.5,2026-11-21T10:00:00Z,Köln\n",
		"title lines":      "Customers of Acme; all\n\n" + head + "C1,\"Acme, Ltd\",R-1,1234.5,2026-11-21T10:00:00Z,Köln\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			customers, rejects, err := mapped(t, "x.csv", text, nil)
			if err != nil || len(rejects) > 0 || len(customers) != 1 {
				t.Fatalf("error %v, rejects %v, %d customers", err, rejects, len(customers))
			}
			c := customers[0]
			if got := fmt.Sprintln(c.Key(), c.Name, c.Identifier, c.Balance, c.UpdatedAt, c.Attributes, c.Email.Kind()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestIdentifierIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	customers, _, err := mapped(t, "x.csv", head+"C1,n,\" 007 \",1,,\nC2,n,,,,\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := customers[0].Identifier; got != change.StringValue(" 007 ") {
		t.Errorf("identifier %q: no trimming (R8)", got)
	}
	if c := customers[1]; !c.Identifier.IsNull() || !c.Balance.IsNull() {
		t.Errorf("an empty cell is null, got %v and %v", c.Identifier, c.Balance)
	}
}

func TestWhatOnlyLooksMangledIsTaken(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"5E10", "1E5", "12E+", "MAR-05", "2024-05-12", "12.2.3", "1/2", "1/2/2200", "C-May", "Mar", "Mar 5", "042", "#42", "O'42", "1.042"} {
		customers, rejects, err := mapped(t, "x.csv", head+number+",n,r,1,,\n", nil)
		if err != nil || len(customers) != 1 || customers[0].Number != number {
			t.Errorf("%q: %v %v", number, rejects, err)
		}
	}
}

func TestBadRowsAreRejectedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	company := func(s *config.ERPSource) { delete(s.Columns, "name"); s.Columns["company"] = "Name" }
	for name, c := range map[string]struct {
		row  string
		want string // key|line…
		edit func(*config.ERPSource)
	}{
		"missing column":       {"C2,n,r,1", `|line 3, column "Changed": the row has 4 cells, the header 6`, nil},
		"too many":             {"C2,n,r,1,,x,y", `quote cells that contain the delimiter`, nil},
		"wrong number":         {"C2,n,r,12x,,", `C2|line 3, column "Balance": "12x" is not a number`, nil},
		"ambiguous group":      {`C2,n,r,"1,234",,`, `"1,234" is not a number; set decimal_comma`, nil},
		"too many digits":      {"C2,n,r,0.12345678901,,", `10 after the point`, nil},
		"comma expected":       {`C2,n,r,1234.50,,`, "decimal_comma is set", func(s *config.ERPSource) { s.DecimalComma = new(true) }},
		"another currency":     {`C2,n,r,€5,,`, `"€5" is not a number`, func(s *config.ERPSource) { s.CurrencySymbols = []string{"$"} }},
		"two signs":            {`C2,n,r,-5-,,`, `"-5-" is not a number`, nil},
		"NUL byte":             {"C2,a\x00b,r,1,,", `|line 3, column "Name": the cell contains a NUL byte`, nil},
		"invalid UTF-8":        {"C2,a\xffb,r,1,,", `|line 3, column "Name": the cell is not valid text`, nil},
		"no key":               {",n,r,1,,", `|line 3, column "No": the customer number is empty`, nil},
		"blank key":            {"  ,n,r,1,,", `the number is blank`, nil},
		"mangled identifier":   {"C2,n,1.23457E+11,1,,", `mangled by a spreadsheet`, nil},
		"mangled to a date":    {"5-Mar,n,r,1,,", `which took it for a date`, nil},
		"mangled, no plus":     {"C2,n,1.2E11,1,,", `its digits are lost`, nil},
		"a German date":        {"05. Mrz,n,r,1,,", `which took it for a date`, nil},
		"a month of a year":    {"Mrz 24,n,r,1,,", `which took it for a date`, nil},
		"a French date":        {"02-févr,n,r,1,,", `which took it for a date`, nil},
		"a date of numbers":    {"01.02.2024,n,r,1,,", `which took it for a date`, nil},
		"an American date":     {"3/4/2024,n,r,1,,", `which took it for a date`, nil},
		"a date and midnight":  {"2024-03-05 00:00:00,n,r,1,,", `which took it for a date`, nil},
		"a sign for text":      {"'0042,n,r,1,,", `the sign by which spreadsheets mark a text`, nil},
		"a spreadsheet error":  {"C2,n,#N/A,1,,", `"#N/A" is a spreadsheet's error`, nil},
		"a column too narrow":  {"C2,########,r,1,,", `"########" is a spreadsheet's error`, nil},
		"a formula":            {`"=""007""",n,r,1,,`, `is a spreadsheet's formula`, nil},
		"bad time":             {"C2,n,r,1,21.11.2026,", `"21.11.2026" is not a time`, nil},
		"bad time of a format": {"C2,n,r,1,31.02.2026,", `or as time_formats say: DD.MM.YYYY`, func(s *config.ERPSource) { s.TimeFormats = []string{"DD.MM.YYYY"} }},
		"quote in a cell":      {`C2,a"b,r,1,,`, `|line 3: a quote stands inside an unquoted cell`, nil},
		"quote not closed":     {`C2,"a,r,1,,`, `|line 3: a quote is not closed`, nil},
		"slash in company":     {"C2,a/b,r,1,,", "contains a slash", company},
		"line break in a key":  {"\"C\n2\",n,r,1,,", "contains a line break", nil},
		"huge key":             {strings.Repeat("k", 600) + ",n,r,1,,", "more than 512", nil},
		"part of a key":        {",n,r,1,,", `column "No", a part of the number, is empty`, func(s *config.ERPSource) { s.Columns["number"] = "No + Name" }},
		"separator in a part":  {"C-2,n,r,1,,", `"C-2" contains "-"`, func(s *config.ERPSource) { s.Columns["number"] = "No + Name" }},
		"mangled part":         {"1E+9,n,r,1,,", `mangled by a spreadsheet`, func(s *config.ERPSource) { s.Columns["number"] = "No + Name" }},
		"null text":            {"C2,n,r,NULL,,", "", func(s *config.ERPSource) { s.NullText = []string{"NULL"} }},
		"a total":              {"Total,,,99,,", "", func(s *config.ERPSource) { s.SkipRows = []string{"^Total$"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			customers, rejects, err := mapped(t, "x.csv", head+"C1,n,r,1,,\n"+c.row+"\nC9,n,r,1,,\n", c.edit)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(customers[0].Number, "C1") || !strings.HasPrefix(customers[len(customers)-1].Number, "C9") {
				t.Error("the rows around the bad one were not taken")
			}
			if c.want == "" {
				if len(rejects) != 0 {
					t.Errorf("rejected: %v", rejects)
				}
				return
			}
			if len(rejects) != 1 || !strings.Contains(rejects[0], c.want) {
				t.Errorf("rejects %q, want one with %q", rejects, c.want)
			}
		})
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		comma bool
		want  string // "" for a reject
	}{
		{"0", false, "0"},
		{"-0.00", false, "0"},
		{"1234.50", false, "1234.5"},
		{"1,234.50", false, "1234.5"},
		{"1,234,567", false, "1234567"},
		{" 1,234.50 ", false, "1234.5"},
		{"(1,234.50)", false, "-1234.5"},
		{"$1,234.50", false, "1234.5"},
		{"-$1,234.50", false, "-1234.5"},
		{"$-1,234.50", false, "-1234.5"},
		{"($1,234.50)", false, "-1234.5"},
		{"1 234.50", false, "1234.5"},
		{"1'234'567.05", false, "1234567.05"},
		{"1.234,50", true, "1234.5"},
		{"1234,5", true, "1234.5"},
		{"1.234,50-", true, "-1234.5"},
		{"1.234", true, "1234"},
		{"1 234,50", true, "1234.5"},
		{"1\u00a0234,50\u00a0€", true, "1234.5"},
		{"12345678901234567890.0123456789", false, "12345678901234567890.0123456789"},
		{".5", false, "0.5"},
		{"1,23", false, ""},
		{"1,234", false, ""},
		{"12,34.5", false, ""},
		{"1.234,50", false, ""},
		{"1 23.50", false, ""},
		{"1 234'567", false, ""},
		{"abc", false, ""},
		{"--5", false, ""},
		{"(5", false, ""},
		{"$", false, ""},
		{"1e5", false, ""},
		{"NaN", false, ""},
		{"5.", false, ""},
		{"1234.50", true, ""},
		{"1,234.50", true, ""},
		{"0.00000000001", false, ""},
		{"12345678901234567890123456789", false, ""},
	} {
		m := &Mapper{source: config.ERPSource{DecimalComma: &c.comma, CurrencySymbols: []string{"$", "€"}}}
		got, reason := m.amount(change.StringValue(c.text))
		if (reason == "") != (c.want != "") || reason == "" && got.Str() != c.want {
			t.Errorf("amount %q (comma %v) = %q, %q; want %q", c.text, c.comma, got, reason, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, format, zone, want string }{
		{"2026-11-21", "", "", "2026-11-21T00:00:00.000Z"},
		{"2026-11-21 10:00:00", "", "Europe/Berlin", "2026-11-21T09:00:00.000Z"},
		{"2026-11-21T10:00:00.123456+01:00", "", "", "2026-11-21T09:00:00.123Z"},
		{"11/21/2026 3:05 pm", "M/D/YYYY h:mm am", "America/New_York", "2026-11-21T20:05:00.000Z"},
		{"1/2/2026", "M/D/YYYY", "", "2026-01-02T00:00:00.000Z"},
		{"21.11.2026", "DD.MM.YYYY", "", "2026-11-21T00:00:00.000Z"},
		{"20261121", "YYYYMMDD", "", "2026-11-21T00:00:00.000Z"},
		{"2 Jan 2026", "D MMM YYYY", "", "2026-01-02T00:00:00.000Z"},
		{"11/21/2026 03:05:06 PM", "MM/DD/YYYY hh:mm:ss AM", "", "2026-11-21T15:05:06.000Z"},
		{"11/21/2026 15:05:06", "MM/DD/YYYY hh:mm:ss", "", "2026-11-21T15:05:06.000Z"},
		{"21/11/2026", "MM/DD/YYYY", "", ""},
		{"2026-13-01", "", "", ""},
	} {
		customers, rejects, err := mapped(t, "x.csv", "No,Changed\nC1,"+c.text+"\n", func(s *config.ERPSource) {
			s.Columns = map[string]string{"number": "No", "updated_at": "Changed"}
			s.TimeZone = c.zone
			if c.format != "" {
				s.TimeFormats = []string{c.format}
			}
		})
		switch {
		case err != nil:
			t.Error(err)
		case c.want == "" && len(rejects) != 1:
			t.Errorf("%q is taken as %v", c.text, customers[0].UpdatedAt)
		case c.want != "" && (len(customers) != 1 || customers[0].UpdatedAt.String() != c.want):
			t.Errorf("%q under %q in %q: %v, want %s", c.text, c.format, c.zone, rejects, c.want)
		}
	}
}

func TestBadMappingsNameTheColumnAndShowTheHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		edit       func(*config.ERPSource)
		want       []string
	}{
		"empty":           {"x.csv", "", nil, []string{"x.csv is empty"}},
		"missing column":  {"x.csv", "No,Name,Ref,Changed\n", nil, []string{`x.csv has no column "Balance", which source "ar" maps to balance; its header is: No, Name, Ref, Changed. Correct columns.balance in the configuration`}},
		"a near one":      {"x.csv", "No,Name,Ref,balance_,Changed\n", nil, []string{`Correct columns.balance in the configuration (did you mean "balance_"?)`}},
		"a longer one":    {"x.csv", "No,Name,Ref,Open Balance (LCY),Changed\n", nil, []string{`(did you mean "Open Balance (LCY)"?)`}},
		"one column":      {"x.csv", "No;Name;Ref;Balance;Changed\n", func(s *config.ERPSource) { s.Delimiter = "," }, []string{"the header is one column: does the file have another delimiter?"}},
		"several":         {"x.csv", ",Nr,Nane,Ref,Saldo,Changed\n", func(s *config.ERPSource) { s.DeletedColumn = "Gone" }, []string{`x.csv lacks 4 columns that source "ar" maps: "No" of columns.number (did you mean "Nr"?), "Name" of columns.name (did you mean "Nane"?), "Balance" of columns.balance, "Gone" of deleted_column; its header is: Nr, Nane, Ref, Saldo, Changed. Correct them`}},
		"column twice":    {"x.csv", "No,Name,No,Ref,Balance,Changed\n", nil, []string{`column "No", which source "ar" maps to number, stands twice`, "rename one"}},
		"part of a key":   {"x.csv", head, func(s *config.ERPSource) { s.Columns["number"] = "No + Client" }, []string{`no column "Client"`, "its header is: No, Name"}},
		"deleted column":  {"x.csv", head, func(s *config.ERPSource) { s.DeletedColumn = "Gone" }, []string{`no column "Gone"`, "Correct deleted_column"}},
		"no number":       {"x.csv", head, func(s *config.ERPSource) { delete(s.Columns, "number") }, []string{"set columns.number to one of: No, Name"}},
		"bad constant":    {"x.csv", head, func(s *config.ERPSource) { s.Constants = map[string]string{"balance": "x"} }, []string{`constants.balance "x"`}},
		"unknown preset":  {"x.csv", head, func(s *config.ERPSource) { s.Preset = "oracle" }, []string{`no preset "oracle"`, "netsuite"}},
		"preset for JSON": {"x.json", `{"No":1}`, func(s *config.ERPSource) { s.Preset = "xero" }, []string{"x.json is JSON", "xero"}},
		"member nowhere":  {"x.json", `{"No":1,"Name":"n","Ref":"r","Saldo":1,"Changed":null}`, nil, []string{`no member "Balance" in any row, which source "ar" maps to balance; the members of its first row are: No, Name, Ref, Saldo, Changed. Correct columns.balance`}},
		"a path":          {"x.json", `{"No":1,"Name":"n","Ref":"r","Due":{"Balanse":1},"Changed":null}`, func(s *config.ERPSource) { s.Columns["balance"] = "Due.Balance" }, []string{`the members of its first row are: No, Name, Ref, Due.Balanse, Changed`, `(did you mean "Due.Balanse"?)`}},
		"a zone":          {"x.csv", head, func(s *config.ERPSource) { s.TimeZone = "Mars/Olympus" }, []string{"Mars/Olympus"}},
		"a pattern":       {"x.csv", head, func(s *config.ERPSource) { s.SkipRows = []string{"("} }, []string{`skip_rows "("`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := mapped(t, c.file, c.text, c.edit)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const text = `{"id":{"client":"DE01","no":4711},"name":"Acme","crm":1042.0,"due":{"open":12345678901234567.89},"tags":["a",1.50,null],"big":true,"at":"2026-11-21T10:00:00Z"}`
	customers, rejects, err := mapped(t, "x.json", text, func(s *config.ERPSource) {
		s.Columns = map[string]string{"company": "id.client", "number": "id.no", "name": "name", "identifier": "crm", "balance": "due.open", "updated_at": "at"}
	})
	if err != nil || len(rejects) > 0 {
		t.Fatal(err, rejects)
	}
	c := customers[0]
	if got := fmt.Sprint(c.Key(), " ", c.Identifier, " ", c.Balance, " ", c.UpdatedAt); got != "DE01/4711 1042 12345678901234567.89 2026-11-21T10:00:00.000Z" {
		t.Errorf("got %s", got)
	}
	var names []string
	for _, a := range c.Attributes {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "big due id tags" {
		t.Errorf("attributes %s: what a path leads into stays, with its other members", got)
	}
	if tags := c.Attributes[3].Value.List; len(tags) != 3 || tags[1].Scalar.Str() != "1.5" || !tags[2].Scalar.IsNull() {
		t.Errorf("tags %v", tags)
	}
}

func TestJSONRejects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ row, want string }{
		"a boolean number":   {`{"number":true}`, `column "number": the value is true, not a text or a number`},
		"an object":          {`{"number":"C","name":{"first":"x"}}`, `column "name": the value is an object or a list`},
		"a boolean balance":  {`{"number":"C","balance":true}`, `column "balance": "true" is not a number`},
		"a number for a day": {`{"number":"C","updated_at":20261121}`, `"20261121" is not a time; write it as a text`},
		"null":               {`{"number":null}`, `the customer number is empty`},
		"absent":             {`{"name":"x"}`, `the customer number is empty`},
		"empty":              {`{"number":""}`, `the number is blank`},
		"an attribute twice": {`{"number":"C","x":1,"attributes":{"x":2}}`, `column "x": the attribute stands twice`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, rejects, err := mapped(t, "x.json", c.row+"\n{\"number\":7,\"name\":\"\",\"email\":null,\"attributes\":{\"y\":{}}}", func(s *config.ERPSource) { s.Columns = nil })
			if err != nil || len(rejects) != 1 || !strings.Contains(rejects[0], c.want) {
				t.Errorf("error %v, rejects %v, want one with %q", err, rejects, c.want)
			}
		})
	}
}

func TestJoinedAndConstantAndDeleted(t *testing.T) {
	t.Parallel()
	customers, rejects, err := mapped(t, "x.csv", "Client,No,N1,N2,Cur,Flag\n100,7,Acme,Ltd,,\n100,8,Beta,,USD,X\n", func(s *config.ERPSource) {
		s.Columns = map[string]string{"number": "Client + No", "name": "N1 + N2", "currency": "Cur", "email": "Mail"}
		s.Optional = []string{"email"}
		s.Constants = map[string]string{"company": "DE01", "currency": "EUR"}
		s.KeySeparator = "."
		s.DeletedColumn, s.DeletedValues = "Flag", []string{"X"}
	})
	if err != nil || len(rejects) > 0 {
		t.Fatal(err, rejects)
	}
	a, b := customers[0], customers[1]
	if a.Key() != "DE01/100.7" || a.Name.Str() != "Acme Ltd" || a.Currency.Str() != "EUR" || a.Deleted || len(a.Attributes) != 0 {
		t.Errorf("first: %+v", a)
	}
	if b.Key() != "DE01/100.8" || !b.Deleted {
		t.Errorf("second: %+v", b)
	}
}

func TestAGuessedEncodingDoesNotIdentifyCustomers(t *testing.T) {
	t.Parallel()
	customers, rejects, err := mapped(t, "x.csv", head+"C1,M\xfcller,R-1,1,,\nC2,Beta,R\xfc,1,,\n", nil)
	if err != nil || len(customers) != 1 || customers[0].Name.Str() != "Müller" {
		t.Fatalf("error %v, %d customers", err, len(customers))
	}
	if len(rejects) != 1 || !strings.Contains(rejects[0], "only a guess") {
		t.Errorf("rejects %v", rejects)
	}
	customers, rejects, err = mapped(t, "x.csv", head+"C2,Beta,R\xfc,1,,\n", func(s *config.ERPSource) { s.Encoding = "windows-1252" })
	if err != nil || len(rejects) > 0 || customers[0].Identifier.Str() != "Rü" {
		t.Errorf("error %v, rejects %v", err, rejects)
	}
}

package rows

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
)

// read returns each row as line:name=value,… and each reject as line!column!reason.
func read(t *testing.T, name, text string, opts Options) (out []string, r Reader, err error) {
	t.Helper()
	r, err = Open(name, strings.NewReader(text), opts)
	if err != nil {
		return nil, nil, err
	}
	for {
		row, err := r.Next()
		var bad *Reject
		switch {
		case errors.Is(err, io.EOF):
			return out, r, nil
		case errors.As(err, &bad):
			out = append(out, fmt.Sprintf("%d!%s!%s", bad.Line, bad.Column, bad.Reason))
		case err != nil:
			return out, r, err
		default:
			var fields []string
			for _, f := range row.Fields {
				fields = append(fields, f.Name+"="+show(f.Value))
			}
			out = append(out, fmt.Sprintf("%d:%s", row.Line, strings.Join(fields, ",")))
		}
	}
}

func show(v avro.FieldValue) string {
	switch {
	case v.Object != nil:
		var parts []string
		for _, a := range v.Object {
			parts = append(parts, a.Name+":"+show(a.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case v.List != nil:
		var parts []string
		for _, item := range v.List {
			parts = append(parts, show(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case v.Scalar.Kind() == change.Int, v.Scalar.Kind() == change.Decimal:
		return "#" + v.Scalar.String()
	}
	return v.Scalar.String()
}

func wants(columns ...string) func([]string) bool {
	return func(header []string) bool {
		return !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(header, c) })
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		opts Options
		want string // rows and rejects, joined by |
	}{
		"comma":                    {"A,B\n1,\"x, y\"\n", Options{}, "2:A=1,B=x, y"},
		"CRLF, no end of line":     {"A,B\r\n1,2\r\n3,4", Options{}, "2:A=1,B=2|3:A=3,B=4"},
		"semicolon":                {"A;B\n1,5;2\n", Options{}, "2:A=1,5,B=2"},
		"tab":                      {"A\tB\n1\t2\n", Options{}, "2:A=1,B=2"},
		"pipe":                     {"A|B\n1|2\n", Options{}, "2:A=1,B=2"},
		"delimiter said":           {"A,B;C\n1,2;3\n", Options{Delimiter: ";"}, "2:A,B=1,2,C=3"},
		"Excel's sep line":         {"sep=;\nA;B\n1;2\n", Options{}, "3:A=1,B=2"},
		"quotes":                   {"A,B\n\"say \"\"hi\"\"\",\"\"\n", Options{}, `2:A=say "hi",B=`},
		"a cell over lines":        {"A,B\n\"1 Main St\r\nBonn\",2\n3,4\n", Options{}, "2:A=1 Main St\nBonn,B=2|4:A=3,B=4"},
		"blank rows":               {"A,B\n\n1,2\n,\n\n3,4\n", Options{}, "3:A=1,B=2|6:A=3,B=4"},
		"title lines":              {"Acme Inc,,\nCustomers,,\n\nNo,Name,Due\n1,x,2\n", Options{Header: wants("No", "Due")}, "5:No=1,Name=x,Due=2"},
		"a title with a semicolon": {"Acme; all of it; and more\n\nNo,Name\n1,x\n", Options{Header: wants("No", "Name")}, "4:No=1,Name=x"},
		"names are trimmed":        {" A , B\n 1 , 2\n", Options{}, "2:A= 1 ,B= 2"},
		"a name twice":             {"A,B,A\n1,2,3\n", Options{}, "2:A=1,B=2,A (2)=3"},
		"columns without a name":   {",A,B,,\n,1,2\n,1,2,,\n", Options{}, "2:=,A=1,B=2,=,=|3:=,A=1,B=2,=,="},
		"empty cells behind":       {"A,B\n1,2,,,\n", Options{}, "2:A=1,B=2"},
		"too few":                  {"A,B,C\n1,2\n4,5,6\n", Options{}, "2!C!the row has 2 cells, the header 3|3:A=4,B=5,C=6"},
		"too many":                 {"A,B\n1,2,3\n4,5\n", Options{}, `2!!the row has 3 cells, the header 2; quote cells that contain the delimiter ','|3:A=4,B=5`},
		"a quote in a cell":        {"A,B\n1,5\" pipe\n4,5\n", Options{}, "2!!" + reasonBare + "|3:A=4,B=5"},
		"a quote that is not closed takes one row with it": {"A,B\n1,\"x\n4,5\n6,\"7\"\n8,9\n", Options{}, "2!!" + reasonUnclosed + "|3:A=4,B=5|4:A=6,B=7|5:A=8,B=9"},
		"nor closed before the end":                        {"A,B\n1,\"x\n4,5\n", Options{}, "2!!" + reasonUnclosed + "|3:A=4,B=5"},
		"closed by another stray quote":                    {"A,B,C,D\n1,\"x,,\n4,5,,\n6,y\",,\n8,9,,\n", Options{}, "2!!" + reasonUnclosed + "|3:A=4,B=5,C=,D=|4!!" + reasonBare + "|5:A=8,B=9,C=,D="},
		"text behind a quote":                              {"A,B\n1,\"x\"y\n4,5\n", Options{}, "2!!" + reasonUnclosed + "|3:A=4,B=5"},
		"NUL":                                              {"A,B\n1,a\x00b\n4,5\n", Options{}, "2!B!the cell contains a NUL byte|3:A=4,B=5"},
		"a damaged character":                              {"A,B\n1,a\xc3\xff\n4,ö\n", Options{}, "2!B!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding|3:A=4,B=ö"},
		"a huge cell":                                      {"A,B\n1," + strings.Repeat("x", maxCell+1) + "\n4,5\n", Options{}, fmt.Sprintf("2!B!the cell has %d bytes, more than %d|3:A=4,B=5", maxCell+1, maxCell)},
		"a huge line":                                      {"A,B\n" + strings.Repeat("x", maxRow+1<<17) + "\n4,5\n", Options{}, fmt.Sprintf("2!!the line has more than %d bytes|3:A=4,B=5", maxRow)},
		"a huge line in quotes":                            {"A,B\n1,\"" + strings.Repeat("x", maxRow+1<<17) + "\n4,5\n", Options{}, fmt.Sprintf("2!!the line has more than %d bytes|3:A=4,B=5", maxRow)},
		"a printed list":                                   {"22.11.2026   List   1\n-----------\n|  |No  |Name     |\n-----------\n|  |0042|5\" pipe  |\n|  |43  |Groß | x |\n|  |No  |Name     |\n|  |44  |-        |\n|--+----+---------|\n", Options{Header: wants("No", "Name")}, "5:=,=,No=0042,Name=5\" pipe,=|6!!the row has 6 cells, the header 5; quote cells that contain the delimiter '|'|8:=,=,No=44,Name=-,="},
		"lines that end in CR":                             {"A,B\r1,\"x\ry\"\r3,4", Options{}, "2:A=1,B=x\ny|4:A=3,B=4"},
		"only a header":                                    {"A,B\n", Options{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := read(t, "x.csv", c.text, c.opts)
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("error %v, got %.300s\nwant %.300s", err, strings.Join(got, "|"), c.want)
			}
		})
	}
}

func TestTheHeaderFoundIsTheOneToShow(t *testing.T) {
	t.Parallel()
	_, r, err := read(t, "x.csv", "Report of today\n\nNo;Name;Due\n1;x;2\n", Options{Header: wants("Number")})
	if err != nil || !slices.Equal(r.Header(), []string{"No", "Name", "Due"}) {
		t.Errorf("header %q, %v", r.Header(), err)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const text = "No;Straße\n1;Müller & Söhne “Œuvre” €\n"
	const want = "2:No=1,Straße=Müller & Söhne “Œuvre” €"
	wide := func(order binary.ByteOrder, mark bool) string {
		units := utf16.Encode([]rune(text))
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		var b []byte
		for _, u := range units {
			var two [2]byte
			order.PutUint16(two[:], u)
			b = append(b, two[:]...)
		}
		return string(b)
	}
	western := "No;Stra\xdfe\n1;M\xfcller & S\xf6hne \x93\x8cuvre\x94 \x80\n"
	for name, c := range map[string]struct {
		text    string
		said    Encoding
		want    string
		guessed bool
		err     string
	}{
		"UTF-8":                      {text, "", want, false, ""},
		"UTF-8 with a mark":          {"\xef\xbb\xbf" + text, Auto, want, false, ""},
		"UTF-8 said":                 {"\xef\xbb\xbf" + text, UTF8, want, false, ""},
		"UTF-16 little endian":       {wide(binary.LittleEndian, true), Auto, want, false, ""},
		"UTF-16 big endian":          {wide(binary.BigEndian, true), UTF16, want, false, ""},
		"UTF-16 without a mark":      {wide(binary.LittleEndian, false), Auto, want, false, ""},
		"UTF-16 said, without":       {wide(binary.BigEndian, false), UTF16, want, false, ""},
		"UTF-16 said, is none":       {text, UTF16, "", false, "no UTF-16 byte order mark, and its bytes do not tell the order"},
		"UTF-8 said, is UTF-16":      {wide(binary.LittleEndian, true), UTF8, "", false, "is UTF-16, not UTF-8"},
		"Windows-1252 said":          {western, Windows1252, want, false, ""},
		"Windows-1252 guessed":       {western, Auto, want, true, ""},
		"an undefined byte":          {"A;B\n1;\x81\n", Windows1252, "2!B!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding", false, ""},
		"a lone surrogate":           {"\xff\xfeA\x00\n\x00\x00\xd8x\x00\n\x002\x00\n\x00", Auto, "2!A!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding|3:A=2", false, ""},
		"half a character":           {"\xff\xfeA\x00\n\x002\x00\n\x003", Auto, "2:A=2|3!A!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding", false, ""},
		"beyond the basic plane":     {"\xff\xfeA\x00\n\x00\x3d\xd8\x00\xde\n\x00", Auto, "2:A=😀", false, ""},
		"damage is no Windows-1252":  {"A;B\n1;x\xff\n2;y\n", Auto, "2!B!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding|3:A=2,B=y", false, ""},
		"mixed is no Windows-1252":   {"A;B\n1;M\xfcller\n2;Söhne\n", Auto, "2!B!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding|3:A=2,B=Söhne", false, ""},
		"a sign beside no letter":    {"A;B\n1;3\xe94\n", Auto, "2!B!the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding", false, ""},
		"Windows-1252 far from here": {"A;B\n" + strings.Repeat("1;x\n", 40_000) + "2;M\xfcller\n", Auto, "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, r, err := read(t, "x.csv", c.text, Options{Encoding: c.said})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "x.csv") {
					t.Errorf("error %v, want one with %q and the file", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Guessed() != c.guessed || c.want != "" && strings.Join(got, "|") != c.want {
				t.Errorf("guessed %v, got %s\nwant %s", r.Guessed(), strings.Join(got, "|"), c.want)
			}
			if last := got[len(got)-1]; c.want == "" && !strings.HasSuffix(last, "B=Müller") {
				t.Errorf("the last row is %s", last)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("x", maxRow/4)
	for name, c := range map[string]struct{ text, want, err string }{
		"lines":                     {"{\"a\":1,\"b\":\"x\"}\n\n{\"a\":2}\r\n", "1:a=#1,b=x|3:a=#2", ""},
		"types":                     {`{"n":null,"t":true,"f":false,"i":-7,"d":1.50,"e":1E3,"s":"x\u00e9\n\ud83d\ude00\/","l":[1,"2",[]],"o":{"p":{}}}`, "1:n=null,t=true,f=false,i=#-7,d=#1.5,e=#1000,s=xé\n😀/,l=[#1 2 []],o={p:{}}", ""},
		"numbers are exact":         {`{"a":123456789012345678,"b":0.1,"c":12345678901234567890,"d":-0,"e":1e-7}`, "1:a=#123456789012345678,b=#0.1,c=#12345678901234567890,d=#0,e=#0.0000001", ""},
		"array":                     {"[{\"a\":1},\n {\"a\":\n2} ,{\"a\":\"],}\\\"\"}]\n", "1:a=#1|2:a=#2|3:a=],}\"", ""},
		"empty array":               {" [ ] \n", "", ""},
		"empty":                     {"", "", ""},
		"an array of one long line": {"[" + strings.Repeat(`{"a":"`+wide+`"},`, 6) + `{"a":2}]`, strings.Repeat("1:a="+wide+"|", 6) + "1:a=#2", ""},
		"a huge element":            {"[{\"a\":1},{\"a\":\"" + strings.Repeat("x", maxRow) + "\"},\n{\"a\":3}]", fmt.Sprintf("1:a=#1|1!!the element of the array has more than %d bytes|2:a=#3", maxRow), ""},
		"array cut off":             {"[{\"a\":1},\n{\"a\"", "1:a=#1", "x.jsonl is cut off"},
		"array and more":            {"[{\"a\":1}]\n{}", "", "line 2: there is more behind the end of the array"},
		"bad element":               {"[{\"a\":1},{\"a\" 2},{\"a\":3},,5,{\"a\":4}]", "1:a=#1|1!!character 6: a colon is missing behind the name \"a\"|1:a=#3|1!!an element is missing between two commas|1!!character 1: a row must be a JSON object: {\"number\": …}|1:a=#4", ""},
		"bad lines go alone":        {"{\"a\":1}\nnonsense\n{\"a\":2,}\n{\"a\":\"x}\n{\"a\":1}{}\n{\"a\":3}\n", "1:a=#1|2!!character 1: a row must be a JSON object: {\"number\": …}|3!!character 8: a member's name in quotes is missing|4!!character 9: a text is not closed|5!!character 8: there is more behind the end of the value; write one object a line|6:a=#3", ""},
		"a member twice":            {`{"a":1,"a":2}`, `1!!character 8: the member "a" stands twice`, ""},
		"half a surrogate":          {`{"a":"\ud83d"}`, "1!!character 13: an escape is half of a surrogate pair", ""},
		"two halves":                {`{"a":"\ud83d\ud83d"}`, "1!!character 19: an escape is half of a surrogate pair", ""},
		"NUL":                       {`{"a":"\u0000"}`, "1!!character 13: the text contains a NUL character", ""},
		"a control character":       {"{\"a\":\"x\ty\"}", "1!!character 8: a control character stands inside a text; write it as \\n, \\t or \\u…", ""},
		"not UTF-8":                 {"{\"a\":\"x\xff\"}\n{\"a\":\"ö\"}", "1!!the text is not valid in the file's encoding; save the file as UTF-8, or set encoding|2:a=ö", ""},
		"no number":                 {`{"a":01}`, `1!!character 6: "01" is no JSON number`, ""},
		"no number either":          {`{"a":1.}`, `1!!character 6: "1." is no JSON number`, ""},
		"a number too large":        {`{"a":1e999}`, `1!!character 6: "1e999" is not a decimal number with an exponent within ±400`, ""},
		"no escape":                 {`{"a":"\x"}`, `1!!character 7: \x is no JSON escape`, ""},
		"nested without end":        {`{"a":` + strings.Repeat("[", 100) + "}", "1!!character 70: values are nested more than 64 deep", ""},
		"ends too early":            {`{"a":`, "1!!character 6: the text ends too early", ""},
		"a huge line":               {"{\"a\":\"" + strings.Repeat("x", maxRow+1<<17) + "\"}\n{\"a\":1}\n", fmt.Sprintf("1!!the line has more than %d bytes|2:a=#1", maxRow), ""},
		"UTF-16 and JSON":           {"\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", "1:a=#1", ""},
		"told by its content ":      {"  {\"a\":1}", "1:a=#1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "x.jsonl"
			if strings.HasSuffix(name, " ") {
				file = "x"
			}
			got, _, err := read(t, file, c.text, Options{})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if c.want != "" && strings.Join(got, "|") != c.want {
				t.Errorf("got  %.600s\nwant %s", strings.Join(got, "|"), c.want)
			}
		})
	}
}

func TestBadFilesSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		opts Options
		want string
	}{
		"empty":          {"", Options{}, "x.csv is empty"},
		"blank":          {"\n\n", Options{}, "x.csv is empty"},
		"bad delimiter":  {"A", Options{Delimiter: "ab"}, "none of , ; tab |"},
		"damaged header": {"A,B\xff\n", Options{}, "the name of column 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := read(t, "x.csv", c.text, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// FuzzJSON holds the parser against encoding/json: what it takes, encoding/json takes with the same value.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.50,"x\u00e9",null,true,{"b":-1e3}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParseJSON(text)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", text, err)
		}
		if plain := native(t, got); !reflect.DeepEqual(plain, canonical(t, want)) {
			t.Errorf("%q: got %v, want %v", text, plain, want)
		}
	})
}

func native(t *testing.T, v avro.FieldValue) any {
	switch {
	case v.Object != nil:
		out := map[string]any{}
		for _, a := range v.Object {
			out[a.Name] = native(t, a.Value)
		}
		return out
	case v.List != nil:
		out := []any{}
		for _, item := range v.List {
			out = append(out, native(t, item))
		}
		return out
	}
	switch v.Scalar.Kind() {
	case change.Null:
		return nil
	case change.Bool:
		return v.Scalar.Bool()
	case change.Int, change.Decimal:
		return json.Number(v.Scalar.String())
	}
	return v.Scalar.Str()
}

// canonical brings numbers to one form.
func canonical(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = canonical(t, v[k])
		}
	case []any:
		for i := range v {
			v[i] = canonical(t, v[i])
		}
	case json.Number:
		n, err := change.DecimalValue(v.String())
		if err != nil {
			t.Fatal(err)
		}
		return json.Number(n.Str())
	}
	return v
}

// FuzzOpen holds that no bytes stop a reader or take a row out of its line.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("No,Name\nC1,\"x\ny\"\n"))
	f.Add([]byte("\xff\xfeN\x00o\x00\n\x00"))
	f.Add([]byte("[{\"a\":1},{\"a\":\"x\"}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, file := range []string{"x.csv", "x.json"} {
			_, _, err := read(t, file, string(text), Options{})
			if err != nil && !strings.Contains(err.Error(), file) {
				t.Errorf("error %q does not name the file", err)
			}
		}
	})
}

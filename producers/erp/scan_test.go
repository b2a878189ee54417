package erp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
)

func setup(t *testing.T, text string, edit func(*config.ERPSource)) (*scanner, *[]*avro.Customer, *[]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customers.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	source := config.ERPSource{
		Name: "ar", Mode: "full", Attributes: "all", MaxDeleteShare: 0.2,
		Columns: map[string]string{"number": "No", "name": "Name", "identifier": "Ref", "balance": "Balance", "updated_at": "Changed"},
	}
	if edit != nil {
		edit(&source)
	}
	var customers []*avro.Customer
	var rejects []string
	return &scanner{
		path: path, source: source,
		each:   func(c *avro.Customer, _ int) error { customers = append(customers, c); return nil },
		reject: func(r *RejectError, key string) error { rejects = append(rejects, key+"|"+r.Error()); return nil },
	}, &customers, &rejects
}

const head = "No,Name,Ref,Balance,Changed,City\n"

func TestGoodRows(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"comma":            head + "C1,\"Acme, Ltd\",R-1,\"1,234.50\",2026-11-21T10:00:00Z,Köln\n",
		"BOM and CRLF":     "\xef\xbb\xbf" + strings.ReplaceAll(head, "\n", "\r\n") + "C1,\"Acme, Ltd\",R-1,1234.5,2026-11-21 10:00:00,Köln\r\n",
		"semicolon":        strings.ReplaceAll(head, ",", ";") + "C1;Acme, Ltd;R-1;1234.50;2026-11-21T11:00:00+01:00;Köln\n",
		"tab":              strings.ReplaceAll(head, ",", "\t") + "C1\tAcme, Ltd\tR-1\t+1234.5\t2026-11-21T10:00:00Z\tKöln",
		"delimiter quoted": "No;\"Name\";Ref;Balance;Changed;\"City\"\nC1;\"Acme, Ltd\";R-1;1234.50;2026-11-21T10:00:00Z;Köln\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, customers, rejects := setup(t, text, nil)
			if err := s.run(context.Background()); err != nil || len(*rejects) > 0 || len(*customers) != 1 {
				t.Fatalf("error %v, rejects %v, %d customers", err, *rejects, len(*customers))
			}
			c := (*customers)[0]
			got := fmt.Sprintln(key(c), c.Name, c.Identifier, c.Balance, c.UpdatedAt, c.Attributes, c.Email.Kind())
			want := fmt.Sprintln("C1", "Acme, Ltd", "R-1", "1234.5", "2026-11-21T10:00:00.000Z", []avro.Attribute{{Name: "City", Value: avro.FieldValue{Scalar: change.StringValue("Köln")}}}, change.Absent)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestIdentifierIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	s, customers, _ := setup(t, head+"C1,n,\" 007 \",1,,\nC2,n,,,,\n", nil)
	if err := s.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := (*customers)[0].Identifier; got != change.StringValue(" 007 ") {
		t.Errorf("identifier %q: no trimming (R8)", got)
	}
	if c := (*customers)[1]; !c.Identifier.IsNull() || !c.Balance.IsNull() {
		t.Errorf("an empty cell is null, got %v and %v", c.Identifier, c.Balance)
	}
}

func TestBadRowsAreRejectedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row  string
		want string // key|line…
		edit func(*config.ERPSource)
	}{
		"missing column":      {"C2,n,r,1", `|line 3, column "Changed": the row has 4 cells, the header 6`, nil},
		"too many":            {"C2,n,r,1,,x,y", `quote cells that contain the delimiter`, nil},
		"wrong number":        {"C2,n,r,12x,,", `C2|line 3, column "Balance": "12x" is not a number`, nil},
		"ambiguous group":     {`C2,n,r,"1,234",,`, `"1,234" is not a number; set decimal_comma`, nil},
		"too many digits":     {"C2,n,r,0.12345678901,,", `10 after the point`, nil},
		"comma expected":      {`C2,n,r,1234.50,,`, "decimal_comma is set", func(s *config.ERPSource) { s.DecimalComma = true }},
		"duplicate key":       {"C1,n,r,1,,", `C1|line 3, column "No": customer "C1" stood already in line 2`, nil},
		"NUL byte":            {"C2,a\x00b,r,1,,", `|line 3, column "Name": the cell contains a NUL byte`, nil},
		"invalid UTF-8":       {"C2,a\xffb,r,1,,", `|line 3, column "Name": the cell is not UTF-8`, nil},
		"no key":              {",n,r,1,,", `|line 3, column "No": the customer number is empty`, nil},
		"blank key":           {"  ,n,r,1,,", `the number is blank`, nil},
		"mangled identifier":  {"C2,n,1.23457E+11,1,,", `mangled by a spreadsheet`, nil},
		"bad time":            {"C2,n,r,1,21.11.2026,", `"21.11.2026" is not a time`, nil},
		"quote in a cell":     {`C2,a"b,r,1,,`, `|line 3: a quote stands inside an unquoted cell`, nil},
		"quote not closed":    {`C2,"a,r,1,,`, `|line 3: a quote is not closed`, nil},
		"slash in company":    {"C2,a/b,r,1,,", "contains a slash", func(s *config.ERPSource) { delete(s.Columns, "name"); s.Columns["company"] = "Name" }},
		"huge key":            {strings.Repeat("k", 600) + ",n,r,1,,", "more than 512", nil},
		"mangled by NUL text": {"C2,n,r,NULL,,", "", func(s *config.ERPSource) { s.NullText = []string{"NULL"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tail := "\nC9,n,r,1,,\n"
			if name == "quote not closed" {
				tail = ""
			}
			s, customers, rejects := setup(t, head+"C1,n,r,1,,\n"+c.row+tail, c.edit)
			if err := s.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if len(*rejects) != 0 {
					t.Fatalf("rejected: %v", *rejects)
				}
				return
			}
			if len(*rejects) != 1 || !strings.Contains((*rejects)[0], c.want) {
				t.Errorf("rejects %q, want one with %q", *rejects, c.want)
			}
			if tail != "" && (*customers)[len(*customers)-1].Number != "C9" {
				t.Error("the row after the bad one was not taken")
			}
		})
	}
}

func TestBadFilesSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "is empty"},
		"UTF-16":         {"\xff\xfeN\x00o\x00", "UTF-16"},
		"missing column": {"No,Name,Ref,Changed\n", `has no column "Balance", which source "ar" maps to balance; its header is: No, Name, Ref, Changed`},
		"column twice":   {"No,Name,No\n", `column "No" stands twice`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := setup(t, c.text, nil)
			if err := s.run(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "customers.csv") {
				t.Errorf("error %v, want one with %q and the file", err, c.want)
			}
		})
	}
	s, _, _ := setup(t, head, nil)
	s.path += ".none"
	if err := s.run(context.Background()); err == nil || !strings.Contains(err.Error(), ".none") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

func TestFullImportDeletesWhatIsMissingUpToAShare(t *testing.T) {
	t.Parallel()
	d := directory{}
	for i := range 10 {
		d.add(fmt.Sprintf("k%d", i), known{version: change.Version{Epoch: 1, Rev: 1}, source: "ar", live: true})
	}
	d.add("other", known{version: change.Version{Epoch: 1, Rev: 1}, source: "else", live: true})
	d.add("k0", known{version: change.Version{Epoch: 1, Rev: 2}, source: "ar", live: false})
	seen := map[string]bool{}
	for i := 3; i < 10; i++ {
		seen[fmt.Sprintf("k%d", i)] = true
	}
	if gone, err := d.missing("ar", seen, 0.25); err != nil || strings.Join(gone, ",") != "k1,k2" {
		t.Errorf("missing = %v, %v; want k1,k2", gone, err)
	}
	var refused *TooManyDeletesError
	if _, err := d.missing("ar", seen, 0.2); !errors.As(err, &refused) || refused.Deletes != 2 || refused.Of != 9 {
		t.Errorf("error %v, want a refusal of 2 of 9", err)
	}
}

func TestDirectoryKeepsTheNewestVersion(t *testing.T) {
	t.Parallel()
	d := directory{}
	d.add("k", known{version: change.Version{Epoch: 2, Rev: 1}, source: "ar", live: true})
	d.add("k", known{version: change.Version{Epoch: 1, Rev: 9}, source: "ar", live: false})
	if !d["k"].live || d.epoch() != 2 || d.changed("k", "ar", digest{}) || !d.changed("k", "ar", digest{1}) || !d.changed("x", "ar", digest{}) {
		t.Errorf("directory %v", d)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(head + "C1,n,r,1,,\n"))
	f.Add([]byte("No;Name\n\"C1;x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _, _ := setup(t, string(text), func(c *config.ERPSource) { c.Columns = map[string]string{"number": "No"} })
		if err := s.run(context.Background()); err != nil && !strings.Contains(err.Error(), "customers.csv") {
			t.Errorf("error %q does not name the file", err)
		}
	})
}

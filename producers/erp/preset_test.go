package erp

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"crosswalk/internal/config"
)

// export is a file in the shape in which a system exports customers.
type export struct {
	file     string // in testdata, as UTF-8
	preset   string
	encoding string // in which the system writes it; default UTF-8
	mark     bool   // with a byte order mark
	comma    rune
	header   int // rows before it
	footer   int // rows behind the last customer
	balance  bool
	changed  bool
	columns  map[string]string // beside the preset's
	want     []string          // the customers: key|name|identifier|balance|currency|terms|email|phone|updated_at
}

var exports = []export{
	{
		file: "netsuite.csv", preset: "netsuite", comma: ',', footer: 1, balance: true, changed: true,
		want: []string{
			"CUST10042|Harbour Lane Foods|CUST10042|12480.55|US Dollar|Net 30|ap@harbourlane.example|(555) 010-2000|2026-11-20T16:05:00.000Z",
			"CUST10043|Quill & Ledger, Inc.|CUST10043|-310|US Dollar|Net 60|billing@quill.example|null|2026-11-02T09:15:00.000Z",
			"CUST10044|Société Brûlée|CUST10044|0|Euro|null|compta@brulee.example|+33 1 55 01 00 00|2026-01-09T00:00:00.000Z",
		},
	},
	{
		file: "netsuite-search.csv", preset: "netsuite", comma: ',', balance: true,
		want: []string{
			"CUST10042|Harbour Lane Foods|CUST10042|12480.55|US Dollar|Net 30|ap@harbourlane.example|(555) 010-2000|null",
			"CUST10043|Quill & Ledger, Inc.|CUST10043|-310|US Dollar|Net 60|billing@quill.example|null|null",
		},
	},
	{
		file: "sap.txt", preset: "sap", encoding: "utf-16", mark: true, comma: ';', balance: true, columns: map[string]string{"balance": "DMBTR"},
		want: []string{
			"1000/0000100042|Mühlenbäckerei Groß GmbH & Co. KG|0000100042|12480.55|EUR|ZB30|null|+49 221 555010|null",
			"1000/0000100043|Nordlicht Handels AG|0000100043|0|EUR|ZB30|null|null|null",
			"2000/0000100042|Mühlenbäckerei Groß GmbH & Co. KG|0000100042|-310|EUR|ZB14|null|+49 221 555010|null",
		},
	},
	{
		file: "quickbooks.csv", preset: "quickbooks", comma: ',', header: 3, footer: 1,
		want: []string{
			"Amber Trading Co.|Amber Trading Co.|null|null|null|null|ap@amber.example|Phone:(555) 010-7788|null",
			"Cooper, Daniels & Sons|Cooper, Daniels & Sons|null|null|null|null|books@cooperdaniels.example|null|null",
			"Delta Freight:Night run|Delta Freight:Night run|null|null|null|null|null|Phone:(555) 010-4100 Mobile:(555) 010-4101|null",
		},
	},
	{
		file: "quickbooks-online.csv", preset: "quickbooks", comma: ',', balance: true,
		want: []string{
			"Amber Trading Co.|Amber Trading Co.|null|1204.5|null|null|ap@amber.example|(555) 010-7788|null",
			"Cooper, Daniels & Sons|Cooper, Daniels & Sons|null|-75|null|null|books@cooperdaniels.example|null|null",
		},
	},
	{
		file: "quickbooks-desktop.csv", preset: "quickbooks", encoding: "windows-1252", comma: ',', balance: true,
		want: []string{
			"Amber Trading Co.|Amber Trading Co.|A-1001|1304.5|null|Net 30|ap@amber.example|(555) 010-7788|null",
			"Café Lumière|Café Lumière|A-1002|0|null|Due on receipt|null|null|null",
		},
	},
	{
		file: "sage_intacct.csv", preset: "sage_intacct", comma: ',', balance: true, changed: true,
		want: []string{
			"C-00042|Birch & Vale Clinics|C-00042|12480.55|USD|Net 30|ap@birchvale.example|555-010-3300|2026-11-20T16:05:44.000Z",
			`C-00043|O'Hara "Bud" Dental|C-00043|-310|USD|null|null|null|2026-11-02T09:15:00.000Z`,
			"C-00044|Ostrow Labs|C-00044|0|PLN|Net 15|lab@ostrow.example|null|2026-01-09T00:00:00.000Z",
		},
	},
	{
		file: "dynamics365.csv", preset: "dynamics365", mark: true, comma: ',',
		want: []string{
			"chmf/US-1042|Evergreen Outfitters Schweiz|US-1042|null|CHF|Net45|ap.ch@evergreen.example|+41 44 555 01 00|null",
			"usmf/US-1042|Evergreen Outfitters|US-1042|null|USD|Net30|ap@evergreen.example|555-010-6000|null",
			"usmf/US-1043|Lone Oak Supply, LP|US-1043|null|USD|null|null|null|null",
		},
	},
	{
		file: "dynamics365-business-central.csv", preset: "dynamics365", comma: ',', balance: true,
		want: []string{
			"10000|Adatum Works|10000|12480.55|null|1M(8D)|null|555-010-6100|null",
			"20000|Trey & Sons|20000|-310|EUR|14 DAYS|null|null|null",
		},
	},
	{
		file: "xero.csv", preset: "xero", mark: true, comma: ',',
		want: []string{
			"007|Pym & Co|007|null|null|null|pym@pym.example|null|null",
			"MAR001|Marram Grass Cafés Ltd|MAR001|null|null|30 Days After|accounts@marram.example|44 1492 555 010|null",
			"TAW002|Tāwhaki Surveys|TAW002|null|null|20 Following Month|null|64 4 555 0100|null",
		},
	},
}

// hurt stands in a text for bytes that are no character of the file's encoding.
const hurt = "\ue000"

// encode writes a text as the system would.
func (e export) encode(t *testing.T, text string) []byte {
	t.Helper()
	switch e.encoding {
	case "utf-16":
		out := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(text)) {
			if u == 0xe000 {
				u = 0xd800 // half of a pair
			}
			out = append(out, byte(u), byte(u>>8))
		}
		return out
	case "windows-1252":
		parts := strings.Split(text, hurt)
		for i, p := range parts {
			encoded, err := charmap.Windows1252.NewEncoder().String(p)
			if err != nil {
				t.Fatal(err)
			}
			parts[i] = encoded
		}
		return []byte(strings.Join(parts, "\x81"))
	}
	out := strings.ReplaceAll(text, hurt, "\xc3\xff")
	if e.mark {
		out = "\xef\xbb\xbf" + out
	}
	return []byte(out)
}

// importExport imports a text in the export's shape.
func (b *bench) importExport(e export, text string) (Result, error) {
	b.t.Helper()
	s := config.ERPSource{Name: "erp", Preset: e.preset, Mode: "full", MaxDeleteShare: new(1.0), Columns: e.columns}
	if e.encoding == "windows-1252" {
		s.Encoding = e.encoding
	}
	s.Fill()
	path := filepath.Join(b.t.TempDir(), e.file)
	b.must(os.WriteFile(path, e.encode(b.t, text), 0o600))
	return ImportFile(b.ctx, b.config, Import{Path: path, Source: s})
}

// summary lists the customers of the topic.
func (b *bench) summary() []string {
	b.t.Helper()
	latest := map[string]string{}
	for _, r := range b.records() {
		delete(latest, r.key)
		if c := r.customer; c != nil {
			latest[r.key] = fmt.Sprint(r.key, "|", c.Name, "|", c.Identifier, "|", c.Balance, "|", c.Currency, "|", c.Terms, "|", c.Email, "|", c.Phone, "|", c.UpdatedAt)
		}
	}
	var out []string
	for _, s := range latest {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (e export) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", e.file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPresetsReadTheirSystemsExports(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, e := range exports {
		tested[e.preset] = true
		t.Run(e.file, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r, err := b.importExport(e, e.text(t))
			if err != nil || r.Rejected != 0 || r.Rows != len(e.want) {
				t.Fatalf("error %v, result %+v", err, r)
			}
			if got := b.summary(); !slices.Equal(got, e.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(e.want, "\n"))
			}
		})
	}
	for _, name := range config.Presets {
		if !tested[name] {
			t.Errorf("preset %s has no export here", name)
		}
	}
}

// damaged is an export with one row of each kind of damage, each between two good ones.
type damaged struct {
	text  strings.Builder
	lines int
	good  []string // names of the customers that must arrive
	want  [][3]string
}

func (d *damaged) add(text string) (line int) {
	line = d.lines + 1
	d.text.WriteString(text + "\n")
	d.lines += strings.Count(text, "\n") + 1
	return line
}

// damage builds the file.
func damage(t *testing.T, e export) *damaged {
	t.Helper()
	in := csv.NewReader(strings.NewReader(e.text(t)))
	in.Comma, in.FieldsPerRecord = e.comma, -1
	all, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	render := func(cells []string) string {
		var b bytes.Buffer
		out := csv.NewWriter(&b)
		out.Comma = e.comma
		if err := out.Write(cells); err != nil {
			t.Fatal(err)
		}
		out.Flush()
		return strings.TrimSuffix(b.String(), "\n")
	}
	d := &damaged{}
	head := e.header
	if head > 0 {
		head-- // encoding/csv leaves blank lines out
	}
	for _, row := range all[:head+1] {
		d.add(render(row))
	}
	at := where(t, e, all[head])
	template := all[head+1]
	if slices.ContainsFunc(template, func(c string) bool { return strings.Contains(c, "\n") }) {
		template = all[head+2] // damage to a row of several lines has more than one face
	}
	n := 0
	fresh := func() []string {
		n++
		cells := slices.Clone(template)
		cells[at.number] = fmt.Sprint("K", n)
		cells[at.name] = fmt.Sprint("Name ", n)
		if at.number == at.name {
			cells[at.name] = fmt.Sprint("K", n)
		}
		return cells
	}
	addGood := func() []string {
		cells := fresh()
		d.good = append(d.good, cells[at.number])
		d.add(render(cells))
		return cells
	}
	before := addGood()
	for _, w := range wrecks {
		if w.needs != nil && !w.needs(e, at) {
			continue
		}
		cells := fresh()
		if w.cells != nil {
			cells = w.cells(e, at, cells)
		}
		if w.name == "a number that stood before" {
			cells[at.number] = before[at.number]
		}
		text := render(cells)
		if w.line != nil {
			text = w.line(e, at, text)
		}
		column := ""
		if w.column != nil {
			column = w.column(e, at)
		}
		d.want = append(d.want, [3]string{strconv.Itoa(d.add(text)), column, w.reason})
		before = addGood()
	}
	for _, row := range all[len(all)-e.footer:] {
		d.add(render(row))
	}
	return d
}

// where finds the members in the header.
func where(t *testing.T, e export, header []string) columns {
	t.Helper()
	at := columns{header: header, balance: -1, changed: -1}
	find := func(names ...string) int {
		for _, n := range names {
			if i := slices.Index(header, n); i >= 0 {
				return i
			}
		}
		return -1
	}
	at.number = find("ID", "Customer ID", "KUNNR", "Customer full name", "Customer", "CUSTOMERID", "CUSTOMERACCOUNT", "No.", "AccountNumber", "Name")
	at.name = find("NAME1", "Customer full name", "Customer", "ORGANIZATIONNAME", "*ContactName", "NAME", "Company Name", "Name")
	if e.balance {
		at.balance = find("Balance Total", "Balance (LCY)", "Open Balance", "TOTALDUE", "DMBTR", "Balance")
	}
	if e.changed {
		at.changed = find("Last Modified", "WHENMODIFIED")
	}
	return at
}

func TestPresetsRejectTwentyKindsOfDamage(t *testing.T) {
	t.Parallel()
	for _, e := range exports {
		t.Run(e.file, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := damage(t, e)
			if len(d.want) < 20 {
				t.Errorf("only %d kinds of damage", len(d.want))
			}
			r, err := b.importExport(e, d.text.String())
			if err != nil {
				t.Fatal(err)
			}
			if r.Rejected != len(d.want) || r.Rows != len(d.good) || r.DeletesWithheld == "" {
				t.Errorf("result %+v, want %d rejects and %d rows", r, len(d.want), len(d.good))
			}
			for i, reject := range rejectsOf(t, r.RejectsFile) {
				if i < len(d.want) && (reject[0] != d.want[i][0] || reject[1] != d.want[i][1] || !strings.Contains(reject[2], d.want[i][2])) {
					t.Errorf("reject %d is %.200q\nwant %q", i, reject[:3], d.want[i])
				}
			}
			arrived := map[string]bool{}
			for _, r := range b.records() {
				_, key, _ := strings.Cut("/"+r.key, "/")
				if _, number, ok := strings.Cut(key, "/"); ok {
					key = number
				}
				arrived[key] = true
			}
			for _, number := range d.good {
				if !arrived[number] {
					t.Errorf("the good row of %s did not arrive", number)
				}
			}
			if len(arrived) != len(d.good) {
				t.Errorf("%d customers arrived, want %d", len(arrived), len(d.good))
			}
		})
	}
}

// rejectsOf reads a rejects file: line, column, reason, row.
func rejectsOf(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil || !slices.Equal(all[0], []string{"line", "column", "reason", "row"}) {
		t.Fatalf("rejects file: %v, header %v", err, all)
	}
	return all[1:]
}

func TestAPresetShowsWhatItNeedsAndWhatItFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.importExport(export{file: "x.csv", preset: "quickbooks"}, "Kunde,Saldo\nAcme,1\n")
	for _, want := range []string{`"Customer full name" (QuickBooks Online`, `"Customer", "Balance Total" (QuickBooks Desktop`, "its header is: Kunde, Saldo", "x.csv", "Set columns.number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
}

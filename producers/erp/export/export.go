// Package export holds files in the shapes in which ERP systems export their customers, and damages them as files get damaged in life.
//
// An Export goes through Text and Encode into a file as its system would write it; Damage puts one row of each kind of damage
// between good ones and says what an import must make of it. Only tests use it.
package export

import (
	"embed"
	"fmt"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"crosswalk/internal/config"
)

//go:embed testdata
var files embed.FS

// Export is a file in the shape in which a system exports customers.
type Export struct {
	File     string // in testdata, as UTF-8
	Preset   string
	Encoding string // in which the system writes it; default UTF-8
	mark     bool   // with a byte order mark
	comma    rune
	ruled    bool // a printed list: bars and padding, no quotes
	header   int  // rows before it, blank lines left out
	footer   int  // rows behind the last customer
	balance  bool
	changed  bool
	name     string            // of the columns of the name, where several are joined
	Columns  map[string]string // beside the preset's
	Want     []string          // the customers: key|name|identifier|balance|currency|terms|email|phone|updated_at
}

// All are the exports: at least one of each preset.
var All = []Export{
	{
		File: "netsuite.csv", Preset: "netsuite", comma: ',', footer: 1, balance: true, changed: true,
		Want: []string{
			"CUST10042|Harbour Lane Foods|CUST10042|12480.55|US Dollar|Net 30|ap@harbourlane.example|(555) 010-2000|2026-11-20T16:05:00.000Z",
			"CUST10043|Quill & Ledger, Inc.|CUST10043|-310|US Dollar|Net 60|billing@quill.example|null|2026-11-02T09:15:00.000Z",
			"CUST10044|Société Brûlée|CUST10044|0|Euro|null|compta@brulee.example|+33 1 55 01 00 00|2026-01-09T00:00:00.000Z",
		},
	},
	{
		File: "netsuite-search.csv", Preset: "netsuite", comma: ',', balance: true,
		Want: []string{
			"CUST10042|Harbour Lane Foods|CUST10042|12480.55|US Dollar|Net 30|ap@harbourlane.example|(555) 010-2000|null",
			"CUST10043|Quill & Ledger, Inc.|CUST10043|-310|US Dollar|Net 60|billing@quill.example|null|null",
		},
	},
	{
		File: "sap.txt", Preset: "sap", Encoding: "utf-16", mark: true, comma: ';', balance: true, name: "NAME1 + NAME2", Columns: map[string]string{"balance": "DMBTR"},
		Want: []string{
			"1000/0000100042|Mühlenbäckerei Groß GmbH & Co. KG|0000100042|12480.55|EUR|ZB30|null|+49 221 555010|null",
			"1000/0000100043|Nordlicht Handels AG|0000100043|0|EUR|ZB30|null|null|null",
			"2000/0000100042|Mühlenbäckerei Groß GmbH & Co. KG|0000100042|-310|EUR|ZB14|null|+49 221 555010|null",
		},
	},
	{
		File: "sap-list.txt", Preset: "sap", Encoding: "windows-1252", comma: '|', ruled: true, header: 1, footer: 1, balance: true,
		Columns: map[string]string{"balance": "Saldo"},
		Want: []string{
			"1000/100042|Mühlenbäckerei Groß GmbH|100042|12480.55|EUR|ZB30|null|+49 221 555010|null",
			`1000/100043|Nordlicht Handels "AG"|100043|0|EUR|ZB30|null|null|null`,
			"2000/100042|Mühlenbäckerei Groß GmbH|100042|-310|EUR|ZB14|null|+49 221 555010|null",
		},
	},
	{
		File: "quickbooks.csv", Preset: "quickbooks", comma: ',', header: 2, footer: 1,
		Want: []string{
			"Amber Trading Co.|Amber Trading Co.|null|null|null|null|ap@amber.example|Phone:(555) 010-7788|null",
			"Cooper, Daniels & Sons|Cooper, Daniels & Sons|null|null|null|null|books@cooperdaniels.example|null|null",
			"Delta Freight:Night run|Delta Freight:Night run|null|null|null|null|null|Phone:(555) 010-4100 Mobile:(555) 010-4101|null",
		},
	},
	{
		File: "quickbooks-online.csv", Preset: "quickbooks", comma: ',', balance: true,
		Want: []string{
			"Amber Trading Co.|Amber Trading Co.|null|1204.5|null|null|ap@amber.example|(555) 010-7788|null",
			"Cooper, Daniels & Sons|Cooper, Daniels & Sons|null|-75|null|null|books@cooperdaniels.example|null|null",
		},
	},
	{
		File: "quickbooks-desktop.csv", Preset: "quickbooks", Encoding: "windows-1252", comma: ',', balance: true,
		Want: []string{
			"Amber Trading Co.|Amber Trading Co.|A-1001|1304.5|null|Net 30|ap@amber.example|(555) 010-7788|null",
			"Café Lumière|Café Lumière|A-1002|0|null|Due on receipt|null|null|null",
		},
	},
	{
		File: "sage_intacct.csv", Preset: "sage_intacct", comma: ',', balance: true, changed: true,
		Want: []string{
			"C-00042|Birch & Vale Clinics|C-00042|12480.55|USD|Net 30|ap@birchvale.example|555-010-3300|2026-11-20T16:05:44.000Z",
			`C-00043|O'Hara "Bud" Dental|C-00043|-310|USD|null|null|null|2026-11-02T09:15:00.000Z`,
			"C-00044|Ostrow Labs|C-00044|0|PLN|Net 15|lab@ostrow.example|null|2026-01-09T00:00:00.000Z",
		},
	},
	{
		File: "dynamics365.csv", Preset: "dynamics365", mark: true, comma: ',',
		Want: []string{
			"chmf/US-1042|Evergreen Outfitters Schweiz|US-1042|null|CHF|Net45|ap.ch@evergreen.example|+41 44 555 01 00|null",
			"usmf/US-1042|Evergreen Outfitters|US-1042|null|USD|Net30|ap@evergreen.example|555-010-6000|null",
			"usmf/US-1043|Lone Oak Supply, LP|US-1043|null|USD|null|null|null|null",
		},
	},
	{
		File: "dynamics365-business-central.csv", Preset: "dynamics365", comma: ',', balance: true,
		Want: []string{
			"10000|Adatum Works|10000|12480.55|null|1M(8D)|null|555-010-6100|null",
			"20000|Trey & Sons|20000|-310|null|14 DAYS|null|null|null",
		},
	},
	{
		File: "xero.csv", Preset: "xero", mark: true, comma: ',',
		Want: []string{
			"007|Pym & Co|007|null|null|null|pym@pym.example|null|null",
			"MAR001|Marram Grass Cafés Ltd|MAR001|null|null|30 Days After|accounts@marram.example|44 1492 555 010|null",
			"TAW002|Tāwhaki Surveys|TAW002|null|null|20 Following Month|null|64 4 555 0100|null",
		},
	},
	{
		File: "xero-aged-receivables.csv", Preset: "xero", mark: true, comma: ',', header: 4, footer: 2, balance: true,
		Want: []string{
			"Marram Grass Cafés Ltd|Marram Grass Cafés Ltd|null|1204.5|null|null|null|null|null",
			"Pym & Co|Pym & Co|null|-75|null|null|null|null|null",
		},
	},
}

// Text returns the file, as UTF-8.
func (e Export) Text() (string, error) {
	text, err := files.ReadFile("testdata/" + e.File)
	return string(text), err
}

// Footer is how many rows stand behind the last customer: totals, and when the file was made.
func (e Export) Footer() int { return e.footer }

// Source is the source that imports it.
func (e Export) Source(name string) config.ERPSource {
	s := config.ERPSource{Name: name, Preset: e.Preset, Mode: "full", MaxDeleteShare: new(1.0), Columns: e.Columns}
	if e.Encoding == "windows-1252" { // that of the others is told by their bytes
		s.Encoding = e.Encoding
	}
	s.Fill()
	return s
}

// hurt stands in a text for bytes that are no character of the file's encoding.
const hurt = "\ue000"

// Encode writes a text as the system would.
func (e Export) Encode(text string) ([]byte, error) {
	switch e.Encoding {
	case "utf-16":
		out := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(text)) {
			if u == 0xe000 {
				u = 0xd800 // half of a pair
			}
			out = append(out, byte(u), byte(u>>8))
		}
		return out, nil
	case "windows-1252":
		parts := strings.Split(text, hurt)
		for i, p := range parts {
			encoded, err := charmap.Windows1252.NewEncoder().String(p)
			if err != nil {
				return nil, fmt.Errorf("encode %s: %w", e.File, err)
			}
			parts[i] = encoded
		}
		return []byte(strings.Join(parts, "\x81")), nil
	}
	out := strings.ReplaceAll(text, hurt, "\xc3\xff")
	if e.mark {
		out = "\xef\xbb\xbf" + out
	}
	return []byte(out), nil
}

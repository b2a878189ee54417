package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"crosswalk/internal/config"
)

// preset is what is known of a system's exports. A system has several kinds of them, each with columns of its own.
type preset struct {
	shapes   []shape
	settings config.ERPSource // how texts are read; what the source sets goes before it
}

// shape is one kind of export: member -> the names that its column may have, of which the first in the header counts. Number, name and
// what is in needed must be there; by them the shape is recognised. The others depend on what the user chose to export.
type shape struct {
	what    string
	columns map[string][]string
	needed  []string
}

// presets by name. DESIGN.md says what each rests on, and what a system's exports do not tell.
var presets = map[string]preset{
	"netsuite": {
		shapes: []shape{
			{
				what: "the customer list or a saved search, Export - CSV",
				columns: map[string][]string{
					"number": {"ID"}, "identifier": {"ID"}, "name": {"Name", "Company Name"}, "balance": {"Balance"}, "currency": {"Currency"},
					"terms": {"Terms"}, "email": {"Email"}, "phone": {"Phone"}, "updated_at": {"Last Modified"},
				},
			},
			{
				what: "a saved search with the field names",
				columns: map[string][]string{
					"number": {"Customer ID"}, "identifier": {"Customer ID"}, "name": {"Company Name"}, "balance": {"Balance"}, "currency": {"Currency"},
					"terms": {"Terms"}, "email": {"Email"}, "phone": {"Phone"}, "updated_at": {"Last Modified"},
				},
			},
		},
		settings: config.ERPSource{
			CurrencySymbols: []string{"$", "€", "£"}, NullText: []string{"- None -"}, SkipRows: []string{`^(Overall )?Total$`},
			TimeFormats: []string{"M/D/YYYY h:mm am", "M/D/YYYY h:mm AM", "M/D/YYYY"},
		},
	},
	"sap": {
		shapes: []shape{{
			what: "KNA1, or KNA1 joined with KNB1, under the technical names of the fields or their English or German headings",
			columns: map[string][]string{
				"company":    {"BUKRS", "Company Code", "CoCode", "CoCd", "Buchungskreis", "Buchungskr.", "BuKr.", "BuKr"},
				"number":     {"KUNNR", "Customer", "Debitor", "Kunde"},
				"identifier": {"KUNNR", "Customer", "Debitor", "Kunde"},
				"name":       {"NAME1 + NAME2", "NAME1", "Name 1 + Name 2", "Name 1"},
				"currency":   {"WAERS", "Currency", "Crcy", "Währung", "Währg"},
				"terms":      {"ZTERM", "Terms of Payment", "Payt Terms", "PayT", "Zahlungsbedingung", "Zahlungsbed.", "ZBed"},
				"email":      {"SMTP_ADDR", "E-Mail Address", "E-Mail-Adresse"},
				"phone":      {"TELF1", "Telephone 1", "Telefon 1", "Telephone", "Telefon"},
			},
		}},
		// Lists mark their totals with asterisks.
		settings: config.ERPSource{DecimalComma: new(true), TimeFormats: []string{"DD.MM.YYYY", "YYYYMMDD"}, SkipRows: []string{`^\*+$`}},
	},
	"quickbooks": {
		shapes: []shape{
			{
				what: "QuickBooks Online: the report Customer Contact List",
				columns: map[string][]string{
					"number": {"Customer full name"}, "identifier": {"Account number"}, "name": {"Customer full name"}, "balance": {"Open balance"},
					"terms": {"Terms"}, "email": {"Email"}, "phone": {"Phone numbers"},
				},
			},
			{
				what: "QuickBooks Online: the list of customers, Export to Excel",
				columns: map[string][]string{
					"number": {"Name", "Customer"}, "identifier": {"Account No."}, "name": {"Name", "Customer"}, "balance": {"Open Balance"},
					"currency": {"Currency"}, "terms": {"Terms"}, "email": {"Email"}, "phone": {"Phone"},
				},
				needed: []string{"balance"},
			},
			{
				what: "QuickBooks Desktop: the customer list",
				columns: map[string][]string{
					"number": {"Customer"}, "identifier": {"Account No."}, "name": {"Customer"}, "balance": {"Balance Total"}, "currency": {"Currency"},
					"terms": {"Terms"}, "email": {"Main Email"}, "phone": {"Main Phone"},
				},
				needed: []string{"balance"},
			},
		},
		settings: config.ERPSource{
			CurrencySymbols: []string{"$"}, TimeFormats: []string{"MM/DD/YYYY"},
			// Reports end with a total and the moment of their making.
			SkipRows: []string{`^TOTAL$`, `^ *(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, .*(AM|PM)( GMT.*)?$`},
		},
	},
	"sage_intacct": {
		shapes: []shape{
			{
				what: "the list of customers, Export - CSV",
				columns: map[string][]string{
					"number": {"Customer ID"}, "identifier": {"Customer ID"}, "name": {"Customer name", "Name"}, "balance": {"Total due"},
					"currency": {"Currency", "Default currency"}, "terms": {"Term"}, "email": {"Primary email address", "Primary contact email"},
					"phone": {"Primary phone", "Primary contact primary phone"}, "updated_at": {"When modified"},
				},
			},
			{
				what: "the object CUSTOMER, by its field names",
				columns: map[string][]string{
					"number": {"CUSTOMERID"}, "identifier": {"CUSTOMERID"}, "name": {"NAME"}, "balance": {"TOTALDUE"}, "currency": {"CURRENCY"},
					"terms": {"TERMNAME"}, "email": {"DISPLAYCONTACT.EMAIL1"}, "phone": {"DISPLAYCONTACT.PHONE1"}, "updated_at": {"WHENMODIFIED"},
				},
			},
		},
		settings: config.ERPSource{TimeFormats: []string{"MM/DD/YYYY hh:mm:ss", "MM/DD/YYYY"}},
	},
	"dynamics365": {
		shapes: []shape{
			{
				what: "Finance: the entities Customers V3 and Customer definitions",
				columns: map[string][]string{
					"company": {"DATAAREAID"}, "number": {"CUSTOMERACCOUNT"}, "identifier": {"CUSTOMERACCOUNT"}, "name": {"ORGANIZATIONNAME", "NAME"},
					"currency": {"SALESCURRENCYCODE"}, "terms": {"PAYMENTTERMS"}, "email": {"PRIMARYCONTACTEMAIL"}, "phone": {"PRIMARYCONTACTPHONE"},
				},
			},
			{
				// The balance is in the local currency of the company, not in the customer's: the column Currency Code is no currency of it.
				what: "Business Central: the list of customers, in English or German",
				columns: map[string][]string{
					"number": {"No.", "Nr."}, "identifier": {"No.", "Nr."}, "name": {"Name"}, "balance": {"Balance (LCY)", "Balance ($)", "Saldo (MW)"},
					"terms": {"Payment Terms Code", "Zlg.-Bedingungscode"}, "email": {"Email", "E-Mail"}, "phone": {"Phone No.", "Telefonnr."},
					"updated_at": {"Last Date Modified"},
				},
			},
		},
		settings: config.ERPSource{CurrencySymbols: []string{"$"}, TimeFormats: []string{"M/D/YYYY h:mm AM", "M/D/YYYY"}},
	},
	"xero": {
		shapes: []shape{
			{
				what: "Contacts, Export",
				columns: map[string][]string{
					"number": {"AccountNumber"}, "identifier": {"AccountNumber"}, "name": {"*ContactName", "ContactName"},
					"terms": {"DueDateSalesDay + DueDateSalesTerm"}, "email": {"EmailAddress"}, "phone": {"PhoneNumber"},
				},
			},
			{
				what:    "the report Aged Receivables Summary",
				columns: map[string][]string{"number": {"Contact"}, "name": {"Contact"}, "balance": {"Total"}},
				needed:  []string{"balance"},
			},
		},
		settings: config.ERPSource{TimeFormats: []string{"D MMM YYYY"}, SkipRows: []string{`^(Total|Total Aged Receivables|Aged Receivables|Percentage of total)$`}},
	},
}

// column is the one of the names that the header has; else the first.
func (s shape) column(member string, header []string) (name string, there bool) {
	names := s.columns[member]
	for _, name := range names {
		if has(header, name) {
			return name, true
		}
	}
	return names[0], false
}

// fits reports whether a header is one of the shape.
func (s shape) fits(header []string) bool {
	for _, member := range append([]string{"number", "name"}, s.needed...) {
		if _, there := s.column(member, header); !there {
			return false
		}
	}
	return true
}

// Header tells the header of a source's tables from the lines before it.
func Header(source config.ERPSource) func([]string) bool {
	p, known := presets[source.Preset]
	return func(header []string) bool {
		for member, text := range source.Columns {
			if !slices.Contains(source.Optional, member) && !has(header, text) {
				return false
			}
		}
		if !known {
			return len(source.Columns) > 0 || has(header, "number")
		}
		return source.Columns["number"] != "" || slices.ContainsFunc(p.shapes, func(s shape) bool { return s.fits(header) })
	}
}

// withPreset lays the source over its preset.
func withPreset(source config.ERPSource, name string, header []string) (config.ERPSource, error) {
	if source.Preset == "" {
		return source, nil
	}
	p, ok := presets[source.Preset]
	if !ok {
		return source, fmt.Errorf("source %q: there is no preset %q; give one of: %s", source.Name, source.Preset, strings.Join(config.Presets, ", "))
	}
	if header == nil {
		return source, fmt.Errorf("%s is JSON, but preset %q of source %q is for tables; export a CSV, or set columns", name, source.Preset, source.Name)
	}
	columns := maps.Clone(source.Columns)
	if columns == nil {
		columns = map[string]string{}
	}
	optional := slices.Clone(source.Optional)
	i := slices.IndexFunc(p.shapes, func(s shape) bool { return s.fits(header) })
	if i < 0 && columns["number"] == "" {
		return source, p.unknown(source, name, header)
	}
	if i >= 0 {
		for member := range p.shapes[i].columns {
			if _, set := columns[member]; !set {
				columns[member], _ = p.shapes[i].column(member, header)
				optional = append(optional, member)
			}
		}
	}
	source.Columns, source.Optional = columns, optional
	s := p.settings
	if source.DecimalComma == nil {
		source.DecimalComma = s.DecimalComma
	}
	source.NullText = orElse(source.NullText, s.NullText)
	source.CurrencySymbols = orElse(source.CurrencySymbols, s.CurrencySymbols)
	source.TimeFormats = orElse(source.TimeFormats, s.TimeFormats)
	source.SkipRows = orElse(source.SkipRows, s.SkipRows)
	return source, nil
}

func orElse(set, otherwise []string) []string {
	if set != nil {
		return set
	}
	return otherwise
}

// unknown says which columns each shape needs, and shows the header found.
func (p preset) unknown(source config.ERPSource, name string, header []string) error {
	var shapes []string
	for _, s := range p.shapes {
		var columns []string
		for _, member := range append([]string{"number", "name"}, s.needed...) {
			var names []string
			for _, name := range s.columns[member] {
				names = append(names, fmt.Sprintf("%q", name))
			}
			if text := strings.Join(names, " or "); !slices.Contains(columns, text) {
				columns = append(columns, text)
			}
		}
		shapes = append(shapes, fmt.Sprintf("%s (%s)", strings.Join(columns, ", "), s.what))
	}
	return fmt.Errorf("%s is no export that preset %q knows: it needs the columns %s; its header is: %s. Set columns.number and the others of source %q for such a file",
		name, source.Preset, strings.Join(shapes, ", or "), strings.Join(header, ", "), source.Name)
}

// Package mapping turns the rows of a source into ERP customers, as its configuration says.
//
// A Mapper is made before any row is read and checked against the header that was found (New); a row becomes a Customer or a
// *rows.Reject that names the column at fault. Values that identify a customer are taken byte for byte or not at all; what a
// spreadsheet has mangled is refused, because it can no longer be told what it was.
package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/producers/erp/rows"
)

// Customer is a row that was understood.
type Customer struct {
	avro.Customer
	Deleted bool // the row says that the customer is gone
}

// Key is the record key of erp.customer: company/number, or the number alone. A company contains no slash.
func (c *Customer) Key() string { return key(c.Company, c.Number) }

func key(company, number string) string {
	if company == "" {
		return number
	}
	return company + "/" + number
}

// Mapper maps the rows of one reading of a source.
type Mapper struct {
	source  config.ERPSource
	name    string // of what is read, for errors
	header  []string
	guessed bool

	members  map[string]*member
	lacking  []lack
	used     map[string]bool // top-level columns that are no attributes
	deleted  *column
	skip     []*regexp.Regexp
	zone     *time.Location
	layouts  []string
	first    []string // the names of the first row's columns
	wholeRow bool     // without columns: each member under its own name, attributes as they are
}

// New checks a source's mapping against the header of what is read; header is nil where each row names its columns.
// Its errors name the column and show the header found.
func New(source config.ERPSource, name string, r rows.Reader) (*Mapper, error) {
	header := r.Header()
	source, err := withPreset(source, name, header)
	if err != nil {
		return nil, err
	}
	m := &Mapper{
		source: source, name: name, header: header, guessed: r.Guessed(), members: map[string]*member{}, used: map[string]bool{},
		layouts: layouts(source.TimeFormats), wholeRow: len(source.Columns) == 0,
	}
	if m.zone, err = time.LoadLocation(source.TimeZone); err != nil {
		return nil, fmt.Errorf("source %q: time_zone %q: %w", source.Name, source.TimeZone, err)
	}
	for _, pattern := range source.SkipRows {
		p, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("source %q: skip_rows %q: %w", source.Name, pattern, err)
		}
		m.skip = append(m.skip, p)
	}
	for member, column := range source.Columns {
		if slices.Contains(header, column) && slices.Contains(header, column+" (2)") {
			return nil, fmt.Errorf("%s: column %q, which source %q maps to %s, stands twice in the header; rename one, so that it is clear which is meant",
				name, column, source.Name, member)
		}
	}
	for _, name := range config.CustomerMembers {
		if err := m.addMember(name); err != nil {
			return nil, err
		}
	}
	if source.DeletedColumn != "" {
		if c, ok := find(header, source.DeletedColumn); ok {
			m.deleted = &c
			m.used[c.path[0]] = true
		} else {
			m.lacking = append(m.lacking, lack{column: source.DeletedColumn, key: "deleted_column"})
		}
	}
	if len(m.lacking) > 0 {
		return nil, m.missing()
	}
	if m.members["number"] == nil {
		return nil, fmt.Errorf("source %q maps no column to number, the customer's key; set columns.number%s", source.Name, oneOf(header))
	}
	return m, nil
}

// Map turns a row into a customer. skipped is true for a row that is none, such as a total; the error is a *rows.Reject.
func (m *Mapper) Map(r rows.Row) (c *Customer, skipped bool, err error) {
	if m.skips(r) {
		return nil, true, nil
	}
	if m.first == nil {
		m.first = namesOf(r)
	}
	c = &Customer{Deleted: r.Deleted}
	number, err := m.value(r, "number")
	if err != nil {
		return nil, false, err
	}
	company, err := m.value(r, "company")
	if err != nil {
		return nil, false, err
	}
	c.Company, c.Number = company.Str(), number.Str()
	if c.Number == "" {
		return nil, false, m.Reject(r, "number", "the customer number is empty")
	}
	if m.deleted != nil {
		c.Deleted = c.Deleted || slices.Contains(m.source.DeletedValues, m.deleted.in(r).Scalar.String())
	}
	if c.Deleted {
		return c, false, nil
	}
	for _, it := range []struct {
		name  string
		value *change.Value
	}{
		{"name", &c.Name},
		{"identifier", &c.Identifier},
		{"balance", &c.Balance},
		{"currency", &c.Currency},
		{"terms", &c.Terms},
		{"email", &c.Email},
		{"phone", &c.Phone},
		{"updated_at", &c.UpdatedAt},
	} {
		if *it.value, err = m.value(r, it.name); err != nil {
			return nil, false, err
		}
	}
	c.Attributes, err = m.attributes(r)
	return c, false, err
}

// Key returns the key of a row whose other members may be wrong; "" when it has none.
func (m *Mapper) Key(r rows.Row) string {
	number, err := m.value(r, "number")
	if err != nil || number.Str() == "" {
		return ""
	}
	company, err := m.value(r, "company")
	if err != nil {
		return ""
	}
	return key(company.Str(), number.Str())
}

// skips reports a row that the source says is none.
func (m *Mapper) skips(r rows.Row) bool {
	if len(m.skip) == 0 {
		return false
	}
	for _, f := range r.Fields {
		if text := f.Value.Scalar.Str(); text != "" {
			return slices.ContainsFunc(m.skip, func(p *regexp.Regexp) bool { return p.MatchString(text) })
		}
	}
	return false
}

// attributes are the columns that no member takes.
func (m *Mapper) attributes(r rows.Row) ([]avro.Attribute, error) {
	if m.source.Attributes == "none" {
		return nil, nil
	}
	out := make([]avro.Attribute, 0, len(r.Fields))
	for _, f := range r.Fields {
		switch {
		case f.Name == "" || m.used[f.Name]:
		case m.wholeRow && f.Name == "attributes" && f.Value.Object != nil:
			out = append(out, f.Value.Object...)
		case r.Text:
			out = append(out, avro.Attribute{Name: f.Name, Value: avro.FieldValue{Scalar: m.null(f.Value.Scalar, true)}})
		default:
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b avro.Attribute) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(out); i++ {
		if out[i].Name == out[i-1].Name {
			return nil, &rows.Reject{Line: r.Line, Column: out[i].Name, Reason: "the attribute stands twice, beside the others and in attributes", Raw: r.Raw()}
		}
	}
	return out, nil
}

// Reject refuses a row because of one member.
func (m *Mapper) Reject(r rows.Row, name, reason string) *rows.Reject {
	column := ""
	if it := m.members[name]; it != nil && len(it.columns) > 0 {
		column = it.columns[0].name
		if len(it.columns) > 1 {
			column = it.text
		}
	}
	return &rows.Reject{Line: r.Line, Column: column, Reason: reason, Raw: r.Raw()}
}

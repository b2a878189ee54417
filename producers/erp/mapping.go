package erp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
)

// mapper turns rows into customers by a source's configuration, checked against the file's header before any row is read.
type mapper struct {
	source     config.ERPSource
	header     []string
	columns    map[string]int          // member -> column
	constants  map[string]change.Value // member -> value
	attributes []int                   // columns that become attributes
}

// maxKey bounds a key part: Kafka keys are small, and a whole file in one cell is a damaged file.
const maxKey = 512

// newMapper checks the mapping against the header; its error names the column and shows the header found.
func newMapper(source config.ERPSource, file string, header []string) (*mapper, error) {
	m := &mapper{source: source, header: header, columns: map[string]int{}, constants: map[string]change.Value{}}
	used := map[int]bool{}
	for _, member := range config.CustomerMembers {
		column := source.Columns[member]
		if column == "" {
			continue
		}
		i := slices.Index(header, column)
		if i < 0 {
			return nil, fmt.Errorf("%s has no column %q, which source %q maps to %s; its header is: %s. Correct columns.%s in the configuration",
				file, column, source.Name, member, strings.Join(header, ", "), member)
		}
		m.columns[member], used[i] = i, true
	}
	if _, ok := m.columns["number"]; !ok {
		return nil, fmt.Errorf("source %q maps no column to number, the customer's key; set columns.number to one of: %s", source.Name, strings.Join(header, ", "))
	}
	for member, text := range source.Constants {
		v, reason := convert(member, text, source)
		if reason != "" {
			return nil, fmt.Errorf("source %q: constants.%s %q: %s", source.Name, member, text, reason)
		}
		m.constants[member] = v
	}
	if source.Attributes != "none" {
		for i, name := range header {
			if !used[i] && name != "" {
				m.attributes = append(m.attributes, i)
			}
		}
	}
	return m, nil
}

// customer maps one row; its error is a *RejectError.
func (m *mapper) customer(r row) (*avro.Customer, error) {
	c := &avro.Customer{}
	for member, target := range map[string]*change.Value{
		"name": &c.Name, "identifier": &c.Identifier, "balance": &c.Balance, "currency": &c.Currency, "terms": &c.Terms,
		"email": &c.Email, "phone": &c.Phone, "updated_at": &c.UpdatedAt,
	} {
		v, err := m.member(r, member)
		if err != nil {
			return nil, err
		}
		*target = v
	}
	for member, target := range map[string]*string{"company": &c.Company, "number": &c.Number} {
		v, err := m.member(r, member)
		if err != nil {
			return nil, err
		}
		*target = v.Str()
	}
	if c.Number == "" {
		return nil, m.reject(r, "number", "the customer number is empty")
	}
	for _, i := range m.attributes {
		c.Attributes = append(c.Attributes, avro.Attribute{Name: m.header[i], Value: avro.FieldValue{Scalar: m.text(r.cells[i])}})
	}
	return c, nil
}

// member returns one member's value: its column's, else its constant, else Absent.
func (m *mapper) member(r row, member string) (change.Value, error) {
	i, ok := m.columns[member]
	if !ok {
		return m.constants[member], nil
	}
	text := m.text(r.cells[i])
	if text.IsNull() {
		if constant, ok := m.constants[member]; ok {
			return constant, nil
		}
		return text, nil
	}
	v, reason := convert(member, text.Str(), m.source)
	if reason != "" {
		return change.Value{}, m.reject(r, member, reason)
	}
	return v, nil
}

// text is the cell unchanged, or null when it is empty or one of the source's null texts.
func (m *mapper) text(cell string) change.Value {
	if cell == "" || slices.Contains(m.source.NullText, cell) {
		return change.NullValue()
	}
	return change.StringValue(cell)
}

func (m *mapper) reject(r row, member, reason string) *RejectError {
	column := ""
	if i, ok := m.columns[member]; ok {
		column = m.header[i]
	}
	return &RejectError{Line: r.line, Column: column, Reason: reason, Raw: r.raw}
}

// convert reads a member's text; reason is empty when it can be taken.
func convert(member, text string, source config.ERPSource) (v change.Value, reason string) {
	switch member {
	case "balance":
		return decimal(text, source.DecimalComma)
	case "updated_at":
		return datetime(text)
	case "number", "company", "identifier":
		if mangled.MatchString(text) {
			return v, fmt.Sprintf("%q was mangled by a spreadsheet, its digits are lost; export the column as text", text)
		}
		if member != "identifier" {
			if reason := badKey(member, text); reason != "" {
				return v, reason
			}
		}
	}
	return change.StringValue(text), ""
}

var (
	mangled        = regexp.MustCompile(`^-?[0-9]([.,][0-9]+)?E\+[0-9]+$`)
	plainNumber    = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
	groupedNumber  = regexp.MustCompile(`^[+-]?[0-9]{1,3}(,[0-9]{3})*\.[0-9]+$|^[+-]?[0-9]{1,3}(,[0-9]{3}){2,}$`)
	commaNumber    = regexp.MustCompile(`^[+-]?[0-9]+(,[0-9]+)?$`)
	groupedByPoint = regexp.MustCompile(`^[+-]?[0-9]{1,3}(\.[0-9]{3})*,[0-9]+$|^[+-]?[0-9]{1,3}(\.[0-9]{3}){1,}$`)
)

func badKey(member, text string) string {
	if len(text) > maxKey {
		return fmt.Sprintf("the %s has %d bytes, more than %d", member, len(text), maxKey)
	}
	if strings.TrimSpace(text) == "" {
		return fmt.Sprintf("the %s is blank", member)
	}
	if member == "company" && strings.Contains(text, "/") {
		return "the company contains a slash, which separates company and number in the key"
	}
	return ""
}

// decimal reads a number exactly. Digit groups are taken only where they cannot be a decimal sign.
func decimal(text string, comma bool) (change.Value, string) {
	plain := ""
	switch {
	case !comma && plainNumber.MatchString(text):
		plain = text
	case !comma && groupedNumber.MatchString(text):
		plain = strings.ReplaceAll(text, ",", "")
	case comma && commaNumber.MatchString(text):
		plain = strings.Replace(text, ",", ".", 1)
	case comma && groupedByPoint.MatchString(text):
		plain = strings.Replace(strings.ReplaceAll(text, ".", ""), ",", ".", 1)
	default:
		hint := "set decimal_comma if the file writes 1.234,50"
		if comma {
			hint = "decimal_comma is set: write 1.234,50 or 1234,50"
		}
		return change.Value{}, fmt.Sprintf("%q is not a number; %s", text, hint)
	}
	v, err := change.DecimalValue(plain)
	if err != nil {
		return change.Value{}, err.Error()
	}
	whole, frac, _ := strings.Cut(strings.TrimPrefix(v.Str(), "-"), ".")
	if len(whole) > 28 || len(frac) > 10 {
		return change.Value{}, fmt.Sprintf("%q has more than 28 digits before or 10 after the point", text)
	}
	return v, ""
}

// datetime reads ISO 8601; a time without a zone is UTC.
func datetime(text string) (change.Value, string) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return change.DatetimeValue(t.UnixMilli()), ""
		}
	}
	return change.Value{}, fmt.Sprintf("%q is not a time; write 2026-11-21T10:00:00Z, 2026-11-21 10:00:00 (taken as UTC) or 2026-11-21", text)
}

package erp

import (
	"crypto/sha256"

	"crosswalk/internal/change"
)

// Customer is one ERP customer, before it is Avro. Members that the source does not have are Absent.
type Customer struct {
	Company, Number string // the key parts; Company is empty where an ERP has no companies
	Name            change.Value
	Identifier      change.Value
	Balance         change.Value // Decimal, at most 28 digits before and 10 after the point
	Currency        change.Value
	Terms           change.Value
	Email           change.Value
	Phone           change.Value
	UpdatedAt       change.Value // Datetime
	Attributes      []Attribute  // the source's other columns, in the file's order
}

// Attribute is a field of the source that is no member of a Customer.
type Attribute struct {
	Name  string
	Value change.Value
}

// Key is the record key of erp.customer: company/number, or number alone. A company contains no slash.
func (c *Customer) Key() string {
	if c.Company == "" {
		return c.Number
	}
	return c.Company + "/" + c.Number
}

// digest identifies an encoded customer without its version, so that an unchanged one is not published again.
type digest = [sha256.Size]byte

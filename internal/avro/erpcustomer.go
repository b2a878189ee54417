package avro

import (
	"errors"
	"fmt"

	"crosswalk/internal/change"
)

// Customer is a record of erp.customer. Of the members that are values, Absent is written as null.
type Customer struct {
	Company    string // empty where the ERP has one company
	Number     string
	Name       change.Value // String, as all without another word
	Identifier change.Value
	Balance    change.Value // Decimal, at most 28 digits before the point and 10 after it
	Currency   change.Value
	Terms      change.Value
	Email      change.Value
	Phone      change.Value
	UpdatedAt  change.Value // Datetime
	// Attributes are the source's other fields, in any order; of two with one name the last counts. Those that are Absent
	// are left out.
	Attributes []Attribute
}

// balanceScale is the scale of the balance in schemas.ERPCustomer.
const balanceScale = 10

// Append appends the customer under schemas.ERPCustomer. A member of another kind, a balance that does not fit and a text that
// is not UTF-8 are errors that name the field and the value; dst is then unchanged.
func (c *Customer) Append(dst []byte) ([]byte, error) {
	out, err := c.append(dst)
	if err != nil {
		return dst, fmt.Errorf("encode customer %s: %w", c.Number, err)
	}
	return out, nil
}

func (c *Customer) append(dst []byte) ([]byte, error) {
	if c.Number == "" {
		return dst, errors.New("it has no number")
	}
	out, err := appendOptional(dst, "company", textOrNull(c.Company), change.String)
	if err != nil {
		return dst, err
	}
	if out, err = appendText(out, c.Number); err != nil {
		return dst, fmt.Errorf("field number: %w", err)
	}
	for _, f := range []struct {
		name  string
		value change.Value
		kind  change.Kind
	}{
		{"name", c.Name, change.String},
		{"identifier", c.Identifier, change.String},
		{"balance", c.Balance, change.Decimal},
		{"currency", c.Currency, change.String},
		{"terms", c.Terms, change.String},
		{"email", c.Email, change.String},
		{"phone", c.Phone, change.String},
		{"updated_at", c.UpdatedAt, change.Datetime},
	} {
		if out, err = appendOptional(out, f.name, f.value, f.kind); err != nil {
			return dst, err
		}
	}
	if out, err = appendObject(out, c.Attributes, 0); err != nil {
		return dst, fmt.Errorf("field attributes: %w", err)
	}
	return out, nil
}

func textOrNull(s string) change.Value {
	if s == "" {
		return change.NullValue()
	}
	return change.StringValue(s)
}

// appendOptional appends a union of null and the kind's type.
func appendOptional(dst []byte, name string, v change.Value, kind change.Kind) ([]byte, error) {
	switch {
	case v.Kind() == change.Absent, v.Kind() == change.Null:
		return append(dst, 0), nil
	case v.Kind() != kind:
		return dst, fmt.Errorf("field %s: the value %.60q is of another type than the field", name, v)
	}
	dst = append(dst, 2)
	var err error
	switch kind {
	case change.Datetime:
		return appendLong(dst, v.Int()), nil
	case change.Decimal:
		if dst, err = appendDecimal(dst, v.Str(), balanceScale); err != nil {
			return dst, fmt.Errorf("field %s: the number %s %w: decimal(%d,%d)", name, v.Str(), err, maxPrecision, balanceScale)
		}
		return dst, nil
	}
	if dst, err = appendText(dst, v.Str()); err != nil {
		return dst, fmt.Errorf("field %s: %w", name, err)
	}
	return dst, nil
}

// Customer decodes a record of erp.customer, by the names of its fields.
func (w *Walker) Customer(body []byte) (Customer, error) {
	rec, err := w.Record(body)
	if err != nil {
		return Customer{}, err
	}
	value := func(name string) change.Value { return find(rec, name).Scalar }
	return Customer{
		Company: find(rec, "company").text(), Number: find(rec, "number").text(), Name: value("name"), Identifier: value("identifier"),
		Balance: value("balance"), Currency: value("currency"), Terms: value("terms"), Email: value("email"), Phone: value("phone"),
		UpdatedAt: value("updated_at"), Attributes: find(rec, "attributes").Object,
	}, nil
}

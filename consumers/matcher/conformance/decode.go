package conformance

import (
	"encoding/binary"
	"errors"
	"math/big"
	"slices"

	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

var errValue = errors.New("the value is not what its schema says")

// decoder reads Avro in the field order of schemas/*.avsc.
type decoder struct {
	b   []byte
	bad bool
}

// decode reads a whole body with fn.
func decode[T any](body []byte, fn func(*decoder) T) (T, error) {
	d := decoder{b: body}
	v := fn(&d)
	if d.bad || len(d.b) > 0 {
		return v, errValue
	}
	return v, nil
}

func (d *decoder) long() int64 {
	n, w := binary.Varint(d.b)
	if w <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[w:]
	return n
}

func (d *decoder) int() int { return int(d.long()) }

func (d *decoder) bytes() []byte {
	n := d.long()
	if n < 0 || n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) text() string { return string(d.bytes()) }

func (d *decoder) bool() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.bad, d.b = true, nil
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func optional[T any](d *decoder, fn func(*decoder) T) *T {
	if d.long() == 0 {
		return nil
	}
	v := fn(d)
	return &v
}

func array[T any](d *decoder, fn func(*decoder) T) []T {
	out := []T{}
	for n := d.long(); n != 0 && !d.bad; n = d.long() {
		for range n {
			if !d.bad {
				out = append(out, fn(d))
			}
		}
	}
	return out
}

// fields reads a map of field values, which must be in order (R25).
func (d *decoder) fields() map[string]any {
	out := map[string]any{}
	var order []string
	for n := d.long(); n != 0 && !d.bad; n = d.long() {
		for range n {
			name := d.text()
			order = append(order, name)
			out[name] = d.value()
		}
	}
	d.bad = d.bad || !slices.IsSorted(order)
	return out
}

func (d *decoder) value() any {
	switch d.long() {
	case 0:
		return nil
	case 1:
		return d.bool()
	case 2:
		return d.long()
	case 3:
		return d.decimal()
	case 4:
		return d.text()
	case 5:
		return d.fields()
	case 6:
		return array(d, (*decoder).value)
	}
	d.bad = true
	return nil
}

func (d *decoder) decimal() customer.Decimal {
	raw := d.bytes()
	n := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	v, err := change.DecimalValue(n.String() + "E-18")
	d.bad = d.bad || err != nil
	return customer.Decimal(v.Str())
}

func (d *decoder) view() customer.View {
	v := customer.View{
		Identifier: d.text(), Link: customer.FieldPair{SalesforceField: d.text(), ERPField: d.text()},
		Customer:   customer.Customer{Key: d.text(), Fields: d.fields()},
		SharedWith: array(d, (*decoder).text), Accounts: array(d, (*decoder).account),
	}
	v.Truncated = optional(d, (*decoder).bool) != nil
	return v
}

func (d *decoder) account() customer.Account {
	return customer.Account{
		ID: d.text(), Fields: d.fields(), Contacts: array(d, (*decoder).contact), ContactsTotal: d.int(),
		Notes: array(d, (*decoder).note), NotesTotal: d.int(),
	}
}

func (d *decoder) contact() customer.Contact {
	return customer.Contact{ID: d.text(), Fields: d.fields()}
}

func (d *decoder) note() customer.Note {
	n := customer.Note{ID: d.text(), LinkedTo: array(d, (*decoder).text), Fields: d.fields()}
	n.TextTruncated = optional(d, (*decoder).bool) != nil
	return n
}

func (d *decoder) ambiguous() customer.Ambiguous {
	return customer.Ambiguous{
		Identifier: d.text(), Reason: customer.Reason(d.text()),
		Accounts: array(d, (*decoder).text), AccountCount: d.int(), ERPCustomers: array(d, (*decoder).text), ERPCustomerCount: d.int(),
	}
}

func (d *decoder) unmatched() customer.Unmatched {
	return customer.Unmatched{
		Side: customer.Side(d.text()), ID: d.text(), Identifier: optional(d, (*decoder).text), Reason: customer.Reason(d.text()),
		Detail:         optional(d, func(d *decoder) customer.Detail { return customer.Detail(d.text()) }),
		SameIdentifier: array(d, (*decoder).text), SameIdentifierTotal: d.int(), NearMisses: array(d, (*decoder).nearMiss),
		NearMissesTruncated: d.bool(), NearMissGroupTooLarge: d.bool(),
	}
}

func (d *decoder) nearMiss() customer.NearMiss {
	return customer.NearMiss{
		ID: d.text(), Identifier: d.text(),
		Classes: array(d, func(d *decoder) customer.Class { return customer.Class(d.text()) }),
	}
}

package customer

import (
	"errors"
	"fmt"
	"strings"
)

// Cardinality says on which side of a match more than one member is allowed (R12).
type Cardinality string

// The cardinalities. Each "many" side may have up to MaxListed members.
const (
	CardinalityOneToOne      Cardinality = "one_to_one"
	CardinalityManyAccounts  Cardinality = "many_accounts"
	CardinalityManyCustomers Cardinality = "many_customers"
	CardinalityManyToMany    Cardinality = "many_to_many"
)

// Link is the one pair of fields that must be equal, byte for byte, on both sides (R5), and how it is used.
type Link struct {
	SalesforceField string      `json:"salesforce_field"` // API name of an Account field, or Id
	ERPField        string      `json:"erp_field"`        // path into the ERP record, dots for nesting
	Cardinality     Cardinality `json:"cardinality"`      // default CardinalityOneToOne
	NearMiss        bool        `json:"near_miss"`        // whether near misses are reported
}

// String is the link as people read it; "none" without one.
func (l *Link) String() string {
	if l == nil {
		return "none"
	}
	near := "with near misses"
	if !l.NearMiss {
		near = "without near misses"
	}
	return fmt.Sprintf("%s = %s (%s, %s)", l.SalesforceField, l.ERPField, l.Cardinality, near)
}

// ManyAccounts reports whether a match may have several Accounts.
func (l Link) ManyAccounts() bool {
	return l.Cardinality == CardinalityManyAccounts || l.Cardinality == CardinalityManyToMany
}

// ManyCustomers reports whether a match may have several ERP customers.
func (l Link) ManyCustomers() bool {
	return l.Cardinality == CardinalityManyCustomers || l.Cardinality == CardinalityManyToMany
}

// Fields returns the pair that a view names.
func (l Link) Fields() FieldPair { return FieldPair{l.SalesforceField, l.ERPField} }

// ERPPath returns the steps of ERPField.
func (l Link) ERPPath() []string { return strings.Split(l.ERPField, ".") }

// Validate reports everything that is wrong with the link, each in a sentence that says what to write instead.
func (l Link) Validate() error {
	var errs []error
	if l.SalesforceField == "" || strings.Contains(l.SalesforceField, ".") {
		errs = append(errs, fmt.Errorf("link: salesforce_field is %q; name one Account field by its API name, or Id", l.SalesforceField))
	}
	for _, step := range l.ERPPath() {
		if step == "" {
			errs = append(errs, fmt.Errorf("link: erp_field is %q; name a field of the ERP record, with dots for nesting", l.ERPField))
			break
		}
	}
	switch l.Cardinality {
	case CardinalityOneToOne, CardinalityManyAccounts, CardinalityManyCustomers, CardinalityManyToMany:
	default:
		errs = append(errs, fmt.Errorf("link: cardinality is %q; write one of %s, %s, %s, %s", l.Cardinality, CardinalityOneToOne, CardinalityManyAccounts, CardinalityManyCustomers, CardinalityManyToMany))
	}
	return errors.Join(errs...)
}

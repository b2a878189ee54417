package rule

import "crosswalk/internal/customer"

// Outcome is what becomes of the records that share an identifier.
type Outcome uint8

// The outcomes of a group (R12).
const (
	Alone     Outcome = iota // one side has no member: each record is unmatched
	Matched                  // a view for each ERP customer
	Ambiguous                // one report for the group
)

// Decide gives a group's outcome from the number of its live Accounts and ERP customers, with the reason when it is
// Ambiguous (R12, R13).
func Decide(accounts, customers int, link customer.Link) (Outcome, customer.Reason) {
	if accounts == 0 || customers == 0 {
		return Alone, ""
	}
	if accounts > customer.MaxListed || customers > customer.MaxListed {
		return Ambiguous, customer.TooManyMembers
	}
	accountsBreak := accounts > 1 && !link.ManyAccounts()
	customersBreak := customers > 1 && !link.ManyCustomers()
	switch {
	case accountsBreak && customersBreak:
		return Ambiguous, customer.ManyBoth
	case accountsBreak:
		return Ambiguous, customer.ManyAccounts
	case customersBreak:
		return Ambiguous, customer.ManyCustomers
	}
	return Matched, ""
}

// ParentKind says what an Id in a note's links names (R19).
type ParentKind uint8

// The kinds of a note's parent.
const (
	OtherParent ParentKind = iota
	AccountParent
	ContactParent
)

// Parent tells Accounts and Contacts apart by the key prefix of their Ids.
func Parent(id string) ParentKind {
	if len(id) < 3 {
		return OtherParent
	}
	switch id[:3] {
	case "001":
		return AccountParent
	case "003":
		return ContactParent
	}
	return OtherParent
}

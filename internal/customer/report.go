package customer

// Bounds of a report.
const (
	MaxListed         = 100  // members of each side of an Ambiguous (R13), and the members a matched side may have (R12)
	MaxSame           = 20   // SameIdentifier of an Unmatched (R30)
	MaxSameTotal      = 100  // SameIdentifierTotal of an Unmatched (R30)
	MaxNearMisses     = 20   // NearMisses of an Unmatched (R24)
	MaxNearMissGroup  = 1000 // live records of one side alike to each other for which near misses are still listed (R24)
	MaxIdentifierSize = 1024 // bytes (R8)
)

// Reason says why a record or a group is not in a view.
type Reason string

// The reasons of an Unmatched: of an Account or ERP customer (R8, R12), of a Contact (R17), of a note (R19).
const (
	NoCounterpart     Reason = "NO_COUNTERPART"
	NoIdentifier      Reason = "NO_IDENTIFIER"
	BlankIdentifier   Reason = "BLANK_IDENTIFIER"
	IdentifierTooLong Reason = "IDENTIFIER_TOO_LONG"
	IdentifierType    Reason = "IDENTIFIER_TYPE"
	NoAccount         Reason = "NO_ACCOUNT"
	AccountMissing    Reason = "ACCOUNT_MISSING"
	NoParent          Reason = "NO_PARENT"
	ParentMissing     Reason = "PARENT_MISSING"
)

// The reasons of an Ambiguous (R13).
const (
	ManyAccounts   Reason = "MANY_ACCOUNTS"
	ManyCustomers  Reason = "MANY_CUSTOMERS"
	ManyBoth       Reason = "MANY_BOTH"
	TooManyMembers Reason = "TOO_MANY_MEMBERS"
)

// Reasons are all of them, those of an Unmatched first.
var Reasons = []Reason{
	NoCounterpart, NoIdentifier, BlankIdentifier, IdentifierTooLong, IdentifierType, NoAccount, AccountMissing, NoParent, ParentMissing,
	ManyAccounts, ManyCustomers, ManyBoth, TooManyMembers,
}

// Detail refines NO_IDENTIFIER; empty for every other reason.
type Detail string

// The details of NO_IDENTIFIER (R8).
const (
	DetailNull        Detail = "NULL"
	DetailFieldAbsent Detail = "FIELD_ABSENT"
)

// Side says what kind of record an Unmatched is about.
type Side string

// The sides of an Unmatched.
const (
	SideAccount Side = "ACCOUNT"
	SideERP     Side = "ERP"
	SideContact Side = "CONTACT"
	SideNote    Side = "NOTE"
)

// Class names one way in which two identifiers are alike (R22).
type Class string

// The classes of a near miss, in the order of the steps that define them.
const (
	ClassUnicode      Class = "UNICODE"
	ClassWhitespace   Class = "WHITESPACE"
	ClassCase         Class = "CASE"
	ClassPunctuation  Class = "PUNCTUATION"
	ClassLeadingZeros Class = "LEADING_ZEROS"
)

// Ambiguous is a group that has members on both sides and more than the cardinality allows on one of them. Its key is Identifier.
type Ambiguous struct {
	Identifier       string   `json:"identifier"`
	Reason           Reason   `json:"reason"`
	Accounts         []string `json:"accounts"` // the first MaxListed Ids, ascending
	AccountCount     int      `json:"accountCount"`
	ERPCustomers     []string `json:"erpCustomers"` // the first MaxListed keys, ascending
	ERPCustomerCount int      `json:"erpCustomerCount"`
}

// Unmatched is one record that is in no view and no ambiguous group. Its key is Key().
type Unmatched struct {
	Side                  Side       `json:"side"`
	ID                    string     `json:"id"`
	Identifier            *string    `json:"identifier"` // nil when the record has none
	Reason                Reason     `json:"reason"`
	Detail                *Detail    `json:"detail"` // nil unless Reason is NO_IDENTIFIER
	SameIdentifier        []string   `json:"sameIdentifier"`
	SameIdentifierTotal   int        `json:"sameIdentifierTotal"`
	NearMisses            []NearMiss `json:"nearMisses"`
	NearMissesTruncated   bool       `json:"nearMissesTruncated"`
	NearMissGroupTooLarge bool       `json:"nearMissGroupTooLarge"`
}

// NearMiss is a record of the other side whose identifier is different but alike (R21).
type NearMiss struct {
	ID         string  `json:"id"`
	Identifier string  `json:"identifier"`
	Classes    []Class `json:"classes"` // in the order of the steps
}

// Key is the record's key in match.unmatched: account/…, erp/…, contact/… or note/….
func (u Unmatched) Key() string { return u.Side.Prefix() + u.ID }

// Other is the side on which an account or ERP customer has its counterpart, and its near misses.
func (s Side) Other() Side {
	if s == SideERP {
		return SideAccount
	}
	return SideERP
}

// Prefix is what stands before a record's own id in the keys of match.unmatched.
func (s Side) Prefix() string {
	switch s {
	case SideAccount:
		return "account/"
	case SideERP:
		return "erp/"
	case SideContact:
		return "contact/"
	default:
		return "note/"
	}
}

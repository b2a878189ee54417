// Package rule holds the decisions of the join as pure functions: which identifier a value gives (R8–R10), when two
// identifiers are alike (R21–R23), and what becomes of a group (R12, R13).
//
// A record's field comes in as a Value, becomes an Identifier or the reason why it has none; the matcher groups records
// by identifier and asks Decide what the group is; for records left alone, Fold and Classes name their near misses.
package rule

import (
	"unicode"

	"crosswalk/internal/change"
	"crosswalk/internal/customer"
)

// Kind says what a field held, as far as identifiers care.
type Kind uint8

// The kinds of a Value.
const (
	Absent Kind = iota // the field, or a step of the path to it, is not in the record
	Null
	Text   // Value.Text holds the string's bytes
	Number // Value.Text holds the number in any plain or exponent notation
	Other  // boolean, array, object, bytes, NaN, infinity
)

// Value is a field's value as the identifier rules see it.
type Value struct {
	Kind Kind
	Text string
}

// Miss says why a record has no identifier. The zero Miss means that it has one.
type Miss struct {
	Reason customer.Reason
	Detail customer.Detail
}

// Identify turns a value into the identifier that is compared byte for byte (R8, R9), or says why there is none.
func Identify(v Value) (string, Miss) {
	id := v.Text
	switch v.Kind {
	case Absent:
		return "", Miss{customer.NoIdentifier, customer.DetailFieldAbsent}
	case Null:
		return "", Miss{customer.NoIdentifier, customer.DetailNull}
	case Text:
		if blank(id) {
			return "", Miss{Reason: customer.BlankIdentifier}
		}
	case Number:
		n, err := change.DecimalValue(id)
		if err != nil {
			return "", Miss{Reason: customer.IdentifierType}
		}
		id = n.Str()
	default:
		return "", Miss{Reason: customer.IdentifierType}
	}
	if len(id) > customer.MaxIdentifierSize {
		return "", Miss{Reason: customer.IdentifierTooLong}
	}
	return id, Miss{}
}

func blank(s string) bool {
	for _, r := range s {
		if !unicode.Is(unicode.White_Space, r) {
			return false
		}
	}
	return true
}

// LongID brings an ERP's string to the 18-character notation of a Salesforce Id when it is exactly 15 characters of
// A–Z, a–z, 0–9, and leaves every other string as it is (R10). It applies only when the Salesforce field is Id.
func LongID(s string) string {
	if len(s) != 15 {
		return s
	}
	var checksum [3]byte
	for group := range checksum {
		bits := 0
		for i := range 5 {
			c := s[group*5+i]
			switch {
			case 'A' <= c && c <= 'Z':
				bits |= 1 << i
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			default:
				return s
			}
		}
		checksum[group] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
	}
	return s + string(checksum[:])
}

package join

import (
	"fmt"
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/change"
)

// Kind says which input topic a record comes from.
type Kind uint8

// The kinds of input records.
const (
	Account Kind = iota + 1
	Contact
	Note
	Customer
)

// Input is one record of an input topic.
type Input struct {
	Kind    Kind
	Key     []byte
	Value   []byte // in the wire format of Confluent, as consumed; nil for a tombstone
	Version change.Version
	Time    int64 // the record's time in milliseconds: a deletion is remembered from then on (R2)
}

// Reader reads Avro bodies written with one schema. An error means that the body is not of that schema.
type Reader interface {
	// Check reads the whole body.
	Check(body []byte) error
	// Value returns the field at the path as the identifier rules see it.
	Value(body []byte, path ...string) (rule.Value, error)
	// True reports whether the field at the path is the boolean true.
	True(body []byte, path ...string) (bool, error)
	// Strings returns the items of an array of strings; nil when the field is absent or null.
	Strings(body []byte, path ...string) ([]string, error)
	// AppendFields appends the record's fields without _change as an Avro map of field values, sorted by name.
	AppendFields(dst, body []byte) ([]byte, error)
	// AppendNote does the same for a note without its id and links, and cuts its text (R29).
	AppendNote(dst, body []byte) (out []byte, cut bool, err error)
}

// Readers finds the Reader of the schema that a framed value names, and the body behind the frame.
type Readers func(value []byte) (r Reader, body []byte, err error)

// facts is what a record's value says as far as the join is concerned.
type facts struct {
	live       bool
	identifier string    // of an Account or ERP customer
	miss       rule.Miss // why it has none
	parent     string    // of a Contact: its AccountId, "" when it has none
	hasParent  bool
	links      []string // of a note
}

// read decodes a value. It is the one place where an input can be refused (R4).
func (e *Engine) read(kind Kind, key, value []byte) (facts, error) {
	if value == nil {
		return facts{}, nil
	}
	r, body, err := e.readers(value)
	if err != nil {
		return facts{}, err
	}
	if err := r.Check(body); err != nil {
		return facts{}, err
	}
	f := facts{live: true}
	switch kind {
	case Account, Customer:
		if kind == Customer && e.deletedPath != nil {
			gone, err := r.True(body, e.deletedPath...)
			if err != nil || gone {
				return facts{}, err
			}
		}
		f.identifier, f.miss, err = e.identify(kind, key, r, body)
	case Contact:
		var v rule.Value
		v, err = r.Value(body, "AccountId")
		f.parent, f.hasParent = v.Text, v.Kind == rule.Text
	case Note:
		f.links, err = r.Strings(body, "links")
	default:
		err = fmt.Errorf("record of unknown kind %d", kind)
	}
	return f, err
}

// identify returns the identifier of an Account or ERP customer under the current link (R8–R10).
func (e *Engine) identify(kind Kind, key []byte, r Reader, body []byte) (string, rule.Miss, error) {
	if e.link == nil {
		return "", rule.Miss{}, nil
	}
	byID := e.link.SalesforceField == "Id"
	if kind == Account && byID {
		return string(key), rule.Miss{}, nil
	}
	path := e.erpPath
	if kind == Account {
		path = e.salesforcePath
	}
	v, err := r.Value(body, path...)
	if err != nil {
		return "", rule.Miss{}, err
	}
	if byID && v.Kind == rule.Text {
		v.Text = rule.LongID(v.Text)
	}
	id, miss := rule.Identify(v)
	return id, miss, nil
}

// misses gives each reason for a missing identifier a number that fits into a record.
var misses = []rule.Miss{
	{},
	{Reason: "NO_IDENTIFIER", Detail: "NULL"},
	{Reason: "NO_IDENTIFIER", Detail: "FIELD_ABSENT"},
	{Reason: "BLANK_IDENTIFIER"},
	{Reason: "IDENTIFIER_TOO_LONG"},
	{Reason: "IDENTIFIER_TYPE"},
}

func missCode(m rule.Miss) uint8 { return uint8(slices.Index(misses, m)) }

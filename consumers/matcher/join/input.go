package join

import (
	"fmt"
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/avro"
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

// Readers finds the Walker of the schema that a framed value names, and the body behind the frame.
type Readers func(value []byte) (w *avro.Walker, body []byte, err error)

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
	w, body, err := e.readers(value)
	if err != nil {
		return facts{}, err
	}
	if err := w.Check(body); err != nil {
		return facts{}, err
	}
	f := facts{live: true}
	switch kind {
	case Account, Customer:
		if kind == Customer && e.deletedPath != nil {
			flag, err := w.Lookup(body, e.deletedPath...)
			if err != nil || flag.True {
				return facts{}, err
			}
		}
		f.identifier, f.miss, err = e.identify(kind, key, w, body)
	case Contact:
		var v avro.Value
		v, err = w.Lookup(body, "AccountId")
		f.parent, f.hasParent = v.Text, v.Kind == avro.Text
	case Note:
		f.links, err = w.Strings(body, "links")
	default:
		err = fmt.Errorf("record of unknown kind %d", kind)
	}
	return f, err
}

// identify returns the identifier of an Account or ERP customer under the current link (R8–R10).
func (e *Engine) identify(kind Kind, key []byte, w *avro.Walker, body []byte) (string, rule.Miss, error) {
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
	found, err := w.Lookup(body, path...)
	if err != nil {
		return "", rule.Miss{}, err
	}
	v := valueOf(found)
	if byID && v.Kind == rule.Text {
		v.Text = rule.LongID(v.Text)
	}
	id, miss := rule.Identify(v)
	return id, miss, nil
}

// valueOf says what was found in the words of the identifier rules.
func valueOf(v avro.Value) rule.Value {
	switch v.Kind {
	case avro.Absent:
		return rule.Value{}
	case avro.Null:
		return rule.Value{Kind: rule.Null}
	case avro.Text:
		return rule.Value{Kind: rule.Text, Text: v.Text}
	case avro.Number:
		return rule.Value{Kind: rule.Number, Text: v.Text}
	}
	return rule.Value{Kind: rule.Other}
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

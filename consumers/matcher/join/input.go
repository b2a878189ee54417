package join

import (
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

// facts is what a record's value says as far as the join is concerned.
type facts struct {
	live       bool
	identifier string    // of an Account or ERP customer
	miss       rule.Miss // why it has none
	parent     string    // of a Contact: its AccountId, "" when it has none
	hasParent  bool
	links      []string // of a note
}

// Reading is what an input's value says, and the form in which it is kept.
type Reading struct {
	facts facts
	kept  []byte
	err   error // why it has to be refused
}

// Read is the first half of Apply: it decodes an input, appending what the Reading needs to room, which it returns. One
// goroutine may read inputs while another calls Ahead and Take, and nothing else, for those that were read before.
func (e *Engine) Read(in Input, room []byte) (Reading, []byte) {
	from := len(room)
	f, room, err := e.read(in, room)
	if err != nil {
		return Reading{err: err}, room[:from]
	}
	return Reading{facts: f, kept: room[from:]}, room
}

// read decodes a value into what it says, and appends the form in which it is kept. It is the one place where an input can
// be refused (R4).
func (e *Engine) read(in Input, room []byte) (f facts, kept []byte, err error) {
	if in.Value == nil {
		return facts{}, room, nil
	}
	from := len(room)
	s, body, err := e.readers(in.Value)
	if err != nil {
		return facts{}, room, err
	}
	if in.Kind == Note {
		if f.links, err = s.Walker.Strings(body, "links"); err != nil {
			return facts{}, room, err
		}
	}
	if room, err = e.keep(room, in.Kind, s, in.Value, body, f.links); err != nil {
		return facts{}, room, err
	}
	if in.Kind == Customer && e.deletedPath != nil {
		if flag, err := s.Walker.Lookup(body, e.deletedPath...); err != nil || flag.True {
			return facts{}, room, err
		}
	}
	f.live = true
	err = e.learn(&f, in.Kind, in.Key, func(path []string) (rule.Value, error) { return e.valueOf(room[from:], path) })
	return f, room, err
}

var accountIDPath = []string{"AccountId"}

// learn finds out where a live record belongs.
func (e *Engine) learn(f *facts, kind Kind, key []byte, lookup func(path []string) (rule.Value, error)) error {
	switch kind {
	case Contact:
		v, err := lookup(accountIDPath)
		f.parent, f.hasParent = v.Text, v.Kind == rule.Text
		return err
	case Account, Customer:
		return e.identify(f, kind, key, lookup)
	}
	return nil
}

// identify finds the identifier of an Account or ERP customer under the current link (R8–R10).
func (e *Engine) identify(f *facts, kind Kind, key []byte, lookup func(path []string) (rule.Value, error)) error {
	if e.link == nil {
		return nil
	}
	byID := e.link.SalesforceField == "Id"
	if kind == Account && byID {
		f.identifier = string(key)
		return nil
	}
	path := e.erpPath
	if kind == Account {
		path = e.salesforcePath
	}
	v, err := lookup(path)
	if err != nil {
		return err
	}
	if byID && v.Kind == rule.Text {
		v.Text = rule.LongID(v.Text)
	}
	f.identifier, f.miss = rule.Identify(v)
	return nil
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

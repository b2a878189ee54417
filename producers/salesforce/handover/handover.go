// Package handover decides how bulk rows, change events and re-fetched rows of one org become one ordered
// history of whole rows: rules H1 to H17 and W3 of Part C. It touches no clock, network, disk or randomness.
//
// The way of a record: an Event, a Row of a snapshot or a Row of a re-fetch goes into the Machine; the Machine
// loads what is stored of the record, applies the rule, and either publishes it (a Publication, and the record
// stored again) or keeps it open in memory until a row or a re-fetch completes it. What the Machine says must
// then happen in this order: publish, wait for the acknowledgements, store the records, store Machine.Position.
// A crash at any point loses only what the stream, read again from Position.Resume, brings back.
package handover

import "crosswalk/internal/change"

// Key names one record: its entity and its 18-character id.
type Key struct {
	Entity, ID string
}

// State says what is known of a record.
type State uint8

// The states of a record.
const (
	Unknown State = iota // neither a row nor a CREATE or UNDELETE has been seen (H9)
	Live
	Deleted
)

// Record is what is stored of a record: its last published state, and how far reads and events are in it.
// Values are by schema index; a slice once given to the Machine or taken from it is never written again.
type Record struct {
	State   State
	Values  []change.Value // nil unless Live, or partly known while the record is open
	Version change.Version // of the last publication; Rev 0 when there was none
	Lineage int64          // the epoch with which the numbering of Pos began (H14)
	Pos     int64          // replay id of the last event applied; 0 when none was in this lineage
	AsOf    int64          // start of the newest read applied, epoch milliseconds (H6)
	Commit  int64          // commit time of the last event applied, epoch milliseconds (H15)
	// Refused says that the version is not in the topic: the broker did not take it for what it is, or, of a live record without
	// Values, what the topic has cannot be read.
	Refused bool
}

// Row is one record as a read saw it.
type Row struct {
	ID     string
	Values []change.Value // by index of the current schema; owned by the Machine from now on
	Gone   bool           // the read says that the record is deleted or does not exist
	// Unreadable says that the record is there and cannot be decoded: the read tells nothing of it.
	Unreadable bool
}

// Records holds the stored records. Load returns the zero Record for one that it does not know. What Store
// is given must become durable only after the publications made with it are acknowledged.
type Records interface {
	Load(Key) (Record, error)
	Store(Key, Record) error
	// Contacts returns the ids of the stored live Contacts whose AccountId is account.
	Contacts(account string) ([]string, error)
}

// Publication is one record for the topic: a whole row, or a tombstone when Values is nil.
type Publication struct {
	Key     Key
	Values  []change.Value
	Headers change.Headers
	Meta    change.Meta
}

// layout is an entity's schema with what the rules need of it at hand.
type layout struct {
	schema    *change.Schema
	readOnly  []bool // fields that events cannot carry (S6)
	isDeleted int    // index of IsDeleted, which is false in every live row; -1 when not read
}

func newLayout(s *change.Schema) *layout {
	l := &layout{schema: s, readOnly: make([]bool, len(s.Fields)), isDeleted: s.Index("IsDeleted")}
	for i, f := range s.Fields {
		l.readOnly[i] = f.ReadOnly
	}
	return l
}

// filled reports whether values is a whole row: nothing is absent (H9, I4). What events cannot carry is null from a CREATE
// until the first read; absent is what the record was published without.
func (l *layout) filled(values []change.Value) bool {
	if len(values) != len(l.readOnly) {
		return false
	}
	for _, v := range values {
		if v.Kind() == change.Absent {
			return false
		}
	}
	return true
}

// writable returns a copy of values that may be written, absent where it has none.
func (l *layout) writable(values []change.Value) []change.Value {
	out := make([]change.Value, len(l.readOnly))
	copy(out, values)
	return out
}

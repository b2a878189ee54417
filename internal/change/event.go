// Package change holds the record in the middle of the pipeline: what Salesforce said, before it is Avro.
//
// A Bulk row becomes a Row; a CDC message becomes an Event; the Salesforce producer merges both into whole
// Rows with a Meta that says which change made them. The package uses the standard library only and decides nothing.
package change

// EventType is the changeType of a CDC event (facts 5.2).
type EventType string

// The change types that Salesforce sends.
const (
	Create      EventType = "CREATE"
	Update      EventType = "UPDATE"
	Delete      EventType = "DELETE"
	Undelete    EventType = "UNDELETE"
	GapCreate   EventType = "GAP_CREATE"
	GapUpdate   EventType = "GAP_UPDATE"
	GapDelete   EventType = "GAP_DELETE"
	GapUndelete EventType = "GAP_UNDELETE"
	GapOverflow EventType = "GAP_OVERFLOW"
)

// Op is what made a published row: the op header and _change.op.
type Op string

// The values of Op.
const (
	OpSnapshot Op = "SNAPSHOT"
	OpCreate   Op = "CREATE"
	OpUpdate   Op = "UPDATE"
	OpDelete   Op = "DELETE"
	OpUndelete Op = "UNDELETE"
	OpRefetch  Op = "REFETCH"
	OpRepair   Op = "REPAIR"
)

// Event is one CDC event, its compound fields flattened to the API names that Bulk uses.
type Event struct {
	Entity          string // Account, Contact
	RecordIDs       []string
	Type            EventType
	ChangedFields   []string // flattened API names; nil when the event did not say
	Fields          map[string]Value
	Diffs           []string // fields that came as a text diff: the record must be read again
	CommitTimestamp int64    // epoch milliseconds
	CommitNumber    int64
	SequenceNumber  int64
	TransactionKey  string
	CommitUser      string
	Origin          string
	ReplayID        int64
}

// Meta is the _change member of a published row.
type Meta struct {
	Op              Op
	ChangedFields   []string
	CommitTimestamp int64 // epoch milliseconds; 0 when a read, not an event, made the row
	CommitNumber    int64
	SequenceNumber  int64
	TransactionKey  string
	CommitUser      string
	Origin          string
	ReplayID        int64
}

// Version orders the records of one key: Epoch first, then Rev (R1).
type Version struct {
	Epoch, Rev int64
}

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool {
	if v.Epoch != w.Epoch {
		return v.Epoch < w.Epoch
	}
	return v.Rev < w.Rev
}

// Headers of a record of salesforce.account and salesforce.contact, tombstones included (C2).
type Headers struct {
	Version
	Pos  int64 // replay id of the last event applied; 0 when none was
	AsOf int64 // epoch milliseconds at which the newest applied read was started; 0 when none was
	Op   Op
}

// Package hole keeps the book of an org's holes: stretches of the change stream of which something may be missing, from the
// moment when one is found until it is proved to be closed. It touches no clock, network or disk.
//
// The way of a hole: a Finding (a gap event, an overflow, a lost position, a record that the broker does not take) is noted and
// opens a Hole, or is added to an open one of the same burst; what is read for it is counted; and it is closed by what
// repairs it. The open ones are stored with the position, so that a process that takes over closes what another found.
package hole

import "slices"

// Reason says what left the hole: the reason of its audit event and the label of its metric.
type Reason string

// The reasons. First, Asked and Fields are no holes: they are kept in the same book because a snapshot ends them, too.
const (
	First            Reason = "first_snapshot"    // there was no position yet
	Asked            Reason = "asked"             // a person asked for a snapshot
	Fields           Reason = "fields"            // a field became readable or has another type (H10)
	GapEvent         Reason = "gap_event"         // GAP_CREATE, GAP_UPDATE, GAP_DELETE, GAP_UNDELETE (H8)
	UnknownEvent     Reason = "unknown_event"     // a change type that nobody knows, or an event that names no record
	UnreadableEvent  Reason = "unreadable_event"  // an event that cannot be decoded
	MissedEvents     Reason = "missed_events"     // the org had changed without an event (H9, H15)
	Overflow         Reason = "overflow"          // GAP_OVERFLOW (H10)
	Wildcard         Reason = "wildcard"          // a record id such as 001* (H10)
	ExpiredPosition  Reason = "expired_position"  // the position is older than the retention (S4)
	DamagedPosition  Reason = "damaged_position"  // the stored position cannot be read
	RefusedReplayID  Reason = "refused_replay_id" // Salesforce does not know the position any more
	Silence          Reason = "silence"           // H16
	UnknownDeletions Reason = "unknown_deletions" // the list of deletions does not reach back far enough (H15)
	RefusedRecord    Reason = "refused_by_broker" // the topic has an older version than the org
	DamagedRecord    Reason = "damaged_record"    // a record of our own topic cannot be read
	UnreadableRow    Reason = "unreadable_row"    // a row of the org cannot be decoded
	Other            Reason = "other"
)

// Repair says what closes a hole.
type Repair string

// The repairs.
const (
	ByID             Repair = "read_by_id"     // every record of it is read, and the position has passed it
	BySnapshot       Repair = "snapshot"       // a snapshot that began after it is published
	ByReconciliation Repair = "reconciliation" // a reconciliation that began after it is done
	ByVersion        Repair = "next_version"   // the broker takes another version of each record
	ByReading        Repair = "read_again"     // each record is read from the org, or is gone there, and the topic says so
)

// MaxIDs is how many record ids of a hole are kept; above it there is only their number.
const MaxIDs = 500

// Hole is one of them. Times are epoch milliseconds of the server's clock.
type Hole struct {
	ID         string // made from what it is about: found twice it has the same
	Entity     string // empty when it is not known
	Reason     Reason
	Repair     Repair
	Why        string // one sentence for people
	Lineage    int64  // of its replay ids (H14)
	OpenedAt   int64
	After      int64    // last replay id before it; 0: unknown
	ReplayID   int64    // of its last event; 0: it did not come as an event
	From, To   int64    // nothing outside of these commit times is missing; 0: unknown
	Findings   int64    // events, as a rule
	Records    int64    // ids that the findings named; 0: unknown
	IDs        []string // the first MaxIDs of them
	More       bool     // there are others
	Left       []string // of those that are to be read again, the ones that are not yet
	Snapshot   int64    // start of the snapshot that covers it; 0: none yet
	Calls      int64    // reads by id that were made for it
	Read       int64    // records that these asked for
	Reconciled bool     // the reconciliation under way covers it

	told    bool
	pending map[string]bool // ids that are not read yet
}

// Kind is the kind of the audit event.
func (h *Hole) Kind() string {
	switch h.Reason {
	case First, Asked:
		return "snapshot"
	case Fields:
		return "schema_change"
	}
	return "hole"
}

// Real reports whether something may be missing from the topics because of it.
func (h *Hole) Real() bool { return h.Kind() == "hole" }

// Finding is one thing that was found.
type Finding struct {
	Entity   string
	Reason   Reason
	Repair   Repair
	Why      string
	IDs      []string
	Lineage  int64
	After    int64 // last replay id before it
	ReplayID int64 // 0 when it is no event
	From, To int64 // commit times
}

// add takes a finding into the hole.
func (h *Hole) add(f Finding) {
	h.Findings++
	h.Records += int64(len(f.IDs))
	h.ReplayID = max(h.ReplayID, f.ReplayID)
	h.To = max(h.To, f.To)
	for _, id := range f.IDs {
		switch {
		case len(h.IDs) == MaxIDs:
			h.More = true
			return
		case !slices.Contains(h.IDs, id):
			h.IDs = append(h.IDs, id)
		}
	}
}

// names reports whether the hole is about all of some ids.
func (h *Hole) names(ids []string) bool {
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(h.IDs, id) })
}

// await remembers which records are to be read.
func (h *Hole) await(ids []string) {
	if h.Repair == ByReading {
		for _, id := range ids {
			if !slices.Contains(h.Left, id) {
				h.Left = append(h.Left, id)
			}
		}
	}
	if h.pending == nil {
		h.pending = map[string]bool{}
	}
	for _, id := range ids {
		h.pending[id] = true
	}
}

package hole

import (
	"strings"

	"crosswalk/internal/change"
)

// emptyID is the record id of an overflow event (facts 2.9).
const emptyID = "000000000000000AAA"

// Of returns what an event of an entity that is followed leaves open; ok is false for one that tells all it has to tell.
func Of(e *change.Event) (f Finding, ok bool) {
	f = Finding{Entity: e.Entity, IDs: e.RecordIDs, ReplayID: e.ReplayID, From: e.CommitTimestamp, To: e.CommitTimestamp}
	wild := wildcard(e.RecordIDs)
	switch {
	case e.Type == change.GapOverflow:
		f.Reason, f.Repair, f.IDs = Overflow, BySnapshot, nil
		f.Why = "a transaction made more changes of " + e.Entity + " than Salesforce sends events for"
	case len(e.RecordIDs) == 0:
		f.Reason, f.Repair = UnknownEvent, ByReconciliation
		f.Why = "an event of type " + string(e.Type) + " names no record of " + e.Entity
	case wild != "":
		f.Reason, f.Repair, f.IDs = Wildcard, BySnapshot, nil
		f.Why = "an event names the records " + wild + " of " + e.Entity + ", as it does when the type of a field changes"
	default:
		switch e.Type {
		case change.Create, change.Update, change.Delete, change.Undelete:
			return Finding{}, false
		case change.GapCreate, change.GapUpdate, change.GapDelete, change.GapUndelete:
			f.Reason, f.Repair = GapEvent, ByID
			f.Why = "Salesforce says that records of " + e.Entity + " changed, and not how"
		default:
			f.Reason, f.Repair = UnknownEvent, ByID
			f.Why = "an event has the type " + string(e.Type) + ", which is not known"
		}
	}
	return f, true
}

// wildcard returns the first id that is no record's.
func wildcard(ids []string) string {
	for _, id := range ids {
		if id == emptyID || strings.Contains(id, "*") {
			return id
		}
	}
	return ""
}

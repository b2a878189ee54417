// Package cdc is the event bus of the simulated org: committed changes become Change Data Capture events and are kept for replay.
//
// A Commit (one transaction, several records) comes from the org in commit order. It is coalesced to one change per
// record, cut by the overflow rule, merged where records changed alike, numbered, rendered once to CDC JSON and
// appended to the Log under a replay id of its own. A subscriber resolves a Channel, turns its replay option into a
// cursor with Position, and then only moves that cursor with Read; what one user may not see is taken out when a
// channel appends the event to a reply. Behaviour and names are those of sections 4.4, 4.6 and 5 of the Salesforce
// facts; where they leave a choice it is a field of Options.
//
// The package imports nothing of this project and shares no code with the client under test.
package cdc

import (
	"time"
)

// The kinds of change, as changeType shows them (facts 5.2).
const (
	Create      = "CREATE"
	Update      = "UPDATE"
	Delete      = "DELETE"
	Undelete    = "UNDELETE"
	GapCreate   = "GAP_CREATE"
	GapUpdate   = "GAP_UPDATE"
	GapDelete   = "GAP_DELETE"
	GapUndelete = "GAP_UNDELETE"
	GapOverflow = "GAP_OVERFLOW"
)

// EmptyID is the record id of an overflow event (facts 2.9).
const EmptyID = "000000000000000AAA"

// Change is what happened to one record.
type Change struct {
	Entity string // object API name: Account, Invoice__c
	ID     string // 18-character record id; "001*" stands for all records after a lossy field type conversion
	Kind   string // Create, Update, Delete, Undelete or one of the Gap kinds
	// Fields maps flat API names (BillingStreet, LastName) to string, json.Number, bool or nil.
	// Create and Undelete: every non-empty field, system fields included. Update: the changed fields, nil = set to null.
	// Delete and gaps: nothing.
	Fields map[string]any
	// Old holds former values of changed fields: text for text diffs (facts 5.3), LastModifiedById to leave an unchanged one out. Optional.
	Old map[string]any
}

// Commit is one transaction. Its events share the transaction key and are numbered from 1.
type Commit struct {
	At             time.Time // commit time; zero means now
	User           string    // 18-character id of the user who committed
	Origin         string    // changeOrigin, as facts 5.2 spells it; may be empty
	TransactionKey string    // GUID-like; empty means made up
	Number         int64     // commitNumber; 0 means the next one
	Changes        []Change
}

// Options says how the org's change events behave. The zero value is ready.
//
// Compound, Type and Formula are called inside Commit, once per field and entity: they must not take a lock that the
// caller of Commit holds. Exists and Current are only called by subscribers.
type Options struct {
	// Compound maps a flat field to its place in a compound one: (Account, BillingStreet) to (BillingAddress, Street).
	// Nil means StandardCompound.
	Compound func(entity, field string) (compound, component string, ok bool)
	// Type returns the describe type of a field (double, datetime, textarea); "" when unknown. Nil means always unknown.
	// Doubles get their fraction and datetimes their Z from it (facts 5.3).
	Type func(entity, field string) string
	// Formula reports whether a field is a formula. Such fields are left out unless Formulas is set. Nil means none is.
	Formula func(entity, field string) bool
	// Exists reports whether an object can have change events (facts 5.7). Nil means every well-formed name.
	Exists func(entity string) bool
	// Current returns the value of a field now, deleted records included; enrichment asks for it while delivering
	// (facts 5.6), never inside Commit. Nil means that nothing is enriched.
	Current func(entity, id, field string) (value any, ok bool)
	// Clock is the time that retention goes by; nil means time.Now.
	Clock func() time.Time

	// Selected lists the entities chosen under Setup > Change Data Capture; nil means all, empty means none.
	Selected []string
	// Retention is how long events can be replayed; 0 means 72 hours (facts 4.4).
	Retention time.Duration
	// MaxBytes bounds the memory of the retained events; the oldest expire early beyond it. 0 means 1 GiB.
	MaxBytes int64
	// Seed makes the replay ids, which are increasing, above 2^31 and not contiguous. They begin where the Clock stands.
	Seed uint64

	// OverflowAfter is the number of changes in one transaction after which GAP_OVERFLOW follows; 0 means 100,000 (facts 5.4).
	OverflowAfter int
	// MaxMerged bounds the record ids of one merged event; 0 means 200, 1 switches merging off.
	MaxMerged int
	// MaxEventBytes is the size above which an event becomes a gap event; 0 means 1 MiB (facts 5.4).
	MaxEventBytes int

	// Formulas sends formula fields too (facts 5.3: the documents disagree).
	Formulas bool
	// OmitChangedFields leaves changedFields out of the header (facts 5.2: one table says that CometD has none).
	OmitChangedFields bool
	// OmitTextDiffs sends long text whole.
	OmitTextDiffs bool
	// OmitNullComponents leaves components that became null out of the payload; changedFields still names them (facts 11.7).
	OmitNullComponents bool
	// Milliseconds keeps the milliseconds of commitTimestamp; by default it has seconds only (facts 5.2).
	Milliseconds bool
}

func (o Options) withDefaults() Options {
	if o.Compound == nil {
		o.Compound = StandardCompound
	}
	if o.Type == nil {
		o.Type = func(string, string) string { return "" }
	}
	if o.Formula == nil {
		o.Formula = func(string, string) bool { return false }
	}
	if o.Exists == nil {
		o.Exists = func(string) bool { return true }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Retention == 0 {
		o.Retention = 72 * time.Hour
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.OverflowAfter == 0 {
		o.OverflowAfter = 100_000
	}
	if o.MaxMerged == 0 {
		o.MaxMerged = 200
	}
	if o.MaxEventBytes == 0 {
		o.MaxEventBytes = 1 << 20
	}
	return o
}

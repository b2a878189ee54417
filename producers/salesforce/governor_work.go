package salesforce

import "slices"

// work is a kind of reading, by how long it can wait when the org's calls become scarce.
type work string

// The kinds, from what waits first to what waits last. workNeeded is what events need and what a start needs: it never
// waits for a share of the calls, only while Salesforce refuses every call. The stream and logins use none of these calls.
const (
	workRefresh  work = "refresh"  // formulas and roll-ups, by a schedule
	workBackfill work = "backfill" // rows that a person asked for again
	workBodies   work = "bodies"   // texts of notes that cost a call each
	workSweep    work = "sweep"    // comparing all ids, to find hard deletes
	workNotes    work = "notes"    // polls for notes
	workSnapshot work = "snapshot" // jobs, pages and sweeps of a snapshot
	workPoll     work = "poll"     // reconciliation, describe, and objects without events
	workNeeded   work = "needed"   // records that events name
)

// kinds are those that can wait, from what waits first to what waits last.
var kinds = []work{workRefresh, workBackfill, workBodies, workSweep, workNotes, workSnapshot, workPoll}

const (
	defaultReserve = 0.2  // of the org's daily calls, for its other apps
	appReserve     = 0.05 // of the calls that the org allows this app alone, for what cannot wait
	shareStep      = 0.05 // by so much of our part one kind waits before the next
	leastKinds     = 2    // so many of the last kinds wait only when all of our part is used
	resumeMargin   = 0.02 // of the limit: so much must be free below the line before work goes on
)

// share is the part of the calls beside the reserve at whose use a kind of work waits. The last kinds keep the topics right
// and have all of it.
func (w work) share() float64 {
	before := len(kinds) - leastKinds - slices.Index(kinds, w)
	return 1 - shareStep*float64(max(0, before))
}

// line is how much of a limit is used when w waits. Work that waits already goes on a little below.
func (w work) line(limit int64, reserve float64, held bool) float64 {
	line := float64(limit) * (1 - reserve) * w.share()
	if held {
		line -= float64(limit) * resumeMargin
	}
	return max(0, line)
}

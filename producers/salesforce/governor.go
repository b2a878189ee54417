package salesforce

import (
	"context"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// work is a kind of reading that can wait when the org's API calls become scarce. What cannot wait has no kind: the
// stream, records that events need read, logging in.
type work string

// The kinds, from what waits first to what waits last.
const (
	workRefresh  work = "refresh"  // formulas and roll-ups, by a schedule
	workBackfill work = "backfill" // rows that a person asked for again
	workSweep    work = "sweep"    // comparing all ids, to find hard deletes
	workNotes    work = "notes"    // polls for notes, and their bodies
	workSnapshot work = "snapshot" // jobs, pages and sweeps of a snapshot
	workPoll     work = "poll"     // reconciliation, describe, and objects without events
)

// works are all kinds, from what waits first to what waits last.
var works = []work{workRefresh, workBackfill, workSweep, workNotes, workSnapshot, workPoll}

// line is the share of our part of the daily calls at which a kind of work waits.
func (w work) line() float64 {
	for i, each := range works {
		if w == each {
			return 1 - 0.05*float64(len(works)-1-i)
		}
	}
	return 0
}

// defaultReserve is the share of the org's daily calls that is left to its other apps.
const defaultReserve = 0.2

// governor holds back what can wait while the org's API calls are scarce.
type governor struct {
	client *sfapi.Client
}

// probeEvery is how often is looked whether calls are free again.
const probeEvery = 5 * time.Minute

// wait returns when there are calls for a kind of work, or ctx's cause when it ends before.
func (g *governor) wait(ctx context.Context, w work) error {
	for {
		u := g.client.Usage()
		if float64(u.Used) < float64(u.Max)*(1-defaultReserve)*w.line() || u.Max == 0 {
			return ctx.Err()
		}
		if err := retry.Sleep(ctx, probeEvery); err != nil {
			return err
		}
		_ = g.client.Probe(ctx) // its reply says how many are used; a failure shows at the work's own call
	}
}

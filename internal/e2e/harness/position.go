package harness

import (
	"fmt"
	"slices"
	"time"

	"crosswalk/internal/avro"
)

// Positions is what crosswalk.position held, record after record.
type Positions struct {
	Records int
	Places  int                      // how often a snapshot's locator moved on
	latest  map[string]avro.Position // by org/source
	passed  map[string]bool          // locators and jobs that were left for a later one
	Faults  []string

	claims []claim // of the stream's position, while no snapshot is open
}

// claim is a position of the stream at the time when it was stored: everything up to it is published (I2).
type claim struct {
	replay int64
	at     time.Time
}

// NewPositions returns an empty history.
func NewPositions() *Positions {
	return &Positions{latest: map[string]avro.Position{}, passed: map[string]bool{}}
}

// Add takes the next position and notes whether it went backwards (H1, H12, H14, H18).
func (p *Positions) Add(next avro.Position, at time.Time) {
	p.Records++
	if next.ReplayID != nil && len(next.Snapshots) == 0 { // with a snapshot open a restart begins where its window does
		p.claims = append(p.claims, claim{*next.ReplayID, at})
	}
	key := next.Org + "/" + next.Source
	old, ok := p.latest[key]
	p.latest[key] = next
	if !ok {
		return
	}
	backwards := func(what string, from, to any) {
		p.Faults = append(p.Faults, fmt.Sprintf("%s: %s went from %v back to %v (record %d)", key, what, from, to, p.Records))
	}
	fell := func(what string, from, to *int64) {
		if from != nil && (to == nil || *to < *from) {
			backwards(what, number(from), number(to))
		}
	}
	if next.Epoch < old.Epoch {
		backwards("epoch", old.Epoch, next.Epoch)
	}
	if next.Epoch == old.Epoch {
		fell("replay id", old.ReplayID, next.ReplayID)
	}
	if old.Poll != nil {
		poll := avro.Poll{}
		if next.Poll != nil {
			poll = *next.Poll
		}
		fell("covered time", old.Poll.CoveredUntil, poll.CoveredUntil)
		fell("covered time of deletions", old.Poll.DeletedCoveredUntil, poll.DeletedCoveredUntil)
	}
	for _, was := range old.Snapshots {
		for _, is := range next.Snapshots {
			if was.Entity == is.Entity {
				p.snapshot(key, was, is, backwards)
			}
		}
	}
}

// Ahead lists effects of events that were published only after a position that stands for them was stored (I2), and counts
// what it looked at.
func (p *Positions) Ahead(histories ...*History) (faults []string, effects int) {
	slices.SortStableFunc(p.claims, func(a, b claim) int { return a.at.Compare(b.at) })
	for i := 1; i < len(p.claims); i++ { // each stands for those before it, too
		p.claims[i].replay = max(p.claims[i].replay, p.claims[i-1].replay)
	}
	for _, h := range histories {
		effects += len(h.effects)
		for _, e := range h.effects {
			n, _ := slices.BinarySearchFunc(p.claims, e.at, func(c claim, at time.Time) int { return c.at.Compare(at) })
			if n > 0 && p.claims[n-1].replay >= e.pos {
				faults = append(faults, fmt.Sprintf("%s shows event %d, %s after position %d was stored", e.what, e.pos, e.at.Sub(p.claims[n-1].at), p.claims[n-1].replay))
			}
		}
	}
	return faults, effects
}

// snapshot compares two states of one entity's snapshot. Locators are opaque: one that was left must not come back.
func (p *Positions) snapshot(key string, was, is avro.Snapshot, backwards func(what string, from, to any)) {
	job, before := text(is.JobID), text(was.JobID)
	mark := func(parts string) string { return key + "/" + is.Entity + "/" + parts }
	if job != before {
		p.passed[mark(before)] = true
		if p.passed[mark(job)] && job != "" {
			backwards("job of "+is.Entity, before, job)
		}
		return
	}
	if is.RowsPublished < was.RowsPublished {
		backwards("rows of "+is.Entity, was.RowsPublished, is.RowsPublished)
	}
	if from, to := text(was.Locator), text(is.Locator); from != to {
		p.Places++
		p.passed[mark(job+"/"+from)] = true
		if p.passed[mark(job+"/"+to)] {
			backwards("locator of "+is.Entity, from, to)
		}
	}
}

func number(n *int64) any {
	if n == nil {
		return "none"
	}
	return *n
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

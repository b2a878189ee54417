package harness

import (
	"fmt"

	"crosswalk/internal/avro"
)

// Positions is what crosswalk.position held, record after record.
type Positions struct {
	Records int
	Places  int                      // how often a snapshot's locator moved on
	latest  map[string]avro.Position // by org/source
	passed  map[string]bool          // locators and jobs that were left for a later one
	Faults  []string
}

// NewPositions returns an empty history.
func NewPositions() *Positions {
	return &Positions{latest: map[string]avro.Position{}, passed: map[string]bool{}}
}

// Add takes the next position and notes whether it went backwards (H1, H12, H14, H18).
func (p *Positions) Add(next avro.Position) {
	p.Records++
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

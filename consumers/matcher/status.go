package matcher

import (
	"context"
	"sync"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// Phase says what a matcher is doing.
type Phase string

// The phases of a matcher.
const (
	Stopped    Phase = "stopped"
	Starting   Phase = "starting"   // the state is loaded, the inputs are read to their ends
	Rebuilding Phase = "rebuilding" // the same, without any state
	Live       Phase = "live"
	Warming    Phase = "warming" // another process owns the task; this one reads what it needs to stand by
	Standby    Phase = "standby" // another process owns the task; this one has the same state
)

// Status is how a matcher is.
type Status struct {
	Org          string         `json:"org"`
	Phase        Phase          `json:"phase"`
	Link         *customer.Link `json:"link"` // nil: none is set, nothing is published (R6)
	Accounts     int            `json:"accounts"`
	Contacts     int            `json:"contacts"`
	Notes        int            `json:"notes"`
	Customers    int            `json:"customers"`
	Matched      int            `json:"matched"`     // ERP customers with a view
	Ambiguous    int            `json:"ambiguous"`   // groups
	Unmatched    Unmatched      `json:"unmatched"`   // records
	NearMisses   int            `json:"near_misses"` // of the unmatched records, those that list near misses
	OnDisk       int            `json:"on_disk"`     // records whose values do not fit into the memory that is allowed
	Lag          int64          `json:"lag"`         // records in the topics that are not consumed yet
	Unconfirmed  int            `json:"unconfirmed"` // of a standby: outputs that the owner has not published as they must be
	DeadLetters  int64          `json:"dead_letters"`
	SalesforceAt time.Time      `json:"salesforce_at"` // of the newest change consumed
	ERPAt        time.Time      `json:"erp_at"`
	Consumed     topic.Position `json:"consumed"`  // inputs that the state in memory reflects
	Published    topic.Position `json:"published"` // inputs whose outputs are all acknowledged
	Committed    topic.Position `json:"committed"` // inputs that the local state reflects
}

// Unmatched counts the reported records by what they are.
type Unmatched struct {
	Accounts  int `json:"accounts"`
	Customers int `json:"customers"`
	Contacts  int `json:"contacts"`
	Notes     int `json:"notes"`
}

func (s *Status) fill(st join.Stats, f freshness, dead int64, link *customer.Link) {
	s.Accounts, s.Contacts, s.Notes, s.Customers = st.Live[join.Account], st.Live[join.Contact], st.Live[join.Note], st.Live[join.Customer]
	s.OnDisk, s.Unconfirmed = st.OnDisk, 0
	s.Matched, s.Ambiguous, s.NearMisses = st.Views, st.Ambiguous, st.NearMisses
	s.Unmatched = Unmatched{st.Unmatched[join.Account], st.Unmatched[join.Customer], st.Unmatched[join.Contact], st.Unmatched[join.Note]}
	s.DeadLetters, s.Link = dead, link
	s.SalesforceAt, s.ERPAt = timeAt(f.Salesforce), timeAt(f.ERP)
}

// timeAt is the zero time when there was nothing yet.
func timeAt(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Covers reports whether the outputs of all inputs up to the given ends are acknowledged.
func (s Status) Covers(ends map[string][]topic.Range) bool {
	return s.Phase == Live && topic.Fetch{Next: s.Published}.CaughtUp(ends)
}

// board shows a status that changes.
type board struct {
	mu     sync.Mutex
	status Status
	change chan struct{} // closed at the next change; nil when nobody waits
}

func newBoard(org string) board {
	return board{status: Status{Org: topic.OrgName(org), Phase: Stopped}}
}

func (b *board) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *board) update(fn func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(&b.status)
	if b.change != nil {
		close(b.change)
		b.change = nil
	}
}

func (b *board) await(ctx context.Context, wanted func(Status) bool) error {
	for {
		b.mu.Lock()
		if wanted(b.status) {
			b.mu.Unlock()
			return nil
		}
		if b.change == nil {
			b.change = make(chan struct{})
		}
		change := b.change
		b.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

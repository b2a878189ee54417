package sfapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/quota"
	"crosswalk/internal/retry"
)

// Quota names what is limited over a rolling 24 hours, as /limits does (facts 2.4).
type Quota string

// The quotas that reading an org lives on.
const (
	QuotaCalls  Quota = "DailyApiRequests"
	QuotaJobs   Quota = "DailyBulkV2QueryJobs"
	QuotaVolume Quota = "DailyBulkV2QueryFileStorageMB"
	QuotaEvents Quota = "DailyDeliveredPlatformEvents"
)

// Quotas are all of them.
var Quotas = []Quota{QuotaCalls, QuotaJobs, QuotaVolume, QuotaEvents}

// Budget is what is known of one org's quotas, from every reply and from /limits. All clients of an org in one process
// share one, so that each knows what the others learn. Make it with NewBudget.
type Budget struct {
	mu      sync.Mutex
	usage   Usage
	windows map[Quota]*quota.Window
	own     map[string]*quota.Rate
	spent   map[Quota]*shortage
	limits  map[string]Limit
	hidden  error // why /limits cannot be read
	probes  retry.Backoff
	changed chan struct{}
}

// shortage is a quota that Salesforce said is used up. It lasts until a call that needs the quota succeeds.
type shortage struct {
	times   int
	until   time.Time // when to ask again
	claimed bool      // a call asks again, and its answer is awaited until then
	err     error
}

// DefaultProbes is how long after a refusal is asked again: a quota frees in the course of a day.
var DefaultProbes = retry.Backoff{First: time.Minute, Max: 15 * time.Minute}

// probeTime is how long one call that asks again keeps the others back while its answer is awaited.
const probeTime = time.Minute

// NewBudget returns a Budget that knows nothing yet. probes says how long after a refusal is asked again.
func NewBudget(probes retry.Backoff) *Budget {
	return &Budget{
		probes:  probes,
		windows: map[Quota]*quota.Window{}, own: map[string]*quota.Rate{}, spent: map[Quota]*shortage{}, changed: make(chan struct{}),
	}
}

// Standing is what a Budget knows at a moment.
type Standing struct {
	Usage   Usage                  // as the last reply said
	Windows map[Quota]quota.Window // of those of which anything is known
	PerHour map[string]float64     // this process's calls by the label of the client that made them
	Refused map[Quota]Refused
	Limits  map[string]Limit // all of /limits, as last read
	Hidden  error            // why /limits cannot be read; nil when it was, or was not asked for yet
}

// Refused is a quota that Salesforce said is used up.
type Refused struct {
	Until time.Time // when a call may ask again
	Err   error
}

// Standing returns what is known now; its maps Limits and Usage.Apps are shared and must not be changed.
func (b *Budget) Standing() Standing {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Standing{
		Usage: b.usage, Windows: make(map[Quota]quota.Window, len(b.windows)), PerHour: make(map[string]float64, len(b.own)),
		Refused: make(map[Quota]Refused, len(b.spent)), Limits: b.limits, Hidden: b.hidden,
	}
	for name, w := range b.windows {
		s.Windows[name] = *w
	}
	for label, r := range b.own {
		s.PerHour[label] = r.PerHour(now)
	}
	for name, short := range b.spent {
		s.Refused[name] = Refused{short.until, short.err}
	}
	return s
}

// Changed returns a channel that is closed when there is news.
func (b *Budget) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Claim reports whether a call may ask a refused quota again: one at a time may, when it is due. A quota that is not refused
// may always be asked.
func (b *Budget) Claim(names []Quota) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		if s := b.spent[name]; s != nil && now.Before(s.until) {
			return false
		}
	}
	for _, name := range names {
		if s := b.spent[name]; s != nil {
			s.until, s.claimed = now.Add(probeTime), true
		}
	}
	return true
}

// Refuses reports whether Salesforce has said that a quota is used up, and no call has shown since that it is not.
func (b *Budget) Refuses(name Quota) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent[name] != nil
}

// news wakes those who wait for it. The caller holds mu.
func (b *Budget) news() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// window returns the account of a quota. The caller holds mu.
func (b *Budget) window(name Quota) *quota.Window {
	if b.windows[name] == nil {
		b.windows[name] = &quota.Window{}
	}
	return b.windows[name]
}

// replied takes what a reply says: one more call of ours, and how many the org has used.
func (b *Budget) replied(label string, h http.Header) (Usage, bool) {
	now := time.Now()
	u, ok := parseUsage(h.Get("Sforce-Limit-Info"))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.own[label] == nil {
		b.own[label] = &quota.Rate{}
	}
	b.own[label].Add(now, 1)
	if ok {
		b.usage = u
		b.window(QuotaCalls).Read(now, int64(u.Used), int64(u.Max))
		b.news()
	}
	return u, ok
}

// settle takes what became of a call: success shows that none of its quotas is used up. Any other error says nothing of them, so that the next
// call may ask at once what this one may have been to ask.
func (b *Budget) settle(uses []Quota, err error) {
	name, spent := quotaOf(err)
	if spent && !slices.Contains(uses, name) {
		name = uses[len(uses)-1] // so that whoever waits for the call's quotas waits for this one
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	had := len(b.spent)
	switch {
	case spent:
		s := b.spent[name]
		if s == nil {
			s = &shortage{}
			b.spent[name] = s
		}
		s.times++
		s.until, s.claimed, s.err = time.Now().Add(b.probes.Wait(s.times)), false, err
	case err == nil:
		for _, name := range uses {
			delete(b.spent, name)
		}
	default:
		for _, name := range uses {
			if s := b.spent[name]; s != nil && s.claimed {
				s.until, s.claimed, spent = time.Now(), false, true
			}
		}
	}
	if spent || len(b.spent) < had {
		b.news()
	}
}

// listed takes what /limits said, or why it could not be read.
func (b *Budget) listed(limits map[string]Limit, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		if NextOf(err) == NextStop {
			b.hidden = err
		}
		return
	}
	b.limits, b.hidden = maps.Clone(limits), nil
	for _, name := range Quotas {
		l := limits[string(name)]
		if l.Max > 0 && (name != QuotaCalls || b.usage.Max == 0) { // the replies know the calls better
			b.window(name).Read(now, l.Max-l.Remaining, l.Max)
		}
		if l.Remaining > 0 {
			delete(b.spent, name)
		}
	}
	b.news()
}

// quotaOf says which quota an answer says is used up.
func quotaOf(err error) (name Quota, spent bool) {
	var answered *Error
	switch {
	case !errors.As(err, &answered) || answered.Next() != NextWait:
		return "", false
	case answered.Code == "REQUEST_LIMIT_EXCEEDED":
		return QuotaCalls, true
	case strings.Contains(answered.Message, "result size"):
		return QuotaVolume, true
	}
	return QuotaJobs, true
}

// Gate holds calls back: it returns when a call that uses these quotas may be made, or with the reason why it will not be (as
// a rule its ctx has ended).
type Gate func(ctx context.Context, uses []Quota) error

// Held returns a client for the same org whose every call passes gate first, retries included, and counts as one of label's.
// A call that is refused because a quota is used up goes back to the gate, so a held client never returns such an error.
func (c *Client) Held(label string, gate Gate) *Client {
	held := *c
	held.label, held.gate = label, gate
	return &held
}

// Budget returns what is known of the org's quotas.
func (c *Client) Budget() *Budget { return c.budget }

// pass waits until the call may be made.
func (c *Client) pass(ctx context.Context, q call) error {
	if c.gate == nil || q.anonymous {
		return nil
	}
	if err := c.gate(ctx, q.quotas()); err != nil {
		return &settled{err}
	}
	return nil
}

package salesforce

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// governor holds back what can wait while the org's quotas are scarce, says so, and lets it go on when the rolling day frees
// some. What each call may do decide says; what is known of the quotas is in the client's Budget, which other clients of
// the org in this process share.
type governor struct {
	budget  *sfapi.Budget
	clients map[work]*sfapi.Client
	reserve float64
	every   time.Duration // between readings of /limits
	log     *slog.Logger
	metrics *budgetMetrics
	tell    func(budgetEvent) // is told when a pause or an alarm begins and ends

	mu     sync.Mutex
	pauses map[work]*pause
	alarm  *pause // the event allocation runs out
}

// budgetEvent is something that an operator may have to prove later.
type budgetEvent struct {
	subject string // the work, or eventsSubject
	since   time.Time
	ended   time.Time // zero when it begins
	message string
}

// pause is a kind of work that waits.
type pause struct {
	work    work
	since   time.Time
	until   time.Time // as far as can be foreseen; zero: not within a day
	reason  string
	waiting int // calls that wait now
}

func (p *pause) event(ended time.Time, message string) budgetEvent {
	return budgetEvent{subject: string(p.work), since: p.since, ended: ended, message: message}
}

func newGovernor(client *sfapi.Client, reserve float64, every time.Duration) *governor {
	g := &governor{
		budget: client.Budget(), clients: map[work]*sfapi.Client{}, reserve: reserve, every: every, pauses: map[work]*pause{},
	}
	for _, w := range append(slices.Clone(kinds), workNeeded) {
		g.clients[w] = client.Held(string(w), func(ctx context.Context, uses []sfapi.Quota) error { return g.admit(ctx, w, uses) })
	}
	return g
}

// api returns the org's client for a kind of work: each of its calls waits until the budget allows it, and it never returns
// that a quota is used up.
func (l *loop) api(w work) *sfapi.Client { return l.governor.clients[w] }

// wait returns when the budget allows a call of this kind of work, or ctx's cause when it ends before. A loop that makes
// its calls through api needs it only where something has to wait before the first call.
func (g *governor) wait(ctx context.Context, w work) error {
	return g.admit(ctx, w, []sfapi.Quota{sfapi.QuotaCalls})
}

// admit waits until decide lets a call go.
func (g *governor) admit(ctx context.Context, w work, uses []sfapi.Quota) error {
	waits := false
	for {
		news := g.budget.Changed()
		v := g.ask(w, uses)
		if !v.hold && g.budget.Claim(uses) {
			g.resume(w, "reading goes on")
			return ctx.Err()
		}
		if v.hold {
			g.hold(w, v, !waits)
			waits = true
		}
		if err := awaitNews(ctx, news, v.until); err != nil {
			if waits {
				g.leave(w)
			}
			return err
		}
	}
}

// may reports whether the budget allows a call of this kind now. Work that can leave what it does undone asks instead of
// waiting.
func (g *governor) may(w work) bool {
	v := g.ask(w, []sfapi.Quota{sfapi.QuotaCalls})
	if v.hold {
		g.hold(w, v, false)
		return false
	}
	g.resume(w, "reading goes on")
	return true
}

func (g *governor) ask(w work, uses []sfapi.Quota) verdict {
	g.mu.Lock()
	held := g.pauses[w] != nil
	g.mu.Unlock()
	s := g.budget.Standing()
	return decide(&s, question{work: w, uses: uses, reserve: g.reserve, held: held}, time.Now())
}

// lookAgain is how long is waited at most before a call is judged again.
const lookAgain = time.Minute

// awaitNews waits for news of the budget, until the moment when work may go on, or a minute.
func awaitNews(ctx context.Context, news <-chan struct{}, until time.Time) error {
	wait := lookAgain
	if left := time.Until(until); !until.IsZero() && left < wait {
		wait = max(left, time.Second)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// hold notes that work waits, and says so when it begins to.
func (g *governor) hold(w work, v verdict, joins bool) {
	g.mu.Lock()
	p, known := g.pauses[w]
	if !known {
		p = &pause{work: w, since: time.Now()}
		g.pauses[w] = p
	}
	p.until, p.reason = v.until, v.reason
	if joins {
		p.waiting++
	}
	began := *p
	g.mu.Unlock()
	if known {
		return
	}
	g.log.Warn("reading pauses", "work", string(w), "reason", v.reason, "until", instant(v.until))
	g.metrics.paused.WithLabelValues(string(w)).Set(1)
	g.metrics.pauses.WithLabelValues(string(w)).Inc()
	g.tell(began.event(time.Time{}, "reading ("+string(w)+") pauses: "+v.reason))
}

// resume ends a pause, if there is one.
func (g *governor) resume(w work, message string) {
	g.mu.Lock()
	p := g.pauses[w]
	delete(g.pauses, w)
	g.mu.Unlock()
	if p == nil {
		return
	}
	g.log.Warn(message, "work", string(w), "paused_for", time.Since(p.since).Round(time.Second))
	g.metrics.paused.WithLabelValues(string(w)).Set(0)
	g.tell(p.event(time.Now(), message+" ("+string(w)+")"))
}

// leave notes that a call waits no more because nobody wants it any longer. With the last one the pause ends.
func (g *governor) leave(w work) {
	g.mu.Lock()
	p := g.pauses[w]
	last := false
	if p != nil {
		p.waiting--
		last = p.waiting <= 0
	}
	g.mu.Unlock()
	if last {
		g.resume(w, "what waited is given up")
	}
}

// run keeps what is known of the quotas fresh until ctx ends: twice as often while something waits, since paused work makes
// no calls whose replies would tell.
func (g *governor) run(ctx context.Context) error {
	hidden := false
	for {
		if err := g.read(ctx); err != nil && ctx.Err() == nil {
			if first := !hidden; first {
				g.log.Warn("the org's limits cannot be read; only the API calls are known, from what every reply says of them", "error", err)
			}
			hidden = true
		} else {
			hidden = false
		}
		g.judgeEvents()
		wait := g.every
		if len(g.paused()) > 0 {
			wait /= 2
		}
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// read reads the limits. While they may not be read and something waits, one cheap call brings the header.
func (g *governor) read(ctx context.Context) error {
	client := g.clients[workNeeded]
	_, err := client.Limits(ctx)
	if err != nil && len(g.paused()) > 0 {
		_ = client.Probe(ctx) // its reply has been read; that it fails says the reader's own call as well
	}
	return err
}

// paused returns the pauses, what waits first before what waits last.
func (g *governor) paused() []pause {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]pause, 0, len(g.pauses))
	for _, p := range slices.Collect(maps.Values(g.pauses)) {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b pause) int {
		return cmp.Compare(slices.Index(kinds, a.work), slices.Index(kinds, b.work))
	})
	return out
}

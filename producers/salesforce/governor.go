package salesforce

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

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
	pauses map[pauseKey]*pause
	past   map[work]time.Duration // how long pauses that are over lasted
	alarm  *pause                 // the event allocation runs out
}

func newGovernor(client *sfapi.Client, reserve float64, every time.Duration) *governor {
	g := &governor{
		budget: client.Budget(), clients: map[work]*sfapi.Client{}, reserve: reserve, every: every, pauses: map[pauseKey]*pause{}, past: map[work]time.Duration{},
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
// its calls through api needs it only where something has to wait before the first call. It leaves it to that call to ask a refused
// quota again: whoever may do so keeps all others back.
func (g *governor) wait(ctx context.Context, w work) error {
	return g.await(ctx, w, []sfapi.Quota{sfapi.QuotaCalls}, func([]sfapi.Quota) bool { return true })
}

// admit waits until decide lets a call go.
func (g *governor) admit(ctx context.Context, w work, uses []sfapi.Quota) error {
	return g.await(ctx, w, uses, g.budget.Claim)
}

// await waits until decide lets a call go, and claim agrees.
func (g *governor) await(ctx context.Context, w work, uses []sfapi.Quota, claim func([]sfapi.Quota) bool) error {
	var in *pauseKey // the pause that the call waits in
	for {
		if ctx.Err() != nil {
			g.leave(in)
			return context.Cause(ctx)
		}
		news := g.budget.Changed()
		v := g.ask(w, uses)
		if !v.hold && claim(uses) {
			g.asks(in)
			g.resume(w, uses)
			return nil
		}
		switch key := (pauseKey{w, v.quota}); {
		case v.hold && in != nil && *in == key:
			g.pause(key, v) // it may take longer than was thought
		case v.hold:
			g.leave(in)
			g.join(key, v)
			in = &key
		}
		if err := awaitNews(ctx, news, v.until); err != nil {
			g.leave(in)
			return err
		}
	}
}

// may reports whether the budget allows a call of this kind now. Work that can leave what it does undone asks instead of
// waiting.
func (g *governor) may(w work) bool {
	uses := []sfapi.Quota{sfapi.QuotaCalls}
	v := g.ask(w, uses)
	if v.hold {
		g.pause(pauseKey{w, v.quota}, v)
		return false
	}
	g.resume(w, uses)
	return true
}

func (g *governor) ask(w work, uses []sfapi.Quota) verdict {
	s := g.budget.Standing()
	return decide(&s, question{work: w, uses: uses, reserve: g.reserve, held: g.held(w, uses)}, time.Now())
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

// run keeps what is known of the quotas fresh until ctx ends: paused work makes no calls whose replies would tell.
func (g *governor) run(ctx context.Context) error {
	hidden := false
	for {
		if err := g.read(ctx); err != nil && ctx.Err() == nil {
			if !hidden {
				g.log.Warn("the org's limits cannot be read; only the API calls are known, from what every reply says of them", "error", err)
			}
			hidden = true
		} else {
			hidden = false
		}
		g.judgeEvents()
		if g.watch(ctx, g.interval(time.Now())) != nil {
			return nil
		}
	}
}

// watch ends the pauses that are over, for so long.
func (g *governor) watch(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	for {
		news := g.budget.Changed()
		g.settle()
		select {
		case <-news:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// interval is how long the next reading can wait: half as long when paused work is expected to go on within the hour. These calls
// come out of what is kept for others, so they are few as long as nothing can follow from them.
func (g *governor) interval(now time.Time) time.Duration {
	for _, p := range g.paused() {
		if p.until.Sub(now) < time.Hour {
			return g.every / 2
		}
	}
	return g.every
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

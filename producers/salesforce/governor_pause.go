package salesforce

import (
	"cmp"
	"slices"
	"time"

	"crosswalk/internal/sfapi"
)

// pauseKey names a pause: the kind of work that waits and the quota for which it does.
type pauseKey struct {
	work  work
	quota sfapi.Quota
}

// pause is a kind of work that waits.
type pause struct {
	pauseKey
	since   time.Time
	until   time.Time // as far as can be foreseen; zero: not within a day
	reason  string
	waiting int       // calls that wait in it
	refused bool      // Salesforce refuses the quota: it ends when that is over, and not before
	left    time.Time // when the last call that waited went to ask again; zero: some wait
}

// budgetEvent is something that an operator may have to prove later.
type budgetEvent struct {
	subject string // the work, or eventsSubject
	quota   sfapi.Quota
	since   time.Time
	ended   time.Time // zero when it begins
	message string
}

func (p *pause) event(ended time.Time, message string) budgetEvent {
	return budgetEvent{string(p.work), p.quota, p.since, ended, message}
}

// held returns for which of the quotas work waits already.
func (g *governor) held(w work, uses []sfapi.Quota) (held []sfapi.Quota) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range uses {
		if g.pauses[pauseKey{w, name}] != nil {
			held = append(held, name)
		}
	}
	return held
}

// join has one more call wait in a pause.
func (g *governor) join(key pauseKey, v verdict) {
	g.pause(key, v)
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.pauses[key]; p != nil {
		p.waiting++
		p.left = time.Time{}
	}
}

// pause notes that work waits, and says so when it begins to.
func (g *governor) pause(key pauseKey, v verdict) {
	g.mu.Lock()
	p, known := g.pauses[key]
	if !known {
		p = &pause{pauseKey: key, since: time.Now()}
		g.pauses[key] = p
	}
	p.until, p.reason, p.refused = v.until, v.reason, v.refused
	began := *p
	g.mu.Unlock()
	if known {
		return
	}
	g.log.Warn("reading pauses", "work", string(key.work), "reason", v.reason, "until", instant(v.until))
	g.metrics.paused.WithLabelValues(string(key.work)).Set(1)
	g.metrics.pauses.WithLabelValues(string(key.work)).Inc()
	g.tell(began.event(time.Time{}, "reading ("+string(key.work)+") pauses: "+v.reason))
}

// resume ends the pauses of work for these quotas: a call that uses them may be made. While Salesforce refuses a quota, that call only asks
// again, and its answer decides.
func (g *governor) resume(w work, uses []sfapi.Quota) {
	for _, name := range uses {
		if !g.budget.Refuses(name) {
			g.end(pauseKey{w, name}, "reading goes on")
		}
	}
}

// asks notes that a call leaves a pause to ask a refused quota again: the pause goes on while nothing else is known.
func (g *governor) asks(in *pauseKey) {
	if in == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.pauses[*in]; p != nil {
		if p.waiting--; p.waiting <= 0 {
			p.left = time.Now()
		}
	}
}

// settle ends the pauses for quotas that were refused and no longer are, and those whose last call has asked again and does not wait any more.
func (g *governor) settle() {
	for _, p := range g.paused() {
		switch {
		case !p.refused:
		case !g.budget.Refuses(p.quota):
			g.end(p.pauseKey, "reading goes on")
		case !p.left.IsZero() && time.Since(p.left) > lookAgain:
			g.end(p.pauseKey, "nothing waits any longer")
		}
	}
}

// end ends a pause, if there is one.
func (g *governor) end(key pauseKey, message string) {
	g.mu.Lock()
	p := g.pauses[key]
	delete(g.pauses, key)
	if p != nil {
		g.past[key.work] += time.Since(p.since)
	}
	others := 0.0
	for other := range g.pauses {
		if other.work == key.work {
			others = 1
		}
	}
	g.mu.Unlock()
	if p == nil {
		return
	}
	g.log.Warn(message, "work", string(key.work), "paused_for", time.Since(p.since).Round(time.Second))
	g.metrics.paused.WithLabelValues(string(key.work)).Set(others)
	g.tell(p.event(time.Now(), message+" ("+string(key.work)+")"))
}

// leave notes that a call waits no more in a pause, since it waits in another or nobody wants it any longer. With the last one
// the pause ends.
func (g *governor) leave(key *pauseKey) {
	if key == nil {
		return
	}
	g.mu.Lock()
	p := g.pauses[*key]
	last := false
	if p != nil {
		p.waiting--
		last = p.waiting <= 0
	}
	g.mu.Unlock()
	if last {
		g.end(*key, "nothing waits any longer")
	}
}

// paused returns the pauses, what waits first before what waits last.
func (g *governor) paused() []pause {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]pause, 0, len(g.pauses))
	for _, p := range g.pauses {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b pause) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.work), slices.Index(kinds, b.work)), cmp.Compare(a.quota, b.quota))
	})
	return out
}

// waited returns for how long these kinds of work have waited so far, all together.
func (g *governor) waited(kinds ...work) (total time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range kinds {
		total += g.past[w]
	}
	for key, p := range g.pauses {
		if slices.Contains(kinds, key.work) {
			total += time.Since(p.since)
		}
	}
	return total
}

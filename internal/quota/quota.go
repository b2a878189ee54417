// Package quota keeps account of what is limited over a rolling 24 hours: API calls, delivered events, Bulk jobs.
//
// Salesforce says only how much of a quota is used at the moment. A Window takes these readings and works out when what is
// used was used, and so when it becomes free again: a reading that is higher than what is remembered, less what has
// become a day old, was used since the reading before it. What was used before the first reading is taken to be spread evenly.
// From that follow the forecasts: when a line will be reached if work goes on, and when the total falls below it if work
// pauses. Everything here is a function of values and of instants that are passed in.
package quota

import "time"

// Span is how long a use counts.
const Span = 24 * time.Hour

// slot is how fine the times are known: as fine as Salesforce's own figures are (facts 2.4).
const slot = 5 * time.Minute

const slots = int(Span / slot)

// Window is one quota as the readings tell it. The zero value has had none. It is a value: copies are independent.
type Window struct {
	max    int64
	began  time.Time // of the first reading
	at     time.Time // of the last reading
	newest int64     // number of the slot that at lies in
	made   [slots]float64
	rate   Rate
}

func slotOf(t time.Time) int64 { return t.UnixNano() / int64(slot) }

func (w *Window) cell(n int64) *float64 { return &w.made[n%int64(slots)] }

// Read takes what was said at now: so much of the limit is used. Readings may come in any order within a slot; one from
// before the last is taken as if it came with it.
func (w *Window) Read(now time.Time, used, limit int64) {
	used, limit = max(0, used), max(0, limit)
	if now.Before(w.at) {
		now = w.at
	}
	n, since := slotOf(now), w.newest
	w.max = limit
	if w.at.IsZero() || n-since >= int64(slots) {
		w.began, w.at, w.newest, w.rate = now, now, n, Rate{}
		for i := range w.made {
			w.made[i] = float64(used) / float64(slots)
		}
		return
	}
	for s := since + 1; s <= n; s++ {
		*w.cell(s) = 0 // what was used a day ago is free
	}
	w.at, w.newest = now, n
	switch fresh := float64(used) - w.total(); {
	case fresh > 0:
		w.spread(max(since, n-int64(slots)+1), n, fresh)
		w.rate.add(now, fresh)
	case fresh < 0:
		w.forget(-fresh)
	}
}

// spread notes uses between two slots, of which no reading tells more.
func (w *Window) spread(from, to int64, uses float64) {
	each := uses / float64(to-from+1)
	for s := from; s <= to; s++ {
		*w.cell(s) += each
	}
}

// forget takes away what became free earlier than was thought: the oldest first.
func (w *Window) forget(uses float64) {
	for s := w.newest - int64(slots) + 1; s <= w.newest && uses > 0; s++ {
		c := w.cell(s)
		gone := min(*c, uses)
		*c -= gone
		uses -= gone
	}
}

func (w *Window) total() float64 {
	sum := 0.0
	for _, uses := range w.made {
		sum += uses
	}
	return sum
}

// Known reports whether there was a reading with a limit.
func (w *Window) Known() bool { return w.max > 0 }

// Max returns the limit of the last reading, in the quota's own unit (calls, jobs, megabytes); 0 before there was one.
func (w *Window) Max() int64 { return w.max }

// Used returns what the last reading said is used of Max, within Span.
func (w *Window) Used() int64 { return int64(w.total() + 0.5) }

// At returns when the last reading was; the zero time before there was one.
func (w *Window) At() time.Time { return w.at }

// PerHour returns how much is used in an hour, by the readings of the last hour; before there are enough of them it is the
// average of the day.
func (w *Window) PerHour(now time.Time) float64 {
	watched := now.Sub(w.began)
	if w.at.IsZero() || watched < slot {
		return w.total() / Span.Hours()
	}
	return w.rate.perHour(now, watched)
}

// Reach returns when line will be reached if perHour are used from now on; false when that is not within a day. A line that
// is reached already is reached now.
func (w *Window) Reach(now time.Time, line, perHour float64) (time.Time, bool) {
	return w.walk(now, perHour, func(used float64) bool { return used >= line })
}

// Fall returns when no more than line will be used if perHour are used from now on; false when that is not within a day.
func (w *Window) Fall(now time.Time, line, perHour float64) (time.Time, bool) {
	return w.walk(now, perHour, func(used float64) bool { return used <= line })
}

// walk goes through the coming day, slot by slot, and returns the first moment at which what will be used then is as wanted.
func (w *Window) walk(now time.Time, perHour float64, wanted func(used float64) bool) (time.Time, bool) {
	if w.at.IsZero() {
		return time.Time{}, false
	}
	used, freed := w.total(), w.newest-int64(slots)
	for at := now; at.Sub(now) <= Span; at = at.Add(slot) {
		for free := slotOf(at) - int64(slots); freed < free && freed < w.newest; {
			freed++
			used -= *w.cell(freed)
		}
		if wanted(used + perHour*at.Sub(now).Hours()) {
			return at, true
		}
	}
	return time.Time{}, false
}

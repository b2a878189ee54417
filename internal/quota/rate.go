package quota

import "time"

// rateSlots cover the last hour and the slot that has just begun.
const rateSlots = int(time.Hour/slot) + 1

// Rate counts what happened in the last hour. The zero value has seen nothing.
type Rate struct {
	began  time.Time
	newest int64
	count  [rateSlots]float64
}

// Add counts n more at now, which must not be before that of an earlier Add.
func (r *Rate) Add(now time.Time, n float64) {
	if r.began.IsZero() {
		r.began = now
	}
	r.add(now, n)
}

func (r *Rate) add(now time.Time, n float64) {
	s := slotOf(now)
	switch {
	case s-r.newest >= int64(rateSlots):
		r.count, r.newest = [rateSlots]float64{}, s
	default:
		for ; r.newest < s; r.newest++ {
			r.count[(r.newest+1)%int64(rateSlots)] = 0
		}
	}
	r.count[s%int64(rateSlots)] += n
}

// PerHour returns how many there are in an hour, by the last one or as much of it as was seen, five minutes at least.
func (r *Rate) PerHour(now time.Time) float64 { return r.perHour(now, now.Sub(r.began)) }

func (r *Rate) perHour(now time.Time, watched time.Duration) float64 {
	oldest := slotOf(now) - int64(rateSlots) + 1
	seen := 0.0
	for s := max(oldest, r.newest-int64(rateSlots)+1); s <= r.newest; s++ {
		seen += r.count[s%int64(rateSlots)]
	}
	covered := now.Sub(time.Unix(0, oldest*int64(slot)))
	return seen / min(max(watched, slot), covered).Hours()
}

package salesforce

import (
	"strconv"
	"time"

	"crosswalk/internal/avro"
)

// Rates are how fast rows were read and published in this org, as far as it was measured. The zero value knows none.
type Rates struct {
	known map[rateKey]Rate
}

// Rate is one measurement.
type Rate struct {
	PerSecond float64
	At        time.Time // when it ended
	Of        string    // what was measured, such as "the backfill 20261122-101500-abcd"
}

// rateKey is what is read, and how.
type rateKey struct {
	object string
	whole  bool // by a snapshot; else by ids, or as notes
}

// leastRows is how many rows a measurement must be made on: of a few the constant cost would be most.
const leastRows = 500

// AddBackfill takes what a backfill took.
func (r *Rates) AddBackfill(b *Backfill) {
	restricted := !b.Since.IsZero() || !b.Until.IsZero() || b.IDs > 0 || b.Where != ""
	for _, p := range b.Parts {
		if p.Phase == PhaseDone {
			_, note := noteObjects[p.Object]
			r.add(rateKey{p.Object, !note && !restricted}, p.Read, p.Seconds, b.EndedAt, "the backfill "+b.ID)
		}
	}
}

// AddAudit takes what a snapshot took, from its event in the audit; other events are passed over.
func (r *Rates) AddAudit(a *avro.Audit) {
	rows, err := strconv.ParseInt(a.Detail["rows"], 10, 64)
	if err != nil || a.Kind != "snapshot" || a.State != "closed" || a.OpenedAt == nil || a.Subject == nil {
		return
	}
	r.add(rateKey{*a.Subject, true}, rows, float64(a.Time-*a.OpenedAt)/1000, time.UnixMilli(a.Time).UTC(), "the snapshot of "+*a.Subject)
}

func (r *Rates) add(key rateKey, rows int64, seconds float64, at time.Time, of string) {
	if rows < leastRows || seconds <= 0 || !at.After(r.known[key].At) {
		return
	}
	if r.known == nil {
		r.known = map[rateKey]Rate{}
	}
	r.known[key] = Rate{float64(rows) / seconds, at, of}
}

// of returns the newest measurement of reading an object, or of reading the other in the same way: rows of Accounts and
// Contacts take about as long. Notes are too different for that.
func (r *Rates) of(object string, whole bool) (Rate, bool) {
	if rate, ok := r.known[rateKey{object, whole}]; ok {
		return rate, true
	}
	var newest Rate
	if _, note := noteObjects[object]; !note {
		for _, other := range entities {
			if rate := r.known[rateKey{other, whole}]; rate.At.After(newest.At) {
				newest = rate
			}
		}
	}
	return newest, !newest.At.IsZero()
}

package salesforce

import (
	"fmt"
	"time"

	"crosswalk/internal/change"
	"crosswalk/producers/salesforce/handover"
)

// feed says how the changes of one entity are learned, and how far it is known that none is missing. It belongs to the
// loop and is stored with the position.
type feed struct {
	Polled bool   // its changes are found by polling: the org sends no events of it
	Why    string // when it is polled, one of the org's reasons
	Since  int64  // when that began, server time in epoch milliseconds
	Deaf   int    // reconciliations in a row that found changes while no event of it came

	// Covered and Gone are the server time up to which every change, and every deletion, is published, as queries and the
	// list of deletions showed; 0 before the first snapshot.
	Covered, Gone int64
	// Stamp and ID are the place, in the order of (SystemModstamp, Id), up to which a poll under way is published; 0 when
	// none is.
	Stamp int64
	ID    string
	// Settled is what a poll under way covers when it is through, server time: as of when it was begun, also when it was
	// interrupted since. A row that was saved before the place and committed after that is behind it, and the next poll's.
	Settled int64

	Swept      int64  // when the last comparison of all ids began that came to its end
	SweepFrom  int64  // when the one under way began; 0: none
	SweepAfter string // id up to which it is done
	Refreshed  int64  // as of when formulas and roll-ups are published

	heard   int64 // commit time of the last event, since the start
	granted int   // subscriptions that were granted when it was to be streamed again; see ending
	ending  bool  // it is to be streamed again: one more poll, begun after that, closes what lies between
}

// reach notes what a snapshot has shown that was begun at asof.
func (f *feed) reach(asof int64) {
	f.Covered, f.Gone = max(f.Covered, asof), max(f.Gone, asof)
	f.Swept, f.Refreshed = max(f.Swept, asof), max(f.Refreshed, asof)
	f.SweepFrom, f.SweepAfter = 0, ""
	f.Stamp, f.ID, f.Settled = 0, "", 0
}

// pass notes the place of a poll that covers what was settled when it was begun: everything up to it is published.
func (f *feed) pass(stamp int64, id string, settled time.Time) {
	if f.Stamp == 0 {
		f.Settled = settled.UnixMilli()
	}
	f.Stamp, f.ID = stamp, id
}

// over notes what a poll or a reconciliation has covered: changes that were saved by settled, deletions by gone.
func (f *feed) over(settled, gone time.Time) {
	covered := settled.UnixMilli()
	if f.Stamp != 0 {
		covered = min(covered, f.Settled)
	}
	f.Covered, f.Gone = max(f.Covered, covered), max(f.Gone, gone.UnixMilli())
	f.Stamp, f.ID, f.Settled = 0, "", 0
}

// feedOverlap is how far a query by SystemModstamp reaches back behind what is covered: longer than any transaction,
// since a row that was saved before is seen when it is committed (facts 7.1).
const feedOverlap = 15 * time.Minute

// clause is the condition and the order of the next query for changed records. A poll that was interrupted goes on
// behind the last row whose record is published.
func (f *feed) clause() string {
	const order = " ORDER BY SystemModstamp, Id"
	if f.Stamp != 0 {
		at := soqlTime(time.UnixMilli(f.Stamp))
		return fmt.Sprintf("WHERE SystemModstamp > %s OR (SystemModstamp = %s AND Id > '%s')", at, at, f.ID) + order
	}
	return "WHERE SystemModstamp >= " + soqlTime(time.UnixMilli(f.Covered).Add(-feedOverlap)) + order
}

// soqlTime writes an instant as a literal of SOQL, cut to the second.
func soqlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// unseen reports whether a poll must read a listed record of an entity without events: nothing but a read can have shown
// it. Its SystemModstamp tells seconds only, so that one that was read within seconds of its last change is read again.
func unseen(rec handover.Record, stored, listed change.Value, deleted bool) bool {
	const slack = 10_000
	switch {
	case deleted:
		return rec.State == handover.Live
	case rec.State != handover.Live, stored != listed:
		return true
	}
	return rec.AsOf < listed.Int()+slack
}

// feedStatus says of each entity how its changes are learned, and shows it as metrics.
func (l *loop) feedStatus() (polled map[string]PolledStatus, sweeps map[string]string, calculated map[string]CalculatedStatus) {
	polled, sweeps, calculated = map[string]PolledStatus{}, map[string]string{}, map[string]CalculatedStatus{}
	now := l.now()
	for name, f := range l.feeds {
		l.cfg.Metrics.polled.WithLabelValues(name).Set(0)
		if f.Polled {
			l.cfg.Metrics.polled.WithLabelValues(name).Set(1)
			polled[name] = PolledStatus{
				Text: pollText(name, l.cfg.PollEvery, f.Why) + "; " + l.advice[name], Why: f.Why, Advice: l.advice[name],
				Since: time.UnixMilli(f.Since).UTC(), Covered: moment(f.Covered),
			}
		}
		sweeps[name] = sweepText(l.cfg.SweepEvery, f)
		if f.Swept > 0 {
			l.cfg.Metrics.sweepAge.WithLabelValues(name).Set(float64(now-f.Swept) / 1000)
		}
		if e := l.entities[name]; len(e.calculated) > 0 {
			calculated[name] = CalculatedStatus{Fields: e.calculated, AsOf: moment(f.Refreshed)}
			if f.Refreshed > 0 {
				l.cfg.Metrics.calculatedAge.WithLabelValues(name).Set(float64(now-f.Refreshed) / 1000)
			}
		}
	}
	return polled, sweeps, calculated
}

// moment is epoch milliseconds as a time; 0 is the zero time.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// sweepText says when all ids were compared last.
func sweepText(every time.Duration, f *feed) string {
	switch {
	case every < 0:
		return "off (sweep_interval is 0): records that are deleted for good without an event stay"
	case f.SweepFrom != 0:
		return "under way since " + soqlTime(moment(f.SweepFrom))
	case f.Swept == 0:
		return "not yet: the snapshot comes first"
	}
	return fmt.Sprintf("every %s, last %s", brief(every), soqlTime(moment(f.Swept)))
}

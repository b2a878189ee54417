package salesforce

import (
	"context"
	"time"

	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// conclusion is what follows from a reconciliation for the channel (H16).
type conclusion uint8

const (
	proven conclusion = iota // nothing was missing: the stream was read to its end
	noted                    // something was missing, and events come
	renew                    // no events come: the subscription may have died
	giveUp                   // it was renewed, and still none come: the position is given up (H10)
)

// judgeSilence is H16: silence while records changed is a subscription that has died. Renewing it comes first, giving the
// position up second. deaf says that no event came of an entity of which changes were found, though others may come:
// what Salesforce withheld for want of a permission is delivered to a new subscription only (facts 5.8).
func judgeSilence(found, silent, deaf, renewed bool) conclusion {
	switch {
	case !found:
		return proven
	case (silent || deaf) && !renewed:
		return renew
	case silent:
		return giveUp
	}
	return noted
}

// judge draws the conclusions of a reconciliation that began at start; before is what had been repaired by then.
func (l *loop) judge(ctx context.Context, names []string, before map[string]int64, start time.Time) error {
	r := &l.reconciler
	found, deaf := false, false
	for _, name := range names {
		f := l.feeds[name]
		repaired := l.m.Found(name, handover.ForRepair) - before[name]
		found = found || repaired > 0
		if repaired > 0 && f.heard == r.heard[name] {
			f.Deaf++
			deaf = true
		}
		if f.Deaf >= deafAfter {
			l.asksSelection.Store(true)
		}
		r.heard[name] = f.heard
	}
	silent := time.Since(l.lastEvent) > l.cfg.SilenceLimit
	renewed := !r.renewed.IsZero() && !l.lastEvent.After(r.renewed) // only an event proves that it helped
	switch judgeSilence(found, silent, deaf, renewed) {
	case proven:
		l.m.ReadTo(start.Add(-l.cfg.SafetyLag).UnixMilli())
	case noted:
	case renew:
		r.renewed = time.Now()
		l.cfg.Logger.Warn("no event came although records changed; the subscription is renewed", "silent_for", time.Since(l.lastEvent))
		r.resubscribe()
	case giveUp:
		r.renewed = time.Time{}
		l.lost(hole.Silence, "silent although records changed, also after the subscription was renewed")
		l.subscribed = false
		l.stream.from.Store(handover.ReplayAll)
		if err := l.storePosition(ctx, true); err != nil {
			return err
		}
		r.resubscribe()
	}
	return nil
}

package salesforce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/retry"
	"crosswalk/producers/salesforce/handover"
)

// keepFresh does on a schedule what no event asks for: comparing all ids, because deleting for good raises none, and
// comparing formulas and roll-ups, because neither an event nor SystemModstamp tells when they change (facts 2.5, 5.3).
func (l *loop) keepFresh(ctx context.Context) error {
	tried := map[string]time.Time{} // when a task failed last
	for {
		if retry.Sleep(ctx, tick) != nil {
			return nil
		}
		for _, name := range entities {
			var sweep, refresh bool
			if err := l.do(ctx, func() error { sweep, refresh = l.dueFresh(name, l.now()); return nil }); err != nil {
				return nil // ctx has ended
			}
			if sweep {
				l.attempt(ctx, tried, "all ids could not be compared", name, l.census)
			}
			if refresh {
				l.attempt(ctx, tried, "formulas could not be compared", name, l.refresh)
			}
		}
	}
}

// freshAgain is how long what failed waits.
const freshAgain = time.Minute

// attempt does a task unless it failed a moment ago. What fails is said and tried again.
func (l *loop) attempt(ctx context.Context, tried map[string]time.Time, what, name string, do func(context.Context, string) error) {
	key := what + name
	if time.Since(tried[key]) < freshAgain {
		return
	}
	if err := do(ctx, name); err != nil && ctx.Err() == nil && !errors.Is(err, errWindow) {
		tried[key] = time.Now()
		l.cfg.Logger.Warn(what+"; it is tried again", "entity", name, "error", err)
	}
}

// dueFresh says which tasks of an entity are due. A snapshot does both, so that they begin after the first one.
func (l *loop) dueFresh(name string, now int64) (sweep, refresh bool) {
	f := l.feeds[name]
	if _, open := l.m.Snapshots()[name]; open {
		return false, false
	}
	sweep = due(l.cfg.SweepEvery, f.Swept, now) || f.SweepFrom != 0 && l.cfg.SweepEvery > 0
	refresh = len(l.entities[name].calculated) > 0 && due(l.cfg.RefreshEvery, f.Refreshed, now)
	return sweep, refresh
}

// due reports whether something that was last begun at last, and never when that is 0, is due when it is to be done every
// so often, and never when that is negative. Times are epoch milliseconds.
func due(every time.Duration, last, now int64) bool {
	return every > 0 && last > 0 && now-last >= every.Milliseconds()
}

// refresh compares the formulas and roll-ups of all records with what is published, and has read what differs.
func (l *loop) refresh(ctx context.Context, name string) error {
	start, err := l.serverTime(ctx)
	if err != nil {
		return err
	}
	var e *entity
	var before int64
	if err := l.do(ctx, func() error {
		e, before = l.entities[name], l.m.Found(name, handover.ForRefresh)
		return nil
	}); err != nil {
		return err
	}
	many, err := l.many(name)
	if err != nil {
		return err
	}
	err = l.survey(ctx, survey{
		listing: listing{entity: name, schema: e.columns(e.calculated...), bulk: many, work: workRefresh}, purpose: handover.ForRefresh,
		differs: func(rec handover.Record, row change.Row) bool { return l.recalculated(name, rec, row) },
	})
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		f := l.feeds[name]
		f.Refreshed, l.due = start.UnixMilli(), true
		found := l.m.Found(name, handover.ForRefresh) - before
		l.cfg.Metrics.refreshed.WithLabelValues(name).Add(float64(found))
		reason := "scheduled"
		l.writeAudit(ctx, avro.Audit{
			ID: fmt.Sprintf("%s/%s/refresh-%d", l.org(), name, f.Refreshed), Kind: auditRefresh, State: "noted", OpenedAt: nullable(f.Refreshed), Subject: &name,
			Reason: &reason, Message: fmt.Sprintf("%s of %s are as of %s: %d records had other values", strings.Join(e.calculated, ", "), name, soqlTime(start), found),
		})
		return nil
	})
}

// recalculated reports whether a formula or roll-up of a live record has another value than what is published. What is
// published without one, or not at all, is not the refresh's business.
func (l *loop) recalculated(name string, rec handover.Record, row change.Row) bool {
	if rec.State != handover.Live {
		return false
	}
	schema := l.entities[name].schema
	for i, f := range row.Schema.Fields {
		at := schema.Index(f.Name)
		if f.Name != "Id" && at >= 0 && at < len(rec.Values) && schema.Fields[at].Type == f.Type && rec.Values[at] != row.Values[i] {
			return true
		}
	}
	return false
}

// many reports whether an entity has so many records that a Bulk job is cheaper than pages.
func (l *loop) many(name string) (bool, error) {
	n := 0
	err := l.scanLive(name, "", "", func(string, handover.Record) error {
		if n++; n > l.cfg.ListJob {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

package salesforce

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// found notes what an event left open. known says that the event was consumed before: then only what is still to be read counts.
func (l *loop) found(f hole.Finding, known bool) {
	f.Lineage = l.m.Lineage()
	switch {
	case f.Repair != hole.ByID && known, f.Repair == hole.ByID && f.ReplayID <= l.stored.ReplayID:
		return // its effects are published, or what covers it is under way
	case f.Repair == hole.ByReconciliation:
		time.AfterFunc(l.cfg.SafetyLag+time.Second, func() { l.reconciler.now.Store(true) }) // before, it would not reach so far
	}
	l.book.Note(f, l.now())
}

// takeEvent applies an event, and notes what it leaves open. why, when not nil, says that it stands for one that cannot be read.
func (l *loop) takeEvent(e *change.Event, why error) error {
	before, consumed, known := l.m.Counts(), l.m.Consumed(), l.m.Known(e.ReplayID)
	if err := l.m.Event(e); err != nil {
		return err
	}
	after := l.m.Counts()
	if after.Skipped > before.Skipped {
		return nil
	}
	l.followWaiting(e)
	f, open := hole.Of(e)
	switch {
	case open && why != nil && f.Repair == hole.ByID:
		f.Reason, f.Why = hole.UnreadableEvent, "an event of "+e.Entity+" cannot be read: its records are read instead"
	case !open && after.Strangers > before.Strangers:
		open, f = true, hole.Finding{
			Entity: e.Entity, Reason: hole.MissedEvents, Repair: hole.ByID, IDs: e.RecordIDs, ReplayID: e.ReplayID, From: e.CommitTimestamp,
			To: e.CommitTimestamp, Why: "an update names a record of " + e.Entity + " that nobody has told of",
		}
	}
	if open {
		f.After = consumed
		l.found(f, known)
	}
	return nil
}

// followWaiting has records read again that holes wait for, since what could not be read may be mended, unless the event deletes them.
func (l *loop) followWaiting(e *change.Event) {
	if l.book.Real() == 0 {
		return
	}
	for _, id := range e.RecordIDs {
		switch {
		case !l.book.Waits(e.Entity, id):
		case e.Type == change.Delete, e.Type == change.GapDelete:
			l.sawAgain(e.Entity, id)
		default:
			l.m.Require(handover.Key{Entity: e.Entity, ID: id})
		}
	}
}

// wantSnapshot has a snapshot of an entity taken because of a hole, or of what is kept as one.
func (l *loop) wantSnapshot(name string, reason hole.Reason, why string) {
	l.m.WantSnapshot(name, why)
	l.book.Note(hole.Finding{Entity: name, Reason: reason, Repair: hole.BySnapshot, Why: why, Lineage: l.m.Lineage()}, l.now())
}

// lost gives the position up (H10, H14). Snapshots of everything follow, and close what was open.
func (l *loop) lost(reason hole.Reason, why string) {
	from, at := l.stored.ReplayID, l.stored.At
	now := l.now()
	l.m.Lost(now, why)
	for _, j := range l.jobs {
		j.drop()
	}
	clear(l.jobs)
	l.book.Lost()
	for _, name := range entities {
		l.book.Note(hole.Finding{
			Entity: name, Reason: reason, Repair: hole.BySnapshot, Why: why, Lineage: l.m.Lineage(), After: from, From: at, To: now,
		}, now)
	}
}

// snapshotOpened has the snapshot of an entity cover what was found before it.
func (l *loop) snapshotOpened(name string) {
	s := l.m.Snapshots()[name]
	if !l.book.SnapshotOpened(name, s.AsOf) {
		reason := hole.Other
		switch {
		case s.Reason == handover.ReasonFirst:
			reason = hole.First
		case handover.Asked(s.Reason):
			reason = hole.Asked
		}
		l.book.Note(hole.Finding{Entity: name, Reason: reason, Repair: hole.BySnapshot, Why: s.Reason, Lineage: l.m.Lineage()}, l.now())
	}
	l.book.SnapshotOpened(name, s.AsOf)
}

// snapshotClosed closes what it covered.
func (l *loop) snapshotClosed(ctx context.Context, name string, done handover.Snapshot, j *job) {
	for _, h := range l.book.SnapshotClosed(name, done.AsOf) {
		l.closed(ctx, h, "snapshot of "+name+" is published", map[string]string{
			"job": j.ID, "rows": strconv.FormatInt(j.Rows, 10), "rows_expected": strconv.FormatInt(j.Expected, 10),
		})
	}
}

// tellHoles writes the audit events of holes that were found. It is done before the position is stored, which may lie behind
// them then.
func (l *loop) tellHoles(ctx context.Context) error {
	opened := l.book.Untold()
	if len(opened) == 0 {
		return nil
	}
	for _, h := range opened {
		l.opened(ctx, h)
	}
	l.due = true
	return l.flush(ctx)
}

// opened writes that a hole was found.
func (l *loop) opened(ctx context.Context, h *hole.Hole) {
	if h.Real() {
		l.cfg.Metrics.holes.WithLabelValues(string(h.Reason)).Inc()
		l.cfg.Logger.Warn("hole in the stream", "entity", h.Entity, "reason", h.Reason, "why", h.Why, "repair", h.Repair,
			"records", h.Records, "after_replay_id", h.After)
	}
	l.audit(ctx, h, "opened", h.Why, nil)
}

// closeHoles closes what the stored position has passed.
func (l *loop) closeHoles(ctx context.Context) {
	for _, h := range l.book.Published(l.stored.Lineage, l.stored.ReplayID) {
		l.closed(ctx, h, "every record of it is read", nil)
	}
	if l.book.Real() > 0 {
		p := l.m.Position()
		l.due = l.due || l.book.Passed(p.Lineage, p.ReplayID)
	}
}

// closed writes that a hole is closed, and what was read for it.
func (l *loop) closed(ctx context.Context, h *hole.Hole, how string, more map[string]string) {
	if h.Untold() { // it was closed sooner than told
		l.opened(ctx, h)
	}
	if h.Real() {
		l.cfg.Logger.Warn("hole closed", "entity", h.Entity, "reason", h.Reason, "calls", h.Calls, "records", h.Read)
	}
	l.audit(ctx, h, "closed", how, more)
	l.due = true
}

// repaired counts differences that no event told, and that a read has repaired: a hole that was found when it was closed.
func (l *loop) repaired(ctx context.Context, n int64, read handover.Read) {
	if n == 0 {
		return
	}
	l.cfg.Metrics.repaired.Add(float64(n))
	l.cfg.Metrics.holes.WithLabelValues(string(hole.MissedEvents)).Inc()
	l.cfg.Logger.Warn("records differed from the org without an event; they are repaired", "entity", read.Entity, "records", n)
	h := hole.Hole{
		ID:     fmt.Sprintf("%s/%s/%s/%d-%d", l.org(), read.Entity, hole.MissedEvents, l.m.Lineage(), read.AsOf),
		Entity: read.Entity, Reason: hole.MissedEvents, Repair: hole.ByID, Findings: 1, Records: n, Calls: 1, Read: int64(len(read.IDs)),
		OpenedAt: l.now(), IDs: read.IDs[:min(len(read.IDs), hole.MaxIDs)], To: read.AsOf,
	}
	l.audit(ctx, &h, "closed", fmt.Sprintf("%d records had changed without an event; they are among those read", n), nil)
}

// audit writes a state of a hole to the audit topic. What it tells of is in the position as well.
func (l *loop) audit(ctx context.Context, h *hole.Hole, state, message string, more map[string]string) {
	reason, subject := string(h.Reason), h.Entity
	event := avro.Audit{
		ID: h.ID, Kind: h.Kind(), State: state, OpenedAt: nullable(h.OpenedAt), Subject: &subject, Reason: &reason, Message: message,
		Detail: map[string]string{"why": h.Why, "repair": string(h.Repair)},
	}
	for key, n := range map[string]int64{"findings": h.Findings, "records": h.Records, "calls": h.Calls, "records_read": h.Read} {
		if n > 0 {
			event.Detail[key] = strconv.FormatInt(n, 10)
		}
	}
	maps.Copy(event.Detail, more)
	if h.Real() {
		event.Bounds = &avro.Bounds{
			FromReplayID: nullable(h.After), ToReplayID: nullable(h.ReplayID), FromTime: nullable(h.From), ToTime: nullable(h.To), IDs: h.IDs,
		}
	}
	l.writeAudit(ctx, event)
}

package salesforce

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// hole is a stretch of the stream of which something may be missing, until the snapshot that covers it is published. It
// is stored with the position, so that the closing event names the same hole after a restart.
type hole struct {
	ID       string
	Reason   string
	OpenedAt int64 // epoch milliseconds
	From     int64 // replay id after which something may be missing; 0: unknown
}

// isHole reports whether a snapshot with this reason closes a hole: the first one of all and those that a person asked for
// do not.
func isHole(reason string) bool { return reason != handover.ReasonFirst && !handover.Asked(reason) }

// openHole notes that an entity's snapshot has begun, and why it was needed.
func (l *loop) openHole(ctx context.Context, name string) {
	s := l.m.Snapshots()[name]
	h := hole{
		ID: fmt.Sprintf("%s/%s/%d-%d", l.org(), name, l.m.Epoch(), s.AsOf), Reason: s.Reason, OpenedAt: l.now(), From: l.stored.ReplayID,
	}
	l.holes[name] = h
	if isHole(s.Reason) {
		l.cfg.Metrics.holes.WithLabelValues(holeReason(s.Reason)).Inc()
		l.cfg.Logger.Warn("hole in the stream: a snapshot closes it", "entity", name, "reason", s.Reason, "after_replay_id", h.From)
	}
	l.audit(ctx, h, name, "opened", "snapshot of "+name+" begins: "+s.Reason, nil)
}

// closeHole notes that it is closed.
func (l *loop) closeHole(ctx context.Context, name string, done handover.Snapshot, j *job) {
	h, ok := l.holes[name]
	delete(l.holes, name)
	if !ok {
		h = hole{ID: fmt.Sprintf("%s/%s/%d-%d", l.org(), name, l.m.Epoch(), done.AsOf), Reason: done.Reason}
	}
	if isHole(h.Reason) {
		l.cfg.Logger.Warn("hole closed", "entity", name, "reason", h.Reason, "rows", j.Rows)
	}
	l.audit(ctx, h, name, "closed", "snapshot of "+name+" is published", map[string]string{
		"job": j.ID, "rows": strconv.FormatInt(j.Rows, 10), "rows_expected": strconv.FormatInt(j.Expected, 10),
	})
}

// holeReason is a reason as a metric's label: one of a few words.
func holeReason(reason string) string {
	for _, r := range []struct{ begins, label string }{
		{"overflow", "overflow"},
		{"wildcard", "wildcard"},
		{"400", "replay_id_refused"},
		{"the position is older", "position_expired"},
		{"silent", "silence"},
	} {
		if len(reason) >= len(r.begins) && reason[:len(r.begins)] == r.begins {
			return r.label
		}
	}
	return "other"
}

// lost gives the position up (H10, H14). Snapshots of everything follow.
func (l *loop) lost(reason string) {
	l.m.Lost(l.now(), reason)
	clear(l.jobs)
	clear(l.holes)
}

// audit writes an event to the audit topic. It does not wait: what it tells of is in the position as well.
func (l *loop) audit(ctx context.Context, h hole, subject, state, message string, more map[string]string) {
	kind, task := "hole", l.Task()
	if !isHole(h.Reason) {
		kind = "snapshot"
	}
	if h.Reason == reasonFields {
		kind = "schema_change"
	}
	event := avro.Audit{
		ID: h.ID, Org: l.org(), Kind: kind, State: state, Time: l.now(), OpenedAt: nullable(h.OpenedAt), Task: &task, Subject: &subject,
		Reason: &h.Reason, Message: message, Detail: map[string]string{"epoch": strconv.FormatInt(l.m.Epoch(), 10)},
	}
	maps.Copy(event.Detail, more)
	if kind == "hole" {
		event.Bounds = &avro.Bounds{FromReplayID: nullable(h.From), FromTime: nullable(h.OpenedAt)}
	}
	value, err := event.Append(avro.Frame(nil, l.fixed.audit))
	if err == nil {
		err = l.writer.Send(ctx, topic.Record{Topic: l.topics.audit, Key: []byte(h.ID), Value: value}, l.auditAcked)
	}
	if err != nil {
		l.cfg.Logger.Error("audit event could not be written", "id", h.ID, "error", err)
	}
}

func (l *loop) auditAcked(r topic.Record, err error) {
	if err != nil {
		l.cfg.Logger.Error("audit event could not be written", "id", string(r.Key), "error", err)
	}
}

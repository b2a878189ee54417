package salesforce

import (
	"context"
	"strconv"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
)

// The kinds of audit events that tell of reads which no event asked for.
const (
	auditPolling = "polling" // an entity is polled because the org sends no events of it
	auditSweep   = "sweep"   // all ids were compared
	auditRefresh = "refresh" // all formulas and roll-ups were compared
)

// writeAudit writes an event to the audit topic, and fills in what all have in common. It does not wait.
func (l *loop) writeAudit(ctx context.Context, event avro.Audit) {
	task := l.Task()
	event.Org, event.Time, event.Task = l.org(), l.now(), &task
	if event.Detail == nil {
		event.Detail = map[string]string{}
	}
	event.Detail["epoch"] = strconv.FormatInt(l.m.Epoch(), 10)
	value, err := event.Append(avro.Frame(nil, l.fixed.audit))
	if err == nil {
		l.unflushed.Store(true)
		err = l.writer.Send(ctx, topic.Record{Topic: l.topics.audit, Key: []byte(event.ID), Value: value}, l.refusals.acked)
	}
	if err != nil {
		l.cfg.Logger.Error("audit event could not be written", "id", event.ID, "error", err)
	}
}

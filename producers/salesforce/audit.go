package salesforce

import (
	"context"
	"strconv"
	"strings"

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
	l.unflushed.Store(true)
	l.sendAudit(ctx, event)
}

// sendAudit writes an event under its id, which begins with the org's name; the record's own id is what follows. What opened it may have been
// told by another clock, the server's, the requester's or a former process's, all known to the second only: nothing ends before it began.
func (l *loop) sendAudit(ctx context.Context, event avro.Audit) {
	if event.OpenedAt != nil {
		event.Time = max(event.Time, *event.OpenedAt)
	}
	key := event.ID
	event.ID = strings.TrimPrefix(key, l.org()+"/")
	value, err := event.Append(avro.Frame(nil, l.fixed.audit))
	if err == nil {
		err = l.writer.Send(ctx, topic.Record{
			Topic: l.topics.audit, Key: []byte(key), Value: value, Headers: l.stamp(1, "audit."+event.State, key),
		}, l.refusals.acked)
	}
	if err != nil {
		l.cfg.Logger.Error("audit event could not be written", "id", key, "error", err)
	}
}

// stamp makes the headers of what is no row: positions, audit events and dead letters.
func (p *Producer) stamp(epoch int64, kind, key string) []topic.Header {
	return p.cfg.Kafka.Stamp(epoch, p.cfg.Org, "salesforce", kind, key)
}

package salesforce

import (
	"context"
	"fmt"
	"strings"

	"crosswalk/internal/retry"
)

// reasonFields is why a snapshot is wanted when a field became readable (H10).
const reasonFields = "a field became readable"

// watchFields describes the entities again from time to time.
func (l *loop) watchFields(ctx context.Context) error {
	for {
		if retry.Sleep(ctx, l.cfg.DescribeEvery) != nil {
			return nil
		}
		for _, name := range entities {
			if l.governor.wait(ctx, workPoll) != nil {
				return nil
			}
			if err := l.describeAgain(ctx, name); err != nil {
				l.cfg.Logger.Warn("fields could not be described", "entity", name, "error", err)
			}
		}
	}
}

// describeAgain takes up what changed in an entity's fields: a compatible schema, an audit event, a snapshot when values
// have to be read. A field that can no longer be read is left out from now on, never set to null (H13).
func (l *loop) describeAgain(ctx context.Context, name string) error {
	next, err := l.describe(ctx, name)
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		before := l.entities[name]
		if before.same(next) {
			return nil
		}
		what, readable := before.compare(next)
		l.entities[name] = next
		l.codecs[next.schemaID] = next.codec
		l.m.SetSchema(next.schema)
		l.linkField()
		if readable {
			l.m.WantSnapshot(name, reasonFields)
		}
		l.due = true
		if what == "" {
			return nil
		}
		l.cfg.Logger.Warn("the fields of the org changed", "entity", name, "changes", what)
		h := hole{ID: fmt.Sprintf("%s/%s/schema-%d-%d", l.org(), name, next.schemaID, l.now()), Reason: reasonFields}
		l.audit(ctx, h, name, "noted", what, nil)
		return nil
	})
}

// fieldsSince wants a snapshot of entities that have columns which the last owner did not have.
func (l *loop) fieldsSince(before map[string][]string) {
	for name, had := range before {
		e := l.entities[name]
		if e == nil || len(had) == 0 {
			continue
		}
		known := map[string]bool{}
		for _, f := range had {
			known[f] = true
		}
		for _, f := range e.schema.Fields {
			if !known[f.Name] {
				l.m.WantSnapshot(name, reasonFields)
				break
			}
		}
	}
}

// linkField has every event of an entity followed by a re-fetch when its link field is one that events cannot carry.
func (l *loop) linkField() {
	refetch := false
	for _, f := range l.entities["Account"].schema.Fields {
		refetch = refetch || f.ReadOnly && strings.EqualFold(f.Name, l.link)
	}
	l.m.RefetchEvents("Account", refetch)
	l.update(func(s *Status) { s.LinkRefetched = refetch })
}

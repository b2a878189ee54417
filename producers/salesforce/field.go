package salesforce

import (
	"context"
	"fmt"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/producers/salesforce/hole"
)

// describeGap is the least time between two looks at the fields of an entity that events ask for.
const describeGap = time.Second

// watchFields describes the entities again from time to time, and at once when an event speaks of a field that is not known.
func (l *loop) watchFields(ctx context.Context) error {
	last := map[string]time.Time{}
	timer := time.NewTimer(l.cfg.DescribeEvery)
	defer timer.Stop()
	for {
		names := entities
		select {
		case <-timer.C:
			timer.Reset(l.cfg.DescribeEvery)
		case name := <-l.describeNow:
			if wait := describeGap - time.Since(last[name]); wait > 0 {
				time.AfterFunc(wait, func() { l.describeSoon(name) })
				continue
			}
			names = []string{name}
		case <-ctx.Done():
			return nil
		}
		for _, name := range names {
			if l.governor.wait(ctx, workPoll) != nil {
				return nil
			}
			last[name] = time.Now()
			l.tryDescribe(ctx, name)
		}
	}
}

// tryDescribe is describeAgain for those who can go on without it.
func (l *loop) tryDescribe(ctx context.Context, name string) {
	if err := l.describeAgain(ctx, name); err != nil && ctx.Err() == nil {
		l.cfg.Logger.Warn("fields could not be described", "entity", name, "error", err)
	}
}

// describeSoon has the fields of an entity looked at. It does not wait.
func (l *loop) describeSoon(name string) {
	select {
	case l.describeNow <- name:
	default: // looks enough are due
	}
}

// naming is what the last event said of its fields, and the columns that it meant.
type naming struct {
	entity *entity
	paths  []string
	flat   []string
}

// changedFields returns the columns that an event means with paths; nil when it names none. It has the entity described when
// the event shows that its fields changed: the id of the event's schema is another one, or it names a field that
// describe did not tell of. A field that stays unknown is asked for once.
func (l *loop) changedFields(e *entity, schema string, paths []string) []string {
	if before := e.seen.schema; schema != before {
		if e.seen.schema = schema; before != "" {
			l.describeSoon(e.name)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	if last := &l.named; last.entity == e && len(last.paths) == len(paths) && &last.paths[0] == &paths[0] {
		return last.flat // the reader shares the list among events that say the same
	}
	l.named = naming{entity: e, paths: paths}
	for _, path := range paths {
		name, _, _ := strings.Cut(path, ".")
		if !e.described[name] && !e.seen.fields[name] {
			e.seen.fields[name] = true
			l.describeSoon(e.name)
		}
		l.named.flat = append(l.named.flat, e.decoder.Flats(path)...)
	}
	return l.named.flat
}

// describeAgain takes up what changed in an entity's fields: a compatible schema, an audit event, a snapshot when values
// have to be read. A field that can no longer be read is left out from now on, never set to null (H13).
func (l *loop) describeAgain(ctx context.Context, name string) error {
	link := ""
	if err := l.do(ctx, func() error { link = l.link; return nil }); err != nil {
		return err
	}
	next, err := l.describe(ctx, name, link)
	if err != nil {
		return err
	}
	return l.do(ctx, func() error {
		before := l.entities[name]
		next.seen = before.seen
		l.tellStrangers(next)
		if before.same(next) {
			return nil
		}
		if err := l.settle(ctx); err != nil { // the records in hand have the columns before
			return err
		}
		l.entities[name] = next
		l.codecs[next.schemaID] = next.codec
		l.m.SetSchema(next.schema)
		l.linkField()
		l.columnsChanged(ctx, name, compareColumns(before.schema.Fields, next.schema.Fields, next.refused))
		l.due = true
		return nil
	})
}

// tellStrangers warns of each configured field that describe does not tell of, once.
func (l *loop) tellStrangers(e *entity) {
	for _, text := range e.strangers {
		if !e.seen.told[text] {
			e.seen.told[text] = true
			l.cfg.Logger.Warn("a configured field is not there: correct its name, or let the user read it", "entity", e.name, "reason", text)
		}
	}
}

// columnsChanged says what changed, and has a snapshot taken when values have to be read. One that is being read does not
// have them: it begins anew.
func (l *loop) columnsChanged(ctx context.Context, name string, changes []columnChange) {
	if len(changes) == 0 {
		return
	}
	link := ""
	if name == "Account" {
		link = l.link
	}
	what := words(name, changes, link)
	l.cfg.Logger.Warn("the fields of the org changed", "entity", name, "changes", what)
	for _, c := range changes {
		l.cfg.Metrics.columns.WithLabelValues(name, string(c.Kind)).Inc()
	}
	if !mustRead(changes) {
		h := hole.Hole{
			ID: fmt.Sprintf("%s/%s/%s/%d-%d", l.org(), name, hole.Fields, l.m.Lineage(), l.now()), Entity: name, Reason: hole.Fields, Why: what,
		}
		l.audit(ctx, &h, "noted", what, l.columnDetail(name, changes))
		return
	}
	if j := l.jobs[name]; j != nil {
		l.m.AbandonSnapshot(name, what)
		j.drop()
		delete(l.jobs, name)
	}
	l.wantSnapshot(name, hole.Fields, what)
}

// columnDetail lists the fields by what became of them.
func (l *loop) columnDetail(name string, changes []columnChange) map[string]string {
	detail := map[string]string{"schema_id": fmt.Sprint(l.entities[name].schemaID)}
	for _, c := range changes {
		if detail[string(c.Kind)] != "" {
			detail[string(c.Kind)] += ", "
		}
		detail[string(c.Kind)] += c.Field
	}
	return detail
}

// columnsSince takes up what changed in the columns since the last owner stored its position.
func (l *loop) columnsSince(ctx context.Context, had map[string][]change.Field) {
	for _, name := range entities {
		fields, stored := had[name]
		switch {
		case stored && fields == nil:
			l.wantSnapshot(name, hole.Fields, "the columns that the last owner published cannot be told: their schema is not in the registry any more")
		case len(fields) > 0:
			l.columnsChanged(ctx, name, compareColumns(fields, l.entities[name].schema.Fields, l.entities[name].refused))
		}
	}
}

// columnsOf returns the columns that a former owner published: those of the schema that it wrote under, nil when it cannot be read.
func (l *loop) columnsOf(ctx context.Context, schemas map[string]int) (map[string][]change.Field, error) {
	had := map[string][]change.Field{}
	for name, id := range schemas {
		text, err := l.registered(ctx, id)
		if isDamage(err) {
			had[name] = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		if s, err := avro.ParseRowSchema(text); err != nil {
			had[name] = nil // it is no schema of rows
		} else {
			had[name] = s.Fields
		}
	}
	return had, nil
}

// linkField has every event of an entity followed by a re-fetch when its link field is one that events cannot carry, and the
// fields looked at again when it is none of those that are read.
func (l *loop) linkField() {
	refetch, read := false, l.link == ""
	for _, f := range l.entities["Account"].schema.Fields {
		same := strings.EqualFold(f.Name, l.link)
		refetch, read = refetch || f.ReadOnly && same, read || same
	}
	if !read {
		l.describeSoon("Account")
	}
	l.m.RefetchEvents("Account", refetch)
	unreadable := ""
	if !read {
		unreadable = l.link + " of Account links accounts to customers and cannot be read: " + linkAdvice
	}
	l.update(func(s *Status) { s.LinkRefetched, s.LinkUnreadable = refetch, unreadable })
}

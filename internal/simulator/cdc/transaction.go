package cdc

import (
	"strings"
	"time"
)

// pending is one event of a transaction before it is rendered.
type pending struct {
	Change
	ids      []string
	sequence int
	silent   bool // the entity is not selected: the event takes its number and is not sent
}

// transaction turns the changes of one commit into its events: one per record (coalesce), cut after OverflowAfter
// changes, alike neighbours merged, numbered from 1. Facts 5.4.
func (l *Log) transaction(c Commit, selected func(entity string) bool) []pending {
	changes := coalesce(c.Changes)
	out := make([]pending, 0, min(len(changes), 1024))
	var overflowed []string
	total := 0
	for _, ch := range changes {
		if ch.Kind == Update && !l.visible(ch) {
			continue
		}
		total += weight(ch)
		if total > l.opt.OverflowAfter {
			overflowed = appendNew(overflowed, ch.Entity)
			continue
		}
		if ch.Kind == GapOverflow {
			ch.ID = EmptyID
		}
		if n := len(out); n > 0 && len(out[n-1].ids) < l.opt.MaxMerged && mergeable(out[n-1].Change, ch) {
			out[n-1].ids = append(out[n-1].ids, ch.ID)
			continue
		}
		out = append(out, pending{Change: ch, ids: []string{ch.ID}})
	}
	for _, entity := range overflowed {
		out = append(out, pending{Change: Change{Entity: entity, ID: EmptyID, Kind: GapOverflow}, ids: []string{EmptyID}})
	}
	for i := range out {
		out[i].sequence = i + 1
		out[i].silent = !selected(out[i].Entity)
		l.stamp(&out[i].Change, c.At)
	}
	return out
}

// weight is what a change counts towards the overflow: an update counts once per changed field.
func weight(ch Change) int {
	if ch.Kind == Update {
		return max(1, len(ch.Fields))
	}
	return 1
}

// visible reports whether an update changes anything that events show. One that changes nothing at all is a save
// without changes, which moves LastModifiedDate.
func (l *Log) visible(ch Change) bool {
	if len(ch.Fields) == 0 {
		return true
	}
	p := l.plan(ch.Entity)
	for name := range ch.Fields {
		if !l.field(p, name).unsent {
			return true
		}
	}
	return false
}

// stamp holds the rules of the audit fields of an update: LastModifiedDate always, LastModifiedById only when it differs.
func (l *Log) stamp(ch *Change, at time.Time) {
	if ch.Kind != Update || strings.HasSuffix(ch.ID, "*") {
		return
	}
	_, dated := ch.Fields["LastModifiedDate"]
	by, named := ch.Fields["LastModifiedById"]
	same := named && ch.Old["LastModifiedById"] == by
	if dated && !same {
		return
	}
	fields := make(map[string]any, len(ch.Fields)+1)
	for name, v := range ch.Fields {
		fields[name] = v
	}
	if same {
		delete(fields, "LastModifiedById")
	}
	if !dated {
		fields["LastModifiedDate"] = at.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
	}
	ch.Fields = fields
}

// coalesce keeps one change per record: the first kind, the last data (facts 5.4). A record that was created and
// deleted in the same transaction leaves nothing.
func coalesce(changes []Change) []Change {
	if len(changes) < 2 {
		return changes
	}
	at := make(map[string]int, len(changes))
	out := make([]Change, 0, len(changes))
	gone := false
	for _, ch := range changes {
		if strings.HasPrefix(ch.Kind, "GAP_") || ch.ID == "" {
			out = append(out, ch)
			continue
		}
		i, again := at[ch.ID]
		if !again {
			at[ch.ID] = len(out)
			out = append(out, ch)
			continue
		}
		merged, keep := join(out[i], ch)
		if !keep {
			delete(at, ch.ID)
			merged, gone = Change{}, true
		}
		out[i] = merged
	}
	if !gone {
		return out
	}
	kept := out[:0]
	for _, ch := range out {
		if ch.Entity != "" {
			kept = append(kept, ch)
		}
	}
	return kept
}

// join makes one change of two of the same record.
func join(a, b Change) (_ Change, keep bool) {
	switch {
	case b.Kind == Delete && a.Kind == Create:
		return Change{}, false
	case b.Kind == Delete:
		return b, true
	case b.Kind == Undelete && a.Kind == Delete:
		return b, true
	}
	fields := make(map[string]any, len(a.Fields)+len(b.Fields))
	for name, v := range a.Fields {
		fields[name] = v
	}
	for name, v := range b.Fields {
		if v == nil && a.Kind != Update {
			delete(fields, name)
			continue
		}
		fields[name] = v
	}
	old := make(map[string]any, len(a.Old)+len(b.Old))
	for name, v := range b.Old {
		old[name] = v
	}
	for name, v := range a.Old {
		old[name] = v
	}
	a.Fields, a.Old = fields, old
	return a, true
}

// mergeable reports whether two neighbouring changes of a transaction become one event with both record ids:
// the same deletion or gap, or an update of the same fields to the same values.
func mergeable(a, b Change) bool {
	if a.Entity != b.Entity || a.Kind != b.Kind || a.Kind == Create || a.Kind == Undelete || a.Kind == GapOverflow ||
		len(a.Fields) != len(b.Fields) {
		return false
	}
	for name, v := range a.Fields {
		w, ok := b.Fields[name]
		if !ok || !sameValue(v, w) {
			return false
		}
		// A text diff describes one record's change.
		if s, isText := v.(string); isText && len(s) >= diffMinimum && (a.Old[name] != nil || b.Old[name] != nil) {
			return false
		}
	}
	return true
}

func sameValue(v, w any) bool {
	switch v.(type) {
	case nil, string, bool:
		return v == w
	}
	return string(appendValue(nil, v, "")) == string(appendValue(nil, w, ""))
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

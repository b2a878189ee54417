package salesforce

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
)

// readAll reads every note of an object, and deletes what is published and no longer there.
func (n *notes) readAll(ctx context.Context, o noteObject, now time.Time) (*avro.Poll, error) {
	seen := map[string]bool{}
	if err := n.query(ctx, o, o.soql(""), change.OpSnapshot, seen); err != nil {
		return nil, err
	}
	if err := n.book.deleteMissing(ctx, n, o.name, seen); err != nil {
		return nil, err
	}
	n.fullAt[o.name] = time.Now()
	at := now.UnixMilli()
	return &avro.Poll{CoveredUntil: &at, DeletedCoveredUntil: &at}, nil
}

// readListed reads what was changed and deleted since the cursor. A query sees it at once, the recycle bin included;
// Salesforce's own lists, which know whole minutes only, add what the query cannot see (what was purged) and say how
// far everything is covered.
func (n *notes) readListed(ctx context.Context, o noteObject, cursor *avro.Poll, now time.Time) (*avro.Poll, error) {
	from := time.UnixMilli(*cursor.CoveredUntil).Add(-noteOverlap)
	seen := map[string]bool{}
	if err := n.query(ctx, o, o.soql(since(from)), change.OpUpdate, seen); err != nil {
		return nil, err
	}
	updated, err := n.api(workNotes).Updated(ctx, o.name, from, now)
	if err != nil {
		return n.readAllInstead(ctx, o, now, err)
	}
	unseen := slices.DeleteFunc(updated.IDs, func(id string) bool { return seen[id] })
	err = n.api(workNotes).Retrieve(ctx, o.name, o.fields, unseen, func(id string, record json.RawMessage) error {
		if record == nil {
			return n.book.remove(ctx, n, id)
		}
		return n.take(ctx, o, record, change.OpUpdate)
	})
	if err != nil {
		return nil, err
	}
	deleted, err := deletedBetween(time.UnixMilli(*cursor.DeletedCoveredUntil).Add(-noteOverlap), now, func(from, to time.Time) (sfapi.Deleted, error) {
		return n.api(workNotes).Deleted(ctx, o.name, from, to)
	})
	if err != nil {
		return n.readAllInstead(ctx, o, now, err)
	}
	for _, d := range deleted.Records {
		if err := n.removeDeleted(ctx, o, d); err != nil {
			return nil, err
		}
	}
	// Salesforce states whole minutes; what a full read covered may lie behind that, and a position never goes back.
	covered := max(updated.Covered.UnixMilli(), *cursor.CoveredUntil)
	deletedCovered := max(deleted.Covered.UnixMilli(), *cursor.DeletedCoveredUntil)
	return &avro.Poll{CoveredUntil: &covered, DeletedCoveredUntil: &deletedCovered}, nil
}

// readAllInstead reads every note when Salesforce does not list what became of them since the cursor: the list does not reach so far, or
// would be too long. Any other reason it returns.
func (n *notes) readAllInstead(ctx context.Context, o noteObject, now time.Time, why error) (*avro.Poll, error) {
	if next := nextOf(why); next != sfapi.NextFullRead && next != sfapi.NextNarrow {
		return nil, why
	}
	n.cfg.Logger.Warn("changed or deleted notes cannot be listed; all of them are compared", "object", o.name, "error", why)
	return n.readAll(ctx, o, now)
}

// removeDeleted deletes a note unless it was undeleted since, as a change after its deletion shows.
func (n *notes) removeDeleted(ctx context.Context, o noteObject, d sfapi.Deletion) error {
	if modified, ok, err := n.book.modified(d.ID); err != nil || !ok || modified > d.At.UnixMilli() {
		return err
	}
	gone := true
	err := n.api(workNotes).Retrieve(ctx, o.name, []string{"Id"}, []string{d.ID}, func(_ string, record json.RawMessage) error {
		gone = record == nil
		return nil
	})
	if err != nil || !gone {
		return err
	}
	return n.book.remove(ctx, n, d.ID)
}

// readModified reads a window by SystemModstamp; deletions come from comparing all ids, now and then.
func (n *notes) readModified(ctx context.Context, o noteObject, cursor *avro.Poll, now time.Time) (*avro.Poll, error) {
	if time.Since(n.fullAt[o.name]) > n.cfg.Notes.CompareEvery {
		return n.readAll(ctx, o, now)
	}
	from := time.UnixMilli(*cursor.CoveredUntil).Add(-noteOverlap)
	if err := n.query(ctx, o, o.soql(since(from)), change.OpUpdate, nil); err != nil {
		return nil, err
	}
	at := max(now.Add(-n.cfg.SafetyLag).UnixMilli(), *cursor.CoveredUntil)
	return &avro.Poll{CoveredUntil: &at, DeletedCoveredUntil: cursor.DeletedCoveredUntil}, nil
}

// since is the condition for what was saved from an instant on.
func since(from time.Time) string {
	return " WHERE SystemModstamp >= " + from.UTC().Format("2006-01-02T15:04:05Z")
}

package salesforce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// damage says why a record of our own topics cannot be used. A registry that does not answer is no damage.
type damage struct {
	why         error
	unversioned bool // its headers do not tell which version it is
}

func (d *damage) Error() string { return d.why.Error() }
func (d *damage) Unwrap() error { return d.why }

func damaged(format string, args ...any) error { return &damage{why: fmt.Errorf(format, args...)} }

func isDamage(err error) bool {
	var d *damage
	return errors.As(err, &d)
}

// unversioned reports whether a record is damaged so that its version cannot be told.
func unversioned(err error) bool {
	var d *damage
	return errors.As(err, &d) && d.unversioned
}

// unknownFor is for how long the registry's word that it does not have a schema is taken.
const unknownFor = 10 * time.Second

// unknownSchemas remembers which schemas the registry does not have, so that it is not asked for every record.
type unknownSchemas struct {
	mu    sync.Mutex
	until map[int]time.Time
}

func (u *unknownSchemas) has(id int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Now().Before(u.until[id])
}

func (u *unknownSchemas) add(id int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil {
		u.until = map[int]time.Time{}
	}
	u.until[id] = time.Now().Add(unknownFor)
}

// registered returns the schema of a record of our own topics. A registry that does not answer is asked until it does: that
// is no fault of the record. A schema that it does not have, or not as Avro, is a *damage.
func (l *loop) registered(ctx context.Context, id int) (text string, err error) {
	if l.unknown.has(id) {
		return "", damaged("the schema registry does not have its schema %d", id)
	}
	patience := retry.Backoff{Notify: func(err error, attempt int, wait time.Duration) {
		l.cfg.Logger.Warn("the schema registry is asked again", "error", err, "attempt", attempt, "wait", wait)
	}}
	err = retry.Do(ctx, patience, func(ctx context.Context) (err error) {
		text, err = l.cfg.Registry.Schema(ctx, id)
		switch {
		case registry.IsNotFound(err):
			l.unknown.add(id)
			err = retry.Final(damaged("the schema registry does not have its schema %d", id))
		case errors.Is(err, registry.ErrNotAvro):
			err = retry.Final(damaged("its schema %d cannot be used: %w", id, err))
		}
		return err
	})
	return text, err
}

// keyOf names the record of a topic of rows.
func (l *loop) keyOf(rec topic.Record) handover.Key {
	for name, t := range l.topics.entity {
		if t == rec.Topic {
			return handover.Key{Entity: name, ID: string(rec.Key)}
		}
	}
	return handover.Key{ID: string(rec.Key)}
}

// isRecord reports whether a key is the 18-character id of a record of its object: of anything else Salesforce knows nothing.
func isRecord(object, id string) bool {
	whole, ok := wholeID(id)
	return ok && whole == id && strings.HasPrefix(id, prefixes[object])
}

// letter is a record that goes to the dead letters as it came.
type letter struct {
	key    handover.Key
	record topic.Record
	why    error
}

// letterOf makes a letter that has memory of its own.
func letterOf(k handover.Key, rec topic.Record, why error) letter {
	return letter{key: k, record: copyOf(rec), why: why}
}

// copyOf copies a record: a reader uses its memory again.
func copyOf(rec topic.Record) topic.Record {
	rec.Value = append([]byte{}, rec.Value...) // never nil: that would delete the letter
	rec.Key = bytes.Clone(rec.Key)
	headers := make([]topic.Header, len(rec.Headers))
	for i, h := range rec.Headers {
		headers[i] = topic.Header{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)}
	}
	rec.Headers = headers
	return rec
}

// place is where a record stands: the key of its dead letter.
func place(rec topic.Record) string {
	return fmt.Sprintf("%s/%d/%d", rec.Topic, rec.Partition, rec.Offset)
}

// post writes a dead letter; what follows from it is durable only after the next Flush.
func (l *loop) post(ctx context.Context, m letter) error {
	rec := m.record
	l.cfg.Logger.Warn("a record of our own topic cannot be used and goes to the dead letter topic", "record", place(rec), "key", string(rec.Key), "error", m.why)
	headers := []topic.Header{
		{Key: "reason", Value: []byte(strings.ToValidUTF8(m.why.Error(), "\ufffd"))},
		{Key: "topic", Value: []byte(rec.Topic)},
		{Key: "partition", Value: strconv.AppendInt(nil, int64(rec.Partition), 10)},
		{Key: "offset", Value: strconv.AppendInt(nil, rec.Offset, 10)},
		{Key: "key", Value: rec.Key},
	}
	return l.buryAs(ctx, place(rec), place(rec), rec.Value, append(headers, rec.Headers...))
}

// noteDamaged opens a hole for a record of our own topic that cannot be used: it is closed when the record is read again and the
// topic has what was read. It reports whether the hole names the record.
func (l *loop) noteDamaged(entity, id string, why error) bool {
	return l.noteUnread(hole.Finding{
		Entity: entity, Reason: hole.DamagedRecord, Repair: hole.ByReading, IDs: []string{id},
		Why: "a record of our own topic cannot be read (" + why.Error() + "): it is in the dead letter topic, and is read again from Salesforce",
	})
}

// maxUnread is how many records of an entity holes name one by one. They are stored with the position, which has to remain a record that
// brokers take.
const maxUnread = 5000

// noteUnread takes down a finding about a record that is to be read again, and reports whether the hole names it. Of too many a snapshot
// shows all.
func (l *loop) noteUnread(f hole.Finding) (named bool) {
	f.Lineage = l.m.Lineage()
	if named = len(l.book.Unread(f.Entity)) < maxUnread; !named {
		f.Repair = hole.BySnapshot
		if f.Reason == hole.DamagedRecord && l.entities[f.Entity] != nil {
			l.m.WantSnapshot(f.Entity, "too many records of the topic cannot be read")
		}
	}
	l.book.Note(f, l.now())
	return named
}

// readHollow has the records read again of which nothing can be read, and those of open holes. Nothing is published of them before.
func (l *loop) readHollow() {
	byID := func(a, b handover.Key) int { return strings.Compare(a.ID, b.ID) }
	for _, k := range slices.SortedFunc(maps.Keys(l.hollow), byID) { // the same order makes the same holes
		if l.noteDamaged(k.Entity, k.ID, errors.New(l.hollow[k])) {
			l.m.Require(k)
		}
	}
	clear(l.hollow)
	for _, name := range entities {
		for _, id := range l.book.Unread(name) {
			l.m.Require(handover.Key{Entity: name, ID: id})
		}
	}
}

// noteUnreadable opens a hole for a record that Salesforce gave and that cannot be decoded, although it was asked for by its id. Nobody but a
// person can mend that.
func (l *loop) noteUnreadable(ctx context.Context, entity, id string, why error) {
	text := fmt.Sprintf("%s %s cannot be decoded, also when it is read by its id (%v): the topic keeps what it had of it; correct the field in Salesforce, which has the record read again", entity, id, why)
	for _, h := range l.book.Waiting(entity, id) {
		l.audit(ctx, h, "progressed", text, map[string]string{"unreadable": id})
	}
	if !l.book.Waits(entity, id) {
		l.noteUnread(hole.Finding{Entity: entity, Reason: hole.UnreadableRow, Repair: hole.ByReading, IDs: []string{id}, Why: text})
	}
}

// lose takes note that what the local state has of a record cannot be read: Load must not ask the Machine for anything itself.
func (l *loop) lose(k handover.Key, value []byte, why error) {
	l.losses = append(l.losses, letter{k, topic.Record{Key: []byte(k.ID), Value: bytes.Clone(value)}, why})
}

// followLosses has those records read again.
func (l *loop) followLosses(ctx context.Context) error {
	for _, m := range l.losses {
		if !l.book.Waits(m.key.Entity, m.key.ID) {
			if err := l.reject(ctx, "state/"+m.key.Entity+"/"+m.key.ID, m.record.Value, m.why); err != nil {
				return err
			}
			l.noteDamaged(m.key.Entity, m.key.ID, m.why)
		}
		l.m.Require(m.key)
	}
	l.losses = l.losses[:0]
	return nil
}

// sawAgain takes note that a record was read, or told to be gone, if a hole waits for that.
func (l *loop) sawAgain(entity, id string) {
	if l.book.Real() > 0 && l.book.Waits(entity, id) {
		l.reread = append(l.reread, handover.Key{Entity: entity, ID: id})
	}
}

// sawRows is sawAgain for rows of a snapshot.
func (l *loop) sawRows(entity string, rows []handover.Row) {
	if len(l.book.Unread(entity)) == 0 {
		return
	}
	for i := range rows {
		l.sawAgain(entity, rows[i].ID)
	}
}

// closeReread closes holes whose records are read, and what was read is acknowledged.
func (l *loop) closeReread(ctx context.Context) error {
	for _, k := range l.reread {
		rec, err := l.records.Load(k)
		if err != nil {
			return err
		}
		if rec.Refused {
			continue // it waits for another read, or for the broker
		}
		l.closeRead(ctx, k.Entity, k.ID)
	}
	l.reread = l.reread[:0]
	return nil
}

func (l *loop) closeRead(ctx context.Context, entity, id string) {
	for _, h := range l.book.Reread(entity, id) {
		l.closed(ctx, h, "each of its records was read again, and the topic has what Salesforce said", nil)
	}
}

// auditForeign is the kind of audit events about records that are nobody's.
const auditForeign = "foreign_record"

// removeStrange answers a record under a key that is no record's id. Salesforce cannot be asked about it: its dead letter keeps it, and a
// tombstone takes it out of the topic, which has the org's records and no others (I1).
func (l *loop) removeStrange(ctx context.Context, f foreignRecord) error {
	e := l.entities[f.key.Entity]
	l.auditStrange(ctx, e.topic, e.name, f.key.ID, f.place)
	if f.key.ID == "" {
		return nil
	}
	version := change.Version{Epoch: max(l.m.Epoch(), f.rec.Version.Epoch), Rev: f.rec.Version.Rev + 1}
	l.unflushed.Store(true)
	return l.writer.Send(ctx, l.envelope.record(e.name, e.topic, f.key.ID, change.Headers{Version: version, Op: change.OpRepair}, l.now()), l.acked)
}

// auditStrange says that somebody else writes to a topic of ours; what is what its keys should name.
func (l *loop) auditStrange(ctx context.Context, name, what, key, place string) {
	reason := "no_record_id"
	l.writeAudit(ctx, avro.Audit{
		ID: l.org() + "/" + auditForeign + "/" + place, Kind: auditForeign, State: "noted", Subject: &key, Reason: &reason,
		Message: fmt.Sprintf("%s has a record under %.80q, which is no id of %s: somebody else writes to the topic; the record is in the dead letter topic, and a tombstone is written in its place",
			name, key, what),
		Detail: map[string]string{"record": place},
	})
}

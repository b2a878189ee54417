package salesforce

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
)

// noteBook remembers which notes are published, in which version and with which content, so that only changes are
// published and deletions find what to delete. It lies in the local state and is rebuilt from the topic.
type noteBook struct {
	loop      *loop
	fresh     bool // it was rebuilt: the cursors may be ahead of it
	pending   map[string]noteEntry
	published map[string]int64 // by kind, since the start
	refusals  refusals
	envelope  *envelope // of its own: notes are published beside the loop
	offsets   offsets   // what the book reflects of the topic
	identity  map[string]string
	late      map[string]string // kinds of the notes that a former producer wrote late, by id (W3); not answered yet
	damaged   []damagedNote     // found since the last answers; they are among late, too
	unsettled map[string]bool   // kinds of which the last answers could read nothing, because they are not configured to be read
}

// noteEntry is what is remembered of a note.
type noteEntry struct {
	version  change.Version
	modified int64
	digest   [sha256.Size]byte // of the note without its _change; zero for a deleted one
	kind     string            // empty for a deleted one
	source   string            // of a ContentNote, see sourceOf; empty when it is not known
}

const noteMetaKey = "mn"

// openBook brings the book up to the end of the topic, from the local state as far as that goes.
func (n *notes) openBook(ctx context.Context) (*noteBook, error) {
	b := &noteBook{
		loop: n.loop, envelope: newEnvelope(n.Producer), pending: map[string]noteEntry{}, published: map[string]int64{}, late: map[string]string{},
	}
	var err error
	if b.identity, err = n.cfg.Kafka.Identity(ctx, n.topics.note); err != nil {
		return nil, err
	}
	ends, err := n.cfg.Kafka.Offsets(ctx, n.topics.note)
	if err != nil {
		return nil, err
	}
	from, err := b.reflects(ends)
	if err != nil {
		return nil, err
	}
	reader, err := n.cfg.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{n.topics.note}, From: from})
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	b.offsets.next = from
	for f := (topic.Fetch{Next: from}); !f.CaughtUp(ends); {
		if f, err = reader.Poll(ctx); err != nil {
			return nil, err
		}
		for _, r := range f.Records {
			if err := b.recall(ctx, r); err != nil {
				return nil, err
			}
		}
		b.offsets.next = f.Next
		b.offsets.next = b.offsets.snapshot()
		if len(b.pending) >= rebuildBatch {
			if err := b.save(); err != nil {
				return nil, err
			}
		}
	}
	return b, b.save()
}

// reflects returns what the local state reflects of the topic, and empties it when it is of no use.
func (b *noteBook) reflects(ends map[string][]topic.Range) (topic.Position, error) {
	data, ok, err := b.loop.store.Get([]byte(noteMetaKey))
	if err != nil {
		return nil, err
	}
	var m meta
	if ok && json.Unmarshal(data, &m) == nil && m.fits(b.identity, ends) {
		return m.Offsets, nil
	}
	b.fresh = !ok || len(m.Topics) > 0 && !maps.Equal(m.Topics, b.identity)
	batch := b.loop.store.NewBatch()
	batch.DeletePrefix([]byte(notePrefix))
	batch.Delete([]byte(noteMetaKey))
	if err := batch.Commit(); err != nil {
		return nil, err
	}
	from := topic.Position{}
	for name, parts := range ends {
		for _, p := range parts {
			from[name] = append(from[name], p.First)
		}
	}
	return from, nil
}

// stamp adds to batch what the book reflects once it is committed. While late records are not answered it goes on reflecting what
// is before them, so that they are found again after a crash.
func (b *noteBook) stamp(batch *state.Batch) error {
	if b.offsets.foreigners() || len(b.late) > 0 {
		return nil
	}
	data, err := json.Marshal(meta{Topics: b.identity, Offsets: b.offsets.snapshot(), SavedAt: time.Now().UnixMilli(), Pos: map[int64]int64{}})
	if err != nil {
		return fmt.Errorf("encode what the notes' book reflects: %w", err)
	}
	batch.Set([]byte(noteMetaKey), data)
	return nil
}

// recall takes a record of the topic into the book: the highest version counts, and a lower one behind it is late (W3).
func (b *noteBook) recall(ctx context.Context, r topic.Record) error {
	h, _, err := parseHeaders(r)
	old, lerr := b.load(string(r.Key))
	if lerr != nil || err == nil && h.Version == old.version {
		return lerr
	}
	var e noteEntry
	if err == nil {
		e, err = b.read(ctx, r, h.Version)
	}
	switch {
	case isDamage(err):
		b.takeDamaged(r, h.Version, old, err)
	case err != nil:
		return err
	case h.Version.Less(old.version):
		b.late[string(r.Key)] = old.kind
	default:
		b.pending[string(r.Key)] = e
	}
	return nil
}

// read makes the entry that a record of the topic stands for. One that cannot be read is a *damage.
func (b *noteBook) read(ctx context.Context, r topic.Record, v change.Version) (noteEntry, error) {
	if r.Value == nil {
		return noteEntry{version: v}, nil
	}
	id, body, err := avro.Unframe(r.Value)
	if err != nil {
		return noteEntry{}, damaged("%w", err)
	}
	text, err := b.loop.registered(ctx, id)
	if err != nil {
		return noteEntry{}, err
	}
	walker, err := avro.NewWalker(text)
	if err != nil {
		return noteEntry{}, damaged("its schema %d is not one of notes: %w", id, err)
	}
	note, err := walker.Note(body)
	switch {
	case err != nil:
		return noteEntry{}, damaged("%w", err)
	case note.ID != string(r.Key):
		return noteEntry{}, damaged("it is the note %q", note.ID)
	}
	return entryOf(&note, v)
}

func entryOf(note *avro.Note, v change.Version) (noteEntry, error) {
	bare := *note
	bare.Change = change.Meta{Op: change.OpSnapshot} // a fixed one: only what the note says counts
	body, err := bare.Append(nil)
	return noteEntry{version: v, modified: note.ModifiedAt, kind: note.Kind, digest: sha256.Sum256(body)}, err
}

func (b *noteBook) load(id string) (noteEntry, error) {
	if e, ok := b.pending[id]; ok {
		return e, nil
	}
	data, ok, err := b.loop.store.Get([]byte(notePrefix + id))
	if err != nil || !ok {
		return noteEntry{}, err
	}
	return parseEntry(data)
}

// modified returns when the published note was modified, as far as we know; ok is false when none is published.
func (b *noteBook) modified(id string) (at int64, ok bool, err error) {
	e, err := b.load(id)
	return e.modified, e.kind != "", err
}

// put publishes a note if it differs from what is published.
func (b *noteBook) put(ctx context.Context, n *notes, note *avro.Note, op change.Op, source string) error {
	old, err := b.load(note.ID)
	if err != nil {
		return err
	}
	version := change.Version{Epoch: n.epoch, Rev: old.version.Rev + 1}
	next, err := entryOf(note, version)
	if err != nil {
		return n.rejectRow(ctx, "notes/"+note.Kind+"/"+note.ID, nil, err)
	}
	next.source = source
	if next.digest == old.digest {
		if source != old.source {
			next.version = old.version
			b.pending[note.ID] = next
		}
		return nil
	}
	if op == change.OpUpdate && old.kind == "" {
		op = change.OpCreate
	}
	note.Change = change.Meta{Op: op}
	value, err := note.Append(avro.Frame(nil, n.fixed.note))
	if err != nil {
		return err
	}
	b.pending[note.ID] = next
	b.published[note.Kind]++
	return b.send(ctx, n, note.ID, value, version, op, note.ModifiedAt)
}

// remove publishes the deletion of a note that is published.
func (b *noteBook) remove(ctx context.Context, n *notes, id string) error {
	old, err := b.load(id)
	if err != nil || old.kind == "" {
		return err
	}
	version := change.Version{Epoch: n.epoch, Rev: old.version.Rev + 1}
	b.pending[id] = noteEntry{version: version}
	b.published[old.kind]++
	return b.send(ctx, n, id, nil, version, change.OpDelete, n.now())
}

func (b *noteBook) send(ctx context.Context, n *notes, id string, value []byte, v change.Version, op change.Op, at int64) error {
	record := b.envelope.record("note", n.topics.note, id, change.Headers{Version: v, AsOf: n.now(), Op: op}, at)
	record.Value = value
	return n.writer.Send(ctx, record, b.acked)
}

// acked takes note of what became of a note.
func (b *noteBook) acked(r topic.Record, err error) {
	b.offsets.acked(r, err)
	b.refusals.acked(r, err)
}

// deleteMissing deletes the published notes of a kind that a full read did not show.
func (b *noteBook) deleteMissing(ctx context.Context, n *notes, kind string, seen map[string]bool) error {
	var gone []string
	err := b.loop.store.Scan([]byte(notePrefix), func(key, value []byte) error {
		e, err := parseEntry(value)
		if id := string(key[len(notePrefix):]); err == nil && e.kind == kind && !seen[id] {
			gone = append(gone, id)
		}
		return err
	})
	for _, id := range gone {
		if err == nil {
			err = b.remove(ctx, n, id)
		}
	}
	return err
}

// commit waits until everything sent is acknowledged, and remembers it.
func (b *noteBook) commit(ctx context.Context) error {
	if len(b.pending) == 0 {
		return nil
	}
	if err := b.loop.flush(ctx); err != nil {
		return err
	}
	if err := b.settleRefused(ctx); err != nil {
		return err
	}
	b.envelope.reset()
	return b.save()
}

// save commits the entries to the local state, with the offsets that they reflect.
func (b *noteBook) save() error {
	batch := b.loop.store.NewBatch()
	b.flush(batch)
	if err := b.stamp(batch); err != nil {
		batch.Discard()
		return err
	}
	clear(b.pending)
	return batch.Commit()
}

func (b *noteBook) flush(batch *state.Batch) {
	for id, e := range b.pending {
		batch.Set([]byte(notePrefix+id), e.append(nil))
	}
}

func (e noteEntry) append(dst []byte) []byte {
	for _, n := range [...]int64{e.version.Epoch, e.version.Rev, e.modified} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = append(append(dst, e.digest[:]...), e.kind...)
	if e.source == "" {
		return dst
	}
	return append(append(dst, 0), e.source...)
}

func parseEntry(data []byte) (e noteEntry, err error) {
	for _, n := range [...]*int64{&e.version.Epoch, &e.version.Rev, &e.modified} {
		v, size := binary.Varint(data)
		if size <= 0 {
			return e, errStored
		}
		*n, data = v, data[size:]
	}
	if len(data) < len(e.digest) {
		return e, errStored
	}
	copy(e.digest[:], data)
	e.kind, e.source, _ = strings.Cut(string(data[len(e.digest):]), "\x00")
	return e, nil
}

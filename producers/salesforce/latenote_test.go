package salesforce_test

import (
	"bytes"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
)

// TestALateNoteIsAnswered is W3 for notes: what a former owner wrote of a live note, of a deleted one and of one that nobody knows is
// repaired, although nothing of them changes in the org any more.
func TestALateNoteIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 71, Accounts: 5}})
	p := b.start()
	b.await(p, allReady)
	live, deleted := b.liveAndDeleted(p)
	before := b.noteRecord(live)
	b.writeLate(topic.Record{Key: []byte(live)}, topic.Record{Key: []byte(deleted), Value: before.Value})
	b.awaitNote(p, live, "stays")
	b.awaitNote(p, deleted, "")

	b.must(b.sim.Org().Update("Note", live, org.Fields{"Body": "goes on"}))
	b.awaitNote(p, live, "goes on")
	count := b.records("salesforce.note")
	p.end()
	p = b.start()
	b.await(p, allReady)
	if after := b.records("salesforce.note"); after != count {
		t.Errorf("I8: the topic of notes had %d records and has %d after a restart with nothing new", count, after)
	}
}

// TestALateNoteIsAnsweredAfterAStart writes late while nobody owns the topic, with the local copy and without.
func TestALateNoteIsAnsweredAfterAStart(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(map[bool]string{false: "state kept", true: "state lost"}[lost], func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 72, Accounts: 5}})
			p := b.start()
			b.await(p, allReady)
			live, deleted := b.liveAndDeleted(p)
			value := b.noteRecord(live).Value
			p.end()
			b.writeLate(topic.Record{Key: []byte(live)}, topic.Record{Key: []byte(deleted), Value: value})
			if lost {
				b.config.StateDir = t.TempDir()
			}
			p = b.start()
			b.awaitNote(p, live, "stays")
			b.awaitNote(p, deleted, "")
		})
	}
}

// TestANoteOfAnotherOwnerIsKnown has a second process, with a state of its own, go on and publish; the first one's copy, taken up
// again, must know of what it did not write itself, or the deletion would not be published (I7).
func TestANoteOfAnotherOwnerIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 73, Accounts: 5}})
	first, second := b.config.StateDir, t.TempDir()
	p := b.start()
	b.await(p, allReady)
	p.end()
	b.config.StateDir = second
	p = b.start()
	b.await(p, allReady)
	id, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "by the second", "ParentId": b.ids("Account")[0]})
	b.must(err)
	b.awaitNote(p, id, "by the second")
	p.end()
	b.config.StateDir = first
	p = b.start()
	b.await(p, allReady)
	b.must(b.sim.Org().Delete("Note", id))
	b.awaitNote(p, id, "")
}

// liveAndDeleted makes two notes, one with the text "stays", and deletes the other.
func (b *bench) liveAndDeleted(p *life) (live, deleted string) {
	b.t.Helper()
	account := b.ids("Account")[0]
	var err error
	live, err = b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "stays", "ParentId": account})
	b.must(err)
	deleted, err = b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "goes", "ParentId": account})
	b.must(err)
	b.awaitNote(p, live, "stays")
	b.awaitNote(p, deleted, "goes")
	b.must(b.sim.Org().Delete("Note", deleted))
	b.awaitNote(p, deleted, "")
	return live, deleted
}

// noteRecord is the latest record of a note.
func (b *bench) noteRecord(id string) (last topic.Record) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{"salesforce.note"}, func(r topic.Record) error {
		if string(r.Key) == id {
			last = topic.Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		}
		return nil
	})
	b.must(err)
	return last
}

// writeLate writes notes with a version below any of ours. Another task's writer is not refused: it stands for requests of a former
// owner that arrive late.
func (b *bench) writeLate(records ...topic.Record) {
	b.t.Helper()
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "late", Topics: []string{"salesforce.note"}})
	b.must(err)
	defer w.Close()
	for i := range records {
		records[i].Topic, records[i].Time = "salesforce.note", time.Now()
		records[i].Headers = []topic.Header{{Key: "epoch", Value: []byte("0")}, {Key: "rev", Value: []byte("1")}}
	}
	b.must(w.Write(b.ctx, records...))
}

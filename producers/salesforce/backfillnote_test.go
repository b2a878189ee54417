package salesforce_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// writing says how one kind of note is written in the org.
type writing struct {
	title, text string // its fields
	about       string // the field that names what it is about; empty: links are records of their own
}

var writings = map[string]writing{
	"Note":        {"Title", "Body", "ParentId"},
	"Task":        {"Subject", "Description", "WhatId"},
	"ContentNote": {"Title", "Content", ""},
}

// write makes a note about a record.
func (b *bench) write(kind, text, about string) string {
	b.t.Helper()
	w, o := writings[kind], b.sim.Org()
	fields := org.Fields{w.title: "T", w.text: text}
	if w.about != "" {
		fields[w.about] = about
	}
	id, err := o.Create(kind, fields)
	b.must(err)
	if w.about == "" {
		_, err = o.Create("ContentDocumentLink", org.Fields{"ContentDocumentId": id, "LinkedEntityId": about, "ShareType": "V"})
		b.must(err)
	}
	return id
}

// idle starts a producer that has read the notes of a kind once and does not poll any more.
func (b *bench) idle(kind string) *life {
	b.t.Helper()
	b.config.Notes = salesforce.Notes{Objects: []string{kind}, Every: time.Hour}
	p := b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" && s.Notes[kind].Ready })
	return p
}

// TestBackfillOfNotes makes, changes and deletes notes of each kind that no poll tells of, and reads them again in each way.
func TestBackfillOfNotes(t *testing.T) {
	t.Parallel()
	for kind, w := range writings {
		for name, ask := range map[string]avro.Backfill{
			"everything": {}, "a window": {Since: ago(years)}, "ids": {IDs: []string{}}, "a condition": {Where: text(w.title + " LIKE '%'")},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, simulator.Config{Org: org.Config{Seed: 27, Accounts: 5}})
				b.config.BackfillRows = 7
				account := b.ids("Account")[0]
				var notes []string
				for range 20 {
					notes = append(notes, b.write(kind, "as it was", account))
				}
				p := b.idle(kind)
				o := b.sim.Org()
				made, changed, gone := b.write(kind, "made", account), notes[3], notes[5]
				b.must(o.Update(kind, changed, org.Fields{w.text: "changed"}))
				b.must(o.Delete(kind, gone))
				ask.Objects = []string{kind}
				if ask.IDs != nil {
					ask.IDs = []string{made, changed, gone}
				}
				b.ask("b1", ask)
				done := b.awaitBackfill(p, "b1", salesforce.BackfillDone)
				b.awaitNote(p, made, "made")
				b.awaitNote(p, changed, "changed")
				// Nothing shows the deletions of ContentNotes but comparing all of them, or asking for one by its id.
				if unseen := kind == "ContentNote" && (name == "a window" || name == "a condition"); unseen {
					b.awaitNote(p, gone, "as it was")
					if done.Changed() != 2 || done.Whole() || !strings.Contains(strings.Join(done.Notes, " "), "ContentNote: Salesforce lists no deletions of it") {
						t.Errorf("it says that %d differed, and %q", done.Changed(), done.Notes)
					}
					return
				}
				b.awaitNote(p, gone, "")
				if done.Changed() != 3 {
					t.Errorf("it says that %d differed: %+v", done.Changed(), done)
				}
				if n := b.note(made); n.Kind != kind || !slices.Contains(n.Links, account) {
					t.Errorf("it is published as %+v", n)
				}
			})
		}
	}
}

// TestBackfillReadsTextsAgain: a poll does not read a text again that has the version that it knows; a backfill does, and
// publishes nothing when the text is the same.
func TestBackfillReadsTextsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 28, Accounts: 5}})
	for range 3 {
		b.write("ContentNote", "as it was", b.ids("Account")[0])
	}
	p := b.idle("ContentNote")
	read, records := b.blobs(), b.records("salesforce.note")
	b.ask("b1", avro.Backfill{Objects: []string{"ContentNote"}})
	done := b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	if again := b.blobs() - read; again != 3 || done.Changed() != 0 || done.Parts[0].Read != 3 || b.records("salesforce.note") != records {
		t.Errorf("%d texts were read again: %+v", again, done)
	}
}

// TestBackfillOfAnArchivedTask: Salesforce hides what it has archived from plain queries, and it is no deletion.
func TestBackfillOfAnArchivedTask(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 29, Accounts: 5}})
	id := b.write("Task", "called", b.ids("Account")[0])
	p := b.idle("Task")
	tx := b.sim.Org().Begin(org.Actor{})
	b.must(tx.Archive("Task", id))
	tx.Commit()
	b.ask("b1", avro.Backfill{Objects: []string{"Task"}})
	b.ask("b2", avro.Backfill{Objects: []string{"Task"}, IDs: []string{id}})
	for _, name := range []string{"b1", "b2"} {
		if done := b.awaitBackfill(p, name, salesforce.BackfillDone); done.Parts[0].Deleted != 0 {
			t.Errorf("it says that it is gone: %+v", done)
		}
	}
	b.awaitNote(p, id, "called")
}

// TestTextsWaitInABackfill: while calls are scarce texts wait, and the backfill with them; it does not fail.
func TestTextsWaitInABackfill(t *testing.T) {
	t.Parallel()
	b := budgeted(t, &meter{}, simulator.Config{})
	id := b.write("ContentNote", "as it was", b.ids("Account")[0])
	p := b.idle("ContentNote")
	b.must(b.sim.Org().Update("ContentNote", id, org.Fields{"Content": "changed"}))
	others(70_000)(b.sim)
	b.must(b.client.Probe(b.ctx)) // its reply tells how many calls are used
	b.ask("b1", avro.Backfill{Objects: []string{"ContentNote"}})
	b.awaitPause(p, "backfill")
	others(0)(b.sim)
	b.must(b.client.Probe(b.ctx))
	b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	b.awaitNote(p, id, "changed")
}

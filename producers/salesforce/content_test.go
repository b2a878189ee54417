package salesforce_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// note reads the latest record of a note; nil for a tombstone or none.
func (b *bench) note(id string) *avro.Note {
	b.t.Helper()
	walker, err := avro.NewWalker(schemas.Note)
	b.must(err)
	var last *avro.Note
	_, err = b.kafka.ReadAll(b.ctx, []string{"salesforce.note"}, func(r topic.Record) error {
		if string(r.Key) != id {
			return nil
		}
		if last = nil; r.Value == nil {
			return nil
		}
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		note, err := walker.Note(body)
		last = &note
		return err
	})
	b.must(err)
	return last
}

// blobs counts the bodies that were read.
func (b *bench) blobs() (n int) {
	for _, r := range b.sim.Requests() {
		if strings.HasSuffix(r.Path, "/VersionData") {
			n++
		}
	}
	return n
}

func TestContentNotes(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 71, Accounts: 5, Contacts: 5}})
	b.config.Notes = salesforce.Notes{Objects: []string{"ContentNote"}, Every: 50 * time.Millisecond, CompareEvery: 200 * time.Millisecond}
	o, account, contact := b.sim.Org(), b.ids("Account")[0], b.ids("Contact")[0]
	id, err := o.Create("ContentNote", org.Fields{"Title": "Call", "Content": "<p>Pays &lt;late&gt;<br>always</p>"})
	b.must(err)
	link := func(to string) string {
		made, err := o.Create("ContentDocumentLink", org.Fields{"ContentDocumentId": id, "LinkedEntityId": to, "ShareType": "V"})
		b.must(err)
		return made
	}
	link(account)
	p := b.start()
	has := func(text string, linked ...string) func(salesforce.Status) bool {
		return func(salesforce.Status) bool {
			n := b.note(id)
			if n == nil || n.Text != text {
				return false
			}
			for _, each := range []string{account, contact} {
				if slices.Contains(n.Links, each) != slices.Contains(linked, each) {
					return false
				}
			}
			return true
		}
	}
	b.await(p, func(s salesforce.Status) bool { return s.Notes["ContentNote"].Ready })
	b.await(p, has("Pays <late>\nalways", account))
	if n := b.note(id); n.Title != "Call" || n.Kind != "ContentNote" {
		t.Errorf("the note is published as %+v", n)
	}
	toContact := link(contact)
	b.await(p, has("Pays <late>\nalways", account, contact))
	b.must(o.Update("ContentNote", id, org.Fields{"Content": "<div>Paid</div>"}))
	b.await(p, has("Paid", account, contact))
	b.must(o.Delete("ContentDocumentLink", toContact))
	b.await(p, has("Paid", account))

	read := b.blobs()
	covered := p.Status().Notes["ContentNote"].Covered
	b.await(p, func(s salesforce.Status) bool { return s.Notes["ContentNote"].Covered.Sub(covered) > 2*time.Second })
	if again := b.blobs(); again != read {
		t.Errorf("%d bodies were read again although nothing changed", again-read)
	}
	b.must(o.Delete("ContentNote", id))
	b.await(p, func(salesforce.Status) bool { return b.note(id) == nil })
}

// TestALongNoteIsCutForAllToSee has a ContentNote of a MiB: its beginning is published, whole characters, and it is told of once.
func TestALongNoteIsCutForAllToSee(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 74, Accounts: 5}})
	b.config.Notes = salesforce.Notes{Objects: []string{"ContentNote"}, Every: 50 * time.Millisecond}
	id, err := b.sim.Org().Create("ContentNote", org.Fields{"Title": "Long", "Content": "1" + strings.Repeat("ü", 1<<19)})
	b.must(err)
	p := b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Notes["ContentNote"].Ready }) // the topic is there
	b.awaitNote(p, id, "1"+strings.Repeat("ü", 499_999))
	b.awaitAudit(p, "note_cut noted too_long")
	_, err = b.sim.Org().Create("ContentNote", org.Fields{"Title": "Short", "Content": "behind it"})
	b.must(err)
	b.await(p, func(s salesforce.Status) bool { return s.Notes["ContentNote"].Published == 2 })
	told := 0
	for _, a := range b.audits() {
		if a == "note_cut noted too_long" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it is told of %d times, want once", told)
	}
}

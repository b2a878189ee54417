package salesforce_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// positions is the topic that is damaged here.
const positions = "crosswalk.position"

// spoilPosition writes what damage makes of the position of a source over it, and returns where that stands.
func (b *bench) spoilPosition(source string, damage func(value []byte) []byte) (place string) {
	b.t.Helper()
	r := b.last(positions)["default/"+source]
	return b.place(topic.Record{Topic: positions, Key: []byte("default/" + source), Value: damage(r.Value)})
}

// altered is a position of which one thing is changed.
func (b *bench) altered(change func(p *avro.Position)) func([]byte) []byte {
	return func(value []byte) []byte {
		id, body, err := avro.Unframe(value)
		b.must(err)
		p, err := avro.DecodePosition(schemas.Position, body)
		b.must(err)
		change(&p)
		value, err = p.Append(avro.Frame(nil, id))
		b.must(err)
		return value
	}
}

// detailAltered is one of which a member of the detail is another.
func (b *bench) detailAltered(key, member string, to any) func([]byte) []byte {
	return b.altered(func(p *avro.Position) {
		var all map[string]any
		b.must(json.Unmarshal([]byte(p.Detail[key]), &all))
		all[member] = to
		text, err := json.Marshal(all)
		b.must(err)
		p.Detail[key] = string(text)
	})
}

func noAvro([]byte) []byte { return []byte("no Avro at all") }

// buried wants a dead letter of a place that says why.
func (b *bench) buried(place, why string) {
	b.t.Helper()
	if _, headers := b.deadLetter(place); !strings.Contains(headers["reason"], why) || headers["topic"] != positions {
		b.t.Errorf("the dead letter of %s says %v, want %q", place, headers, why)
	}
}

// TestADamagedPositionIsALostOne has a position that cannot be read, in every way: it is given up and everything is read again (H10).
func TestADamagedPositionIsALostOne(t *testing.T) {
	t.Parallel()
	type damages map[string]func(b *bench) func([]byte) []byte
	for why, damage := range (damages{
		"it begins with byte 0x6e":      func(*bench) func([]byte) []byte { return noAvro },
		"does not have its schema 4711": func(*bench) func([]byte) []byte { return func([]byte) []byte { return avro.Frame(nil, 4711) } },
		"decode":                        func(*bench) func([]byte) []byte { return func(v []byte) []byte { return v[:len(v)/2] } },
		`it is the position of "other"`: func(b *bench) func([]byte) []byte {
			return b.altered(func(p *avro.Position) { p.Source = "other" })
		},
		`its detail "handover" cannot be read`: func(b *bench) func([]byte) []byte {
			return b.altered(func(p *avro.Position) { p.Detail["handover"] = "{" })
		},
		"tells of no stream": func(b *bench) func([]byte) []byte {
			return b.altered(func(p *avro.Position) { p.Detail["handover"] = "{}" })
		},
		"how changes of": func(b *bench) func([]byte) []byte {
			return b.detailAltered("handover", "Feeds", map[string]any{"Account": nil})
		},
		`no job of "Account"`: func(b *bench) func([]byte) []byte {
			return b.detailAltered("handover", "Jobs", map[string]any{"Account": nil})
		},
	}) {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 91, Accounts: 10, Contacts: 5}})
			p := b.start()
			b.await(p, allReady)
			p.settle()
			for range 3 { // epochs under which nothing is published
				p.end()
				p = b.start()
				b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
			}
			epoch := p.Status().Epoch
			p.end()
			ids := b.ids("Account")
			b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "meanwhile"}))
			b.must(b.sim.Org().Delete("Account", ids[1]))
			place := b.spoilPosition("stream", damage(b))
			p = b.start()
			p.settle()
			b.compare("Account")
			b.compare("Contact")
			b.buried(place, why)
			var states []string
			for _, h := range b.holes("damaged_position") {
				states = append(states, *h.Subject+" "+h.State)
			}
			slices.Sort(states)
			if want := "Account closed,Account opened,Contact closed,Contact opened"; strings.Join(states, ",") != want {
				t.Errorf("the audit says %v, want %s", states, want)
			}
			if now := p.Status().Epoch; now <= epoch {
				t.Errorf("W2: the epoch is %d after %d", now, epoch)
			}
			b.must(b.sim.Org().Update("Account", ids[2], org.Fields{"Phone": "afterwards"}))
			p.end()
			p = b.start()
			p.settle()
			b.compare("Account")
			if n := len(b.holes("damaged_position")); n != 4 {
				t.Errorf("the audit has %d events of it after another start", n)
			}
		})
	}
}

// TestADamagedCursorOfNotesHasAllOfThemRead loses how far one kind of notes was read: its deletions are found, the other goes on.
func TestADamagedCursorOfNotesHasAllOfThemRead(t *testing.T) {
	t.Parallel()
	for why, damage := range map[string]func(b *bench) func([]byte) []byte{
		"it begins with byte 0x6e": func(*bench) func([]byte) []byte { return noAvro },
		"does not tell what is covered": func(b *bench) func([]byte) []byte {
			return b.altered(func(p *avro.Position) { p.Poll.DeletedCoveredUntil = nil })
		},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 92, Accounts: 5}})
			p := b.start()
			b.await(p, allReady)
			live, gone := b.addNote("stays"), b.addNote("goes")
			b.awaitNote(p, live, "stays")
			b.awaitNote(p, gone, "goes")
			b.await(p, func(salesforce.Status) bool { return b.last(positions)["default/notes/Note"].Value != nil })
			p.end()
			b.must(b.sim.Org().Delete("Note", gone))
			place := b.spoilPosition("notes/Note", damage(b))
			p = b.start()
			b.awaitNote(p, gone, "")
			b.await(p, func(s salesforce.Status) bool { return s.Holes == 0 && len(b.holes("damaged_position")) == 2 })
			b.buried(place, why)
			for i, state := range []string{"opened", "closed"} {
				if h := b.holes("damaged_position")[i]; h.State != state || *h.Subject != "Note" {
					t.Errorf("the audit says %s of %s, want %s", h.State, *h.Subject, state)
				}
			}
			b.awaitNote(p, live, "stays")
		})
	}
}

// addNote makes a note.
func (b *bench) addNote(text string) string {
	b.t.Helper()
	id, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": text, "ParentId": b.ids("Account")[0]})
	b.must(err)
	return id
}

// TestADamagedBackfillFailsAlone loses what became of one backfill: that has failed, and says so; the others go on from where they were.
func TestADamagedBackfillFailsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 93, Accounts: 30}})
	b.config.BackfillRows = 5
	p := b.start()
	b.await(p, allReady)
	b.ask("done", avro.Backfill{Objects: []string{"Account"}, IDs: b.ids("Account")[:1]})
	b.awaitBackfill(p, "done", salesforce.BackfillDone)
	for _, id := range []string{"b1", "b2", "b3", "withdrawn"} {
		b.steer(salesforce.AskPause, id, 1)
		b.ask(id, avro.Backfill{Objects: []string{"Account"}, Since: ago(years)})
		b.awaitBackfill(p, id, salesforce.BackfillPaused)
	}
	p.end()
	places := map[string]string{
		b.spoilPosition("backfill/b1", noAvro):                                  "it begins with byte 0x6e",
		b.spoilPosition("backfill/b2", b.detailAltered("backfill", "id", "b4")): "it is not whole",
		b.spoilPosition("backfill/withdrawn", noAvro):                           "it begins with byte 0x6e",
	}
	b.say(salesforce.ControlKey("", salesforce.AskBackfill, "withdrawn"), nil)
	p = b.start()
	for _, id := range []string{"b1", "b2"} {
		lost := b.awaitBackfill(p, id, salesforce.BackfillFailed)
		if !strings.Contains(lost.Reason, "ask for the backfill again") || len(lost.Objects) != 1 || lost.EndedAt.IsZero() {
			t.Errorf("%s says %+v", id, lost)
		}
	}
	b.steer(salesforce.AskResume, "b3", 2)
	b.awaitBackfill(p, "b3", salesforce.BackfillDone)
	b.awaitBackfill(p, "done", salesforce.BackfillDone)
	b.await(p, func(salesforce.Status) bool {
		r, there := b.last(positions)["default/backfill/withdrawn"]
		return there && r.Value == nil
	})
	for place, why := range places {
		b.buried(place, why)
	}
	failed := func() int { return strings.Count(fmt.Sprint(b.audits()), "backfill failed") }
	b.await(p, func(salesforce.Status) bool { return failed() == 3 })
	p.end()
	p = b.start()
	b.awaitBackfill(p, "b1", salesforce.BackfillFailed)
	if n := failed(); n != 3 {
		t.Errorf("the audit tells of %d failed backfills after another start", n)
	}
}

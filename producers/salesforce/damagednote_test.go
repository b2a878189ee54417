package salesforce_test

import (
	"strings"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
)

// TestDamagedNotesAreReadAgain writes what cannot be used into the topic of notes, while a producer runs and while none does.
func TestDamagedNotesAreReadAgain(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"while it runs", "before a start", "before a start, state lost"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 85, Accounts: 5}})
			p := b.start()
			b.await(p, allReady)
			live, deleted := b.liveAndDeleted(p)
			task, err := b.sim.Org().Create("Task", org.Fields{"Subject": "S", "Description": "call", "WhatId": b.ids("Account")[0]})
			b.must(err)
			b.awaitNote(p, task, "call")
			value := b.noteRecord(live).Value
			if when != "while it runs" {
				p.end()
			}
			write := func(key string, value []byte, rev string) string {
				r := topic.Record{Topic: "salesforce.note", Key: []byte(key), Value: value}
				if rev != "" {
					r.Headers = []topic.Header{{Key: "epoch", Value: []byte("0")}, {Key: "rev", Value: []byte(rev)}}
				}
				return b.place(r)
			}
			places := map[string]string{
				write(live, value[:len(value)/2], "2"):              "",
				write(deleted, value, ""):                           "no headers epoch and rev",
				write(task, []byte{0, 0, 0, 18, 103, 1}, ""):        "no headers epoch and rev",
				write(task, value, "3"):                             "it is the note",
				write("002000000000999AAA", []byte("unknown"), "1"): "",
				write("nobody's", value, "1"):                       "is no id of a note",
			}
			if strings.HasSuffix(when, "lost") {
				b.config.StateDir = t.TempDir()
			}
			if when != "while it runs" {
				p = b.start()
			}
			b.awaitNote(p, live, "stays")
			b.awaitNote(p, deleted, "")
			b.awaitNote(p, task, "call")
			b.awaitNote(p, "002000000000999AAA", "")
			b.awaitNote(p, "nobody's", "")
			b.awaitHealed(p, live, deleted, task, "002000000000999AAA")
			for place, why := range places {
				if _, headers := b.deadLetter(place); !strings.Contains(headers["reason"], why) || headers["topic"] != "salesforce.note" {
					t.Errorf("the dead letter of %s says %v, want %q", place, headers, why)
				}
			}
			if foreign := b.holes("no_record_id"); len(foreign) == 0 {
				t.Error("the audit does not tell of the record that is nobody's")
			}
		})
	}
}

package salesforce_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// TestRowsThatTheBrokerRefuses has rows that are larger than the topic's max.message.bytes, alone and among others: they go
// to the dead letter topic, everything else goes on, and a smaller version is published.
func TestRowsThatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	for name, deadLetterTakes := range map[string]bool{"the dead letter topic takes the value": true, "nor does the dead letter topic": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 8, Accounts: 60}})
			small := map[string]string{"cleanup.policy": "compact", "max.message.bytes": "20000"}
			b.must(b.kafka.Ensure(b.ctx, topic.Spec{Name: "salesforce.account", Partitions: 2, Config: small}))
			if !deadLetterTakes {
				b.must(b.kafka.Ensure(b.ctx, topic.Spec{Name: "crosswalk.deadletter", Partitions: 1, Config: small}))
			}
			ids := slices.Sorted(maps.Keys(b.truth("Account")))
			inSnapshot, streamed := ids[20], ids[40]
			b.must(b.sim.Org().Update("Account", inSnapshot, org.Fields{"Description": strings.Repeat("large ", 5000)}))
			p := b.start()
			b.await(p, allReady)
			b.must(b.sim.Org().Update("Account", streamed, org.Fields{"Description": strings.Repeat("larger ", 4000)}))
			b.must(b.sim.Org().Update("Account", streamed, org.Fields{"Phone": "still too large"}))
			b.must(b.sim.Org().Update("Account", ids[1], org.Fields{"Phone": "behind it"}))
			last := b.sim.Events().Last()
			b.await(p, func(s salesforce.Status) bool { return s.ReplayID >= last && s.Holes == 1 })

			rows := b.published("salesforce.account")
			if rows[inSnapshot] != nil || rows[streamed]["Phone"] == "still too large" || rows[ids[1]]["Phone"] != "behind it" {
				t.Errorf("published are %v, %v and Phone %q", rows[inSnapshot], rows[streamed]["Phone"], rows[ids[1]]["Phone"])
			}
			for _, id := range []string{inSnapshot, streamed} {
				letter, headers := b.deadLetter("default/refused/Account/" + id)
				if headers["key"] != id || headers["topic"] != "salesforce.account" || !strings.Contains(headers["reason"], "refuses") ||
					headers["epoch"] != "1" || len(headers["value_bytes"]) != 5 {
					t.Errorf("the dead letter of %s says %v", id, headers)
				}
				if deadLetterTakes != bytes.Contains(letter, []byte("large")) || deadLetterTakes != (headers["value"] == "") {
					t.Errorf("the dead letter of %s has %d bytes and says %q of its value", id, len(letter), headers["value"])
				}
			}
			for _, id := range []string{inSnapshot, streamed} {
				b.must(b.sim.Org().Update("Account", id, org.Fields{"Description": "small"}))
			}
			p.settle()
			b.compare("Account")
			if holes := b.holes("refused_by_broker"); len(holes) != 2 || holes[1].State != "closed" || holes[0].ID != holes[1].ID {
				t.Errorf("the audit says %v", holes)
			}
		})
	}
}

// TestNotesThatTheBrokerRefuses has a note that the topic does not take: notes behind it are published, and it is when it shrinks.
func TestNotesThatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 9, Accounts: 5}})
	b.must(b.kafka.Ensure(b.ctx, topic.Spec{
		Name: "salesforce.note", Partitions: 2, Config: map[string]string{"cleanup.policy": "compact", "max.message.bytes": "20000"},
	}))
	account := slices.Sorted(maps.Keys(b.truth("Account")))[0]
	large, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": strings.Repeat("large ", 5000), "ParentId": account})
	b.must(err)
	p := b.start()
	b.await(p, allReady)
	behind, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "behind", "ParentId": account})
	b.must(err)
	b.awaitNote(p, behind, "behind")
	if _, headers := b.deadLetter("default/refused/note/" + large); headers["topic"] != "salesforce.note" {
		t.Errorf("the dead letter of the note says %v", headers)
	}
	b.awaitAudit(p, "hole opened refused_by_broker")
	b.must(b.sim.Org().Update("Note", large, org.Fields{"Body": "small"}))
	b.awaitNote(p, large, "small")
	b.awaitAudit(p, "hole closed refused_by_broker")
	if told := b.holes("refused_by_broker"); *told[0].Subject != "Note" || !slices.Equal(told[0].Bounds.IDs, []string{large}) || !strings.Contains(told[0].Message, "max.message.bytes") {
		t.Errorf("the audit says %+v", told[0])
	}
}

// deadLetter returns the last dead letter of a key.
func (b *bench) deadLetter(key string) (value []byte, headers map[string]string) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.deadletter"}, func(r topic.Record) error {
		if string(r.Key) != key {
			return nil
		}
		value, headers = bytes.Clone(r.Value), map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		return nil
	})
	b.must(err)
	return value, headers
}

// TestTheNextOwnerKnowsWhatTheBrokerRefused restarts with the local state kept and lost: an event that changes another field of
// the record must not bring back, with it, what the topic has.
func TestTheNextOwnerKnowsWhatTheBrokerRefused(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"state kept": false, "state lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 10, Accounts: 10}})
			b.must(b.kafka.Ensure(b.ctx, topic.Spec{
				Name: "salesforce.account", Partitions: 2, Config: map[string]string{"cleanup.policy": "compact", "max.message.bytes": "20000"},
			}))
			id := slices.Sorted(maps.Keys(b.truth("Account")))[3]
			p := b.start()
			b.await(p, allReady)
			b.must(b.sim.Org().Update("Account", id, org.Fields{"Description": strings.Repeat("large ", 5000)}))
			b.await(p, func(s salesforce.Status) bool { return s.Holes == 1 })
			last := b.sim.Events().Last()
			b.await(p, func(s salesforce.Status) bool { return s.ReplayID >= last })
			p.end()
			if lost {
				b.config.StateDir = t.TempDir()
			}
			b.must(b.sim.Org().Update("Account", id, org.Fields{"Phone": "with it"}))
			p = b.start()
			last = b.sim.Events().Last()
			b.await(p, func(s salesforce.Status) bool { return s.ReplayID >= last && s.Waiting == 0 && s.Holes == 1 })
			for _, row := range b.all("salesforce.account", id) {
				if row["Phone"] == "with it" {
					t.Errorf("published is a row with Description %q", row["Description"])
				}
			}
			b.must(b.sim.Org().Update("Account", id, org.Fields{"Description": "small"}))
			p.settle()
			b.compare("Account")
		})
	}
}

// all returns every value of a key, tombstones left out.
func (b *bench) all(name, key string) (rows []map[string]string) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		if string(r.Key) != key || r.Value == nil {
			return nil
		}
		row, err := b.decode(r.Value)
		rows = append(rows, row)
		return err
	})
	b.must(err)
	return rows
}

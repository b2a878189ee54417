package salesforce_test

import (
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
)

// TestMoreDamageThanHolesCanName has more damaged records at a start than holes name one by one: a snapshot repairs the rest, and all of them.
func TestMoreDamageThanHolesCanName(t *testing.T) {
	t.Parallel()
	const many = 5_300
	b := setup(t, simulator.Config{Org: org.Config{Seed: 95, Accounts: many}})
	p := b.start()
	b.await(p, allReady)
	p.settle()
	p.end()
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "somebody else", Topics: []string{accounts}})
	b.must(err)
	for _, id := range b.ids("Account") {
		b.must(w.Send(b.ctx, topic.Record{Topic: accounts, Key: []byte(id), Value: []byte("no Avro at all")}, func(topic.Record, error) {}))
	}
	b.must(w.Flush(b.ctx))
	w.Close()
	p = b.start()
	p.settle()
	want := b.truth("Account")
	for id, r := range b.last(accounts) {
		if row, err := b.decode(r.Value); err != nil || row["Name"] != want[id]["Name"] {
			t.Fatalf("%s is %q, %v", id, row["Name"], err)
		}
	}
	state, snapshots := map[string]string{}, 0
	for _, h := range b.holes("damaged_record") {
		state[h.ID] = h.State
		if h.State == "closed" && h.Detail["repair"] == "snapshot" {
			snapshots++
		}
	}
	for id, s := range state {
		if s != "closed" {
			t.Errorf("the hole %s is %s", id, s)
		}
	}
	if b.letters() != many || snapshots != 1 {
		t.Errorf("%d of %d are dead letters, %d of %d holes are closed by a snapshot", b.letters(), many, snapshots, len(state))
	}
}

package salesforce_test

import (
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// TestALateWriterIsAnsweredInAnIdleOrg has a former owner's records arrive in each partition while nothing of ours is written there: an
// old tombstone of a live record, and an old row of a deleted one.
func TestALateWriterIsAnsweredInAnIdleOrg(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 86, Accounts: 30}})
	b.config.LateEvery = 20 * time.Millisecond
	p := b.start()
	b.await(p, allReady)
	live, gone := b.aliveAndGone(p)
	old := b.last(accounts)
	late := []topic.Header{{Key: "epoch", Value: []byte("0")}, {Key: "rev", Value: []byte("1")}}
	for _, id := range live[:8] {
		b.place(topic.Record{Topic: accounts, Key: []byte(id), Headers: late})
	}
	row := old[live[0]].Value
	b.place(topic.Record{Topic: accounts, Key: []byte(live[9]), Value: old[live[9]].Value, Headers: late})
	b.place(topic.Record{Topic: accounts, Key: []byte(gone), Value: row, Headers: []topic.Header{{Key: "epoch", Value: []byte("0")}, {Key: "rev", Value: []byte("2")}}})
	b.await(p, func(salesforce.Status) bool {
		last := b.last(accounts)
		for _, id := range append(live[:10:10], gone) {
			if versionOf(last[id]).Epoch == 0 {
				return false
			}
		}
		return true
	})
	p.settle()
	last := b.last(accounts)
	if last[gone].Value != nil {
		t.Error("W3: what a former owner wrote late brings a deleted account back")
	}
	for _, id := range live {
		if got, err := b.decode(last[id].Value); err != nil || got["Id"] != id {
			t.Errorf("W3: the last record of %s is %v, %v", id, got, err)
		}
	}
}

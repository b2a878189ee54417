package salesforce_test

import (
	"strconv"
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

// TestEveryRecordSaysWhatItIs looks at whatever a producer has written, rows, positions, audit events and dead letters: its version,
// which rises per key, and the CloudEvents binding. An audit event's key is org/id.
func TestEveryRecordSaysWhatItIs(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 33, Accounts: 5, Contacts: 5}})
	p := b.start()
	p.settle()
	b.say("noise", []byte("no Avro at all"))
	b.ask("b1", avro.Backfill{Objects: []string{"Account"}, Since: ago(0)})
	b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	p.settle()
	seen, last := map[string]int{}, map[string][2]int64{}
	names := []string{"salesforce.account", "salesforce.contact", "crosswalk.position", "crosswalk.audit", "crosswalk.deadletter"}
	_, err := b.kafka.ReadAll(b.ctx, names, func(r topic.Record) error {
		seen[r.Topic]++
		h := map[string]string{}
		for _, header := range r.Headers {
			h[header.Key] = string(header.Value)
		}
		epoch, bad := strconv.ParseInt(h["epoch"], 10, 64)
		rev, worse := strconv.ParseInt(h["rev"], 10, 64)
		before := last[r.Topic+" "+string(r.Key)]
		if bad != nil || worse != nil || epoch < before[0] || epoch == before[0] && rev <= before[1] {
			t.Errorf("%s %s: version %s.%s after %v", r.Topic, r.Key, h["epoch"], h["rev"], before)
		}
		last[r.Topic+" "+string(r.Key)] = [2]int64{epoch, rev}
		if _, err := time.Parse(time.RFC3339, h["ce_time"]); err != nil || h["ce_specversion"] != "1.0" || h["ce_subject"] != string(r.Key) ||
			h["ce_source"] != "/crosswalk/default/salesforce" || !strings.HasPrefix(h["ce_type"], "crosswalk.") ||
			!strings.HasSuffix(h["ce_id"], "-"+h["epoch"]+"-"+h["rev"]) {
			t.Errorf("%s %s: %v", r.Topic, r.Key, h)
		}
		if r.Topic != "crosswalk.audit" {
			return nil
		}
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		event, err := avro.DecodeAudit(schemas.Audit, body)
		if key := event.Org + "/" + event.ID; err == nil && key != string(r.Key) {
			t.Errorf("the audit event %s lies under %s", key, r.Key)
		}
		return err
	})
	b.must(err)
	for _, name := range names {
		if seen[name] == 0 {
			t.Errorf("nothing was written to %s", name)
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	producer "crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// TestOldBackfillsAreForgotten asks for a backfill when another has been over for longer than it is kept.
func TestOldBackfillsAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 6, Seed: 7})
	kafka, url := platformAt(t)
	config := b.config("kafka:\n  brokers: [\"" + kafka + "\"]\nschema_registry: {url: " + url + "}\n" + salesforce(ready, ready.Password))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	client, err := topic.Dial(ctx, topic.Config{Brokers: []string{kafka}})
	must(err)
	defer client.Close()
	reg := registry.NewClient(url)
	must(client.Ensure(ctx, topic.Spec{Name: "crosswalk.control", Partitions: 1}, topic.Spec{Name: "crosswalk.position", Partitions: 1}))
	w, err := client.NewWriter(ctx, topic.WriterConfig{Task: "past", Topics: []string{"crosswalk.control", "crosswalk.position"}})
	must(err)
	asked := time.Now().Add(-40 * 24 * time.Hour)
	ask := avro.Control{Kind: producer.AskBackfill, ID: "old", RequestedAt: asked.UnixMilli(), Backfill: &avro.Backfill{Objects: []string{"Account"}}, Detail: map[string]string{}}
	id, err := reg.Register(ctx, "crosswalk.control-value", schemas.Control)
	must(err)
	request, err := ask.Append(avro.Frame(nil, id))
	must(err)
	state, err := json.Marshal(producer.Backfill{ID: "old", State: producer.BackfillDone, Objects: []string{"Account"}, RequestedAt: asked, EndedAt: asked})
	must(err)
	position := avro.Position{Source: producer.BackfillSource + "old", SchemaFields: map[string][]string{}, Detail: map[string]string{"backfill": string(state)}}
	id, err = reg.Register(ctx, "crosswalk.position-value", schemas.Position)
	must(err)
	place, err := position.Append(avro.Frame(nil, id))
	must(err)
	must(w.Write(ctx, topic.Record{Topic: "crosswalk.control", Key: []byte("default/backfill/old"), Value: request},
		topic.Record{Topic: "crosswalk.position", Key: []byte("default/backfill/old"), Value: place}))
	w.Close()
	if all := b.backfills(config); len(all) != 1 || all["old"].State != producer.BackfillDone {
		t.Fatalf("before: %+v", all)
	}
	if exit, out, said := b.run("backfill", "Account", "--where", "Name != null", "--config", config); exit != exitDone {
		t.Fatalf("exit status %d, %q %q", exit, out, said)
	}
	all := b.backfills(config)
	if _, kept := all["old"]; kept || len(all) != 1 {
		t.Errorf("after: %+v", all)
	}
	for name, want := range map[string][2]int{"crosswalk.control": {1, 4}, "crosswalk.position": {1, 1}} {
		live := map[string]bool{}
		_, err := client.ReadAll(ctx, []string{name}, func(r topic.Record) error {
			switch key := string(r.Key); {
			case strings.HasPrefix(key, "default/backfill/"), strings.HasSuffix(key, "/old"):
				live[key] = r.Value != nil
			}
			return nil
		})
		must(err)
		kept := 0
		for key, there := range live {
			if there {
				kept++
			}
			if there && strings.HasSuffix(key, "/old") {
				t.Errorf("%s keeps %s", name, key)
			}
		}
		if kept != want[0] || len(live)-kept < want[1] {
			t.Errorf("%s keeps %v", name, live)
		}
	}
}

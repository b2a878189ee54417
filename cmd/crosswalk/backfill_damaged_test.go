package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	producer "crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// TestBackfillsThatCannotBeRead lists backfills among whose records damaged ones are, and shows the status with them: each is said to
// be unknown, and why, and the rest is there.
func TestBackfillsThatCannotBeRead(t *testing.T) {
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
	defer w.Close()
	controls, err := reg.Register(ctx, "crosswalk.control-value", schemas.Control)
	must(err)
	positions, err := reg.Register(ctx, "crosswalk.position-value", schemas.Position)
	must(err)
	ask := func(id string) []byte {
		record := avro.Control{Kind: producer.AskBackfill, ID: id, Backfill: &avro.Backfill{Objects: []string{"Account"}}, Detail: map[string]string{}}
		value, err := record.Append(avro.Frame(nil, controls))
		must(err)
		return value
	}
	done, err := json.Marshal(producer.Backfill{ID: "good", State: producer.BackfillDone, Objects: []string{"Account"}})
	must(err)
	keep := func(id, text string) []byte {
		p := avro.Position{Org: "default", Source: producer.BackfillSource + id, SchemaFields: map[string][]string{}, Detail: map[string]string{"backfill": text}}
		value, err := p.Append(avro.Frame(nil, positions))
		must(err)
		return value
	}
	for _, r := range []struct {
		topic, id string
		value     []byte
	}{
		{"crosswalk.control", "good", ask("good")},
		{"crosswalk.position", "good", keep("good", string(done))},
		{"crosswalk.control", "no Avro", ask("no Avro")},
		{"crosswalk.position", "no Avro", []byte("no Avro at all")},
		{"crosswalk.position", "no JSON", keep("no JSON", "{")},
		{"crosswalk.position", "no schema", avro.Frame(nil, 4711)},
		{"crosswalk.control", "no request", []byte("no Avro at all")},
		{"crosswalk.control", "waits", ask("waits")},
	} {
		must(w.Write(ctx, topic.Record{Topic: r.topic, Key: []byte("default/backfill/" + r.id), Value: r.value}))
	}
	all := b.backfills(config)
	for id, want := range map[string]struct {
		state  producer.BackfillState
		reason string
	}{
		"good": {producer.BackfillDone, ""}, "waits": {producer.BackfillWaiting, ""},
		"no Avro":    {producer.BackfillUnknown, "record 2 of crosswalk.position partition 0 is about it"},
		"no JSON":    {producer.BackfillUnknown, "read the position of backfill/no JSON"},
		"no schema":  {producer.BackfillUnknown, "does not have its schema 4711"},
		"no request": {producer.BackfillUnknown, "ask for the backfill again"},
	} {
		if got, there := all[id]; !there || got.State != want.state || !strings.Contains(got.Reason, want.reason) {
			t.Errorf("%s is %+v, want %s, %q", id, got, want.state, want.reason)
		}
	}
	if asked := all["no Avro"]; len(asked.Objects) != 1 {
		t.Errorf("what was asked for is not shown: %+v", asked)
	}
	if exit, out, said := b.run("status", "--json", "--config", config); exit != exitDone || !strings.Contains(out, "it cannot be read") {
		t.Errorf("status: exit status %d, %q %q", exit, out, said)
	}
	if exit, out, said := b.run("backfill", "Account", "--dry-run", "--config", config); exit != exitDone {
		t.Errorf("the bill: exit status %d, %q %q", exit, out, said)
	}
}

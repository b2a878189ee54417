package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	producer "crosswalk/producers/salesforce"
)

func TestBackfillRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ args, words string }{
		{"backfill", "needs an object"},
		{"backfill Lead", "cannot be backfilled"},
		{"backfill Account --since yesterday", "is no time"},
		{"backfill Account --since 1h --until 2h", "before it begins"},
		{"backfill Account --ids 12", "no Salesforce id"},
		{"backfill Account --ids @/nowhere/ids", "read --ids"},
		{"backfill pause", "wants the ID of a backfill"},
	} {
		b.refused(strings.Fields(c.args), exitUsage, c.words)
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-11-21": "2026-11-21T00:00:00Z", "2026-11-21T10:00:00+02:00": "2026-11-21T08:00:00Z", "24h": "2026-11-21T10:00:00Z",
	} {
		at, err := moment("--since", text, now)
		if err != nil || time.UnixMilli(*at).UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", text, at, err, want)
		}
	}
}

// TestBackfillWithoutAProducer estimates, does and lists a backfill when nobody runs, and is told of a refused condition.
func TestBackfillWithoutAProducer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 6, Contacts: 4, Seed: 7})
	config := b.config(salesforce(ready, ready.Password))
	exit, out, said := b.run("backfill", "account", "--where", "Name != null", "--dry-run", "--json", "--config", config)
	var bill producer.Bill
	if err := json.Unmarshal([]byte(out), &bill); err != nil || exit != exitDone || bill.Rows != 6 || bill.Calls != 3 || !bill.Allowed ||
		bill.Bytes < 6*500 || bill.Minutes <= 0 || bill.Reserve != 0.2 || bill.Left != bill.Remaining-bill.Max/5 {
		t.Errorf("dry run: exit status %d, %v, %q %q", exit, err, out, said)
	}
	b.env = []string{"CROSSWALK_ORGS_0_SALESFORCE_API_RESERVE=0.95"}
	for _, want := range []string{"kB", "about a minute: Account at 5000 rows a second and 0.5 s a call (assumed", "95% of the", "Nothing was changed."} {
		if _, out, said = b.run("backfill", "account", "--dry-run", "--config", config); !strings.Contains(out, want) {
			t.Errorf("dry run: it said %q %q, want %q in it", out, said, want)
		}
	}
	b.env = nil
	if exit, out, said = b.run("backfill", "Account", "--where", "Name != null", "--config", config); exit != exitDone || !strings.Contains(out, "done") {
		t.Fatalf("exit status %d, %q %q", exit, out, said)
	}
	b.refused([]string{"backfill", "Account", "--where", "Nonsense__c = 1", "--config", config}, exitFailed, "INVALID_FIELD", "Nonsense__c")
	if exit, out, said = b.run("backfill", "Account", "--since", "2000-01-01", "--config", config); exit != exitRejects || !strings.Contains(out, "last 15 days only") || strings.Contains(said, "crosswalk: ") {
		t.Errorf("not all is covered: exit status %d, %q %q; want %d", exit, out, said, exitRejects)
	}
	if exit, out, said = b.run("backfill", "list", "--config", config); exit != exitDone || !strings.HasPrefix(out, "ID ") || strings.Count(out, "Account") < 3 {
		t.Errorf("list: exit status %d, %q %q", exit, out, said)
	}
	b.refused([]string{"backfill", "cancel", "none", "--config", config}, exitFailed, "backfill list")
}

// backfills are what `backfill list` says, by id.
func (b *bench) backfills(config string) map[string]producer.Backfill {
	b.t.Helper()
	exit, out, said := b.run("backfill", "list", "--json", "--config", config)
	all := map[string]producer.Backfill{}
	for line := range strings.Lines(out) {
		var f producer.Backfill
		if err := json.Unmarshal([]byte(line), &f); err != nil || exit != exitDone {
			b.t.Fatalf("list: exit status %d, %v, %q %q", exit, err, out, said)
		}
		all[f.ID] = f
	}
	return all
}

// TestAStoppedBackfillIsRecorded stops a command in the middle of its own work, asks for another without waiting, and cancels
// that: the next command that works goes on with the first and gives the other up.
func TestAStoppedBackfillIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	g := newBarrier("Name != 'held'", 0)
	ready := simulatedBy(t, simulator.Config{Org: org.Config{Accounts: 6, Seed: 7}, Fault: g.fault})
	config := b.config(salesforce(ready, ready.Password))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	go func() {
		select {
		case <-g.arrived:
		case <-ctx.Done():
		}
		stop()
	}()
	var out, said bytes.Buffer
	exit := run(ctx, []string{"backfill", "Account", "--where", g.text, "--log-level", "error", "--config", config}, nil, &out, &said, nil)
	if exit != exitFailed || !strings.Contains(said.String(), "is recorded, and the next 'crosswalk run'") || strings.Contains(said.String(), "goes on without") {
		t.Fatalf("exit status %d, %q %q", exit, out.String(), said.String())
	}
	stopped := ""
	for id := range b.backfills(config) {
		stopped = id
	}
	exit, text, told := b.run("backfill", "Contact", "--where", "Name != null", "--no-wait", "--json", "--config", config)
	var recorded producer.Backfill
	if err := json.Unmarshal([]byte(text), &recorded); err != nil || exit != exitDone || recorded.State != producer.BackfillWaiting || !strings.Contains(told, "only recorded") {
		t.Fatalf("--no-wait: exit status %d, %v, %q %q", exit, err, text, told)
	}
	if exit, text, told = b.run("backfill", "cancel", recorded.ID, "--config", config); exit != exitDone || !strings.Contains(told, "cancel is only recorded") {
		t.Fatalf("cancel: exit status %d, %q %q", exit, text, told)
	}
	g.lift()
	if exit, text, told = b.run("backfill", "Account", "--where", "Name != null", "--config", config); exit != exitDone {
		t.Fatalf("exit status %d, %q %q", exit, text, told)
	}
	all := b.backfills(config)
	if len(all) != 3 || all[stopped].State != producer.BackfillDone || all[recorded.ID].State != producer.BackfillCancelled {
		t.Errorf("stopped was %s, recorded %s: %+v", stopped, recorded.ID, all)
	}
}

// TestARunningProducerIsAsked asks a process that runs, on the embedded platform and on a Kafka of its own.
func TestARunningProducerIsAsked(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"embedded": false, "Kafka": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ready := simulated(t, org.Config{Accounts: 6, Contacts: 4, Seed: 7})
			text := salesforce(ready, ready.Password)
			if own {
				text = platform(t) + text
			}
			config := b.config(text)
			ctx, stop := context.WithTimeout(context.Background(), patience)
			defer stop()
			r, ended, logged := &running{ready: make(chan struct{})}, make(chan int, 1), &bytes.Buffer{}
			go func() {
				ended <- run(ctx, []string{"run", "salesforce", "console", "--json", "--config", config}, nil, r, logged, nil)
			}()
			select {
			case <-r.ready:
			case code := <-ended:
				t.Fatalf("run ended with %d: %s", code, logged.String())
			}
			exit, out, said := b.run("backfill", "Account", "--where", "Name != null", "--json", "--config", config)
			var done, asked producer.Backfill
			if err := json.Unmarshal([]byte(out), &done); err != nil || exit != exitDone || done.State != producer.BackfillDone || done.Parts[0].Read != 6 {
				t.Errorf("exit status %d, %v, %q %q", exit, err, out, said)
			}
			exit, out, said = b.run("backfill", "Contact", "--since", "24h", "--no-wait", "--json", "--config", config)
			if err := json.Unmarshal([]byte(out), &asked); err != nil || exit != exitDone || strings.Contains(said, "only recorded") || asked.ID == "" {
				t.Errorf("--no-wait: exit status %d, %v, %q %q", exit, err, out, said)
			}
			for all := b.backfills(config); !all[asked.ID].State.Over(); all = b.backfills(config) {
				if ctx.Err() != nil {
					t.Fatalf("it was not done: %+v", all)
				}
			}
			exit, out, said = b.run("status", "--json", "--config", config) // of the process that runs
			for _, id := range []string{done.ID, asked.ID} {
				if exit != exitDone || !strings.Contains(out, id) {
					t.Errorf("the process that runs says nothing of %s: exit status %d, %q %q", id, exit, out, said)
				}
			}
			stop()
			if code := <-ended; code != exitDone {
				t.Errorf("run ended with %d: %s", code, logged.String())
			}
		})
	}
}

// TestBackfillsAreAskedForAtOnce asks an org for several backfills in one moment: nobody is in another's way.
func TestBackfillsAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ready := simulated(t, org.Config{Accounts: 2, Seed: 7})
	config := b.config(platform(t) + salesforce(ready, ready.Password))
	const asked = 6
	var together sync.WaitGroup
	for range asked {
		together.Go(func() {
			if exit, out, said := b.run("backfill", "Account", "--no-wait", "--config", config); exit != exitDone {
				t.Errorf("exit status %d, %q %q", exit, out, said)
			}
		})
	}
	together.Wait()
	if all := b.backfills(config); len(all) != asked {
		t.Errorf("%d are listed, want %d: %+v", len(all), asked, all)
	}
}

// platform starts a Kafka and a registry, and returns the configuration that names them.
func platform(t *testing.T) string {
	t.Helper()
	address, url := platformAt(t)
	return "kafka:\n  brokers: [\"" + address + "\"]\nschema_registry: {url: \"" + url + "\"}\n"
}

// platformAt starts them and returns their addresses.
func platformAt(t *testing.T) (address, url string) {
	t.Helper()
	kafka, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kafka.Close(); err != nil {
			t.Error(err)
		}
	})
	server, err := registry.NewServer(t.Context(), &registry.MemoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return kafka.Addr(), web.URL
}

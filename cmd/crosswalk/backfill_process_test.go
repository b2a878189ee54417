package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/app"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	producer "crosswalk/producers/salesforce"
)

// barrier lets some requests whose address contains a text pass, and holds the others back until it is lifted.
type barrier struct {
	text    string
	pass    atomic.Int64  // so many may still pass
	arrived chan struct{} // has a value once a request is held back
	open    chan struct{} // closed: nothing is held back any more
}

func newBarrier(text string, pass int64) *barrier {
	g := &barrier{text: text, arrived: make(chan struct{}, 1), open: make(chan struct{})}
	g.pass.Store(pass)
	return g
}

func (g *barrier) lift() { close(g.open) }

func (g *barrier) fault(r *http.Request) *simulator.Fault {
	if !strings.Contains(address(r.URL.Path, r.URL.RawQuery), g.text) || g.pass.Add(-1) >= 0 {
		return nil
	}
	select {
	case <-g.open:
		return nil
	default:
	}
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
	return nil
}

// address is what a request asks for, readable.
func address(path, query string) string {
	text, _ := url.QueryUnescape(query)
	return path + "?" + text
}

// await waits until a request is held back.
func (g *barrier) await(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-p.ended:
		t.Fatalf("%v ended with %d: %s%s", p.cmd.Args[1:], p.code, p.said.String(), p.told.String())
	case <-time.After(patience):
		t.Fatalf("nobody asked for %s: %s", g.text, p.told.String())
	}
}

// only is the one backfill that there is.
func (b *bench) only(config string) producer.Backfill {
	b.t.Helper()
	all := b.backfills(config)
	if len(all) != 1 {
		b.t.Fatalf("there are %d backfills: %+v", len(all), all)
	}
	for _, f := range all {
		return f
	}
	panic("unreachable")
}

// TestABackfillIsSteeredFromOutside: one process runs the producer, others ask it for a backfill, look, pause it, resume it
// and give it up. Ctrl-C of the one that waits leaves the producer at work, and says so.
func TestABackfillIsSteeredFromOutside(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"embedded": false, "Kafka": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			g := newBarrier("FROM Account WHERE (Name != 'held') ORDER BY", 0)
			ready := simulatedBy(t, simulator.Config{Org: org.Config{Accounts: 6, Contacts: 4, Seed: 7}, Fault: g.fault})
			text := salesforce(ready, ready.Password)
			if own {
				text = platform(t) + text
			}
			config := b.config(text)
			runs := b.spawn("run", "salesforce", "console", "--json", "--config", config)
			runs.listens()
			asks := b.spawn("backfill", "Contact", "Account", "--where", "Name != 'held'", "--config", config)
			g.await(t, asks)
			now := b.only(config)
			if read, of := now.Progress(); now.State != producer.BackfillRunning || read != 4 || of != 10 {
				t.Errorf("with the Contacts read it is %+v", now)
			}
			if code := asks.interrupt(); code != exitFailed || !strings.Contains(asks.told.String(), "the process that runs goes on with it") ||
				!strings.Contains(asks.told.String(), "crosswalk backfill cancel "+now.ID) {
				t.Errorf("Ctrl-C: exit status %d, %q", code, asks.told.String())
			}
			if again := b.only(config); again.State != producer.BackfillRunning {
				t.Errorf("after Ctrl-C it is %+v", again)
			}
			for _, c := range []struct {
				kind string
				want producer.BackfillState
			}{{"pause", producer.BackfillPaused}, {"resume", producer.BackfillRunning}, {"cancel", producer.BackfillCancelled}} {
				exit, out, said := b.run("backfill", c.kind, now.ID, "--json", "--config", config)
				var after producer.Backfill
				err := json.Unmarshal([]byte(out), &after)
				if resumed := c.kind == "resume" && after.State == producer.BackfillWaiting; resumed { // it is its turn in a moment
					after.State = producer.BackfillRunning
				}
				if err != nil || exit != exitDone || strings.Contains(said, "only recorded") || after.State != c.want {
					t.Errorf("%s: exit status %d, %v, %q %q", c.kind, exit, err, out, said)
				}
				if c.kind == "resume" {
					g.await(t, runs)
				}
			}
			if all := b.only(config); all.State != producer.BackfillCancelled || all.Parts[0].Read != 4 {
				t.Errorf("in the end it is %+v", all)
			}
			b.refused([]string{"backfill", "resume", now.ID, "--config", config}, exitFailed, "is cancelled already: nothing is left to resume")
			g.lift()
			if exit, out, said := b.run("backfill", "Account", "--where", "Name != 'held'", "--config", config); exit != exitDone || !strings.Contains(out, "done") {
				t.Errorf("the next: exit status %d, %q %q", exit, out, said)
			}
			if code := runs.stop(); code != exitDone {
				t.Errorf("run ended with %d: %s", code, runs.told.String())
			}
		})
	}
}

// TestAKilledBackfillGoesOn kills (SIGKILL) the process that does a backfill in the middle, in each way of reading. The next
// process goes on where it was: nothing that was done is read again.
func TestAKilledBackfillGoesOn(t *testing.T) {
	t.Parallel()
	const accounts, texts = 4500, 120 // two lists of 2,000 and one of 500; three lists of 50
	for name, c := range map[string]struct {
		alone bool // the command itself does the work
		ask   []string
		holds string // what is asked for in the middle
		pass  int64  // of them before
		keeps string // what crosswalk.position says by then
		read  int64  // in the end
		check func(t *testing.T, before, after []simulator.Request)
	}{
		"a list, by the command": {
			true, []string{"Account", "--where", "Name != 'x'"}, "AND Id > '", 1, "", accounts, func(t *testing.T, _, after []simulator.Request) {
				if n := count(after, "(Name != 'x') ORDER BY"); n != 0 {
					t.Errorf("the list was begun anew %d times", n)
				}
			},
		},
		"a list, by the producer": {
			false, []string{"Account", "--where", "Name != 'x'"}, "AND Id > '", 1, "", accounts, func(t *testing.T, _, after []simulator.Request) {
				if n := count(after, "(Name != 'x') ORDER BY"); n != 0 {
					t.Errorf("the list was begun anew %d times", n)
				}
			},
		},
		"a snapshot": {
			false, []string{"Account"}, "/results?", 8, "MjAwMA", accounts, func(t *testing.T, before, after []simulator.Request) {
				if n := count(before, "POST /services/data/v66.0/jobs/query?"); n != 3 {
					t.Errorf("%d jobs were made for two snapshots and a backfill", n)
				}
				for _, again := range []string{"POST /services/data/v66.0/jobs/query?", "/results?maxRecords", "locator=MTAwMA"} {
					if n := count(after, again); n != 0 {
						t.Errorf("%d requests for %s, which was done", n, again)
					}
				}
			},
		},
		"texts": {
			false, []string{"ContentNote", "--since", "2000-01-01"}, "FROM ContentNote WHERE SystemModstamp >= 2000", 3, "", texts, func(t *testing.T, before, after []simulator.Request) {
				if first, second := count(before, "/VersionData"), count(after, "/VersionData"); first != texts+100 || second != 20 {
					t.Errorf("%d texts were read before it was killed and %d after, want %d and 20", first, second, texts+100)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			g := newBarrier(c.holds, c.pass)
			sim, ready := simulation(t, simulator.Config{Org: org.Config{Accounts: accounts, Seed: 7}, Fault: g.fault})
			for range texts {
				if _, err := sim.Org().Create("ContentNote", org.Fields{"Title": "T", "Content": "text"}); err != nil {
					t.Fatal(err)
				}
			}
			text := strings.Replace(salesforce(ready, ready.Password), "notes: {poll_interval: 1s}", "notes: {objects: [ContentNote], poll_interval: 1h}\n      bulk_page_rows: 1000", 1)
			config := b.config(text)
			runs := b.spawn("run", "salesforce", "console", "--json", "--config", config)
			runs.listens()
			b.streams(config)
			b.reckons(config, c.ask, "Account at ", ", as the snapshot of Account took on ")
			works := runs
			if c.alone {
				if code := runs.stop(); code != exitDone {
					t.Fatalf("run ended with %d: %s", code, runs.told.String())
				}
				works = b.spawn(append([]string{"backfill", "--config", config}, c.ask...)...)
			} else if exit, out, said := b.run(append([]string{"backfill", "--no-wait", "--config", config}, c.ask...)...); exit != exitDone {
				t.Fatalf("exit status %d, %q %q", exit, out, said)
			}
			g.await(t, works)
			if c.keeps != "" {
				works.keeps(c.keeps)
			}
			works.kill()
			g.lift()
			before := sim.Requests()
			runs = b.spawn("run", "salesforce", "console", "--json", "--config", config)
			runs.listens()
			last := b.only(config)
			for !last.State.Over() {
				last = b.only(config)
			}
			if last.State != producer.BackfillDone || last.Parts[0].Read != c.read {
				t.Errorf("it is done with %+v, want %d read", last, c.read)
			}
			c.check(t, before, sim.Requests()[len(before):])
			b.reckons(config, c.ask, "Account at ", ", as the backfill "+last.ID+" took on "+time.Now().UTC().Format("2006"))
		})
	}
}

// keeps waits until a process that runs has stored a place that contains a text.
func (p *process) keeps(place string) {
	p.t.Helper()
	var at app.Endpoints
	err := json.Unmarshal([]byte(p.said.String()), &at)
	if err != nil {
		p.t.Fatal(err)
	}
	client, err := topic.Dial(p.t.Context(), topic.Config{Brokers: []string{at.Kafka}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	for kept := map[string]bool{}; !slices.Contains(slices.Collect(maps.Values(kept)), true); {
		_, err = client.ReadAll(p.t.Context(), []string{"crosswalk.position"}, func(r topic.Record) error {
			kept[string(r.Key)] = bytes.Contains(r.Value, []byte(place)) // the last record counts
			return nil
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// reckons looks whether the bill of a backfill of Accounts is reckoned from what was measured. A list has not been measured
// before the first one has.
func (b *bench) reckons(config string, ask []string, words ...string) {
	b.t.Helper()
	if listed := len(ask) > 1; ask[0] != "Account" || listed && strings.Contains(words[1], "snapshot") {
		return
	}
	_, out, said := b.run(append([]string{"backfill", "--dry-run", "--config", config}, ask...)...)
	for _, w := range words {
		if !strings.Contains(out, w) {
			b.t.Errorf("the bill does not say %q: %s%s", w, out, said)
		}
	}
}

// count counts the requests whose address contains a text.
func count(requests []simulator.Request, text string) (n int) {
	for _, r := range requests {
		if strings.Contains(r.Method+" "+address(r.Path, r.Query), text) {
			n++
		}
	}
	return n
}

// streams waits until the producer that runs has read the whole org.
func (b *bench) streams(config string) {
	b.t.Helper()
	for {
		exit, out, said := b.run("status", "--json", "--config", config)
		if exit != exitDone {
			b.t.Fatalf("status: exit status %d, %q %q", exit, out, said)
		}
		if strings.Contains(out, `"phase":"streaming"`) && strings.Contains(out, `"ready":true`) {
			return
		}
	}
}

package salesforce_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// accounts is the topic that is damaged here.
const accounts = "salesforce.account"

// strangeKey is no id of an account.
const strangeKey = "customer-17"

// damagedTopic is a topic of accounts into which somebody wrote what cannot be used.
type damagedTopic struct {
	live, changed, deleted, gone string            // accounts: as they were, changed meanwhile, deleted meanwhile, deleted before
	written                      map[string]string // reason that is expected, by the place of what was written
	versions                     map[string]change.Version
}

// spoil writes, over good records and in the place of none, everything that cannot be used; epoch is the greatest of its versions. The org
// changes as well.
func (b *bench) spoil(live []string, gone, epoch string) *damagedTopic {
	b.t.Helper()
	d := &damagedTopic{live: live[0], changed: live[1], deleted: live[2], gone: gone, written: map[string]string{}, versions: map[string]change.Version{}}
	b.must(b.sim.Org().Update("Account", d.changed, org.Fields{"Phone": "changed meanwhile"}))
	b.must(b.sim.Org().Delete("Account", d.deleted))
	good := b.last(accounts)
	foreign, err := b.registry.Register(b.ctx, "somebody-else", `{"type":"record","name":"Customer","fields":[{"name":"a","type":"long"}]}`)
	b.must(err)
	framed := func(id int, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
	}
	version := func(epoch, rev string) []topic.Header {
		return []topic.Header{{Key: "epoch", Value: []byte(epoch)}, {Key: "rev", Value: []byte(rev)}}
	}
	write := func(key string, value []byte, headers []topic.Header, why string) {
		d.written[b.place(topic.Record{Topic: accounts, Key: []byte(key), Value: value, Headers: headers})] = why
		if v := versionOf(topic.Record{Headers: headers}); d.versions[key].Less(v) && v.Epoch < 1<<60 {
			d.versions[key] = v
		}
	}
	value := good[d.live].Value
	write(d.live, value[:len(value)-3], version(epoch, "3"), "decode")
	write(d.changed, framed(4711, 1, 2, 3), version(epoch, "9"), "does not have its schema 4711")
	write(d.deleted, []byte("no Avro at all"), version(epoch, "1"), "")
	write(d.gone, framed(foreign, 2), version(epoch, "9"), fmt.Sprintf("schema %d is not one of rows", foreign))
	write(live[3], good[live[3]].Value, nil, "no headers epoch and rev")
	write(live[4], good[live[4]].Value, version("one", "1"), "header epoch")
	write(live[5], good[live[4]].Value, version(epoch, "2"), "it is the row of")
	write(live[6], nil, version("9223372036854775807", "1"), "out of range")
	write(live[7], nil, nil, "no headers epoch and rev")
	write("001000000000999AAA", []byte{1}, version("0", "1"), "")
	write(strangeKey, value, version("8", "2"), "is no id of Account")
	write(strings.ToLower(d.live), value, version("1", "1"), "is no id of Account")
	return d
}

// place writes a record as somebody else and returns where it stands.
func (b *bench) place(r topic.Record) (place string) {
	b.t.Helper()
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "somebody else", Topics: []string{r.Topic}})
	b.must(err)
	defer w.Close()
	r.Time = time.Now()
	b.must(w.Send(b.ctx, r, func(r topic.Record, _ error) { place = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset) }))
	b.must(w.Flush(b.ctx))
	return place
}

// last is the latest record of every key of a topic.
func (b *bench) last(name string) map[string]topic.Record {
	b.t.Helper()
	out := map[string]topic.Record{}
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		r.Headers = slices.Clone(r.Headers)
		for i := range r.Headers {
			r.Headers[i].Value = bytes.Clone(r.Headers[i].Value)
		}
		out[string(r.Key)] = r
		return nil
	})
	b.must(err)
	return out
}

// repaired holds the damaged topic to the org, and looks for dead letters, holes and versions.
func (b *bench) repaired(d *damagedTopic) {
	b.t.Helper()
	want, last := b.truth("Account"), b.last(accounts)
	for id, row := range want {
		got, err := b.decode(last[id].Value)
		if err != nil {
			b.t.Errorf("the last record of %s cannot be read: %v", id, err)
		}
		for name, value := range row {
			if got[name] != value {
				b.t.Errorf("I1: %s has %s = %q in the topic, %q in the org", id, name, got[name], value)
			}
		}
	}
	for id, r := range last {
		if want[id] == nil && r.Value != nil {
			b.t.Errorf("I7: the topic has %s, the org does not", id)
		}
		if v := versionOf(r); d.versions[id] != (change.Version{}) && !d.versions[id].Less(v) {
			b.t.Errorf("W3: the last version of %s is %v, and somebody wrote %v", id, v, d.versions[id])
		}
	}
	for place, why := range d.written {
		_, headers := b.deadLetter(place)
		if !strings.Contains(headers["reason"], why) || headers["topic"] != accounts || place != headers["topic"]+"/"+headers["partition"]+"/"+headers["offset"] {
			b.t.Errorf("the dead letter of %s says %v, want %q", place, headers, why)
		}
	}
	open := map[string]bool{}
	named := map[string]bool{}
	for _, h := range b.holes("damaged_record") {
		open[h.ID] = h.State != "closed"
		for _, id := range h.Bounds.IDs {
			named[id] = true
		}
	}
	for id, is := range open {
		if is {
			b.t.Errorf("the hole %s is not closed", id)
		}
	}
	for _, id := range []string{d.live, d.changed, d.deleted, d.gone, "001000000000999AAA"} {
		if !named[id] {
			b.t.Errorf("no hole names %s", id)
		}
	}
	if foreign := b.holes("no_record_id"); len(foreign) < 2 || foreign[0].State != "noted" {
		b.t.Errorf("the audit says %v of records that are nobody's", foreign)
	}
	if row, there := last[strangeKey]; !there || row.Value != nil {
		b.t.Errorf("%s is still there", strangeKey)
	}
}

// aliveAndGone are the ids of live accounts, and of one that the topic knows to be deleted.
func (b *bench) aliveAndGone(p *life) (live []string, gone string) {
	b.t.Helper()
	gone, err := b.sim.Org().Create("Account", org.Fields{"Name": "soon gone"})
	b.must(err)
	p.settle()
	b.must(b.sim.Org().Delete("Account", gone))
	p.settle()
	return b.ids("Account"), gone
}

// TestDamagedRecordsAreFoundByAStart has everything that cannot be used in the topic when a producer starts.
func TestDamagedRecordsAreFoundByAStart(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"state kept": false, "state lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 81, Accounts: 20}})
			p := b.start()
			b.await(p, allReady)
			live, gone := b.aliveAndGone(p)
			p.end()
			d := b.spoil(live, gone, "7")
			if lost {
				b.config.StateDir = t.TempDir()
			}
			p = b.start()
			p.settle()
			b.repaired(d)
			p.end()
			count := b.records(accounts)
			p = b.start()
			p.settle()
			if after := b.records(accounts); after != count {
				t.Errorf("I8: the topic had %d records and has %d after a restart with nothing new", count, after)
			}
		})
	}
}

// TestDamagedRecordsAreFoundWhileRunning has all of that written while a producer runs.
func TestDamagedRecordsAreFoundWhileRunning(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 82, Accounts: 20}})
	b.config.LateEvery = 20 * time.Millisecond
	p := b.start()
	b.await(p, allReady)
	live, gone := b.aliveAndGone(p)
	calls := b.callsFor("Account")
	b.place(topic.Record{Topic: accounts, Key: []byte("customer-18"), Value: []byte("{}")})
	b.awaitAudit(p, "foreign_record noted no_record_id")
	if asked := b.callsFor("Account") - calls; asked > 0 {
		t.Errorf("Salesforce was asked %d times about a record that is nobody's", asked)
	}
	d := b.spoil(live, gone, "0") // a later one would be that of a later owner
	b.await(p, func(s salesforce.Status) bool { return b.letters() == len(d.written)+1 })
	b.awaitHealed(p, d.live, d.changed, d.deleted, d.gone, live[3], live[4], live[5], live[6], live[7], "001000000000999AAA")
	b.repaired(d)
}

// awaitHealed waits until the holes of damaged records are closed.
func (b *bench) awaitHealed(p *life, ids ...string) {
	b.t.Helper()
	b.await(p, func(s salesforce.Status) bool {
		state := map[string]string{}
		for _, h := range b.holes("damaged_record") {
			for _, id := range h.Bounds.IDs {
				state[id] = h.State
			}
		}
		return s.Holes == 0 && !slices.ContainsFunc(ids, func(id string) bool { return state[id] != "closed" })
	})
}

// letters counts the dead letters.
func (b *bench) letters() int { return len(b.last("crosswalk.deadletter")) }

// TestDamagedRecordsOutliveACrash kills the process that has found damage before Salesforce has answered: the next one goes on, and in the
// meantime nothing of the record is published, although an event of it comes.
func TestDamagedRecordsOutliveACrash(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 83, Accounts: 10}})
	p := b.start()
	b.await(p, allReady)
	p.settle()
	p.end()
	id := b.ids("Account")[0]
	b.place(topic.Record{Topic: accounts, Key: []byte(id), Value: []byte{0, 0}, Headers: []topic.Header{
		{Key: "epoch", Value: []byte("4")}, {Key: "rev", Value: []byte("1")}, {Key: "pos", Value: []byte("1000000000")},
	}})
	b.sim.Inject(simulator.Rule{Fault: simulator.Fault{Delay: simulator.Duration(time.Hour)}, Path: "/services/data/*/composite/sobjects/Account", Count: -1})
	p = b.start()
	b.awaitAudit(p, "hole opened damaged_record")
	p.end()
	b.must(b.sim.Org().Update("Account", id, org.Fields{"Phone": "with the next owner"}))
	p = b.start()
	last := b.sim.Events().Last()
	b.await(p, func(s salesforce.Status) bool {
		return s.Counts.Events > 0 && s.Waiting > 0 && s.Holes == 1 && s.ReplayID < last
	})
	if r := b.last(accounts)[id]; versionOf(r).Epoch != 4 {
		t.Errorf("something is published of a record that nobody knows: version %v", versionOf(r))
	}
	b.sim.ClearFaults()
	p.end()
	p = b.start()
	p.settle()
	if row, err := b.decode(b.last(accounts)[id].Value); err != nil || row["Phone"] != "with the next owner" {
		t.Errorf("the record is %v, %v", row["Phone"], err)
	}
	if holes := b.holes("damaged_record"); holes[0].ID != holes[len(holes)-1].ID || holes[len(holes)-1].State != "closed" {
		t.Errorf("the holes are %v", holes)
	}
}

// TestARegistryThatDoesNotAnswerIsNoDamage starts while the registry refuses to say what schemas are: it is asked until it does.
func TestARegistryThatDoesNotAnswerIsNoDamage(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 84, Accounts: 10}})
	p := b.start()
	b.await(p, allReady)
	p.settle()
	p.end()
	behind, err := url.Parse(b.schemata)
	b.must(err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	var refused atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/schemas/ids/") && refused.Add(1) <= 6 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	b.config.Registry = registry.NewClient(front.URL, registry.WithBackoff(retry.Backoff{First: time.Millisecond, Max: time.Millisecond, Attempts: 2}))
	b.config.StateDir = t.TempDir()
	count := b.records(accounts)
	p = b.start()
	p.settle()
	if after := b.records(accounts); after != count || refused.Load() <= 6 || len(b.holes("damaged_record")) != 0 {
		t.Errorf("the topic had %d records and has %d, the registry refused %d times, the holes are %v", count, after, refused.Load(), b.holes("damaged_record"))
	}
}

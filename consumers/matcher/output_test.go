package matcher

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// Every output carries its version, how fresh both sides are, and the CloudEvents binding; tombstones, too (C2).
func TestHeadersOfOutputs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	headers := append(versionHeaders(1, 1), topic.Header{Key: "asof", Value: []byte("1700000000000")},
		topic.Header{Key: "ce_time", Value: []byte("2026-11-21T10:00:00.123Z")})
	r := record(join.Account, "a1", 1, customer.Fields{"X": "C1"}).Records[0]
	value, err := p.frame(p.ctx, r.Schema(), r.Body())
	p.must(err)
	p.must(p.writer.Write(p.ctx, topic.Record{Topic: p.names.inputs[0], Key: []byte(r.Key), Value: value, Headers: headers}))
	p.start()
	p.settled(false)
	p.put(record(join.Customer, "é/1", 1, customer.Fields{"Y": "C1"}))
	p.settled(false)
	p.put(record(join.Customer, "é/1", 2, nil))
	p.settled(false)

	var views []map[string]string
	_, err = p.kafka.ReadAll(p.ctx, []string{p.names.outputs[join.View]}, func(r topic.Record) error {
		h := map[string]string{}
		for _, header := range r.Headers {
			h[header.Key] = string(header.Value)
		}
		views = append(views, h)
		return nil
	})
	p.must(err)
	if len(views) != 2 {
		t.Fatalf("%d records of the view, want a put and a tombstone", len(views))
	}
	put, gone := views[0], views[1]
	for name, want := range map[string]string{
		"rev": "1", "op": "update", "salesforce_asof": "1795255200123", "ce_specversion": "1.0", "ce_type": "crosswalk.customer.view.update",
		"ce_source": "/crosswalk/" + p.org + "/matcher", "ce_subject": "é/1", "ce_id": "%C3%A9%2F1-" + put["epoch"] + "-1",
	} {
		if put[name] != want {
			t.Errorf("header %s is %q, want %q", name, put[name], want)
		}
	}
	if put["erp_asof"] == "0" || put["epoch"] == "" || put["epoch"] != gone["epoch"] {
		t.Errorf("headers %v and %v", put, gone)
	}
	if _, err := time.Parse(time.RFC3339, put["ce_time"]); err != nil {
		t.Error(err)
	}
	if gone["rev"] != "2" || gone["op"] != "delete" || gone["ce_type"] != "crosswalk.customer.view.delete" {
		t.Errorf("headers of the tombstone: %v", gone)
	}
}

// A key that comes back has a greater version than it ever had.
func TestVersionsRiseOverRestarts(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.start()
	for rev := range int64(6) {
		fields := customer.Fields{"X": "C1"}
		if rev%2 == 1 {
			fields = nil
		}
		p.put(record(join.Account, "a1", rev+1, fields))
		p.settled(true)
		if rev == 2 || rev == 3 {
			p.end(rev == 3)
			p.start()
			p.settled(true)
		}
	}
	var last struct{ epoch, rev int64 }
	n := 0
	_, err := p.kafka.ReadAll(p.ctx, []string{p.names.outputs[join.Unmatched]}, func(r topic.Record) error {
		v, err := VersionOf(&r)
		if v.Epoch < last.epoch || v.Epoch == last.epoch && v.Rev <= last.rev {
			t.Errorf("version %+v after %+v", v, last)
		}
		last.epoch, last.rev = v.Epoch, v.Rev
		n++
		return err
	})
	p.must(err)
	if n != 6 {
		t.Errorf("%d records, want 6", n)
	}
}

func TestStatusCounts(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.put(record(join.Account, "a2", 1, customer.Fields{"X": "c1"}))
	p.put(record(join.Contact, "c1", 1, customer.Fields{"AccountId": nil}))
	p.put(record(join.Note, "n1", 1, customer.Fields{}))
	p.settled(false)
	s := p.matcher.Status()
	want := Unmatched{Accounts: 1, Contacts: 1, Notes: 1}
	if s.Accounts != 2 || s.Contacts != 1 || s.Notes != 1 || s.Customers != 1 || s.Matched != 1 || s.Ambiguous != 0 || s.Unmatched != want || s.NearMisses != 1 {
		t.Errorf("status is %+v", s)
	}
	p.end(false)
	p.start()
	p.settled(false)
	again := p.matcher.Status()
	if again.Matched != 1 || again.Unmatched != want || again.NearMisses != 1 || again.SalesforceAt.IsZero() {
		t.Errorf("after a restart it is %+v", again)
	}
}

// The package comment names every metric, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("matcher.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "package matcher")
	documented := regexp.MustCompile(`crosswalk_matcher_[a-z_]+`).FindAllString(comment, -1)
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	o := m.of("x")
	o.lag.Set(1)
	var registered []string
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		registered = append(registered, f.GetName())
	}
	slices.Sort(documented)
	if !slices.Equal(documented, registered) {
		t.Errorf("documented are\n%q, registered\n%q", documented, registered)
	}
}

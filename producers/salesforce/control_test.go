package salesforce_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// TestActivationOfAFormulaIsFollowedAtOnce is H-30 through the whole producer: a link field that events cannot carry has every
// event followed by a read, from the moment of its activation on, also when that is only found at a start.
func TestActivationOfAFormulaIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 31, Accounts: 10}})
	b.must(b.sim.AddField("Account", org.FieldSpec{Name: "ERP_Key__c", Formula: `"C-" & BillingCity`}))
	p := b.start()
	p.settle()
	id := slices.Sorted(maps.Keys(b.truth("Account")))[0]
	key := func(city string) string {
		b.must(b.sim.Org().Update("Account", id, org.Fields{"BillingCity": city}))
		p.settle()
		row := b.published("salesforce.account")[id]
		if row["BillingCity"] != city {
			t.Errorf("BillingCity is %q, want %q", row["BillingCity"], city)
		}
		return row["ERP_Key__c"]
	}
	if got := key("Basel"); got == "C-Basel" {
		t.Fatalf("the formula is %q before it is the link: events carry it, and this test shows nothing", got)
	}
	link := avro.LinkSetting{SalesforceField: "erp_key__c", ERPField: "number", Cardinality: "one_to_one"}
	activate := func(l *avro.LinkSetting) { b.control(avro.Control{Kind: salesforce.AskActivate, ID: "a", Link: l}, "") }
	activate(&link)
	b.await(p, func(s salesforce.Status) bool { return s.LinkRefetched })
	if got := key("Bern"); got != "C-Bern" {
		t.Errorf("H-30: the formula is %q after the activation, want C-Bern", got)
	}
	p.end()
	b.config.StateDir = t.TempDir()
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	if got := key("Chur"); got != "C-Chur" {
		t.Errorf("H-30: the formula is %q after a restart, want C-Chur", got)
	}
	activate(nil)
	b.await(p, func(s salesforce.Status) bool { return !s.LinkRefetched })
	if got := key("Davos"); got != "C-Chur" {
		t.Errorf("the formula is %q although no link needs it", got)
	}
}

func TestControlRecordsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 32, Accounts: 5}})
	behind, err := url.Parse(b.schemata)
	b.must(err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/schemas/ids/7001") {
			_, _ = w.Write([]byte(`{"schemaType":"PROTOBUF","schema":"message Control {}"}`))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	b.config.Registry = registry.NewClient(front.URL)
	b.say("noise", []byte("no Avro at all"))
	p := b.start()
	p.settle()
	b.say("noise", append(avro.Frame(nil, 987_654), "nobody knows the schema"...))
	id, err := b.registry.Register(b.ctx, "crosswalk.control-value", schemas.Control)
	b.must(err)
	b.say("noise", append(avro.Frame(nil, id), "cut"...))
	b.say("noise", append(avro.Frame(nil, 7_001), "the registry has it in another language"...))
	b.say("tombstone", nil)
	b.control(avro.Control{Kind: "dance", ID: "x"}, "")
	b.control(avro.Control{Org: "elsewhere", Kind: salesforce.AskBackfill, ID: "b0", Backfill: &avro.Backfill{Objects: []string{"Account"}}}, "b0")
	b.ask("b1", avro.Backfill{Objects: []string{"Account"}, Since: ago(0)})
	b.awaitBackfill(p, "b1", salesforce.BackfillDone)
	if s := p.Status(); len(s.Backfills) != 1 {
		t.Errorf("another org's backfill is done: %+v", s.Backfills)
	}
	letters := 0
	_, err = b.kafka.ReadAll(b.ctx, []string{"crosswalk.deadletter"}, func(r topic.Record) error {
		if strings.HasPrefix(string(r.Key), "crosswalk.control/") && len(r.Value) > 0 {
			letters++
		}
		return nil
	})
	b.must(err)
	if letters != 4 {
		t.Errorf("the dead letter topic has %d of 4 damaged records", letters)
	}
}

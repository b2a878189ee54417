package matcher

import (
	"log/slog"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// TestAnOrgWithoutAnAliasIsCalledDefault gives activations under the key that such an org has and the one that it once had, in any
// order: the partitions of a topic have none between them.
func TestAnOrgWithoutAnAliasIsCalledDefault(t *testing.T) {
	t.Parallel()
	p := setup(t)
	configured := &customer.Link{SalesforceField: "Configured", ERPField: "number"}
	ask := func(key, org, field string) *topic.Record {
		if field == "" {
			return &topic.Record{Key: []byte(key)}
		}
		record := avro.Control{Org: org, Kind: Activation, ID: "1", Detail: map[string]string{}, Link: &avro.LinkSetting{
			SalesforceField: field, ERPField: "number", Cardinality: "one_to_one",
		}}
		body, err := record.Append(nil)
		p.must(err)
		value, err := p.frame(p.ctx, schemas.Control, body)
		p.must(err)
		return &topic.Record{Key: []byte(key), Value: value}
	}
	const key, former = "default/identifier_activate", "/identifier_activate"
	for name, c := range map[string]struct {
		asked []*topic.Record
		want  string
	}{
		"by name":                       {[]*topic.Record{ask(key, "default", "A")}, "A"},
		"by no name":                    {[]*topic.Record{ask(key, "", "A")}, "A"},
		"another org's":                 {[]*topic.Record{ask("acme/identifier_activate", "acme", "A")}, "Configured"},
		"under the former key":          {[]*topic.Record{ask(former, "", "A")}, "A"},
		"former, then now":              {[]*topic.Record{ask(former, "", "A"), ask(key, "default", "B")}, "B"},
		"now, then former":              {[]*topic.Record{ask(key, "default", "B"), ask(former, "", "A")}, "B"},
		"forgotten, then former":        {[]*topic.Record{ask(key, "", ""), ask(former, "", "A")}, "Configured"},
		"former, forgotten":             {[]*topic.Record{ask(former, "", "A"), ask(former, "", "")}, "Configured"},
		"now, then former is forgotten": {[]*topic.Record{ask(key, "default", "B"), ask(former, "", "")}, "B"},
	} {
		known := newSchemaCache(p.registry, slog.New(slog.DiscardHandler))
		known.ctx = p.ctx
		control := &control{configured: configured, link: configured, schemas: known}
		for _, r := range c.asked {
			p.must(control.apply(r))
		}
		if got := control.link.SalesforceField; got != c.want {
			t.Errorf("%s: the link is by %s, want %s", name, got, c.want)
		}
	}
	m, err := New(Config{Kafka: p.kafka, Registry: p.registry, StateDir: t.TempDir()})
	p.must(err)
	if m.Task() != "matcher/default" || m.Status().Org != "default" || source("") != "/crosswalk/default/matcher" {
		t.Errorf("task %s, status of %q, ce_source %s", m.Task(), m.Status().Org, source(""))
	}
}

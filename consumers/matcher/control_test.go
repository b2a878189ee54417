package matcher

import (
	"log/slog"
	"testing"

	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// TestAnOrgWithoutAnAliasIsCalledDefault gives activations under the key that such an org has, and under others.
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
	const key = "default/identifier_activate"
	for name, c := range map[string]struct {
		asked []*topic.Record
		want  string
	}{
		"by name":          {[]*topic.Record{ask(key, "default", "A")}, "A"},
		"by no name":       {[]*topic.Record{ask(key, "", "A")}, "A"},
		"another org's":    {[]*topic.Record{ask("acme/identifier_activate", "acme", "A")}, "Configured"},
		"under no name":    {[]*topic.Record{ask("/identifier_activate", "", "A")}, "Configured"},
		"forgotten":        {[]*topic.Record{ask(key, "", "A"), ask(key, "", "")}, "Configured"},
		"another is set":   {[]*topic.Record{ask(key, "", "A"), ask(key, "", "B")}, "B"},
		"forgot another's": {[]*topic.Record{ask(key, "", "A"), ask("/identifier_activate", "", "")}, "A"},
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

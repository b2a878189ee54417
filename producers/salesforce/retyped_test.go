package salesforce_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/avro/schema"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// size is a custom field of Account that gets another type.
const size = "Size__c"

// sized makes an org with such a field, and three accounts of which one has a value that is no number.
func sized(t *testing.T, config simulator.Config) (b *bench, ids []string) {
	t.Helper()
	b = setup(t, config)
	b.must(b.sim.AddField("Account", org.FieldSpec{Name: size}))
	ids = b.ids("Account")
	for i, value := range []string{"12.50", "twelve", "7"} {
		b.must(b.sim.Org().Update("Account", ids[i], org.Fields{size: value}))
	}
	return b, ids
}

// readable holds that a subscriber with the newest schema of a topic can read every record that lies there.
func (b *bench) readable(name string) {
	b.t.Helper()
	_, _, newest, err := b.registry.Latest(b.ctx, name+"-value")
	b.must(err)
	reader, err := schema.Parse(newest)
	b.must(err)
	seen := map[int]bool{}
	_, err = b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		if r.Value == nil {
			return nil
		}
		id, _, err := avro.Unframe(r.Value)
		if err != nil || seen[id] {
			return err
		}
		seen[id] = true
		text, err := b.registry.Schema(b.ctx, id)
		if err != nil {
			return err
		}
		writer, err := schema.Parse(text)
		if found := schema.CanRead(reader, writer); len(found) > 0 {
			b.t.Errorf("a subscriber with the newest schema of %s cannot read records of schema %d: %v", name, id, found)
		}
		return err
	})
	b.must(err)
	if len(seen) < 2 {
		b.t.Errorf("the records of %s have %d schemas: the test shows nothing", name, len(seen))
	}
}

// TestAColumnGetsAnotherType changes text to a number, of which an event tells that names no record, and the number back to
// text, of which nothing tells, while records change: subscribers read on, and every value is the org's.
func TestAColumnGetsAnotherType(t *testing.T) {
	t.Parallel()
	b, ids := sized(t, simulator.Config{Org: org.Config{Seed: 81, Accounts: 60}})
	p := b.start()
	b.await(p, allReady)
	o := b.sim.Org()
	b.must(b.sim.RetypeField("Account", org.FieldSpec{Name: size, Type: "double", Scale: 2}))
	b.must(o.Update("Account", ids[0], org.Fields{size: 7.25}))
	b.must(o.Update("Account", ids[1], org.Fields{"Phone": "of what lost its value"}))
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	b.compare("Account")
	if row := b.published("salesforce.account")[ids[0]]; row[size] != "7.25" {
		t.Errorf("the number is published as %q", row[size])
	}
	b.readable("salesforce.account")

	b.must(b.sim.RetypeField("Account", org.FieldSpec{Name: size, Type: "string"}))
	b.must(o.Update("Account", ids[1], org.Fields{size: "dozen"}))
	b.awaitAudits(p, "schema_change closed fields", 2)
	p.settle()
	b.compare("Account")
	b.readable("salesforce.account")
	if s := p.Status(); s.Epoch != 1 || s.Counts.Repaired != 0 {
		t.Errorf("a changed type cost more than a snapshot: %+v", s)
	}
	p.end()
	before := b.records("salesforce.account")
	p = b.start()
	b.await(p, allReady)
	p.settle()
	if after := b.records("salesforce.account"); after != before {
		t.Errorf("I8: the topic had %d records and has %d after a restart", before, after)
	}
}

// TestAColumnGetsAnotherTypeWhileNobodyListens restarts behind the change: the position's schema tells what it was.
func TestAColumnGetsAnotherTypeWhileNobodyListens(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"state kept": false, "state lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ids := sized(t, simulator.Config{Org: org.Config{Seed: 82, Accounts: 30}})
			p := b.start()
			b.await(p, allReady)
			b.must(b.sim.Org().Update("Account", ids[2], org.Fields{"Phone": "a position"}))
			p.settle()
			p.end()
			b.must(b.sim.RetypeField("Account", org.FieldSpec{Name: size, Type: "double", Scale: 2}))
			b.must(b.sim.Org().Update("Account", ids[0], org.Fields{size: 3}))
			if lost {
				b.config.StateDir = t.TempDir()
			}
			p = b.start()
			b.awaitAudit(p, "schema_change closed fields")
			p.settle()
			b.compare("Account")
			b.readable("salesforce.account")
		})
	}
}

// TestAColumnComesBackAsAnotherOne removes a field and makes one of the same name and another type, as Setup asks for when a
// type cannot be changed: records of the first one still lie in the topic, and have to be readable under the third schema.
func TestAColumnComesBackAsAnotherOne(t *testing.T) {
	t.Parallel()
	b, ids := sized(t, simulator.Config{Org: org.Config{Seed: 83, Accounts: 30}})
	b.config.DescribeEvery = 50 * time.Millisecond
	p := b.start()
	b.await(p, allReady)
	b.must(b.sim.RemoveField("Account", size))
	b.awaitAudit(p, "schema_change noted fields")
	b.must(b.sim.AddField("Account", org.FieldSpec{Name: size, Type: "boolean"}))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{size: true}))
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	b.compare("Account")
	b.readable("salesforce.account")
}

// TestTheRegistryRefusesANewType has a subject whose compatibility allows no new type: the column is left out, said, and the
// rest goes on; it comes back when the level allows it.
func TestTheRegistryRefusesANewType(t *testing.T) {
	t.Parallel()
	b, ids := sized(t, simulator.Config{Org: org.Config{Seed: 84, Accounts: 30}})
	b.config.DescribeEvery = 50 * time.Millisecond
	b.config.LinkField = size
	p := b.start()
	b.await(p, allReady)
	b.compatibility("salesforce.account-value", "FULL_TRANSITIVE")
	b.must(b.sim.RetypeField("Account", org.FieldSpec{Name: size, Type: "boolean"}))
	b.awaitAudit(p, "schema_change noted fields")
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{size: true, "Phone": "goes on"}))
	p.settle()
	if row := b.published("salesforce.account")[ids[0]]; row["Phone"] != "goes on" {
		t.Errorf("published is %v", row)
	} else if value, there := row[size]; there {
		t.Errorf("H13: what the registry refuses is published as %q", value)
	}
	b.readable("salesforce.account")
	told := b.holes("fields")
	if last := told[len(told)-1]; last.Detail["refused_by_registry"] != size || !strings.Contains(last.Message, "to BACKWARD") {
		t.Errorf("the audit says %q, %v", last.Message, last.Detail)
	}
	if text := p.Status().LinkUnreadable; !strings.HasPrefix(text, size+" of Account links accounts") {
		t.Errorf("the status says %q of the link", text)
	}
	p.end()
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	if slices.Contains(p.Status().Columns["Account"], size) || len(b.holes("fields")) != len(told) {
		t.Errorf("after a restart the columns are %v, and the audit says %v", p.Status().Columns["Account"], b.holes("fields"))
	}
	b.compatibility("salesforce.account-value", "BACKWARD")
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	b.compare("Account")
	if text := p.Status().LinkUnreadable; text != "" {
		t.Errorf("the status says %q of a link that can be read again", text)
	}
}

// compatibility sets the level of a subject.
func (b *bench) compatibility(subject, level string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.ctx, http.MethodPut, b.schemata+"/config/"+subject, strings.NewReader(`{"compatibility":"`+level+`"}`))
	b.must(err)
	reply, err := http.DefaultClient.Do(request)
	b.must(err)
	b.must(reply.Body.Close())
	if reply.StatusCode != http.StatusOK {
		b.t.Fatalf("set the compatibility of %s: %s", subject, reply.Status)
	}
}

// awaitAudits waits until the audit says something so many times.
func (b *bench) awaitAudits(p *life, text string, n int) {
	b.t.Helper()
	b.await(p, func(salesforce.Status) bool {
		said := slices.DeleteFunc(b.audits(), func(s string) bool { return s != text })
		return len(said) >= n
	})
}

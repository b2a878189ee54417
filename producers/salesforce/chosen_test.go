package salesforce_test

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// choose configures the fields of Account.
func (b *bench) choose(s sfapi.Selection) {
	b.config.Fields = map[string]sfapi.Selection{"Account": s, "Contact": {Exclude: []string{"Email"}}}
}

// TestChosenFields changes between two runs which fields are read: a new column is filled by a snapshot, one that is left out
// leaves the schema and is never null, and what is needed is read although nobody named it.
func TestChosenFields(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 71, Accounts: 20, Contacts: 20}})
	b.choose(sfapi.Selection{Include: []string{"Name", "phone", "BillingCity"}})
	p := b.start()
	p.settle()
	want := []string{"BillingCity", "Id", "IsDeleted", "Name", "Phone", "SystemModstamp"}
	if got := p.Status().Columns["Account"]; !slices.Equal(got, want) {
		t.Errorf("the columns of Account are %v, want %v", got, want)
	}
	if c := p.Status().Columns["Contact"]; slices.Contains(c, "Email") || !slices.Contains(c, "AccountId") {
		t.Errorf("the columns of Contact are %v, want all but Email", c)
	}
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"Phone": "1", "Fax": "2"}))
	b.must(b.sim.Org().Update("Account", ids[1], org.Fields{"Fax": "3"})) // an event of nothing that is read
	p.settle()
	if row := b.published("salesforce.account")[ids[0]]; row["Phone"] != "1" || len(row) != len(want) {
		t.Errorf("the record is %v, want Phone 1 and only %v", row, want)
	}
	p.end()

	b.choose(sfapi.Selection{Include: []string{"Name", "Fax", "Billing*"}, Exclude: []string{"BillingLatitude"}})
	p = b.start()
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	rows := b.published("salesforce.account")
	for id, truth := range b.truth("Account") {
		if phone, there := rows[id]["Phone"]; there {
			t.Errorf("H13: Phone is left out and published as %q", phone)
		}
		if rows[id]["Fax"] != truth["Fax"] || rows[id]["BillingStreet"] != truth["BillingStreet"] {
			t.Errorf("H10: %s has Fax %q, want %q: a snapshot fills new columns", id, rows[id]["Fax"], truth["Fax"])
		}
	}
	if rows[ids[1]]["Fax"] != "3" {
		t.Errorf("H10: what happened while Fax was left out is lost: %v", rows[ids[1]])
	}
	_, _, schema, err := b.registry.Latest(b.ctx, "salesforce.account-value")
	b.must(err)
	if columns, err := avro.ParseRowSchema(schema); err != nil || columns.Index("Phone") >= 0 || columns.Index("BillingLatitude") >= 0 || columns.Index("Fax") < 0 {
		t.Errorf("the registered schema is %s, %v", schema, err)
	}
}

// TestTheActivatedLinkIsReadWhateverIsChosen activates a field that the configuration leaves out: its values come with a
// snapshot, and a restart does not have them read again.
func TestTheActivatedLinkIsReadWhateverIsChosen(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 72, Accounts: 10}})
	b.choose(sfapi.Selection{Include: []string{"Name"}, Exclude: []string{"AccountNumber"}})
	p := b.start()
	b.await(p, allReady)
	p.settle()
	ids := slices.Sorted(maps.Keys(b.truth("Account")))
	b.must(b.sim.Org().Update("Account", ids[0], org.Fields{"AccountNumber": "K-1"}))
	p.settle()
	link := avro.LinkSetting{SalesforceField: "accountnumber", ERPField: "number", Cardinality: "one_to_one"}
	b.control(avro.Control{Kind: salesforce.AskActivate, ID: "a", Link: &link}, "")
	b.awaitAudit(p, "schema_change closed fields")
	p.settle()
	if row := b.published("salesforce.account")[ids[0]]; row["AccountNumber"] != "K-1" {
		t.Errorf("the link's field is not read: %v", row)
	}
	p.end()
	before := b.records("salesforce.account", "salesforce.contact")
	p = b.start()
	b.await(p, allReady)
	p.settle()
	if after := b.records("salesforce.account", "salesforce.contact"); after != before {
		t.Errorf("the topics had %d records and have %d after a restart", before, after)
	}
}

// TestAChosenFieldThatIsNotThere is warned of once, by its name and the nearest one, and ends nothing.
func TestAChosenFieldThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 73, Accounts: 5}})
	log := &heard{}
	b.config.Logger = slog.New(slog.NewJSONHandler(log, nil))
	b.config.DescribeEvery = 50 * time.Millisecond
	b.choose(sfapi.Selection{Include: []string{"Name", "Phnoe", "Tier__c"}})
	p := b.start()
	p.settle()
	b.must(b.sim.AddField("Account", org.FieldSpec{Name: "Tier__c"}))
	b.await(p, func(s salesforce.Status) bool { return slices.Contains(s.Columns["Account"], "Tier__c") })
	p.settle()
	const want = `fields.Account.include has \"Phnoe\", but Account has no such field that this user may read; the nearest is Phone`
	if text := log.text(); strings.Count(text, want) != 1 {
		t.Errorf("the log does not say once %s:\n%s", want, text)
	}
}

// heard is a log in memory.
type heard struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.Write(p)
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said.String()
}

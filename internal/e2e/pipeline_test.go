package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/app"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// linkField is the Account field that holds the ERP's number; a custom one, made while the org is set up.
const linkField = "ERP_No__c"

// pipeline is an org, its ERP file, the configuration, and what must be published.
type pipeline struct {
	t     *testing.T
	ctx   context.Context
	cfg   *config.Config
	sim   *simulator.Simulator
	judge *judge.Judge
}

// world makes an org of 40 accounts and 80 contacts; three of four accounts carry a number, and the ERP knows every second.
func world(t *testing.T) *pipeline {
	t.Helper()
	ctx, _ := setup(t)
	p := &pipeline{t: t, ctx: ctx}
	ready := p.simulate()
	erp := "No,Name,Balance\n"
	customers := map[string]naive.Record{}
	p.must(p.sim.AddField("Account", org.FieldSpec{Name: linkField, Type: "string", Length: 20}))
	for i, id := range p.accounts() {
		no := fmt.Sprintf("K%03d", i)
		if i%4 != 3 {
			p.must(p.sim.Org().Update("Account", id, map[string]any{linkField: no}))
		}
		if i%2 == 0 {
			erp += fmt.Sprintf("%s,Customer %d,%d.5\n", no, i, i)
			customers[no] = naive.Record{Fields: customer.Fields{
				"number": no, "name": fmt.Sprintf("Customer %d", i), "identifier": no, "balance": customer.Decimal(fmt.Sprintf("%d.5", i)),
				"company": nil, "currency": nil, "terms": nil, "email": nil, "phone": nil, "updated_at": nil, "attributes": map[string]any{},
			}}
		}
	}
	file := filepath.Join(t.TempDir(), "customers.csv")
	p.must(os.WriteFile(file, []byte(erp), 0o600))
	p.configure(ready, file)
	p.judge = p.newJudge(ready, customers)
	return p
}

func (p *pipeline) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pipeline) simulate() simulator.Ready {
	p.t.Helper()
	var err error
	p.sim, err = simulator.New(simulator.Config{Org: org.Config{Accounts: 40, Contacts: 80, Seed: 3}, Logger: slog.New(slog.DiscardHandler)})
	p.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.sim.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	})
	ready, err := p.sim.AwaitReady(p.ctx)
	p.must(err)
	return ready
}

func (p *pipeline) accounts() (ids []string) {
	ob, ok := p.sim.Org().Object("Account")
	if !ok {
		p.t.Fatal("no object Account")
	}
	p.sim.Org().View(func(v org.View) {
		for row := range v.Rows(ob, 0) {
			ids = append(ids, row.ID())
		}
	})
	return ids
}

func (p *pipeline) configure(r simulator.Ready, file string) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "crosswalk.yaml")
	p.must(os.WriteFile(path, fmt.Appendf(nil, `data_dir: %q
orgs:
  - alias: acme
    orphan_grace: 0s
    salesforce:
      login_url: %q
      allow_any_host: true
      bulk_page_rows: 25
      auth: {flow: client_credentials, client_id: %q, client_secret: %q}
      notes: {objects: [Note, Task], poll_interval: 200ms}
    link: {salesforce_field: %s, erp_field: identifier}
    erp:
      sources:
        - name: ledger
          path: %q
          columns: {number: No, name: Name, balance: Balance, identifier: No}
`, p.t.TempDir(), r.LoginURL, r.ClientID, r.ClientSecret, linkField, file), 0o600))
	var err error
	p.cfg, err = config.Load(path, nil)
	p.must(err)
}

func (p *pipeline) newJudge(r simulator.Ready, customers map[string]naive.Record) *judge.Judge {
	p.t.Helper()
	tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{Auth: sfapi.Auth{
		Flow: sfapi.ClientCredentials, LoginURL: r.LoginURL, ClientID: r.ClientID, ClientSecret: secret.String(r.ClientSecret), AllowAnyHost: true,
	}})
	p.must(err)
	client, err := sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true})
	p.must(err)
	j, err := judge.New(p.ctx, r.ControlURL, client, customer.Link{
		SalesforceField: linkField, ERPField: "identifier", Cardinality: "one_to_one", NearMiss: true,
	}, customers)
	p.must(err)
	return j
}

// during runs all components while fn does what it does, and stops them then.
func (p *pipeline) during(fn func(e app.Endpoints)) {
	p.t.Helper()
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	ready, ended := make(chan app.Endpoints, 1), make(chan error, 1)
	go func() {
		ended <- app.New(p.cfg, slog.New(slog.DiscardHandler)).Run(ctx, nil, func(e app.Endpoints) { ready <- e })
	}()
	select {
	case e := <-ready:
		fn(e)
	case err := <-ended:
		p.t.Fatalf("it ended by itself: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		p.t.Errorf("it ended with %v", err)
	}
}

// settle waits until what is published is what must be.
func (p *pipeline) settle() {
	p.t.Helper()
	ask := app.New(p.cfg, slog.New(slog.DiscardHandler))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		in, err := p.judge.Inputs(p.ctx)
		p.must(err)
		views, err := ask.Views(p.ctx, "", "")
		p.must(err)
		issues, err := ask.Issues(p.ctx, "")
		p.must(err)
		different := p.judge.Compare(naive.Compute(in), views, issues.Ambiguous, issues.Unmatched)
		if len(different) == 0 && len(views) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.t.Fatalf("%d values differ still, the first: %+v", len(different), different[:min(1, len(different))])
		}
	}
}

// inputs and outputs are the topics of the join.
var (
	inputs  = []string{"acme.salesforce.account", "acme.salesforce.contact", "acme.salesforce.note", "acme.erp.customer"}
	outputs = []string{"acme.customer.view", "acme.match.unmatched", "acme.match.ambiguous"}
)

// quiet waits until nothing more comes of what happened, and returns how many records each topic of the join holds: the position
// of the last event is stored, no record waits for a re-fetch (whose row may differ in fields that events cannot carry, and
// that settle does not compare), and the matcher has published what follows from all that the inputs hold.
func (p *pipeline) quiet(e app.Endpoints) map[string]int {
	p.t.Helper()
	kafka, err := topic.Dial(p.ctx, topic.Config{Brokers: strings.Split(e.Kafka, ",")})
	p.must(err)
	defer func() { p.must(kafka.Close()) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		before := p.status(e)
		ends, err := kafka.Offsets(p.ctx, inputs...)
		p.must(err)
		after := p.status(e)
		if before.Salesforce.ReplayID == p.sim.Events().Last() && before.Salesforce.Open == 0 && after.Matcher.Covers(ends) {
			counts := map[string]int{}
			_, err = kafka.ReadAll(p.ctx, slices.Concat(inputs, outputs), func(r topic.Record) error { counts[r.Topic]++; return nil })
			p.must(err)
			return counts
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.t.Fatalf("something is on its way still: %+v", after)
		}
	}
}

// status is what the console says of the org.
type status struct {
	Salesforce salesforce.Status `json:"salesforce"`
	Matcher    matcher.Status    `json:"matcher"`
}

func (p *pipeline) status(e app.Endpoints) status {
	p.t.Helper()
	reply, err := http.Get(e.Console + "/api/status")
	p.must(err)
	defer func() { p.must(reply.Body.Close()) }()
	var all struct {
		Orgs map[string]status `json:"orgs"`
	}
	p.must(json.NewDecoder(reply.Body).Decode(&all))
	return all.Orgs["acme"]
}

// change makes one change of every kind.
func (p *pipeline) change() {
	p.t.Helper()
	o, ids := p.sim.Org(), p.accounts()
	contact, err := o.Create("Contact", org.Fields{"AccountId": ids[0], "LastName": "New"})
	p.must(err)
	_, err = o.Create("Note", org.Fields{"ParentId": ids[0], "Title": "Call", "Body": "Asked for the open orders."})
	p.must(err)
	p.must(o.Update("Account", ids[2], org.Fields{linkField: "K000"})) // two accounts with one number
	p.must(o.Update("Account", ids[4], org.Fields{linkField: "k004"})) // a near miss
	p.must(o.Update("Account", ids[7], org.Fields{linkField: "K006"}))
	p.must(o.Update("Account", ids[6], org.Fields{linkField: nil}))
	p.must(o.Update("Contact", contact, org.Fields{"AccountId": ids[8]}))
	p.must(o.Delete("Account", ids[10]))
	p.must(o.Delete("Account", ids[12]))
	p.must(o.Undelete("Account", ids[12]))
}

// TestPipelineFollowsTheOrgAndRestartsQuietly runs the whole pipeline three times on one data_dir.
func TestPipelineFollowsTheOrgAndRestartsQuietly(t *testing.T) {
	t.Parallel()
	p := world(t)
	var before map[string]int
	p.during(func(e app.Endpoints) {
		p.settle()
		p.change()
		p.settle()
		before = p.quiet(e)
	})
	id := p.accounts()[14]
	p.during(func(e app.Endpoints) {
		p.must(p.sim.Org().Update("Account", id, org.Fields{"Phone": "1"}))
		p.settle()
		// Only what the one change gives: a restart publishes nothing (I8, R35).
		before["acme.salesforce.account"]++
		before["acme.customer.view"]++
		if got := p.quiet(e); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("records %v, want %v", got, before)
		}
	})
	// Changes that nobody sees happen are found.
	p.must(p.sim.Org().Update("Account", id, org.Fields{"Phone": "2"}))
	p.must(p.sim.Org().Delete("Account", p.accounts()[16]))
	p.during(func(app.Endpoints) { p.settle() })
}

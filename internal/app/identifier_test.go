package app

import (
	"context"
	"encoding/csv"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/demo"
	"crosswalk/internal/topic"
)

// site is a data_dir with the demo's Accounts and ERP customers, no configured link, and what a person at a shell asks.
type site struct {
	t    *testing.T
	ctx  context.Context
	cfg  *config.Config
	data *demo.Dataset
	ask  *App
}

func setup(t *testing.T) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	t.Cleanup(cancel)
	cfg, err := config.Load("", []string{config.EnvPrefix + "DATA_DIR=" + t.TempDir()})
	s := &site{t: t, ctx: ctx, cfg: cfg}
	s.must(err)
	grace := time.Duration(0)
	cfg.Orgs = []config.Org{{OrphanGrace: &grace, ERP: config.ERP{Sources: []config.ERPSource{demoSource()}}}}
	s.data, err = demo.Load()
	s.must(err)
	s.ask = New(cfg, slog.New(slog.DiscardHandler))
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run runs the matcher in a process of its own, as far as the others can tell, until the test ends.
func (s *site) run() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.ctx)
	ready, ended := make(chan Endpoints), make(chan error, 1)
	go func() {
		ended <- New(s.cfg, slog.New(slog.DiscardHandler)).Run(ctx, []string{Matcher, Console}, func(e Endpoints) { ready <- e })
	}()
	s.t.Cleanup(func() {
		stop()
		s.must(<-ended)
	})
	select {
	case <-ready:
	case err := <-ended:
		s.t.Fatal(err)
	}
}

// fill imports the demo's ERP file and publishes its Accounts.
func (s *site) fill() {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "customers.csv")
	f, err := os.Create(path)
	s.must(err)
	w := csv.NewWriter(f)
	s.must(w.Write(s.data.ERP.Header))
	s.must(w.WriteAll(s.data.ERP.Rows))
	s.must(f.Close())
	_, err = s.ask.Import(s.ctx, ImportOptions{File: path, MaxDeleteShare: -1})
	s.must(err)

	p, err := s.ask.asking(s.ctx)
	s.must(err)
	defer p.close()
	table := s.data.Salesforce["Account"]
	var fields []change.Field
	for _, name := range table.Header[1:] {
		fields = append(fields, change.Field{Name: name})
	}
	schema := change.NewSchema("Account", fields)
	codec, err := avro.NewRowCodec(schema)
	s.must(err)
	id, err := p.registry.Register(s.ctx, matcher.AccountTopic+"-value", codec.Schema())
	s.must(err)
	s.must(p.kafka.Ensure(s.ctx, topic.Spec{Name: matcher.AccountTopic, Partitions: 4, Config: map[string]string{"cleanup.policy": "compact"}}))
	out, err := p.kafka.NewWriter(s.ctx, topic.WriterConfig{Task: "test/accounts", Topics: []string{matcher.AccountTopic}})
	s.must(err)
	defer out.Close()
	for i, cells := range table.Rows {
		row := change.Row{Schema: schema, ID: fmt.Sprintf("001%015d", i), Values: make([]change.Value, len(schema.Fields))}
		for j, name := range table.Header[1:] {
			v := change.NullValue()
			if cells[j+1] != "" {
				v = change.StringValue(cells[j+1])
			}
			row.Values[schema.Index(name)] = v
		}
		value, err := codec.Append(avro.Frame(nil, id), row, change.Meta{Op: change.OpSnapshot})
		s.must(err)
		s.must(out.Send(s.ctx, topic.Record{Topic: matcher.AccountTopic, Key: []byte(row.ID), Value: value}, func(topic.Record, error) {}))
	}
	s.must(out.Flush(s.ctx))
}

// count is how often each value stands in a column.
func count(t demo.Table, column string) map[string]int {
	at, out := slices.Index(t.Header, column), map[string]int{}
	for _, row := range t.Rows {
		if row[at] != "" {
			out[row[at]]++
		}
	}
	return out
}

// matches is how many values stand exactly once on each side.
func (s *site) matches(accountColumn, erpColumn string) int {
	n, accounts := 0, count(s.data.Salesforce["Account"], accountColumn)
	for v, times := range count(s.data.ERP, erpColumn) {
		if times == 1 && accounts[v] == 1 {
			n++
		}
	}
	return n
}

func link(salesforceField, erpField string) *customer.Link {
	return &customer.Link{SalesforceField: salesforceField, ERPField: erpField, Cardinality: customer.CardinalityOneToOne, NearMiss: true}
}

// published checks that the topics hold what an outcome says, and nothing of another link.
func (s *site) published(want *customer.Link, o Outcome) {
	s.t.Helper()
	views, err := s.ask.Views(s.ctx, "", "")
	s.must(err)
	for _, v := range views {
		if v.Link != want.Fields() {
			s.t.Fatalf("the view of %s is of the link %v", v.Customer.Key, v.Link)
		}
	}
	issues, err := s.ask.Issues(s.ctx, "")
	s.must(err)
	if len(views) != o.Matched || len(issues.Ambiguous) != o.Ambiguous || len(issues.Unmatched) != o.UnmatchedAccounts+o.UnmatchedCustomers {
		s.t.Errorf("%d views, %d ambiguous, %d unmatched are published; the preview said %d, %d, %d + %d", len(views), len(issues.Ambiguous),
			len(issues.Unmatched), o.Matched, o.Ambiguous, o.UnmatchedAccounts, o.UnmatchedCustomers)
	}
}

func (s *site) activate(l *customer.Link) Activation {
	s.t.Helper()
	done, err := s.ask.Activate(s.ctx, ActivateOptions{Link: l, Wait: 15 * time.Minute})
	s.must(err)
	return done
}

func TestIdentifierIsFoundTriedSetChangedAndRemoved(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.run()
	s.fill()

	found, err := s.ask.Suggest(s.ctx, "", nil)
	s.must(err)
	first, want := found.Pairs[0], s.matches(demo.LinkField, "Reference")
	if first.SalesforceField != demo.LinkField || first.ERPField != "identifier" || first.Matched != want || len(first.Examples) != 2 {
		t.Fatalf("the first suggestion is %+v, want %s and identifier with %d matches", first, demo.LinkField, want)
	}
	if found.Accounts != len(s.data.Salesforce["Account"].Rows) || found.Customers != len(s.data.ERP.Rows) {
		t.Errorf("%d Accounts and %d customers were seen", found.Accounts, found.Customers)
	}
	for _, p := range found.Pairs {
		if p.Matched+p.Ambiguous == 0 {
			t.Errorf("a hopeless pair is shown: %+v", p)
		}
	}
	s.published(link("", ""), Outcome{})

	one := link(demo.LinkField, "identifier")
	preview, err := s.ask.Preview(s.ctx, "", *one, nil)
	s.must(err)
	if preview.Current != nil || preview.Before.Matched != 0 || preview.After.Matched != want || preview.GainedAll != want || preview.After.NearMisses == 0 {
		t.Errorf("preview of the first link: %+v", preview)
	}
	done := s.activate(one)
	if done.Outcome != OutcomeDone || done.Previous != nil || done.Matched != want || done.NearMisses != preview.After.NearMisses {
		t.Errorf("the first activation: %+v", done)
	}
	s.published(one, preview.After)

	two := link("TickerSymbol", "number")
	preview, err = s.ask.Preview(s.ctx, "", *two, nil)
	s.must(err)
	if preview.Before.Matched != want || preview.After.Matched != s.matches("TickerSymbol", "CustomerNo") || preview.LostAll == 0 || len(preview.Lost) == 0 {
		t.Errorf("preview of the second link: %+v", preview)
	}
	done = s.activate(two)
	if done.Outcome != OutcomeDone || *done.Previous != *one {
		t.Errorf("the second activation: %+v", done)
	}
	s.published(two, preview.After)

	before := s.ends()
	if again := s.activate(two); again.Outcome != OutcomeDone || s.ends() != before {
		t.Errorf("setting the same link again: %+v, the topics ended at %s and now at %s", again, before, s.ends())
	}

	if none := s.activate(nil); none.Outcome != OutcomeDone || none.Link != nil {
		t.Errorf("removing the link: %+v", none)
	}
	s.published(two, Outcome{})
	s.audited(4)
}

// ends is where the matcher's topics end.
func (s *site) ends() string {
	p, err := s.ask.asking(s.ctx)
	s.must(err)
	defer p.close()
	ends, err := p.ends(s.ctx, &s.cfg.Orgs[0])
	s.must(err)
	return ends
}

// audited checks that the audit tells of so many activations, each opened and closed.
func (s *site) audited(want int) {
	s.t.Helper()
	p, err := s.ask.asking(s.ctx)
	s.must(err)
	defer p.close()
	states := map[string]int{}
	_, err = p.kafka.ReadAll(s.ctx, []string{"crosswalk.audit"}, func(r topic.Record) error {
		id, body, err := avro.Unframe(r.Value)
		s.must(err)
		text, err := p.registry.Schema(s.ctx, id)
		s.must(err)
		event, err := avro.DecodeAudit(text, body)
		s.must(err)
		states[event.Kind+" "+event.State]++
		return nil
	})
	s.must(err)
	if states["activation opened"] != want || states["activation closed"] != want {
		s.t.Errorf("the audit tells of %v, want %d activations", states, want)
	}
}

func TestActivationIsRecordedForTheNextMatcher(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.fill()
	one := link(demo.LinkField, "identifier")
	if done := s.activate(one); done.Outcome != OutcomeRecorded {
		t.Errorf("without a matcher: %+v", done)
	}
	preview, err := s.ask.Preview(s.ctx, "", *one, nil)
	s.must(err)
	if preview.Current == nil || *preview.Current != *one || preview.Before.Matched != preview.After.Matched || preview.GainedAll != 0 {
		t.Errorf("preview of the link that is recorded: %+v", preview)
	}
	s.run()
	if done := s.activate(one); done.Outcome != OutcomeDone || done.Matched != preview.After.Matched {
		t.Errorf("with a matcher: %+v", done)
	}
	s.published(one, preview.After)
}

func TestLinksThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for what, ask := range map[string]func() error{
		"suggest": func() error { _, err := s.ask.Suggest(s.ctx, "", nil); return err },
		"preview": func() error { _, err := s.ask.Preview(s.ctx, "", *link("X", "y"), nil); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "yet") {
			t.Errorf("%s without records: %v", what, err)
		}
	}
	s.fill()
	for _, c := range []struct {
		link *customer.Link
		want string
	}{
		{link("ERP_Customer_Nr__c", "identifier"), "did you mean ERP_Customer_No__c?"},
		{link(demo.LinkField, "identifer"), "did you mean identifier?"},
		{link(demo.LinkField, "attributes.city"), "did you mean attributes.City"},
		{link(demo.LinkField, "qqqqqqqqqq"), "none is named alike"},
		{link("Owner.Name", "identifier"), "salesforce_field"},
	} {
		_, err := s.ask.Activate(s.ctx, ActivateOptions{Link: c.link, Wait: time.Second})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %s: %v, want %q", c.link.SalesforceField, c.link.ERPField, err, c.want)
		}
	}
	if _, err := s.ask.Preview(s.ctx, "", *link("Id", "number"), nil); err != nil {
		t.Errorf("Id is a field of every Account: %v", err)
	}
	if _, err := s.ask.Activate(s.ctx, ActivateOptions{Org: "elsewhere"}); err == nil {
		t.Error("an org that is not configured is accepted")
	}
}

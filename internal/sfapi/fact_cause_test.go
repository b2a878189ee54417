package sfapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
)

// What the org answers by itself when somebody has set it up so: the rows above come from real causes.
func TestCallRefusalsAndTheirCauses(t *testing.T) {
	t.Parallel()
	user := func(change func(*simulator.Profile)) func(*factOrg) {
		return func(o *factOrg) { o.Permit(change) }
	}
	query := func(soql string) func(context.Context, *factOrg) error {
		return func(ctx context.Context, o *factOrg) error {
			_, err := drain(o.client.Query(ctx, soql, sfapi.QueryOptions{}))
			return err
		}
	}
	probe := func(ctx context.Context, o *factOrg) error { return o.client.Probe(ctx) }
	for _, c := range []struct {
		cause string
		org   func(*factOrg)
		call  func(context.Context, *factOrg) error
		code  string
		after sfapi.Next
		says  string
	}{
		{"a token without the scope api", user(func(p *simulator.Profile) { p.NoAPIScope = true }), probe, "INVALID_SESSION_ID", sfapi.NextStop, "add the scope api"},
		{"an app that API Access Control does not list", func(o *factOrg) { o.ConfigureApp(func(a *simulator.App) { a.NotAllowListed = true }) }, probe, "INVALID_SESSION_ID", sfapi.NextStop, "Setup > API Access Control"},
		{"sessions locked to another address", user(func(p *simulator.Profile) { p.LockedToIP = true }), probe, "INVALID_SESSION_ID", sfapi.NextRefresh, "Lock sessions to the IP address"},
		{"a user without API Enabled", user(func(p *simulator.Profile) { p.NoAPI = true }), probe, "API_DISABLED_FOR_ORG", sfapi.NextStop, "give the user API Enabled"},
		{"an edition without API", user(func(p *simulator.Profile) { p.NoAPIEdition = true }), probe, "API_DISABLED_FOR_ORG", sfapi.NextStop, "Professional Edition needs API access bought"},
		{"a day's calls used up", func(o *factOrg) { o.Configure(func(s *simulator.Settings) { s.DailyRequests = 1 }) }, func(ctx context.Context, o *factOrg) error {
			return errors.Join(o.client.Probe(ctx), o.client.Probe(ctx))
		}, "REQUEST_LIMIT_EXCEEDED", sfapi.NextWait, "reading pauses until some are free"},
		{"a hidden field", user(func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} }), query("SELECT Phone FROM Account"), "INVALID_FIELD", sfapi.NextDescribe, "No such column 'Phone' on entity 'Account'"},
		{"an object that may not be read", user(func(p *simulator.Profile) { p.NoRead = []string{"Account"} }), query("SELECT Id FROM Account"), "INVALID_TYPE", sfapi.NextStop, "sObject type 'Account' is not supported"},
		{"a query that is not SOQL", nil, query("SELECT Id FORM Account"), "MALFORMED_QUERY", sfapi.NextStop, "the query is not SOQL"},
		{"a cursor that has expired", func(o *factOrg) {
			o.Inject(simulator.Rule{Fault: simulator.Kinds["cursor"], Path: "/services/data/v66.0/query/*"})
		}, query("SELECT Id FROM Account"), "INVALID_QUERY_LOCATOR", sfapi.NextRestartQuery, "run again from its start"},
		{"an id that is none", nil, func(ctx context.Context, o *factOrg) error {
			_, err := o.client.Record(ctx, "Account", "no-id")
			return err
		}, "", "", "Account"},
		{"a record that is not there", nil, func(ctx context.Context, o *factOrg) error {
			_, err := o.client.Record(ctx, "Account", "001000000000999AAA")
			return err
		}, "NOT_FOUND", sfapi.NextGone, "this user may not see it"},
		{"a window before the list of deletions", nil, func(ctx context.Context, o *factOrg) error {
			_, err := o.client.Deleted(ctx, "Account", time.Now().AddDate(0, 0, -20), time.Now())
			return err
		}, "INVALID_REPLICATION_DATE", sfapi.NextFullRead, "all ids are compared instead"},
		{"no View Setup and Configuration", user(func(p *simulator.Profile) { p.NoSetup = true }), func(ctx context.Context, o *factOrg) error {
			_, err := o.client.Members(ctx)
			return err
		}, "INVALID_TYPE", sfapi.NextStop, "give View Setup and Configuration"},
		{"an address of 17,000 bytes", nil, query("SELECT Id FROM Account WHERE Name = '" + strings.Repeat("x", 17_000) + "'"), "", sfapi.NextNarrow, "ask for fewer fields"},
	} {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			o := newFactOrg(t, simulator.Config{})
			if c.org != nil {
				c.org(o)
			}
			err := c.call(t.Context(), o)
			text := o.sentence(t, err)
			var answered *sfapi.Error
			if errors.As(err, &answered) && c.code != "" && answered.Code != c.code || c.after != "" && sfapi.NextOf(err) != c.after || !strings.Contains(text, c.says) {
				t.Errorf("next %q, a person reads %s", sfapi.NextOf(err), text)
			}
		})
	}
	t.Run("a version that is retired", func(t *testing.T) {
		t.Parallel()
		o := newFactOrg(t, simulator.Config{})
		c, err := sfapi.New(sfapi.Config{Tokens: o.tokens, AllowAnyHost: true, Version: "30.0"})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Probe(t.Context())
		if text := o.sentence(t, err); sfapi.NextOf(err) != sfapi.NextStop || !strings.Contains(text, "set api_version to a newer one") {
			t.Errorf("a person reads %s", text)
		}
	})
}

// A session that was revoked is renewed and the call made again: nobody reads anything.
func TestRevokedSessionsAreRenewed(t *testing.T) {
	t.Parallel()
	o := newFactOrg(t, simulator.Config{})
	for range 3 {
		if err := o.client.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.RevokeTokens()
	}
	if n := o.logins(); n != 3 {
		t.Errorf("%d tokens were asked for, want 3", n)
	}
}

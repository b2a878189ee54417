package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/customer"
	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// withERP configures a source, so that a whole org has nothing wrong with it.
var withERP = []string{
	"CROSSWALK_ORGS_0_ERP_SOURCES_0_NAME=customers", "CROSSWALK_ORGS_0_ERP_SOURCES_0_COLUMNS_NUMBER=No",
	"CROSSWALK_ORGS_0_LINK_SALESFORCE_FIELD=AccountNumber", "CROSSWALK_ORGS_0_LINK_ERP_FIELD=identifier",
}

// examine runs the doctor and returns its findings by check, and their order.
func examine(t *testing.T, a *App) (found map[string]Finding, order []string, err error) {
	t.Helper()
	found = map[string]Finding{}
	err = a.Doctor(t.Context(), DoctorOptions{Report: func(f Finding) {
		if f.Seen == "" || f.Title == "" {
			t.Errorf("%s says nothing: %+v", f.Check, f)
		}
		if f.Verdict == Wrong && f.Advice == "" {
			t.Errorf("%s is wrong and says not what to do: %s", f.Check, f.Seen)
		}
		found[f.Check] = f
		order = append(order, f.Check)
	}})
	return found, order, err
}

func TestDoctorOfAHealthyOrg(t *testing.T) {
	t.Parallel()
	a, sim, ready := simulated(t, withERP...)
	found, order, err := examine(t, a)
	if err != nil {
		t.Error(err)
	}
	want := "configuration host login scopes api_enabled app_allowed read_account read_contact fields_account fields_contact " +
		"view_all_account view_all_contact identifier cdc_account cdc_contact enrichment notes_note notes_task limits erp kafka registry"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("checked %s\nwant    %s", got, want)
	}
	for check, f := range found {
		if f.Verdict != Good && check != "identifier" {
			t.Errorf("%+v", f)
		}
		if strings.Contains(f.Seen+f.Advice, ready.ClientSecret) {
			t.Errorf("%s shows the secret", check)
		}
	}
	if n := sim.Unknown(); n != 0 {
		t.Errorf("the org did not know %d requests", n)
	}
	for check, seen := range map[string]string{
		"login": ready.Username, "read_account": "8 records visible", "read_contact": "10 records visible", "scopes": "api",
		"limits": "API calls", "kafka": "embedded", "registry": "embedded", "erp": "customers",
	} {
		if !strings.Contains(found[check].Seen, seen) {
			t.Errorf("%s says %q without %q", check, found[check].Seen, seen)
		}
	}
}

// TestDoctorFindsWhatIsTakenAway takes rights away one by one: the line of that right must say so, and where to click.
func TestDoctorFindsWhatIsTakenAway(t *testing.T) {
	t.Parallel()
	type line struct {
		check   string
		verdict Verdict
		reads   []string // in what was seen or advised
	}
	profile := func(change func(*simulator.Profile)) func(*simulator.Simulator) {
		return func(s *simulator.Simulator) { s.Permit(change) }
	}
	app := func(change func(*simulator.App)) func(*simulator.Simulator) {
		return func(s *simulator.Simulator) { s.ConfigureApp(change) }
	}
	for name, c := range map[string]struct {
		take  func(*simulator.Simulator)
		lines []line
	}{
		"API Enabled": {profile(func(p *simulator.Profile) { p.NoAPI = true }), []line{
			{"login", Good, nil},
			{"api_enabled", Wrong, []string{"API_DISABLED_FOR_ORG", "Setup > Permission Sets", "API Enabled"}},
			{"read_account", NotChecked, []string{"may not use the API"}},
			{"limits", NotChecked, nil},
			{"erp", Good, nil},
			{"kafka", Good, nil},
		}},
		"scope api": {profile(func(p *simulator.Profile) { p.NoAPIScope = true }), []line{
			{"api_enabled", NotChecked, nil},
			{"app_allowed", Wrong, []string{"scope api", "External Client App Manager", "App Manager"}},
		}},
		"API Access Control": {app(func(a *simulator.App) { a.NotAllowListed = true }), []line{
			{"scopes", Good, nil},
			{"api_enabled", NotChecked, nil},
			{"app_allowed", Wrong, []string{"API Access Control"}},
			{"read_account", NotChecked, nil},
		}},
		"the app for the profile": {func(s *simulator.Simulator) {
			s.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
			s.Permit(func(p *simulator.Profile) { p.NotApproved = true })
		}, []line{
			{"host", Good, nil},
			{"login", Wrong, []string{"invalid_app_access"}},
			{"app_allowed", Wrong, []string{"invalid_app_access", "External Client App Manager", "Manage > Edit Policies"}},
			{"api_enabled", NotChecked, []string{"login failed"}},
		}},
		"the user": {profile(func(p *simulator.Profile) { p.Inactive = true }), []line{
			{"login", Wrong, []string{"inactive", "Setup > Users"}},
			{"app_allowed", NotChecked, []string{"login failed"}},
		}},
		"the address": {profile(func(p *simulator.Profile) { p.RestrictedIP = true }), []line{
			{"login", Wrong, []string{"Login IP Ranges"}},
		}},
		"Read on Account": {profile(func(p *simulator.Profile) { p.NoRead = []string{"Account"} }), []line{
			{"read_account", Wrong, []string{"404", "Object Settings > Account"}},
			{"read_contact", Good, nil},
			{"fields_account", NotChecked, []string{"Account cannot be read"}},
			{"view_all_account", NotChecked, nil},
			{"view_all_contact", Good, nil},
			{"identifier", NotChecked, nil},
		}},
		"a field that is needed": {profile(func(p *simulator.Profile) { p.Hidden = []string{"Contact.AccountId"} }), []line{
			{"fields_account", Good, nil},
			{"fields_contact", Wrong, []string{"hidden: AccountId", "Set Field-Level Security"}},
		}},
		"a field that is missed": {profile(func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} }), []line{
			{"fields_account", Note, []string{"hidden: Phone", "Object Manager > Account"}},
		}},
		"a custom field": {func(s *simulator.Simulator) {
			if err := s.AddField("Account", org.FieldSpec{Name: "Margin__c"}); err != nil {
				panic(err)
			}
			s.Permit(func(p *simulator.Profile) { p.Hidden = []string{"Account.Margin__c"} })
		}, []line{
			{"fields_account", Note, []string{"hidden custom fields: Margin__c", "never null", "Object Manager > Account"}},
			{"fields_contact", Good, []string{"no custom field"}},
		}},
		"the identifier": {profile(func(p *simulator.Profile) { p.Hidden = []string{"Account.AccountNumber"} }), []line{
			{"identifier", Wrong, []string{"no field AccountNumber", "Field-Level Security", "orgs[].link.salesforce_field"}},
		}},
		"View All on Contact": {profile(func(p *simulator.Profile) { p.NoViewAll = []string{"Contact"} }), []line{
			{"view_all_account", Good, nil},
			{"view_all_contact", Wrong, []string{"403", "although the object is selected", "Object Settings > Contact > View All Records"}},
			{"cdc_contact", Good, []string{"selected"}},
		}},
		"the selection": {func(s *simulator.Simulator) { s.Events().Select([]string{"Account"}) }, []line{
			{"cdc_account", Good, []string{"selected"}},
			{"cdc_contact", Wrong, []string{"not selected", "Setup > Change Data Capture"}},
			{"view_all_contact", NotChecked, []string{"when change events of Contact are selected"}},
		}},
		"View Setup": {profile(func(p *simulator.Profile) { p.NoSetup = true }), []line{
			{"cdc_account", Good, []string{"not visible to this user", "subscribing was granted"}},
			{"fields_account", Good, []string{"custom fields are hidden cannot be told", "View Setup and Configuration"}},
			{"enrichment", NotChecked, []string{"View Setup and Configuration"}},
			{"limits", Note, []string{"API calls of the last 24 hours used", "View Setup and Configuration"}},
		}},
		"View Setup and the selection": {func(s *simulator.Simulator) {
			s.Permit(func(p *simulator.Profile) { p.NoSetup = true })
			s.Events().Select([]string{"Contact"})
		}, []line{
			{"cdc_account", Wrong, []string{"subscribing was refused", "Setup > Change Data Capture", "View All"}},
			{"view_all_account", Wrong, []string{"View All Records"}},
		}},
		"plain events": {func(s *simulator.Simulator) {
			s.Configure(func(x *simulator.Settings) { x.Enriched = []string{"Owner.Name", "Account.Id"} })
		}, []line{
			{"enrichment", Note, []string{"added to events: Owner.Name, Account.Id", "not needed here", "remove them if no other program wants them"}},
			{"cdc_account", Good, nil},
		}},
		"the month's events": {func(s *simulator.Simulator) {
			s.Configure(func(x *simulator.Settings) { x.MonthlyEvents, x.MonthlyUsed = 3_000_000, 2_900_000 })
		}, []line{
			{"limits", Note, []string{"100000 of 3000000 delivered events of the month left", "little is left: delivered events of the month"}},
		}},
		"streaming": {profile(func(p *simulator.Profile) { p.NoStreaming = true }), []line{
			{"view_all_account", Wrong, []string{"Streaming API"}},
		}},
		"notes": {profile(func(p *simulator.Profile) { p.NoRead = []string{"Note"} }), []line{
			{"notes_note", Wrong, []string{"INVALID_TYPE", "notes.objects"}},
			{"notes_task", Good, nil},
		}},
		"the API calls": {func(s *simulator.Simulator) { s.Configure(func(x *simulator.Settings) { x.DailyRequests = 60 }) }, []line{
			{"limits", Good, []string{"of 60 API calls"}},
		}},
		"the reserve": {func(s *simulator.Simulator) {
			s.Configure(func(x *simulator.Settings) { x.DailyRequests, x.OtherRequests = 100_000, 80_000 })
		}, []line{
			{"limits", Note, []string{"of 100000 API calls left", "api_reserve keeps the last 20000 API calls"}},
		}},
		"the app's own limit": {func(s *simulator.Simulator) {
			s.Configure(func(x *simulator.Settings) { x.AppRequests, x.AppUsed = 10_000, 9_500 })
		}, []line{
			{"limits", Note, []string{"of 10000 API calls of the app Crosswalk left", "little is left"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, sim, _ := simulated(t, withERP...)
			c.take(sim)
			found, _, err := examine(t, a)
			anyWrong := false
			for _, want := range c.lines {
				got := found[want.check]
				if got.Verdict != want.verdict {
					t.Errorf("%s is %s, want %s: %+v", want.check, got.Verdict, want.verdict, got)
				}
				for _, text := range want.reads {
					if !strings.Contains(got.Seen+" "+got.Advice, text) {
						t.Errorf("%s lacks %q: %+v", want.check, text, got)
					}
				}
			}
			for _, f := range found {
				anyWrong = anyWrong || f.Verdict == Wrong
			}
			if (err != nil) != anyWrong {
				t.Errorf("something is wrong: %v, the error: %v", anyWrong, err)
			}
		})
	}
}

func TestDoctorOfTheChosenFields(t *testing.T) {
	t.Parallel()
	const s = "CROSSWALK_ORGS_0_SALESFORCE_FIELDS_"
	a, _, _ := simulated(t, append(withERP, s+"ACCOUNT_INCLUDE=Name,Phnoe,AccountNumber", s+"CONTACT_INCLUDE=LastName")...)
	found, _, err := examine(t, a)
	if err != nil {
		t.Error(err)
	}
	if f := found["chosen_account"]; f.Verdict != Note || !strings.Contains(f.Seen, `"Phnoe"`) || !strings.Contains(f.Seen, "the nearest is Phone") || f.Advice == "" {
		t.Errorf("%+v", f)
	}
	if f := found["chosen_contact"]; f.Verdict != Good || !strings.HasPrefix(f.Seen, "5 of ") {
		t.Errorf("LastName and the four that are needed: %+v", f)
	}
}

func TestDoctorOfTheScopes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flow, refresh string
		scope         string
		verdict       Verdict
		blocks        bool
		reads         string
	}{
		"whole":         {"web_server", "5Aep", "refresh_token api", Good, false, "granted"},
		"full":          {"jwt", "", "full", Good, false, "granted"},
		"without api":   {"jwt", "", "id openid", Wrong, true, "App Manager > the app > Edit > Selected OAuth Scopes"},
		"not told":      {"jwt", "", "", Note, false, "names no scopes"},
		"for two hours": {"web_server", "", "api", Wrong, false, "refresh_token, offline_access"},
	} {
		e := &examination{auth: sfapi.Auth{Flow: sfapi.Flow(c.flow)}, token: sfapi.Token{Scope: c.scope, Refresh: secret.String(c.refresh)}}
		r := e.scopes(t.Context())
		if r.verdict != c.verdict || (e.blocked != "") != c.blocks || !strings.Contains(r.seen+r.advice, c.reads) {
			t.Errorf("%s: %+v, blocked %q", name, r, e.blocked)
		}
	}
}

// TestDoctorOfAHiddenLink: the line of the identifier says itself that the link's field is hidden, and of which link it speaks: of
// one that was activated before the one that is configured.
func TestDoctorOfAHiddenLink(t *testing.T) {
	t.Parallel()
	a, sim, _ := simulated(t, withERP...)
	if err := sim.AddField("Account", org.FieldSpec{Name: "ERP_No__c"}); err != nil {
		t.Fatal(err)
	}
	a.cfg.Orgs[0].Link.SalesforceField = "erp_no__c"
	sim.Permit(func(p *simulator.Profile) { p.Hidden = []string{"Account.ERP_No__c"} })
	wants := func(texts ...string) {
		t.Helper()
		found, _, _ := examine(t, a)
		f := found["identifier"]
		for _, text := range texts {
			if f.Verdict != Wrong || !strings.Contains(f.Seen+" "+f.Advice, text) {
				t.Errorf("%q is missing: %+v", text, f)
			}
		}
	}
	wants("field-level security hides erp_no__c, which links accounts to customers", "Set Field-Level Security", "Field Permissions")
	a.cfg.Orgs[0].Link.SalesforceField = "ERP_Nr__c"
	wants("no field ERP_Nr__c that this user may read, nor is a custom field of that name hidden", "check the spelling of orgs[].link.salesforce_field")

	p, err := a.asking(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := request{app: a, platform: p, org: &a.cfg.Orgs[0], began: time.Now(), Activation: Activation{ID: "a1", Link: &customer.Link{
		SalesforceField: "Gone__c", ERPField: "identifier", Cardinality: customer.CardinalityOneToOne,
	}}}
	if err := r.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = r.record(t.Context())
	r.writer.Close()
	p.close()
	if err != nil {
		t.Fatal(err)
	}
	wants("no field Gone__c", "crosswalk identifier activate, which goes before orgs[].link.salesforce_field")
}

func TestDoctorOfTheIdentifier(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values  []string // of the accounts beside the org's own, which have none
		verdict Verdict
		reads   []string
	}{
		"none":   {nil, Wrong, []string{"filled on 0 %", "fill the field"}},
		"few":    {[]string{"a"}, Note, []string{"NO_IDENTIFIER"}},
		"unique": {[]string{"a", "A", "b", "c", "d", "e", "f", "g", "h"}, Good, []string{"filled on", "0 % of the filled share"}},
		"shared": {[]string{"a", "a", "a", "b", "c", "d", "e", "f", "g"}, Note, []string{"33.3 % of the filled share", "MANY_ACCOUNTS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, sim, _ := simulated(t, append(withERP, "CROSSWALK_ORGS_0_LINK_SALESFORCE_FIELD=accountnumber")...)
			clearAccounts(t, sim)
			for _, v := range c.values {
				if _, err := sim.Org().Create("Account", org.Fields{"Name": "n", "AccountNumber": v}); err != nil {
					t.Fatal(err)
				}
			}
			found, _, _ := examine(t, a)
			f := found["identifier"]
			if f.Verdict != c.verdict {
				t.Errorf("%+v", f)
			}
			for _, text := range c.reads {
				if !strings.Contains(f.Seen+" "+f.Advice, text) {
					t.Errorf("%q is missing: %+v", text, f)
				}
			}
		})
	}
}

// clearAccounts empties the link's field on the org's own accounts.
func clearAccounts(t *testing.T, sim *simulator.Simulator) {
	t.Helper()
	ob, ok := sim.Org().Object("Account")
	if !ok {
		t.Fatal("no Account")
	}
	var ids []string
	sim.Org().View(func(v org.View) {
		for row := range v.Size(ob) {
			if r, ok := v.Row(ob, row); ok {
				ids = append(ids, r.ID())
			}
		}
	})
	for _, id := range ids {
		if err := sim.Org().Update("Account", id, org.Fields{"AccountNumber": nil}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDoctorOfAStrangeHost(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>It works!</html>")) // the client may be gone
	}))
	t.Cleanup(other.Close)
	a, _, _ := simulated(t, withERP...)
	a.cfg.Orgs[0].Salesforce.LoginURL = other.URL
	found, _, err := examine(t, a)
	if f := found["host"]; err == nil || f.Verdict != Wrong || !strings.Contains(f.Advice, "login_url") {
		t.Errorf("%+v, %v", f, err)
	}
	if f := found["login"]; f.Verdict != NotChecked {
		t.Errorf("%+v", f)
	}
	a, _, _ = simulated(t, withERP...)
	a.cfg.Orgs[0].Salesforce.APIVersion = "99.0"
	found, _, _ = examine(t, a)
	if f := found["host"]; f.Verdict != Wrong || !strings.Contains(f.Seen, "not 99.0") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorWithoutLoginOrERP(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t)
	a.cfg.Orgs[0].Salesforce.Auth.Flow = ""
	found, _, _ := examine(t, a)
	if f := found["configuration"]; f.Verdict != Wrong || !strings.Contains(f.Advice, "auth.flow") {
		t.Errorf("%+v", f)
	}
	if f := found["erp"]; f.Verdict != Wrong || !strings.Contains(f.Advice, "erp import") {
		t.Errorf("%+v", f)
	}
	a, _, _ = simulated(t, webServer)
	found, _, _ = examine(t, a)
	if f := found["login"]; f.Verdict != Wrong || !strings.Contains(f.Advice, "crosswalk connect") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorOfTheGround(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(dead.URL, "http://")
	dead.Close() // nothing listens there any more
	a, _, _ := simulated(t, append(withERP, "CROSSWALK_KAFKA_BROKERS="+address, "CROSSWALK_SCHEMA_REGISTRY_URL=http://user:hidden@"+address)...)
	found, _, err := examine(t, a)
	if f := found["kafka"]; f.Verdict != Wrong || !strings.Contains(f.Seen+f.Advice, "kafka.brokers") {
		t.Errorf("%+v", f)
	}
	if f := found["registry"]; f.Verdict != Wrong || strings.Contains(f.Seen+f.Advice, "hidden") {
		t.Errorf("%+v", f)
	}
	if f := found["erp"]; f.Verdict != Good || !strings.Contains(f.Seen, "without Kafka") {
		t.Errorf("%+v", f)
	}
	if err == nil {
		t.Error("no error")
	}
}

func TestDoctorStops(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t, withERP...)
	ctx, cancel := context.WithCancel(t.Context())
	checks := 0
	err := a.Doctor(ctx, DoctorOptions{Report: func(Finding) { checks++; cancel() }})
	if err == nil || checks != 1 {
		t.Errorf("%d checks after it was stopped, %v", checks, err)
	}
}

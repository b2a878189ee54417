package sfapi_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"testing"

	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
)

// refusedLogin is a row of facts 1.3 or 1.4.
type refusedLogin struct {
	code, description string // the fact, and what stands on the wire
	where             string // token, or authorize: by redirect, or as text in place of a page when it cannot be trusted to one
	advice            string // the sentence's end: what it means and what to do
}

// direct are the errors that the authorize endpoint shows itself, since it does not trust the redirect (facts 1.2).
var direct = map[string]bool{"invalid_client_id": true, "redirect_uri_missing": true, "redirect_uri_mismatch": true, "missing required code challenge": true}

const (
	atToken     = "token"
	atAuthorize = "authorize"
	atBoth      = "authorize and token"
)

// facts13 are the rows of facts 1.3, in their order. After each of them the program does not ask again: a person must act.
var facts13 = []refusedLogin{
	{"unsupported_response_type", "response type not supported", atAuthorize, "the login host does not know the web server flow; check that login_url is a Salesforce login host or My Domain"},
	{"invalid_client_id", "client identifier invalid", atBoth, "the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app"},
	{"invalid_client", "invalid client credentials", atToken, "the consumer secret is wrong; copy auth.client_secret anew (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"invalid_client_credentials", "client secret invalid", atToken, "the consumer secret is wrong; copy auth.client_secret anew (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"invalid_request", "HTTPS required", atBoth, "Salesforce speaks https only; write login_url with https://"},
	{"invalid_request", "must use HTTP POST", atBoth, "a proxy on the way turned the request into another method; let the program reach the login host directly"},
	{"invalid_request", "out-of-band not supported", atBoth, "the app's callback may not be out of band; register a callback address (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View) and set it as auth.redirect_url"},
	{"invalid_request", "missing required code challenge", atBoth, "the app requires PKCE and the request had none; open exactly the address that crosswalk connect prints"},
	{"redirect_uri_missing", "redirect_uri not provided", atAuthorize, "no callback was sent; set auth.redirect_url to a callback of the app (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"redirect_uri_mismatch", "redirect_uri must match configuration", atBoth, "the callback is not one of the app's; register it there, equal character for character (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"access_denied", "end-user denied authorization", atAuthorize, "the approval was declined in the browser; click Connect in the console or run crosswalk connect once more and choose Allow"},
	{"immediate_unsuccessful", "", atAuthorize, "an approval without a page was asked for and is not possible; click Connect in the console or run crosswalk connect and approve in the browser"},
	{"invalid_scope", "the requested scope is not allowed", atAuthorize, "the app does not offer the scopes api and refresh_token; add both (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"unsupported_grant_type", "grant type not supported", atToken, "the app or host does not offer this flow; enable it (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View) or choose another auth.flow"},
	{"inactive_user", "user is inactive", atBoth, "the user is deactivated; activate it (Setup > Users > the user) or log in as another"},
	{"inactive_org", "org is locked, closed, or suspended", atBoth, "the org is locked, closed or suspended; ask Salesforce or the org's administrator"},
	{"rate_limit_exceeded", "number of logins exceeded", atBoth, "this user logged in too often within the hour; stop other programs that log in as it, wait an hour, start again"},
	{"invalid_app_access", "user is not admin approved to access this app", atToken, "an administrator must admit the user to this app; add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)"},
	{"OAUTH_APP_BLOCKED", "this app is blocked by admin", atAuthorize, "the app is blocked or not installed in this org; install or unblock it (Setup > Connected Apps OAuth Usage), or give the user Approve Uninstalled Connected Apps"},
	{"OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", atAuthorize, "an administrator must admit the user to this app; add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)"},
	{"OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occured during authentication. Please try again.", atAuthorize, "Salesforce failed while showing the approval page; try again in a private browser window, and check the app's scopes and callback (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)"},
	{"OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org", atAuthorize, "the External Client App is not in this org or is used at the wrong host; set login_url to the org's My Domain (Setup > My Domain) and check that the app is installed"},
	{"OAUTH_AUTHORIZATION_BLOCKED", "", atAuthorize, "the org does not let this app be authorized; ask the administrator (Setup > Connected Apps OAuth Usage)"},
	{"app_not_found", "External client app is not installed in this org", atToken, "the External Client App is not in this org or is used at the wrong host; set login_url to the org's My Domain (Setup > My Domain) and check that the app is installed"},
}

// facts14 are the rows of facts 1.4, in their order: HTTP 400 from the token endpoint, all final for the credential.
var facts14 = []refusedLogin{
	{"invalid_grant", "expired access/refresh token", atToken, "the stored approval is no longer valid (revoked, expired by the app's policy, replaced by a sixth login of this user, or used by a second program); click Connect in the console or run crosswalk connect once more, and see the refresh token policy (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)"},
	{"invalid_grant", "authentication failure", atToken, "user name, password or security token is wrong, or the org blocks this flow, as new orgs do; check them, that sandbox users log in at test.salesforce.com or My Domain, and Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows, or use flow web_server"},
	{"invalid_grant", "authentication failure - Invalid Password", atToken, "user name, password or security token is wrong; check them, and that sandbox users log in at test.salesforce.com or My Domain"},
	{"invalid_grant", "invalid user credentials", atToken, "user name, password or security token is wrong; check them, and that sandbox users log in at test.salesforce.com or My Domain"},
	{"invalid_grant", "IP restricted or invalid login hours", atToken, "the user may not log in from this address or at this hour; add the address (Setup > Profiles > the user's profile > Login IP Ranges and Login Hours) or relax the app (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies > IP Relaxation)"},
	{"invalid_grant", "ip restricted", atToken, "the user may not log in from this address or at this hour; add the address (Setup > Profiles > the user's profile > Login IP Ranges and Login Hours) or relax the app (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies > IP Relaxation)"},
	{"invalid_grant", "user hasn't approved this consumer", atToken, "the user was never allowed to use this app; set Permitted Users to admin approved and add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies), and check that login_url is the user's own org"},
	{"invalid_grant", "invalid assertion", atToken, "the signature does not fit the app's certificate; upload the certificate that belongs to auth.private_key_file (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View > Use digital signatures)"},
	{"invalid_grant", "Audience validation failed", atToken, "the assertion names the wrong host; use login_url https://login.salesforce.com, or https://test.salesforce.com or My Domain for a sandbox"},
	{"invalid_grant", "expired authorization code", atToken, "the approval code is late, was used before or belongs to another app; click Connect in the console or run crosswalk connect once more and finish within a few minutes"},
	{"invalid_grant", "invalid authorization code", atToken, "the approval code is late, was used before or belongs to another app; click Connect in the console or run crosswalk connect once more and finish within a few minutes"},
	{"invalid_grant", "request not supported on this domain", atToken, "client credentials are served by My Domain only; set login_url to it (Setup > My Domain)"},
	{"invalid_grant", "no client credentials user enabled", atToken, "the app has no user to run as; set Run As (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies > Client Credentials Flow)"},
	{"invalid_grant", "inactive user", atToken, "the user is deactivated; activate it (Setup > Users > the user) or log in as another"},
	{"invalid_grant", "user is inactive", atToken, "the user is deactivated; activate it (Setup > Users > the user) or log in as another"},
}

func TestFacts13(t *testing.T) {
	t.Parallel()
	for _, row := range facts13 {
		t.Run(row.code+" "+row.description, row.run)
	}
}

func TestFacts14(t *testing.T) {
	t.Parallel()
	for _, row := range facts14 {
		t.Run(row.description, row.run)
	}
}

func (row refusedLogin) run(t *testing.T) {
	t.Parallel()
	if row.where != atAuthorize {
		row.atTheTokenEndpoint(t)
	}
	if row.where != atToken {
		row.atTheApprovalPage(t)
	}
}

// sentence is what a person reads after "log in" or "authorize".
func (row refusedLogin) sentence(op string) string {
	s := op + " at " + orgHost + " refused: " + row.code
	if row.description != "" {
		s += " (" + row.description + ")"
	}
	return s + ": " + row.advice
}

// atTheTokenEndpoint logs in twice: the second answer is the first one, without a request.
func (row refusedLogin) atTheTokenEndpoint(t *testing.T) {
	o := newFactOrg(t, simulator.Config{})
	o.refuse("POST", tokenPath, -1, said(http.StatusBadRequest, row.code, row.description))
	for range 2 {
		_, err := o.tokens.Token(t.Context(), "")
		reads(t, o.sentence(t, err), row.sentence("log in"))
		if next := sfapi.NextOf(err); next != sfapi.NextStop {
			t.Errorf("the program does %q next, want it to stop", next)
		}
	}
	if n := o.logins(); n != 1 {
		t.Errorf("%d requests, want 1: a refusal is not repeated", n)
	}
}

// atTheApprovalPage is a browser that opens the address of connect, and the person who pastes what it shows.
func (row refusedLogin) atTheApprovalPage(t *testing.T) {
	o := newFactOrg(t, simulator.Config{})
	a := auth(o.ready)
	a.Flow, a.RedirectURL = sfapi.WebServer, "http://localhost:8400/callback"
	login, err := tokens(t, a, nil).NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusFound
	if direct[row.code] || direct[row.description] {
		status = http.StatusBadRequest
	}
	o.refuse("GET", "/services/oauth2/authorize", 1, said(status, row.code, row.description))
	_, err = login.Code(opened(t, login.URL))
	reads(t, o.sentence(t, err), row.sentence("authorize"))
	var refused *sfapi.AuthError
	if !errors.As(err, &refused) || refused.Next() != sfapi.NextStop {
		t.Errorf("the attempt is not over with %v", err)
	}
}

// browse opens a page as a browser does: it returns the address that it is sent to, or else the text that it shows.
func browse(t *testing.T, page string) (to, text string) {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	shown, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("Location"), string(shown)
}

// opened is what a browser comes to: the address that it is sent to, or the text that it shows.
func opened(t *testing.T, page string) string {
	t.Helper()
	to, text := browse(t, page)
	return cmp.Or(to, text)
}

// What the org sends by itself when somebody has set it up so: the rows above come from real causes.
func TestLoginRefusalsAndTheirCauses(t *testing.T) {
	t.Parallel()
	app := func(change func(*simulator.App)) func(*factOrg) {
		return func(o *factOrg) { o.ConfigureApp(change) }
	}
	user := func(change func(*simulator.Profile)) func(*factOrg) {
		return func(o *factOrg) { o.Permit(change) }
	}
	flow := func(f sfapi.Flow) func(*sfapi.Auth, *factOrg) { return func(a *sfapi.Auth, _ *factOrg) { a.Flow = f } }
	jwt := func(change func(*sfapi.Auth)) func(*sfapi.Auth, *factOrg) {
		return func(a *sfapi.Auth, o *factOrg) {
			a.Flow, a.PrivateKey = sfapi.JWT, secret.String(o.JWTKey())
			change(a)
		}
	}
	refresh := func(a *sfapi.Auth, o *factOrg) {
		a.Flow, a.RefreshToken = sfapi.WebServer, secret.String(o.ready.RefreshToken)
	}
	for _, c := range []struct {
		cause       string
		org         func(*factOrg)
		auth        func(*sfapi.Auth, *factOrg)
		description string // of the row that it is
	}{
		{"a wrong consumer key", nil, func(a *sfapi.Auth, _ *factOrg) { a.ClientID = "3MVG9wrong" }, "client identifier invalid"},
		{"an app that has not spread yet", app(func(a *simulator.App) { a.Unknown = true }), nil, "client identifier invalid"},
		{"a wrong consumer secret", nil, func(a *sfapi.Auth, _ *factOrg) { a.ClientSecret = "wrong-secret" }, "invalid client credentials"},
		{"a deactivated user", user(func(p *simulator.Profile) { p.Inactive = true }), nil, "inactive user"},
		{"a locked org", user(func(p *simulator.Profile) { p.OrgLocked = true }), nil, "org is locked, closed, or suspended"},
		{"too many logins", user(func(p *simulator.Profile) { p.LoginsRefused = true }), nil, "number of logins exceeded"},
		{"a user whom nobody admitted", func(o *factOrg) {
			o.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
			o.Permit(func(p *simulator.Profile) { p.NotApproved = true })
		}, nil, "user is not admin approved to access this app"},
		{"a revoked approval", func(o *factOrg) { o.RevokeGrants() }, refresh, "expired access/refresh token"},
		{"the policy to expire at once", app(func(a *simulator.App) { a.RefreshExpires = true }), refresh, "expired access/refresh token"},
		{"a wrong password", nil, func(a *sfapi.Auth, _ *factOrg) { a.Password = "wrong-password" }, "authentication failure"},
		{"a blocked password flow", app(func(a *simulator.App) { a.PasswordFlowOff = true }), nil, "authentication failure"},
		{"an address that may not log in", user(func(p *simulator.Profile) { p.RestrictedIP = true }), nil, "IP restricted or invalid login hours"},
		{"an app without a user to run as", app(func(a *simulator.App) { a.NoRunAs = true }), flow(sfapi.ClientCredentials), "no client credentials user enabled"},
		{"a user who never approved", nil, jwt(func(a *sfapi.Auth) { a.Username = "somebody@else.example" }), "user hasn't approved this consumer"},
		{"a host that is not the user's", nil, jwt(func(a *sfapi.Auth) { a.Audience = "https://elsewhere.example" }), "Audience validation failed"},
	} {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			o := newFactOrg(t, simulator.Config{})
			if c.org != nil {
				c.org(o)
			}
			a := auth(o.ready)
			if c.auth != nil {
				c.auth(&a, o)
			}
			_, err := tokens(t, a, nil).Token(t.Context(), "")
			o.isRow(t, err, c.description)
		})
	}
	t.Run("a login host for client credentials", func(t *testing.T) {
		t.Parallel()
		o := newFactOrg(t, simulator.Config{Login: "127.0.0.1:0"})
		a := auth(o.ready)
		a.Flow = sfapi.ClientCredentials
		_, err := tokens(t, a, nil).Token(t.Context(), "")
		o.isRow(t, err, "request not supported on this domain")
	})
}

// isRow wants the sentence of a table's row.
func (o *factOrg) isRow(t *testing.T, err error, description string) {
	t.Helper()
	var refused *sfapi.AuthError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	for _, row := range append(facts13[:len(facts13):len(facts13)], facts14...) {
		if row.code == refused.Code && row.description == description {
			reads(t, o.sentence(t, err), row.sentence("log in"))
			return
		}
	}
	t.Errorf("no row of the facts is %s", err)
}

// A refusal that no fact has still says where to look.
func TestUnknownLoginRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []refusedLogin{
		{"invalid_grant", "something new", atToken, "the credential is not accepted; check it, and see the attempt in Setup > Login History"},
		{"something_new", "no idea", atBoth, "Salesforce does not say more; Setup > Login History shows the attempt with its reason"},
	} {
		t.Run(row.code, row.run)
	}
}

package app

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/simulator"
)

// precondition is a row of facts 8: what is missing, where it shows, and what a person reads there. HOST stands for the
// address of the simulated org. After a wrong line of the doctor, what needs it is "not checked"; after a refusal connect ends.
type precondition struct {
	fact    string
	environ []string                   // of the configuration
	take    func(*simulator.Simulator) // takes the precondition away
	connect bool                       // it shows in connect, not in the doctor
	check   string                     // the doctor's line
	verdict Verdict
	reads   string // seen → advice; of connect: the error, or a warning
	blocks  bool   // nothing more of Salesforce can be asked after it
}

const authKey = "CROSSWALK_ORGS_0_SALESFORCE_AUTH_"

var (
	passwordFlow = []string{authKey + "FLOW=password", authKey + "USERNAME=integration@crosswalk.example", authKey + "PASSWORD=wrong-password"}
	jwtFlow      = []string{authKey + "FLOW=jwt", authKey + "USERNAME=integration@crosswalk.example"}
)

// profile, appOf and answer take something away.
func profile(change func(*simulator.Profile)) func(*simulator.Simulator) {
	return func(s *simulator.Simulator) { s.Permit(change) }
}

func appOf(change func(*simulator.App)) func(*simulator.Simulator) {
	return func(s *simulator.Simulator) { s.ConfigureApp(change) }
}

func answer(path string, f simulator.Fault) func(*simulator.Simulator) {
	return func(s *simulator.Simulator) { s.Inject(simulator.Rule{Fault: f, Path: path, Count: -1}) }
}

func refusedToken(code, description string) func(*simulator.Simulator) {
	return answer("/services/oauth2/token", simulator.Fault{Status: http.StatusBadRequest, Code: code, Message: description})
}

// facts8 are the rows of facts 8, in their order.
var facts8 = []precondition{
	{
		fact:  "Org edition without API",
		take:  profile(func(p *simulator.Profile) { p.NoAPIEdition = true }),
		check: "api_enabled", verdict: Wrong, blocks: true,
		reads: "call the REST API: HOST answered 403 Forbidden (API_DISABLED_FOR_ORG: The REST API is not enabled for this Organization.) → the user lacks API Enabled, or the edition has no API: Setup > Permission Sets > the integration user's set > System Permissions > API Enabled; Professional Edition needs API access bought",
	},
	{
		fact:  "User lacks API Enabled",
		take:  profile(func(p *simulator.Profile) { p.NoAPI = true }),
		check: "api_enabled", verdict: Wrong, blocks: true,
		reads: "call the REST API: HOST answered 403 Forbidden (API_DISABLED_FOR_ORG: The REST API is not enabled for this Organization or user type.) → the user lacks API Enabled, or the edition has no API: Setup > Permission Sets > the integration user's set > System Permissions > API Enabled; Professional Edition needs API access bought",
	},
	{
		fact:  "App lacks api scope",
		take:  profile(func(p *simulator.Profile) { p.NoAPIScope = true }),
		check: "app_allowed", verdict: Wrong, blocks: true,
		reads: "This session is not valid for use with the REST API (INVALID_SESSION_ID) → API Access Control does not list the app, or the token has no scope api in spite of what was granted: Setup > API Access Control, and allow it (Setup > Connected Apps OAuth Usage > the app > Install; External Client Apps: Setup > External Client App Manager), and see the scopes (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings > OAuth Scopes; connected app: Setup > App Manager > the app > Edit > Selected OAuth Scopes)",
	},
	{
		fact:  "API Access Control on, app not allow-listed",
		take:  appOf(func(a *simulator.App) { a.NotAllowListed = true }),
		check: "app_allowed", verdict: Wrong, blocks: true,
		reads: "This session is not valid for use with the REST API (INVALID_SESSION_ID) → API Access Control does not list the app, or the token has no scope api in spite of what was granted: Setup > API Access Control, and allow it (Setup > Connected Apps OAuth Usage > the app > Install; External Client Apps: Setup > External Client App Manager), and see the scopes (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings > OAuth Scopes; connected app: Setup > App Manager > the app > Edit > Selected OAuth Scopes)",
	},
	{
		fact: "Admin approved users, user not assigned: client credentials",
		take: func(s *simulator.Simulator) {
			s.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
			s.Permit(func(p *simulator.Profile) { p.NotApproved = true })
		},
		check: "app_allowed", verdict: Wrong, blocks: true,
		reads: "the login was refused for it: invalid_app_access (user is not admin approved to access this app) → an administrator must admit the user to this app; add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)",
	},
	{
		fact: "Admin approved users, user not assigned: approval page", environ: []string{webServer},
		take: func(s *simulator.Simulator) {
			s.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
			s.Permit(func(p *simulator.Profile) { p.NotApproved = true })
		},
		connect: true,
		reads:   "authorize at HOST refused: OAUTH_APP_ACCESS_DENIED (user is not admin approved to access this app): an administrator must admit the user to this app; add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)",
	},
	{
		fact: "JWT never approved", environ: jwtFlow,
		take:  profile(func(p *simulator.Profile) { p.NotApproved = true }),
		check: "app_allowed", verdict: Wrong, blocks: true,
		reads: "the login was refused for it: invalid_grant (user hasn't approved this consumer) → the user was never allowed to use this app; set Permitted Users to admin approved and add the user's profile or permission set (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies), and check that login_url is the user's own org",
	},
	{
		fact: "App blocked or not installed", environ: []string{webServer},
		take:    appOf(func(a *simulator.App) { a.Blocked = true }),
		connect: true,
		reads:   "authorize at HOST refused: OAUTH_APP_BLOCKED (this app is blocked by admin): the app is blocked or not installed in this org; install or unblock it (Setup > Connected Apps OAuth Usage), or give the user Approve Uninstalled Connected Apps",
	},
	{
		fact: "ECA used through login host / not in org", environ: []string{webServer},
		take:    appOf(func(a *simulator.App) { a.NotInstalled = true }),
		connect: true,
		reads:   "authorize at HOST refused: OAUTH_EC_APP_NOT_FOUND (External client app is not installed in this org): the External Client App is not in this org or is used at the wrong host; set login_url to the org's My Domain (Setup > My Domain) and check that the app is installed",
	},
	{
		fact: "PKCE required: connect always sends a challenge", environ: []string{webServer},
		take:    appOf(func(a *simulator.App) { a.RequirePKCE = true }),
		connect: true,
		reads:   "connected",
	},
	{
		fact: "Wrong consumer key", environ: []string{authKey + "CLIENT_ID=3MVG9wrong"},
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_client_id (client identifier invalid) → the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app",
	},
	{
		fact: "Wrong consumer secret", environ: []string{authKey + "CLIENT_SECRET=wrong-secret"},
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_client (invalid client credentials) → the consumer secret is wrong; copy auth.client_secret anew (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)",
	},
	{
		fact: "Wrong consumer key, before a browser opens", environ: []string{webServer, authKey + "CLIENT_ID=3MVG9wrong"},
		connect: true,
		reads:   "authorize at HOST refused: invalid_client_id (client identifier invalid): the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app",
	},
	{
		fact: "Wrong callback, before a browser opens", environ: []string{webServer},
		take:    appOf(func(a *simulator.App) { a.Callbacks = []string{"https://console.example/callback"} }),
		connect: true,
		reads:   "authorize at HOST refused: redirect_uri_mismatch (redirect_uri must match configuration): the callback is not one of the app's; register it there, equal character for character (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View)",
	},
	{
		fact: "Wrong consumer key, before anybody approved", environ: []string{webServer, authKey + "CLIENT_ID=3MVG9wrong"},
		check: "login", verdict: Wrong, blocks: true,
		reads: "authorize at HOST refused: invalid_client_id (client identifier invalid) → the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app",
	},
	{
		fact: "Nobody has approved yet", environ: []string{webServer},
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST is not possible yet → nobody has approved this program yet; run crosswalk connect and approve it in the browser",
	},
	{
		fact:  "New app not yet propagated",
		take:  appOf(func(a *simulator.App) { a.Unknown = true }),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_client_id (client identifier invalid) → the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app",
	},
	{
		fact: "No refresh scope", environ: []string{webServer},
		take:    appOf(func(a *simulator.App) { a.NoRefresh = true }),
		connect: true,
		reads:   "connected: Salesforce granted no refresh token, so the login ends with its session, after about two hours: add the scope refresh_token (External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings > OAuth Scopes; connected app: Setup > App Manager > the app > Edit > Selected OAuth Scopes) and run crosswalk connect again",
	},
	{
		fact: "Username flow blocked, or security token missing", environ: passwordFlow,
		take:  appOf(func(a *simulator.App) { a.PasswordFlowOff = true }),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (authentication failure) → user name, password or security token is wrong, or the org blocks this flow, as new orgs do; check them, that sandbox users log in at test.salesforce.com or My Domain, and Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows, or use flow web_server",
	},
	{
		fact: "Sandbox user on login.*: password", environ: passwordFlow,
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (authentication failure) → user name, password or security token is wrong, or the org blocks this flow, as new orgs do; check them, that sandbox users log in at test.salesforce.com or My Domain, and Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows, or use flow web_server",
	},
	{
		fact: "Sandbox user on login.*: JWT audience", environ: jwtFlow,
		take:  refusedToken("invalid_grant", "Audience validation failed"),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (Audience validation failed) → the assertion names the wrong host; use login_url https://login.salesforce.com, or https://test.salesforce.com or My Domain for a sandbox",
	},
	{
		fact:  "client_credentials on login.*",
		take:  refusedToken("invalid_grant", "request not supported on this domain"),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (request not supported on this domain) → client credentials are served by My Domain only; set login_url to it (Setup > My Domain)",
	},
	{
		fact:  "Run-As user missing",
		take:  appOf(func(a *simulator.App) { a.NoRunAs = true }),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (no client credentials user enabled) → the app has no user to run as; set Run As under Client Credentials Flow (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)",
	},
	{
		fact:  "Profile IP range / login hours",
		take:  profile(func(p *simulator.Profile) { p.RestrictedIP = true }),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (IP restricted or invalid login hours) → the user may not log in from this address or at this hour; add the address (Setup > Profiles > the user's profile > Login IP Ranges and Login Hours) or relax the app's IP Relaxation (External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies)",
	},
	{
		fact:  "Session locked to IP",
		take:  profile(func(p *simulator.Profile) { p.LockedToIP = true }),
		check: "api_enabled", verdict: Wrong, blocks: true,
		reads: "call the REST API: HOST answered 401 Unauthorized (INVALID_SESSION_ID: Session expired or invalid) → the session has ended or is locked to another address; a new token was fetched and refused as well (Setup > Session Settings > Lock sessions to the IP address)",
	},
	{
		fact:  "My Domain misspelt: HTML 404",
		take:  answer("/services/data", simulator.Fault{Status: http.StatusNotFound, ContentType: "text/html", Body: "<html><title>URL No Longer Exists</title></html>"}),
		check: "host", verdict: Wrong, blocks: true,
		reads: "list API versions: HOST answered 404 Not Found (an HTML page titled URL No Longer Exists) → nothing of Salesforce's is at this address; correct login_url or instance_url (Setup > My Domain shows the name)",
	},
	{
		fact:  "My Domain misspelt: 301",
		take:  answer("/services/data", simulator.Fault{Status: http.StatusMovedPermanently, ContentType: "text/html", Body: "<html><title>Moved</title></html>"}),
		check: "host", verdict: Wrong, blocks: true,
		reads: "list API versions: HOST answered 301 Moved Permanently (an HTML page titled Moved) → the host sends elsewhere, so it is not where the org's data is: correct instance_url or login_url (Setup > My Domain shows the name)",
	},
	{
		fact:  "My Domain misspelt: 420 from Edge",
		take:  answer("/services/data", simulator.Kinds["moved"]),
		check: "host", verdict: Wrong, blocks: true,
		reads: "list API versions: HOST answered 420 (an HTML page) → Salesforce does not know this host; correct login_url or instance_url (Setup > My Domain shows the name)",
	},
	{
		fact:  "Object Read missing",
		take:  profile(func(p *simulator.Profile) { p.NoRead = []string{"Account"} }),
		check: "read_account", verdict: Wrong,
		reads: "describe Account: HOST answered 404 Not Found (NOT_FOUND: The requested resource does not exist) → the user may not read Account: Setup > Permission Sets > the integration user's set > Object Settings > Account > Read and View All Records",
	},
	{
		fact:  "Field hidden by FLS: one that is needed",
		take:  profile(func(p *simulator.Profile) { p.Hidden = []string{"Contact.AccountId"} }),
		check: "fields_contact", verdict: Wrong,
		reads: "hidden: AccountId → records cannot be put together without them; make them visible: Setup > Object Manager > Contact > Fields & Relationships > the field > Set Field-Level Security, or Setup > Permission Sets > the integration user's set > Object Settings > Contact > Field Permissions",
	},
	{
		fact:  "Field hidden by FLS: one that is missed",
		take:  profile(func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} }),
		check: "fields_account", verdict: Note,
		reads: "hidden: Phone → they will be missing from the topics, never null; if they are wanted: Setup > Object Manager > Account > Fields & Relationships > the field > Set Field-Level Security, or Setup > Permission Sets > the integration user's set > Object Settings > Account > Field Permissions",
	},
	{
		fact:  "Field hidden by FLS: the identifier",
		take:  profile(func(p *simulator.Profile) { p.Hidden = []string{"Account.AccountNumber"} }),
		check: "identifier", verdict: Wrong,
		reads: "Account has no field AccountNumber that this user may read → it does not exist, or field-level security hides it: check the spelling of orgs[].link.salesforce_field, and Setup > Object Manager > Account > Fields & Relationships > the field > Set Field-Level Security",
	},
	{
		fact:  "View All Records missing",
		take:  profile(func(p *simulator.Profile) { p.NoViewAll = []string{"Contact"} }),
		check: "view_all_contact", verdict: Wrong,
		reads: `subscribe to /data/ContactChangeEvent: the server says "403::User not allowed to subscribe CDC without required permissions", although the object is selected → without it Salesforce withholds records and events, without an error: Setup > Permission Sets > the integration user's set > Object Settings > Contact > View All Records`,
	},
	{
		fact:  "CDC entity not selected",
		take:  func(s *simulator.Simulator) { s.Events().Select([]string{"Account"}) },
		check: "cdc_contact", verdict: Wrong,
		reads: "not selected → the org sends no change events of Contact: Setup > Change Data Capture > move it to Selected Entities; until then changes are found by polling",
	},
	{
		fact: "CDC entity not selected, and the selection not visible",
		take: func(s *simulator.Simulator) {
			s.Permit(func(p *simulator.Profile) { p.NoSetup = true })
			s.Events().Select([]string{"Contact"})
		},
		check: "cdc_account", verdict: Wrong,
		reads: `which objects are selected is not visible to this user (View Setup and Configuration), and subscribing was refused: subscribe to /data/AccountChangeEvent: the server says "403::User not allowed to subscribe CDC without required permissions" → the object is not selected, or the user lacks View All Records: Setup > Change Data Capture, and Setup > Permission Sets > the integration user's set > Object Settings > Account`,
	},
	{
		fact:  `"Streaming API" disabled in User Interface settings`,
		take:  profile(func(p *simulator.Profile) { p.NoStreaming = true }),
		check: "view_all_account", verdict: Wrong,
		reads: `subscribe to /data/AccountChangeEvent: the server says "403::User not enabled for streaming" → switch on the Streaming API under Setup > User Interface, and API Enabled for the user`,
	},
	{
		fact: "Enhanced Notes off", environ: []string{"CROSSWALK_ORGS_0_SALESFORCE_NOTES_OBJECTS=ContentNote"},
		take:  func(s *simulator.Simulator) { s.Configure(func(x *simulator.Settings) { x.NoNotes = true }) },
		check: "notes_contentnote", verdict: Wrong,
		reads: "query ContentNote: HOST answered 400 Bad Request (INVALID_TYPE: SELECT COUNT() FROM ContentNote ^ ERROR at Row:1:Column:21 sObject type 'ContentNote' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.) → enhanced notes are off in this org; switch them on (Setup > Notes Settings) or leave ContentNote out of notes.objects",
	},
	{
		fact: "Query All Files missing", environ: []string{"CROSSWALK_ORGS_0_SALESFORCE_NOTES_OBJECTS=ContentNote"},
		take:  profile(func(p *simulator.Profile) { p.NoFiles = true }),
		check: "notes_contentnote", verdict: Note,
		reads: "0 visible → without Query All Files the user sees only the notes that are shared with it, without an error: Setup > Permission Sets > the integration user's set > System Permissions > Query All Files",
	},
	{
		fact:  "View Setup and Configuration missing: the selection",
		take:  profile(func(p *simulator.Profile) { p.NoSetup = true }),
		check: "cdc_account", verdict: Good,
		reads: "which objects are selected is not visible to this user (View Setup and Configuration), but subscribing was granted → ",
	},
	{
		fact:  "View Setup and Configuration missing: the limits",
		take:  profile(func(p *simulator.Profile) { p.NoSetup = true }),
		check: "limits", verdict: Note,
		reads: "11 of 1000000 API calls of the last 24 hours used; the other limits are not visible to this user → to see the others: Setup > Permission Sets > the integration user's set > System Permissions > View Setup and Configuration",
	},
	{
		fact:  "Password expired",
		take:  profile(func(p *simulator.Profile) { p.Expired = true }),
		check: "api_enabled", verdict: Wrong, blocks: true,
		reads: "call the REST API: HOST answered 403 Forbidden (INVALID_OPERATION_WITH_EXPIRED_PASSWORD: The user's password has expired, you must call SetPassword before attempting any other API operations) → the user's password has expired; log in as the user in a browser once and set a new one",
	},
	{
		fact:  "User deactivated",
		take:  profile(func(p *simulator.Profile) { p.Inactive = true }),
		check: "login", verdict: Wrong, blocks: true,
		reads: "log in at HOST refused: invalid_grant (inactive user) → the user is deactivated; activate it (Setup > Users > the user) or log in as another",
	},
}

func TestFacts8(t *testing.T) {
	t.Parallel()
	for _, row := range facts8 {
		t.Run(row.fact, func(t *testing.T) {
			t.Parallel()
			key := filepath.Join(t.TempDir(), "key.pem")
			a, sim, ready := simulated(t, slices.Concat(withERP, []string{authKey + "PRIVATE_KEY_FILE=" + key}, row.environ)...)
			if err := os.WriteFile(key, sim.JWTKey(), 0o600); err != nil {
				t.Fatal(err)
			}
			if row.take != nil {
				row.take(sim)
			}
			var got string
			if row.connect {
				got = connectAnd(t, a)
			} else {
				got = row.examine(t, a)
			}
			for _, secret := range []string{ready.ClientSecret, ready.Password, ready.RefreshToken, "wrong-password", "PRIVATE KEY"} {
				if strings.Contains(got, secret) {
					t.Errorf("it shows a secret: %s", got)
				}
			}
			address := a.cfg.Orgs[0].Salesforce.LoginURL
			got = strings.ReplaceAll(strings.ReplaceAll(got, address, "HOST"), strings.TrimPrefix(address, "http://"), "HOST")
			if got != row.reads {
				t.Errorf("a person reads\n  %s\nwant\n  %s", got, row.reads)
			}
		})
	}
}

// connectAnd is what a person reads who connects: the error, or the warnings.
func connectAnd(t *testing.T, a *App) string {
	t.Helper()
	c, err := a.Connect(t.Context(), ConnectOptions{Listen: "127.0.0.1:0", Approve: func(address, _ string) {
		go func() { // the browser
			if r, err := http.Get(address); err == nil {
				_ = r.Body.Close()
			}
		}()
	}})
	if err != nil {
		return err.Error()
	}
	return strings.Join(append([]string{"connected"}, c.Warnings...), ": ")
}

// examine runs the doctor and returns the line that the row is about.
func (row precondition) examine(t *testing.T, a *App) string {
	t.Helper()
	found, order, err := examine(t, a)
	f := found[row.check]
	if f.Verdict != row.verdict {
		t.Errorf("%s is %s, want %s", row.check, f.Verdict, row.verdict)
	}
	if (err != nil) != (row.verdict == Wrong) {
		t.Errorf("the doctor ends with %v", err)
	}
	after := false
	for _, check := range order {
		switch {
		case check == row.check:
			after = true
		case after && check == "limits" && (found[check].Verdict == NotChecked) != row.blocks:
			t.Errorf("%s is %s after it", check, found[check].Verdict)
		case (check == "erp" || check == "kafka" || check == "registry") && found[check].Verdict != Good:
			t.Errorf("%s is %s: it does not depend on Salesforce", check, found[check].Verdict)
		}
	}
	if text, err := json.Marshal(f); err != nil || !json.Valid(text) {
		t.Errorf("%s, %v", text, err)
	}
	return f.Seen + " → " + f.Advice
}

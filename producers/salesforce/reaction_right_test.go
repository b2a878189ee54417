package salesforce_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/secret"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// missing is a row of facts 8: a precondition that is taken away before a process begins, and what it makes of that. Those that show at the
// approval page alone are tested with crosswalk connect, and what shows nowhere with crosswalk doctor.
type missing struct {
	fact  string
	take  func(*patient)               // takes it away; nil: nothing, see login
	login func(*sfapi.Auth)            // or spoils the credentials
	reads []string                     // of the error that Run ends with
	warns []string                     // or of a line of the log, while the rest goes on
	says  func(salesforce.Status) bool // and what the status says then; nil: nothing
}

func permit(change func(*simulator.Profile)) func(*patient) {
	return func(b *patient) { b.sim.Permit(change) }
}

func app(change func(*simulator.App)) func(*patient) {
	return func(b *patient) { b.sim.ConfigureApp(change) }
}

// tokenRefused is for what the simulated org does not refuse by itself.
func tokenRefused(code, description string) func(*patient) {
	return func(b *patient) {
		b.refuse(http.MethodPost, tokenPath, answers(http.StatusBadRequest, code, description))
	}
}

// everywhere has every request answered with a page, as another host would.
func everywhere(status int, title string) func(*patient) {
	return func(b *patient) {
		b.refuse("", "", answersPage(status, "text/html", "<html><head><title>"+title+"</title></head></html>"))
	}
}

func bothPolled(words ...string) func(salesforce.Status) bool {
	return func(s salesforce.Status) bool {
		return len(s.Polled) == 2 && containsAll(s.Polled["Account"].Text, words...) && containsAll(s.Polled["Contact"].Text, words...)
	}
}

// facts8 are the rows of facts 8, in their order.
var facts8 = []missing{
	{fact: "edition without API", take: permit(func(p *simulator.Profile) { p.NoAPIEdition = true }), reads: []string{"API_DISABLED_FOR_ORG", "Professional Edition needs API access bought"}},
	{fact: "API Enabled", take: permit(func(p *simulator.Profile) { p.NoAPI = true }), reads: []string{"API_DISABLED_FOR_ORG", "give the user API Enabled"}},
	{fact: "scope api", take: permit(func(p *simulator.Profile) { p.NoAPIScope = true }), reads: []string{"INVALID_SESSION_ID", "add the scope api"}},
	{fact: "API Access Control", take: app(func(a *simulator.App) { a.NotAllowListed = true }), reads: []string{"INVALID_SESSION_ID", "Setup > API Access Control"}},
	{fact: "admin approved users, user not assigned", take: func(b *patient) {
		b.sim.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
		b.sim.Permit(func(p *simulator.Profile) { p.NotApproved = true })
	}, reads: []string{"invalid_app_access", "an administrator must admit the user to this app"}},
	{fact: "JWT never approved", take: tokenRefused("invalid_grant", "user hasn't approved this consumer"), reads: []string{"the user was never allowed to use this app"}},
	{fact: "app not in the org", take: tokenRefused("app_not_found", "External client app is not installed in this org"), reads: []string{"the External Client App is not in this org"}},
	{fact: "wrong consumer key", login: func(a *sfapi.Auth) { a.ClientID = "3MVG9wrong" }, reads: []string{"invalid_client_id", "check auth.client_id"}},
	{fact: "wrong consumer secret", login: func(a *sfapi.Auth) { a.ClientSecret = "wrong-secret" }, reads: []string{"invalid_client", "copy auth.client_secret anew"}},
	{fact: "new app not yet propagated", take: app(func(a *simulator.App) { a.Unknown = true }), reads: []string{"invalid_client_id", "wait 10 minutes after creating or changing the app"}},
	{fact: "username flow blocked", take: app(func(a *simulator.App) { a.PasswordFlowOff = true }), reads: []string{"authentication failure", "Allow OAuth Username-Password Flows"}},
	{fact: "security token missing, or a sandbox user on login.*", login: func(a *sfapi.Auth) { a.Password = secret.String("wrong-password") }, reads: []string{"authentication failure", "sandbox users log in at test.salesforce.com or My Domain"}},
	{fact: "JWT at the wrong host", take: tokenRefused("invalid_grant", "Audience validation failed"), reads: []string{"the assertion names the wrong host"}},
	{fact: "client_credentials on login.*", take: tokenRefused("invalid_grant", "request not supported on this domain"), reads: []string{"client credentials are served by My Domain only"}},
	{fact: "Run-As user missing", take: app(func(a *simulator.App) { a.NoRunAs = true }), login: func(a *sfapi.Auth) { a.Flow = sfapi.ClientCredentials }, reads: []string{"no client credentials user enabled", "set Run As"}},
	{fact: "profile IP range or login hours", take: permit(func(p *simulator.Profile) { p.RestrictedIP = true }), reads: []string{"IP restricted or invalid login hours", "Login IP Ranges and Login Hours"}},
	{fact: "session locked to another address", take: permit(func(p *simulator.Profile) { p.LockedToIP = true }), reads: []string{"INVALID_SESSION_ID", "Lock sessions to the IP address"}},
	{fact: "My Domain misspelt: 404 page", take: everywhere(http.StatusNotFound, "Not Found"), reads: []string{"an HTML page titled Not Found", "there is no org's API at this address; correct login_url or instance_url"}},
	{fact: "My Domain misspelt: 301", take: everywhere(http.StatusMovedPermanently, "Moved"), reads: []string{"an HTML page titled Moved", "correct instance_url or login_url"}},
	{fact: "My Domain misspelt: 420", take: everywhere(420, "No routing"), reads: []string{"Salesforce does not know this host; correct login_url or instance_url"}},
	{fact: "Object Read", take: permit(func(p *simulator.Profile) { p.NoRead = []string{"Account"} }), reads: []string{"describe Account", "give Read on the object"}},
	{
		fact: "field hidden by FLS", take: permit(func(p *simulator.Profile) { p.Hidden = []string{"Account.Phone"} }),
		warns: []string{"the fields of the org changed", "entity=Account", "Phone"},
		says:  func(s salesforce.Status) bool { return !slices.Contains(s.Columns["Account"], "Phone") },
	},
	{
		fact: "View All Records", take: func(b *patient) {
			b.sim.Permit(func(p *simulator.Profile) { p.NoViewAll, p.NoSetup = []string{"Contact"}, true })
		},
		warns: []string{"Contact: polled every 100ms, because CDC is not selected for it, or the user lacks View All Records on it (403::User not allowed to subscribe CDC", "View All Records"},
		says:  func(s salesforce.Status) bool { return len(s.Polled) == 1 && s.Polled["Contact"].Advice != "" },
	},
	{
		fact: "CDC entity not selected", take: func(b *patient) { b.sim.Events().Select([]string{"Account"}) },
		warns: []string{"Contact: polled every 100ms, because CDC is not selected for it", "Setup > Change Data Capture > move it to Selected Entities"},
		says:  func(s salesforce.Status) bool { return len(s.Polled) == 1 && s.Polled["Contact"].Advice != "" },
	},
	{
		fact: "Streaming API disabled", take: permit(func(p *simulator.Profile) { p.NoStreaming = true }),
		warns: []string{"Account: polled every 100ms, because the org's channel of change events was refused (403::User not enabled for streaming)", "switch on the Streaming API under Setup > User Interface"},
		says:  bothPolled("403::User not enabled for streaming", "switch on the Streaming API"),
	},
	{
		fact: "Enhanced Notes off", take: func(b *patient) {
			b.sim.Configure(func(s *simulator.Settings) { s.NoNotes = true })
		},
		warns: []string{"notes could not be polled; they are tried again", "object=ContentNote", "INVALID_TYPE", "ContentNote"},
		says:  func(s salesforce.Status) bool { return containsAll(s.Notes["ContentNote"].Failed, "INVALID_TYPE") },
	},
	{
		fact: "View Setup and Configuration", take: permit(func(p *simulator.Profile) { p.NoSetup = true }),
		warns: []string{"the org's limits cannot be read", "View Setup and Configuration"},
		says: func(s salesforce.Status) bool {
			return s.Budget != nil && strings.Contains(s.Budget.Note, "View Setup and Configuration")
		},
	},
	{fact: "password expired", take: permit(func(p *simulator.Profile) { p.Expired = true }), reads: []string{"INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "set a new one"}},
	{fact: "user deactivated", take: permit(func(p *simulator.Profile) { p.Inactive = true }), reads: []string{"the user is deactivated; activate it (Setup > Users > the user)"}},
}

// TestReactionsToFacts8 begins a process while something is missing, and gives it back: what ended goes on with the next process, what
// was worked around ends by itself.
func TestReactionsToFacts8(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{Org: org.Config{Seed: 152, Accounts: 6, Contacts: 4}}, func(b *patient) {
		b.config.Notes.Objects, b.config.DescribeEvery = []string{"ContentNote"}, 50*time.Millisecond
	})
	profile := simulator.Profile{}
	b.sim.Permit(func(p *simulator.Profile) { profile = *p })
	b.alive()
	for _, row := range facts8 {
		b.row(t, row.fact, func() {
			row.run(b)
			b.sim.Permit(func(p *simulator.Profile) { *p = profile })
			b.sim.ConfigureApp(func(a *simulator.App) {
				a.NotAllowListed, a.AdminApprovedOnly, a.Unknown, a.PasswordFlowOff, a.NoRunAs = false, false, false, false, false
			})
			b.sim.Configure(func(s *simulator.Settings) { s.NoNotes = false })
			b.sim.Events().Select(nil)
			b.sim.ClearFaults()
			b.shown(b.changeOnceMore())
			b.await(b.p, func(s salesforce.Status) bool {
				return s.Phase == "streaming" && len(s.Polled) == 0 && s.Notes["ContentNote"].Ready && s.Notes["ContentNote"].Failed == "" && slices.Contains(s.Columns["Account"], "Phone")
			})
		})
	}
	b.discreet()
}

func (row missing) run(b *patient) {
	if b.p != nil {
		b.p.end()
		b.p = nil
	}
	if row.take != nil {
		row.take(b)
	}
	from := b.diary.mark()
	b.login(row.login)
	b.p = b.begun()
	if row.reads != nil {
		b.ended(append(row.reads, "produce from org default: ")...)
		return
	}
	b.reads(from, slog.LevelWarn, row.warns...)
	b.await(b.p, row.says)
	b.shown(b.change(false)) // whatever is missing, an Account is published
}

package sfapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// codeNotConnected is the Code of an AuthError that no server sent: there is nothing to log in with yet.
const codeNotConnected = "not_connected"

// AuthError is a refused login: what the token or authorize endpoint answered. It never holds a secret.
type AuthError struct {
	Op          string // "log in", "exchange code", "authorize"
	Host        string // the login host
	Status      int    // HTTP status; 0 when the answer came by redirect or from this program
	Code        string // the error member, such as invalid_grant
	Description string // the error_description member, as sent
	retryAfter  time.Duration
}

// Error is one sentence: what was refused, where, in whose words, what it means and what to do.
func (e *AuthError) Error() string {
	s := e.Op + " at " + e.Host + " refused"
	switch {
	case e.Code != "" && e.Description != "":
		s += ": " + e.Code + " (" + e.Description + ")"
	case e.Code != "" || e.Description != "":
		s += ": " + e.Code + e.Description
	default:
		s += fmt.Sprintf(" with HTTP status %d", e.Status)
	}
	return s + ": " + e.Hint()
}

// Hint says what the refusal means and where to click.
func (e *AuthError) Hint() string {
	if e.Next() == NextRetry {
		return "Salesforce could not answer just now (status.salesforce.com); this passes by itself"
	}
	for _, r := range refusals {
		if r.code == e.Code && strings.Contains(strings.ToLower(e.Description), r.text) {
			return r.hint
		}
	}
	if e.Code == "" {
		return "the answer is not Salesforce's: check login_url, and any proxy on the way"
	}
	return "Salesforce does not say more; Setup > Login History shows the attempt with its reason"
}

// Next is NextRetry for 429 and 5xx and NextStop for everything else: a 400 of the token endpoint stays what it is
// until a person has changed something (facts 1.4).
func (e *AuthError) Next() Next {
	if e.Status == http.StatusTooManyRequests || e.Status >= 500 {
		return NextRetry
	}
	return NextStop
}

// NotConnected reports that nothing is stored to log in with: nobody was asked.
func (e *AuthError) NotConnected() bool { return e.Code == codeNotConnected }

// NeedsApproval reports a refusal of the web server flow that a person may end by approving once more in a browser: nothing is stored,
// or what is stored is no longer accepted (facts 1.4).
func (e *AuthError) NeedsApproval() bool {
	return e.NotConnected() || e.Code == "invalid_grant" && e.Next() == NextStop
}

// Where things are in Salesforce Setup, for External Client Apps and for classic connected apps.
const (
	clickPolicies = "External Client App: Setup > External Client App Manager > the app > Policies; connected app: Setup > App Manager > the app > Manage > Edit Policies"
	clickSettings = "External Client App: Setup > External Client App Manager > the app > Settings > OAuth Settings; connected app: Setup > App Manager > the app > View"
	clickUser     = "Setup > Users > the user"
	runConnect    = "click Connect in the console or run crosswalk connect"
)

// refusal is one row: which answers it is for, what they mean, what to do. text is matched in lower case.
type refusal struct {
	code, text, hint string
}

// refusals holds facts 1.3, 1.4 and the login rows of 8. The first row that fits is used.
var refusals = []refusal{
	{codeNotConnected, "", "nobody has approved this program yet; " + runConnect + " and approve it in the browser"},
	{"unsupported_response_type", "", "the login host does not know the web server flow; check that login_url is a Salesforce login host or My Domain"},
	{"invalid_client_id", "", "the consumer key is not known there; check auth.client_id and that login_url is the org's own host (sandboxes: test.salesforce.com or My Domain), and wait 10 minutes after creating or changing the app"},
	{"invalid_client", "", "the consumer secret is wrong; copy auth.client_secret anew (" + clickSettings + ")"},
	{"invalid_client_credentials", "", "the consumer secret is wrong; copy auth.client_secret anew (" + clickSettings + ")"},
	{"invalid_request", "code challenge", "the app requires PKCE and the request had none; open exactly the address that crosswalk connect prints"},
	{"invalid_request", "verifier", "the code was asked for by another run of connect; " + runConnect + " once more and finish in the same run"},
	{"invalid_request", "https", "Salesforce speaks https only; write login_url with https://"},
	{"invalid_request", "post", "a proxy on the way turned the request into another method; let the program reach the login host directly"},
	{"invalid_request", "out-of-band", "the app's callback may not be out of band; register a callback address (" + clickSettings + ") and set it as auth.redirect_url"},
	{"invalid_request", "", "Salesforce found the login request incomplete; check auth.flow and the keys that it needs"},
	{"redirect_uri_missing", "", "no callback was sent; set auth.redirect_url to a callback of the app (" + clickSettings + ")"},
	{"redirect_uri_mismatch", "", "the callback is not one of the app's; register it there, equal character for character (" + clickSettings + ")"},
	{"access_denied", "", "the approval was declined in the browser; " + runConnect + " once more and choose Allow"},
	{"immediate_unsuccessful", "", "an approval without a page was asked for and is not possible; " + runConnect + " and approve in the browser"},
	{"invalid_scope", "", "the app does not offer the scopes api and refresh_token; add both (" + clickSettings + ")"},
	{"unsupported_grant_type", "", "the app or host does not offer this flow; enable it (" + clickSettings + ") or choose another auth.flow"},
	{"invalid_grant", "expired access/refresh token", "the stored approval is no longer valid (revoked, expired by the app's policy, replaced by a sixth login of this user, or used by a second program); " + runConnect + " once more, and see the refresh token policy (" + clickPolicies + ")"},
	{"invalid_grant", "invalid password", "user name, password or security token is wrong; check them, and that sandbox users log in at test.salesforce.com or My Domain"},
	{"invalid_grant", "invalid user credentials", "user name, password or security token is wrong; check them, and that sandbox users log in at test.salesforce.com or My Domain"},
	{"invalid_grant", "authentication failure", "user name, password or security token is wrong, or the org blocks this flow, as new orgs do; check them, that sandbox users log in at test.salesforce.com or My Domain, and Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows, or use flow web_server"},
	{"invalid_grant", "ip restricted", "the user may not log in from this address or at this hour; add the address (Setup > Profiles > the user's profile > Login IP Ranges and Login Hours) or relax the app (" + clickPolicies + " > IP Relaxation)"},
	{"invalid_grant", "approved this consumer", "the user was never allowed to use this app; set Permitted Users to admin approved and add the user's profile or permission set (" + clickPolicies + "), and check that login_url is the user's own org"},
	{"invalid_grant", "invalid assertion", "the signature does not fit the app's certificate; upload the certificate that belongs to auth.private_key_file (" + clickSettings + " > Use digital signatures)"},
	{"invalid_grant", "audience", "the assertion names the wrong host; use login_url https://login.salesforce.com, or https://test.salesforce.com or My Domain for a sandbox"},
	{"invalid_grant", "authorization code", "the approval code is late, was used before or belongs to another app; " + runConnect + " once more and finish within a few minutes"},
	{"invalid_grant", "verifier", "the code was asked for by another run of connect; " + runConnect + " once more and finish in the same run"},
	{"invalid_grant", "not supported on this domain", "client credentials are served by My Domain only; set login_url to it (Setup > My Domain)"},
	{"invalid_grant", "no client credentials user", "the app has no user to run as; set Run As (" + clickPolicies + " > Client Credentials Flow)"},
	{"invalid_grant", "inactive", "the user is deactivated; activate it (" + clickUser + ") or log in as another"},
	{"invalid_grant", "", "the credential is not accepted; check it, and see the attempt in Setup > Login History"},
	{"inactive_user", "", "the user is deactivated; activate it (" + clickUser + ") or log in as another"},
	{"inactive_org", "", "the org is locked, closed or suspended; ask Salesforce or the org's administrator"},
	{"rate_limit_exceeded", "", "this user logged in too often within the hour; stop other programs that log in as it, wait an hour, start again"},
	{"invalid_app_access", "", "an administrator must admit the user to this app; add the user's profile or permission set (" + clickPolicies + ")"},
	{"OAUTH_APP_ACCESS_DENIED", "", "an administrator must admit the user to this app; add the user's profile or permission set (" + clickPolicies + ")"},
	{"OAUTH_APP_BLOCKED", "", "the app is blocked or not installed in this org; install or unblock it (Setup > Connected Apps OAuth Usage), or give the user Approve Uninstalled Connected Apps"},
	{"OAUTH_APPROVAL_ERROR_GENERIC", "", "Salesforce failed while showing the approval page; try again in a private browser window, and check the app's scopes and callback (" + clickSettings + ")"},
	{"OAUTH_EC_APP_NOT_FOUND", "", "the External Client App is not in this org or is used at the wrong host; set login_url to the org's My Domain (Setup > My Domain) and check that the app is installed"},
	{"OAUTH_AUTHORIZATION_BLOCKED", "", "the org does not let this app be authorized; ask the administrator (Setup > Connected Apps OAuth Usage)"},
	{"app_not_found", "", "the External Client App is not in this org or is used at the wrong host; set login_url to the org's My Domain (Setup > My Domain) and check that the app is installed"},
	{"INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", "the user's password has expired; log in as the user in a browser once and set a new one"},
}

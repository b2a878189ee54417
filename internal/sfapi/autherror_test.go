package sfapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
)

// Every row of facts 1.3, 1.4 and the login rows of 8: what the person reads. What the program does is the same for
// all: it stops, without asking again.
var refusedLogins = []struct {
	code, description string
	reads             string
}{
	// 1.3
	{"unsupported_response_type", "response type not supported", "check that login_url is a Salesforce login host"},
	{"invalid_client_id", "client identifier invalid", "wait 10 minutes after creating or changing the app"},
	{"invalid_client", "invalid client credentials", "copy auth.client_secret anew"},
	{"invalid_client_credentials", "client secret invalid", "copy auth.client_secret anew"},
	{"invalid_request", "HTTPS required", "write login_url with https://"},
	{"invalid_request", "must use HTTP POST", "a proxy on the way"},
	{"invalid_request", "out-of-band not supported", "register a callback address"},
	{"invalid_request", "missing required code challenge", "the app requires PKCE"},
	{"invalid_request", "invalid code verifier", "asked for by another run of connect"},
	{"redirect_uri_missing", "redirect_uri not provided", "set auth.redirect_url"},
	{"redirect_uri_mismatch", "redirect_uri must match configuration", "equal character for character"},
	{"access_denied", "end-user denied authorization", "choose Allow"},
	{"immediate_unsuccessful", "", "approve in the browser"},
	{"invalid_scope", "the requested scope is not allowed", "scopes api and refresh_token; add both"},
	{"unsupported_grant_type", "grant type not supported", "choose another auth.flow"},
	{"inactive_user", "user is inactive", "the user is deactivated"},
	{"inactive_org", "organization is inactive", "locked, closed or suspended"},
	{"rate_limit_exceeded", "number of logins exceeded", "wait an hour"},
	{"invalid_app_access", "user is not admin approved to access this app", "add the user's profile or permission set"},
	{"OAUTH_APP_BLOCKED", "this app is blocked by admin", "Approve Uninstalled Connected Apps"},
	{"OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", "add the user's profile or permission set"},
	{"OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occured during authentication. Please try again.", "private browser window"},
	{"OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org", "set login_url to the org's My Domain"},
	{"OAUTH_AUTHORIZATION_BLOCKED", "", "ask the administrator"},
	{"app_not_found", "External client app is not installed in this org", "set login_url to the org's My Domain"},
	// 1.4
	{"invalid_grant", "expired access/refresh token", "run crosswalk connect again"},
	{"invalid_grant", "authentication failure", "Allow OAuth Username-Password Flows"},
	{"invalid_grant", "authentication failure - Invalid Password", "password or security token is wrong"},
	{"invalid_grant", "invalid user credentials", "password or security token is wrong"},
	{"invalid_grant", "IP restricted or invalid login hours", "Login IP Ranges and Login Hours"},
	{"invalid_grant", "ip restricted", "Login IP Ranges"},
	{"invalid_grant", "user hasn't approved this consumer", "set Permitted Users to admin approved"},
	{"invalid_grant", "invalid assertion", "upload the certificate"},
	{"invalid_grant", "Audience validation failed", "https://test.salesforce.com or My Domain for a sandbox"},
	{"invalid_grant", "expired authorization code", "finish within a few minutes"},
	{"invalid_grant", "invalid authorization code", "finish within a few minutes"},
	{"invalid_grant", "invalid code verifier", "asked for by another run of connect"},
	{"invalid_grant", "request not supported on this domain", "served by My Domain only"},
	{"invalid_grant", "no client credentials user enabled", "set Run As"},
	{"invalid_grant", "inactive user", "the user is deactivated"},
	{"invalid_grant", "user is inactive", "the user is deactivated"},
	{"invalid_grant", "something new", "Setup > Login History"},
	// 8
	{"INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired", "set a new one"},
	{"something_new", "no idea", "Setup > Login History"},
}

func TestRefusedLoginsSayWhatToDoAndAreFinal(t *testing.T) {
	t.Parallel()
	for _, row := range refusedLogins {
		o := newOrg(t)
		o.token = func(w http.ResponseWriter, _ map[string]string) bool {
			w.Header().Set("Content-Type", jsonType)
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": row.code, "error_description": row.description})
			return true
		}
		s := source(t, passwordAuth(o), nil)
		for range 2 {
			_, err := s.Token(t.Context(), "")
			var refused *AuthError
			if !errors.As(err, &refused) || refused.Next() != NextStop || refused.Code != row.code || refused.Description != row.description {
				t.Fatalf("%s (%s) became %v", row.code, row.description, err)
			}
			has(t, err.Error(), "log in at "+o.URL+" refused", row.code, row.description, row.reads)
		}
		if n := o.loginCount(); n != 1 {
			t.Errorf("%s (%s) was asked %d times", row.code, row.description, n)
		}
	}
}

func TestRefusedApprovalsSayTheSame(t *testing.T) {
	t.Parallel()
	s := source(t, webAuth(newOrg(t)), nil)
	login, err := s.NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range refusedLogins {
		answer := url.Values{"error": {row.code}, "error_description": {row.description}, "state": {login.State}}
		_, err := login.Code("http://localhost:8080/callback?" + answer.Encode())
		if err == nil {
			t.Fatalf("%s was accepted", row.code)
		}
		has(t, err.Error(), "authorize at ", row.reads)
	}
}

func TestNoApprovalYet(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	_, err := source(t, webAuth(o), newMemory()).Token(t.Context(), "")
	if err == nil || o.loginCount() != 0 {
		t.Fatalf("got %v after %d requests", err, o.loginCount())
	}
	has(t, err.Error(), "run crosswalk connect and approve it in the browser")
}

func TestMissingRefreshScopeIsSeen(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	tok, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
	if err != nil || tok.HasRefresh() {
		t.Errorf("%v, %v", tok.HasRefresh(), err)
	}
}

func TestForeignAnswersOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status      int
		media, body string
		wants       []string
	}{
		"HTML":          {403, "text/html", "<html><title>Access Denied</title></html>", []string{"an HTML page titled Access Denied", "check login_url, and any proxy"}},
		"empty":         {404, "", "", []string{"HTTP status 404", "check login_url"}},
		"text":          {400, "text/plain", "Missing_OAuth_Token", []string{"Missing_OAuth_Token"}},
		"form, no type": {400, "", "error=invalid_client_id&error_description=client%20identifier%20invalid", []string{"invalid_client_id (client identifier invalid)", "check auth.client_id"}},
	} {
		o := newOrg(t)
		o.token = func(w http.ResponseWriter, _ map[string]string) bool {
			w.Header()["Content-Type"] = []string{c.media}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
			return true
		}
		_, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
		if err == nil || o.loginCount() != 1 {
			t.Fatalf("%s: %v after %d requests", name, err, o.loginCount())
		}
		has(t, err.Error(), c.wants...)
	}
}

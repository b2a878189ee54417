package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"crosswalk/internal/sfapi"
)

// configuration makes the clients, which checks what can be checked without a call.
func (e *examination) configuration(context.Context) result {
	const stop = "the configuration of the login is wrong"
	if e.org.Salesforce.Auth.Flow == "" {
		return e.block(stop, wrong("set orgs[].salesforce.auth.flow to web_server, jwt, client_credentials or password, with the keys that it needs", "no Salesforce login is configured"))
	}
	auth, err := e.app.auth(e.org)
	if err == nil {
		e.auth = auth
		e.tokens, err = e.app.tokens(e.org, auth, patience)
	}
	if err == nil {
		e.client, err = e.app.api(e.org, e.tokens, patience)
	}
	if err != nil {
		return e.block(stop, wrong("correct the key in the configuration", "%s", err.Error()))
	}
	seen := fmt.Sprintf("%s, API version %s", auth, e.client.Version())
	auth.AllowAnyHost = false // who asks here wants to know, whatever the host
	if w := auth.Warning(); w != "" {
		return noted(w, "%s", seen)
	}
	return good("%s", seen)
}

// host asks for the API versions: that needs no login and only Salesforce answers it so.
func (e *examination) host(ctx context.Context) result {
	const stop = "the host does not answer as Salesforce"
	versions, err := e.client.Versions(ctx)
	if err != nil || len(versions) == 0 {
		r := wrong("", "the list of API versions is empty")
		if err != nil {
			r = failed(err)
		}
		if !isAnswer(err) {
			r.advice = "something else than Salesforce answers there: check login_url, instance_url and any proxy on the way (Setup > My Domain shows the name)"
		}
		return e.block(stop, r)
	}
	first, last := versions[0], versions[len(versions)-1]
	if !slices.ContainsFunc(versions, func(v sfapi.APIVersion) bool { return v.Version == e.client.Version() }) {
		return e.block("the API version is not served", wrong("set orgs[].salesforce.api_version to one of these", "the host serves API versions %s to %s, and not %s", first.Version, last.Version, e.client.Version()))
	}
	return good("Salesforce answers, %s, API versions %s to %s", last.Label, first.Version, last.Version)
}

// isAnswer reports an error that says itself what to do: Salesforce's own, or that nobody answered.
func isAnswer(err error) bool {
	var hinted interface{ Hint() string }
	return errors.As(err, &hinted)
}

// login obtains a token and asks whom it is for.
func (e *examination) login(ctx context.Context) result {
	token, err := e.tokens.Token(ctx, "")
	if err != nil {
		errors.As(err, &e.refused)
		return e.block("the login failed", failed(err))
	}
	e.token = token
	who, err := e.client.Identity(ctx)
	if err != nil {
		return good("user %s of org %s at %s", token.UserID(), token.OrgID(), token.InstanceURL)
	}
	return good("%s (user %s) of org %s at %s", who.Username, who.UserID, who.OrgID, token.InstanceURL)
}

// scopes looks at what the token was granted; without api nothing can be read, without refresh_token not for long (facts 8).
func (e *examination) scopes(context.Context) result {
	granted := strings.Fields(e.token.Scope)
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(granted, n) })
	}
	switch {
	case len(granted) == 0:
		return noted("", "the token reply names no scopes; the next check shows whether api is among them")
	case !has("api", "full"):
		return e.block("the token lacks the scope api", wrong("without it no data can be read: add the scope “Manage user data via APIs (api)” and log in again ("+clickScopes+")", "granted: %s; api is missing", e.token.Scope))
	case e.auth.Flow == sfapi.WebServer && !e.token.HasRefresh():
		return wrong("the login ends with its session: add the scope “Perform requests at any time (refresh_token, offline_access)” and run crosswalk connect again ("+clickScopes+")", "granted: %s; no refresh token", e.token.Scope)
	}
	return good("granted: %s", e.token.Scope)
}

// notForREST is how Salesforce refuses a token whose app may not use the API (facts 2.2).
const notForREST = "not valid for use with the REST API"

// apiEnabled makes the cheapest call that needs the right.
func (e *examination) apiEnabled(ctx context.Context) result {
	err := e.client.Probe(ctx)
	var answered *sfapi.Error
	switch {
	case err == nil:
		return good("the REST API answers this user")
	case errors.As(err, &answered) && answered.Status == http.StatusUnauthorized && strings.Contains(answered.Message, notForREST):
		e.refused = &sfapi.AuthError{Op: "call the REST API", Host: answered.Host, Status: answered.Status, Code: answered.Code, Description: answered.Message}
		return e.block("the org does not let this app use the API", unchecked("the app is refused before the user's right is looked at"))
	case code(err) == "API_DISABLED_FOR_ORG":
		r := failed(err)
		r.advice = "the user lacks API Enabled, or the edition has no API: " + clickPermission + " > System Permissions > API Enabled; Professional Edition needs API access bought"
		return e.block("the user may not use the API", r)
	}
	return e.block("the REST API does not answer", failed(err))
}

// appRefusals are the refusals that mean: this user may not use this app, or the org does not let the app in (facts 8).
var appRefusals = []string{
	"invalid_app_access", "OAUTH_APP_ACCESS_DENIED", "OAUTH_APP_BLOCKED", "OAUTH_EC_APP_NOT_FOUND", "OAUTH_AUTHORIZATION_BLOCKED", "app_not_found",
}

// appAllowed says whether the org lets the user use the app: a login or a call was refused for it, or none was.
func (e *examination) appAllowed(context.Context) result {
	switch r := e.refused; {
	case r == nil && e.blocked == "":
		return good("the app may act for this user")
	case r == nil:
		return unchecked(e.blocked)
	case r.Status == http.StatusUnauthorized && strings.Contains(r.Description, notForREST):
		return wrong("API Access Control does not list the app, or the token has no scope api in spite of what was granted: Setup > API Access Control, and allow it (Setup > Connected Apps OAuth Usage > the app > Install; External Client Apps: Setup > External Client App Manager), and see the scopes ("+clickScopes+")", "%s (%s)", r.Description, r.Code)
	case slices.Contains(appRefusals, r.Code) || strings.Contains(r.Description, "approved this consumer"):
		return wrong(r.Hint(), "the login was refused for it: %s (%s)", r.Code, r.Description)
	}
	return unchecked(e.blocked)
}

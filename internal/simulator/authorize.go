package simulator

import (
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// approvalPage is what the user sees in the browser.
var approvalPage = template.Must(template.New("approval").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Allow Access? | Simulated org</title>
<style>body{font:16px sans-serif;background:#f4f6f9;display:grid;place-items:center;min-height:90vh}main{background:#fff;border:1px solid #d8dde6;border-radius:4px;padding:2em;max-width:30em}button{font:inherit;padding:.5em 1.5em;margin-right:1em}</style></head>
<body><main><h1>Allow Access?</h1><p><b>{{.App}}</b> is asking to:</p><ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul><p>as {{.User}}</p>
<form method="post" action="/services/oauth2/authorize?{{.Query}}"><button type="submit" id="oaapprove" name="save" value="Allow">Allow</button><button type="submit" id="oadeny" name="cancel" value="Deny">Deny</button></form>
<p><small>This is a simulated org, not Salesforce.</small></p></main></body></html>
`))

// usualScopes may be asked for unless the app says otherwise.
var usualScopes = []string{"api", "refresh_token", "offline_access", "id", "full", "openid", "web", "profile", "email", "cdp_api", "eclair_api"}

// authorization is one checked request for approval.
type authorization struct {
	redirect, scope, state, challenge string
}

// authorize shows the approval page, or approves by itself when told to.
func (c *call) authorize() {
	q := c.r.URL.Query()
	a, ok := c.checkAuthorization(q)
	if !ok {
		return
	}
	switch {
	case q.Get("immediate") == "true":
		if !c.s.tokens.isApproved() {
			c.redirect(a, url.Values{"error": {"immediate_unsuccessful"}})
			return
		}
		c.grantCode(a)
	case c.s.settings.Load().AutoApprove:
		c.grantCode(a)
	default:
		c.w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		c.w.Header().Set("X-Frame-Options", "DENY")
		_ = approvalPage.Execute(c.w, struct { // the client may be gone
			App, User string
			Scopes    []string
			Query     template.URL
		}{c.s.app.Load().Name, c.s.config.Org.Username, strings.Fields(a.scope), template.URL(q.Encode())})
	}
}

// decide receives the button of the approval page.
func (c *call) decide() {
	a, ok := c.checkAuthorization(c.r.URL.Query())
	if !ok {
		return
	}
	if err := c.r.ParseForm(); err != nil {
		c.oauthText("invalid_request", "the form cannot be read")
		return
	}
	if c.r.PostForm.Get("save") == "" {
		c.redirect(a, url.Values{"error": {"access_denied"}, "error_description": {"end-user denied authorization"}})
		return
	}
	c.grantCode(a)
}

// checkAuthorization answers errors that cannot be trusted to a redirect directly, and others by a redirect (facts 1.2).
func (c *call) checkAuthorization(q url.Values) (a authorization, ok bool) {
	app := c.s.app.Load()
	a = authorization{redirect: q.Get("redirect_uri"), scope: q.Get("scope"), state: q.Get("state"), challenge: q.Get("code_challenge")}
	switch {
	case app.Unknown || q.Get("client_id") != app.ClientID:
		c.oauthText("invalid_client_id", "client identifier invalid")
	case a.redirect == "":
		c.oauthText("redirect_uri_missing", "redirect_uri not provided")
	case !app.allows(a.redirect):
		c.oauthText("redirect_uri_mismatch", "redirect_uri must match configuration")
	case app.RequirePKCE && a.challenge == "":
		c.oauthText("invalid_request", "missing required code challenge")
	default:
		if failure, description := c.authorizationFailure(q, a); failure != "" {
			c.redirect(a, url.Values{"error": {failure}, "error_description": {description}})
			return a, false
		}
		return a, true
	}
	return a, false
}

// authorizationFailure is what the client is told by redirect.
func (c *call) authorizationFailure(q url.Values, a authorization) (code, description string) {
	app, p := c.s.app.Load(), c.s.profile.Load()
	scopes := app.Scopes
	if len(scopes) == 0 {
		scopes = usualScopes
	}
	method := q.Get("code_challenge_method")
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "response type not supported"
	case method != "" && method != "S256":
		return "invalid_request", "code challenge method must be S256"
	case slices.ContainsFunc(strings.Fields(a.scope), func(s string) bool { return !slices.Contains(scopes, s) }):
		return "invalid_scope", "the requested scope is not allowed"
	case app.Blocked:
		return "OAUTH_APP_BLOCKED", "this app is blocked by admin"
	case app.NotInstalled:
		return "OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org"
	case app.AdminApprovedOnly && p.NotApproved:
		return "OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app"
	case p.OrgLocked:
		return "inactive_org", "org is locked, closed, or suspended"
	case p.Inactive:
		return "inactive_user", "user is inactive"
	case p.LoginsRefused:
		return "rate_limit_exceeded", "number of logins exceeded"
	}
	return "", ""
}

// allows compares a redirect with the registered callbacks, exactly; without any, every loopback address will do.
func (a *App) allows(redirect string) bool {
	if len(a.Callbacks) > 0 {
		return slices.Contains(a.Callbacks, redirect)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// oauthText answers with query-string text and an empty content type (facts 1.2).
func (c *call) oauthText(code, description string) {
	c.w.Header()["Content-Type"] = nil
	c.w.WriteHeader(http.StatusBadRequest)
	_, _ = c.w.Write([]byte("error=" + code + "&error_description=" + escape(description)))
}

// escape writes spaces as %20, as Salesforce does.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func (c *call) redirect(a authorization, values url.Values) {
	if a.state != "" {
		values.Set("state", a.state)
	}
	separator := "?"
	if strings.Contains(a.redirect, "?") {
		separator = "&"
	}
	c.w.Header().Set("Location", a.redirect+separator+values.Encode())
	c.w.WriteHeader(http.StatusFound)
}

// grantCode sends the browser back with a code that ends in == (facts 1.2).
func (c *call) grantCode(a authorization) {
	text := "aPrx" + random(60) + "=="
	t := &c.s.tokens
	t.mu.Lock()
	for k, old := range t.codes {
		if c.s.now().Sub(old.made) > 24*time.Hour {
			delete(t.codes, k)
		}
	}
	scope := a.scope
	if scope == "" {
		scope = defaultScope
	}
	t.codes[text] = &code{redirect: a.redirect, scope: scope, challenge: a.challenge, made: c.s.now()}
	t.mu.Unlock()
	c.redirect(a, url.Values{"code": {text}})
}

func (t *tokens) isApproved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.approved
}

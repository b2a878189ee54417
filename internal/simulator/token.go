package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oauthError is the body of a refused token request: an object, unlike everywhere else (facts 1.3).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// tokenResponse is the body of a granted one (facts 1.5): no expires_in, issued_at is text.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Signature    string `json:"signature"`
	Scope        string `json:"scope"`
	InstanceURL  string `json:"instance_url"`
	ID           string `json:"id"`
	TokenType    string `json:"token_type"`
	IssuedAt     string `json:"issued_at"`
}

// token serves the token endpoint.
func (c *call) token() {
	if !c.parseForm() {
		return
	}
	if e := c.refuseLogin(); e != nil {
		c.oauthFail(e)
		return
	}
	flows := map[string]func(url.Values) (*tokenResponse, *oauthError){
		"authorization_code": c.codeFlow, "refresh_token": c.refreshFlow, "password": c.passwordFlow, "client_credentials": c.credentialsFlow,
		"urn:ietf:params:oauth:grant-type:jwt-bearer": c.jwtFlow,
	}
	flow, ok := flows[c.r.PostForm.Get("grant_type")]
	if !ok {
		c.oauthFail(&oauthError{"unsupported_grant_type", "grant type not supported"})
		return
	}
	response, e := flow(c.r.PostForm)
	if e != nil {
		c.oauthFail(e)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache,no-store")
	switch c.responseFormat() {
	case "urlencoded":
		c.w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = c.w.Write([]byte(response.values().Encode()))
	default:
		c.json(http.StatusOK, response)
	}
}

// maxForm bounds the body of a form.
const maxForm = 64 << 10

// parseForm reads a form body into PostForm.
func (c *call) parseForm() bool {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxForm)
	if err := c.r.ParseForm(); err != nil {
		c.oauthFail(&oauthError{"invalid_request", "the form cannot be read"})
		return false
	}
	return true
}

func (c *call) responseFormat() string {
	if f := c.r.PostForm.Get("format"); f != "" {
		return f
	}
	if strings.Contains(c.r.Header.Get("Accept"), "application/x-www-form-urlencoded") {
		return "urlencoded"
	}
	return "json"
}

func (r *tokenResponse) values() url.Values {
	v := url.Values{
		"access_token": {r.AccessToken}, "signature": {r.Signature}, "scope": {r.Scope},
		"instance_url": {r.InstanceURL}, "id": {r.ID}, "token_type": {r.TokenType}, "issued_at": {r.IssuedAt},
	}
	if r.RefreshToken != "" {
		v.Set("refresh_token", r.RefreshToken)
	}
	return v
}

func (c *call) oauthFail(e *oauthError) {
	c.w.Header().Set("Cache-Control", "no-store")
	c.json(http.StatusBadRequest, e)
}

// refuseLogin is what holds for every flow.
func (c *call) refuseLogin() *oauthError {
	p := c.s.profile.Load()
	switch {
	case p.OrgLocked:
		return &oauthError{"inactive_org", "org is locked, closed, or suspended"}
	case p.LoginsRefused:
		return &oauthError{"rate_limit_exceeded", "number of logins exceeded"}
	case p.Inactive:
		return &oauthError{"invalid_grant", "inactive user"}
	case p.RestrictedIP:
		return &oauthError{"invalid_grant", "IP restricted or invalid login hours"}
	}
	return nil
}

// checkClient compares the client's id and secret, which may come as HTTP Basic too.
func (c *call) checkClient(form url.Values, secretOptional bool) *oauthError {
	app := c.s.app.Load()
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, pass, ok := c.r.BasicAuth(); ok {
		id, secret = user, pass
	}
	switch {
	case app.Unknown || id != app.ClientID:
		return &oauthError{"invalid_client_id", "client identifier invalid"}
	case secret == "" && secretOptional:
		return nil
	case subtle.ConstantTimeCompare([]byte(secret), []byte(app.ClientSecret)) != 1:
		return &oauthError{"invalid_client", "invalid client credentials"}
	}
	return nil
}

// unapproved is the refusal of a user whom the app's policy does not admit.
func (c *call) unapproved() *oauthError {
	if c.s.app.Load().AdminApprovedOnly && c.s.profile.Load().NotApproved {
		return &oauthError{"invalid_app_access", "user is not admin approved to access this app"}
	}
	return nil
}

// respond opens a session and describes it.
func (c *call) respond(scope string, g *grant) *tokenResponse {
	x := c.s.tokens.open(c.s, scope, g)
	r := &tokenResponse{
		AccessToken: x.token, Scope: scope, InstanceURL: c.instanceURL(), ID: c.identityURL(), TokenType: "Bearer",
		IssuedAt: strconv.FormatInt(x.issued.UnixMilli(), 10),
	}
	mac := hmac.New(sha256.New, []byte(c.s.app.Load().ClientSecret))
	mac.Write([]byte(r.ID + r.IssuedAt))
	r.Signature = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return r
}

func (c *call) identityURL() string {
	return origin(c.r) + "/id/" + c.s.org.ID() + "/" + c.s.org.User()
}

func (c *call) codeFlow(form url.Values) (*tokenResponse, *oauthError) {
	if e := c.checkClient(form, c.s.app.Load().SecretOptional); e != nil {
		return nil, e
	}
	t := &c.s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.codes[form.Get("code")]
	switch {
	case k == nil || k.used:
		return nil, &oauthError{"invalid_grant", "invalid authorization code"}
	case c.s.now().Sub(k.made) > c.s.settings.Load().CodeLife.or(15*time.Minute):
		return nil, &oauthError{"invalid_grant", "expired authorization code"}
	case form.Get("redirect_uri") != k.redirect:
		return nil, &oauthError{"redirect_uri_mismatch", "redirect_uri must match configuration"}
	}
	k.used = true
	if k.challenge != "" {
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if form.Get("code_verifier") == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != k.challenge {
			return nil, &oauthError{"invalid_grant", "invalid code verifier"}
		}
	}
	words := strings.Fields(k.scope)
	if !slices.Contains(words, "refresh_token") && !slices.Contains(words, "offline_access") {
		t.approved = true
		return c.respond(k.scope, nil), nil
	}
	g := t.approve(c.s, k.scope)
	r := c.respond(k.scope, g)
	r.RefreshToken = g.refresh
	return r, nil
}

func (c *call) refreshFlow(form url.Values) (*tokenResponse, *oauthError) {
	app := c.s.app.Load()
	if e := c.checkClient(form, app.SecretOptional); e != nil {
		return nil, e
	}
	if e := c.unapproved(); e != nil {
		return nil, e
	}
	t := &c.s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	expired := &oauthError{"invalid_grant", "expired access/refresh token"}
	text := form.Get("refresh_token")
	for _, g := range t.grants {
		if slices.Contains(g.old, text) { // a token that was rotated out: someone has a copy
			t.kill(g)
			return nil, expired
		}
		if g.refresh != text {
			continue
		}
		if g.revoked || app.RefreshExpires {
			return nil, expired
		}
		r := c.respond(g.scope, g)
		if app.RotateRefresh {
			g.old = append(g.old, g.refresh)
			g.refresh = "5Aep861" + random(60)
			r.RefreshToken = g.refresh
		}
		return r, nil
	}
	return nil, expired
}

func (c *call) passwordFlow(form url.Values) (*tokenResponse, *oauthError) {
	if e := c.checkClient(form, false); e != nil {
		return nil, e
	}
	want := c.s.config.Password + c.s.config.SecurityToken
	have := form.Get("password")
	right := have == want || have == c.s.config.Password && c.s.profile.Load().TrustedIP
	if c.s.app.Load().PasswordFlowOff || !strings.EqualFold(form.Get("username"), c.s.config.Org.Username) || !right {
		return nil, &oauthError{"invalid_grant", "authentication failure"}
	}
	if e := c.unapproved(); e != nil {
		return nil, e
	}
	return c.sessionOf("api"), nil
}

// sessionOf opens a session that no grant stands behind.
func (c *call) sessionOf(scope string) *tokenResponse {
	c.s.tokens.mu.Lock()
	defer c.s.tokens.mu.Unlock()
	return c.respond(scope, nil)
}

func (c *call) credentialsFlow(form url.Values) (*tokenResponse, *oauthError) {
	if isLoginHost(c.r) {
		return nil, &oauthError{"invalid_grant", "request not supported on this domain"}
	}
	if e := c.checkClient(form, false); e != nil {
		return nil, e
	}
	if c.s.app.Load().NoRunAs {
		return nil, &oauthError{"invalid_grant", "no client credentials user enabled"}
	}
	if e := c.unapproved(); e != nil {
		return nil, e
	}
	return c.sessionOf("api"), nil
}

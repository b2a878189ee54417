package simulator

import (
	"net/http"
	"strconv"
	"time"

	"crosswalk/internal/simulator/org"
)

// revoke ends a session, or a grant with all its sessions. Errors are form-encoded text (facts 1.9).
func (c *call) revoke() {
	if !c.parseForm() {
		return
	}
	text := c.r.Form.Get("token")
	t := &c.s.tokens
	t.mu.Lock()
	found := false
	for _, g := range t.grants {
		if g.refresh == text && !g.revoked {
			t.kill(g)
			found = true
		}
	}
	if x := t.sessions[text]; x != nil && !x.revoked {
		x.revoked, found = true, true
	}
	t.mu.Unlock()
	if !found {
		c.w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		c.w.WriteHeader(http.StatusBadRequest)
		_, _ = c.w.Write([]byte("error=invalid_token&error_description=" + escape("invalid token: "+text)))
		return
	}
	c.s.stream.Reauthenticate()
	c.w.WriteHeader(http.StatusOK)
}

// introspect tells the app about a token.
func (c *call) introspect() {
	if !c.parseForm() {
		return
	}
	if e := c.checkClient(c.r.PostForm, false); e != nil {
		c.oauthFail(e)
		return
	}
	text := c.r.PostForm.Get("token")
	t := &c.s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]any{"client_id": c.s.app.Load().ClientID, "username": c.s.config.Org.Username, "sub": c.identityURL()}
	idle := c.s.settings.Load().SessionIdle.or(2 * time.Hour)
	if x := t.sessions[text]; x != nil && !x.revoked && c.s.now().Sub(x.used) < idle {
		out["active"], out["token_type"], out["scope"] = true, "access_token", x.scope
		out["iat"], out["nbf"], out["exp"] = x.issued.Unix(), x.issued.Unix(), x.used.Add(idle).Unix()
		c.json(http.StatusOK, out)
		return
	}
	for _, g := range t.grants {
		if g.refresh == text && !g.revoked {
			out["active"], out["token_type"], out["scope"] = true, "refresh_token", g.scope
			out["iat"], out["nbf"] = g.made.Unix(), g.made.Unix()
			c.json(http.StatusOK, out)
			return
		}
	}
	c.json(http.StatusOK, map[string]bool{"active": false})
}

// person reads the integration user's record.
func (s *Simulator) person() (get func(field string) string) {
	values := make(map[string]string)
	ob, _ := s.org.Object("User")
	s.org.View(func(v org.View) {
		if r, ok := v.Find(ob, s.org.User()); ok {
			for _, f := range ob.Fields() {
				values[f.Name], _ = r.Text(f)
			}
		}
	})
	return func(field string) string { return values[field] }
}

// identify checks the token of userinfo and identity, which refuse it in their own way (facts 1.9).
func (c *call) identify() bool {
	token, ok := bearer(c.r)
	if token == "" {
		token = c.r.URL.Query().Get("access_token")
	}
	text := ""
	switch {
	case token == "":
		text = "Missing_OAuth_Token"
	case !ok || c.s.tokens.alive(c.s, token) == nil:
		text = "Bad_OAuth_Token"
	default:
		return true
	}
	c.w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	c.w.WriteHeader(http.StatusForbidden)
	_, _ = c.w.Write([]byte(text))
	return false
}

// urls are the addresses that userinfo and identity name, with {version} for clients to fill in.
func (c *call) urls() map[string]string {
	base := c.instanceURL()
	return map[string]string{
		"rest": base + "/services/data/v{version}/", "sobjects": base + "/services/data/v{version}/sobjects/", "query": base + "/services/data/v{version}/query/",
		"metadata": base + "/services/Soap/m/{version}/" + c.s.org.ID(), "enterprise": base + "/services/Soap/c/{version}/" + c.s.org.ID(), "custom_domain": base,
		"partner": base + "/services/Soap/u/{version}/" + c.s.org.ID(), "profile": base + "/" + c.s.org.User(), "recent": base + "/services/data/v{version}/recent/",
	}
}

func (c *call) userinfo() {
	if !c.identify() {
		return
	}
	get := c.s.person()
	c.json(http.StatusOK, map[string]any{
		"sub": c.identityURL(), "user_id": c.s.org.User(), "organization_id": c.s.org.ID(), "preferred_username": get("Username"), "nickname": get("Alias"),
		"name": get("Name"), "given_name": get("FirstName"), "family_name": get("LastName"), "email": get("Email"), "email_verified": true, "zoneinfo": get("TimeZoneSidKey"),
		"locale": get("LocaleSidKey"), "language": get("LanguageLocaleKey"), "active": true, "is_app_installed": true, "user_type": "STANDARD", "utcOffset": 0, "urls": c.urls(),
		"updated_at": get("LastModifiedDate"),
	})
}

func (c *call) identity() {
	if !c.identify() {
		return
	}
	if c.path[0] != c.s.org.ID() || c.path[1] != c.s.org.User() {
		c.w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		c.w.WriteHeader(http.StatusNotFound)
		return
	}
	get := c.s.person()
	c.json(http.StatusOK, map[string]any{
		"id": c.identityURL(), "asserted_user": true, "user_id": c.s.org.User(), "organization_id": c.s.org.ID(), "username": get("Username"), "nick_name": get("Alias"),
		"display_name": get("Name"), "first_name": get("FirstName"), "last_name": get("LastName"), "email": get("Email"), "email_verified": true, "timezone": get("TimeZoneSidKey"),
		"active": true, "user_type": "STANDARD", "language": get("LanguageLocaleKey"), "locale": get("LocaleSidKey"), "utcOffset": 0, "is_app_installed": true,
		"last_modified_date": get("LastModifiedDate"), "urls": c.urls(), "status": map[string]any{"body": nil, "created_date": nil},
		"photos": map[string]string{"picture": "", "thumbnail": ""},
	})
}

// discovery serves OpenID configuration.
func (c *call) discovery() {
	base := origin(c.r)
	oauth := base + "/services/oauth2"
	c.json(http.StatusOK, map[string]any{
		"issuer": base, "authorization_endpoint": oauth + "/authorize", "token_endpoint": oauth + "/token", "revocation_endpoint": oauth + "/revoke",
		"userinfo_endpoint": oauth + "/userinfo", "introspection_endpoint": oauth + "/introspect", "scopes_supported": usualScopes,
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic", "private_key_jwt"},
	})
}

// versions lists the API versions without a session, ascending (facts 2.4).
func (c *call) versions() {
	type version struct {
		Label   string `json:"label"`
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	seasons := [3]string{"Spring", "Summer", "Winter"}
	out := make([]version, 0, maxVersion-minVersion+1)
	for n := minVersion; n <= maxVersion; n++ {
		k := n - 66 // v66.0 is Spring '26
		season, year := ((k%3)+3)%3, 26+(k-((k%3)+3)%3)/3
		if season == 2 {
			year++ // Winter is named after the year that follows
		}
		v := strconv.Itoa(n) + ".0"
		out = append(out, version{Label: seasons[season] + " '" + strconv.Itoa(year), URL: "/services/data/v" + v, Version: v})
	}
	c.json(http.StatusOK, out)
}

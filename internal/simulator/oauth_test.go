package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	tokenPath     = "/services/oauth2/token"
	authorizePath = "/services/oauth2/authorize"
	verifier      = "a-code-verifier-that-is-long-enough-for-the-standard"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// approve goes through the approval page and returns the redirect's query.
func (b *bench) approve(edits ...string) url.Values {
	b.t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {b.Credentials().ClientID}, "redirect_uri": {"http://127.0.0.1:9/callback"}, "state": {"s t"},
		"scope": {"api refresh_token"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(edits); i += 2 {
		q.Set(edits[i], edits[i+1])
	}
	page := b.send("GET", authorizePath+"?"+q.Encode(), "", anonymous)
	if page.status == http.StatusOK {
		page.has(b.t, "Allow Access?", `value="Deny"`)
		page = b.send("POST", authorizePath+"?"+q.Encode(), "save=Allow", anonymous, asForm)
	}
	page.must(b.t, http.StatusFound)
	to, err := url.Parse(page.header.Get("Location"))
	if err != nil || to.Host != "127.0.0.1:9" {
		b.t.Fatalf("redirected to %q, %v", page.header.Get("Location"), err)
	}
	return to.Query()
}

func anonymous(r *http.Request) { r.Header.Del("Authorization") }

func asForm(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }

// exchange trades a code for tokens.
func (b *bench) exchange(code string, edits ...string) answer {
	b.t.Helper()
	c := b.Credentials()
	values := []string{
		"grant_type", "authorization_code", "code", code, "client_id", c.ClientID, "client_secret", c.ClientSecret,
		"redirect_uri", "http://127.0.0.1:9/callback", "code_verifier", verifier,
	}
	return b.form(tokenPath, append(values, edits...)...)
}

// refresh uses a refresh token.
func (b *bench) refresh(token string, edits ...string) answer {
	b.t.Helper()
	c := b.Credentials()
	return b.form(tokenPath, append([]string{"grant_type", "refresh_token", "refresh_token", token, "client_id", c.ClientID, "client_secret", c.ClientSecret}, edits...)...)
}

func (b *bench) works(token string) bool {
	b.t.Helper()
	return b.send("GET", rest+"/", "", func(r *http.Request) { r.Header.Set("Authorization", "OAuth "+token) }).status == http.StatusOK
}

func TestWebServerFlow(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	q := b.approve()
	if q.Get("state") != "s t" || !strings.HasSuffix(q.Get("code"), "==") {
		t.Fatalf("redirect %v", q)
	}
	granted := b.exchange(q.Get("code")).must(t, http.StatusOK)
	body := granted.read(t)
	if body["token_type"] != "Bearer" || body["expires_in"] != nil || body["scope"] != "api refresh_token" || body["refresh_token"] == nil {
		t.Errorf("token response %v", body)
	}
	if at, ok := body["issued_at"].(string); !ok || len(at) != 13 {
		t.Errorf("issued_at must be milliseconds in a text: %v", body["issued_at"])
	}
	token := granted.text(t, "access_token")
	if !strings.HasPrefix(token, b.Org().ID()[:15]+"!") || !b.works(token) {
		t.Errorf("token %q does not open the API", token)
	}
	b.exchange(q.Get("code")).must(t, http.StatusBadRequest).has(t, `"invalid_grant"`, "invalid authorization code")
	again := b.refresh(granted.text(t, "refresh_token")).must(t, http.StatusOK)
	again.lacks(t, "refresh_token\":")
}

func TestApprovalIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	q := url.Values{"response_type": {"code"}, "client_id": {b.Credentials().ClientID}, "redirect_uri": {"http://localhost:9/cb"}, "state": {"x"}}
	a := b.send("POST", authorizePath+"?"+q.Encode(), "cancel=Deny", anonymous, asForm).must(t, http.StatusFound)
	if want := "http://localhost:9/cb?error=access_denied&error_description=end-user+denied+authorization&state=x"; a.header.Get("Location") != want {
		t.Errorf("redirect %s, want %s", a.header.Get("Location"), want)
	}
}

func TestAutoApprove(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Settings: Settings{AutoApprove: true}})
	q := url.Values{"response_type": {"code"}, "client_id": {b.Credentials().ClientID}, "redirect_uri": {"http://localhost:9/cb?a=1"}}
	a := b.send("GET", authorizePath+"?"+q.Encode(), "", anonymous).must(t, http.StatusFound)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "http://localhost:9/cb?a=1&code=") || strings.Contains(to, "state") {
		t.Errorf("redirect %s", to)
	}
}

func TestAuthorizeErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{App: App{RequirePKCE: true, Callbacks: []string{"http://127.0.0.1:9/callback"}}})
	good := url.Values{
		"response_type": {"code"}, "client_id": {b.Credentials().ClientID}, "redirect_uri": {"http://127.0.0.1:9/callback"}, "code_challenge": {"x"},
	}
	for want, edit := range map[string][2]string{
		"error=invalid_client_id&error_description=client%20identifier%20invalid":                   {"client_id", "other"},
		"error=redirect_uri_missing&error_description=redirect_uri%20not%20provided":                {"redirect_uri", ""},
		"error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration": {"redirect_uri", "http://127.0.0.1:9/callback/"},
		"error=invalid_request&error_description=missing%20required%20code%20challenge":             {"code_challenge", ""},
	} {
		q := clone(good)
		q.Set(edit[0], edit[1])
		a := b.send("GET", authorizePath+"?"+q.Encode(), "", anonymous).must(t, http.StatusBadRequest)
		if a.body != want || a.header.Get("Content-Type") != "" {
			t.Errorf("got %q with content type %q, want %q without one", a.body, a.header.Get("Content-Type"), want)
		}
	}
	for want, edit := range map[string]func(url.Values){
		"unsupported_response_type": func(q url.Values) { q.Set("response_type", "token") },
		"invalid_scope":             func(q url.Values) { q.Set("scope", "api everything") },
		"OAUTH_APP_BLOCKED":         func(url.Values) { b.ConfigureApp(func(a *App) { a.Blocked = true }) },
		"OAUTH_EC_APP_NOT_FOUND":    func(url.Values) { b.ConfigureApp(func(a *App) { a.NotInstalled = true }) },
		"OAUTH_APP_ACCESS_DENIED": func(url.Values) {
			b.ConfigureApp(func(a *App) { a.AdminApprovedOnly = true })
			b.Permit(func(p *Profile) { p.NotApproved = true })
		},
		"inactive_user":       func(url.Values) { b.Permit(func(p *Profile) { p.Inactive = true }) },
		"inactive_org":        func(url.Values) { b.Permit(func(p *Profile) { p.OrgLocked = true }) },
		"rate_limit_exceeded": func(url.Values) { b.Permit(func(p *Profile) { p.LoginsRefused = true }) },
	} {
		q := clone(good)
		edit(q)
		a := b.send("GET", authorizePath+"?"+q.Encode(), "", anonymous).must(t, http.StatusFound)
		if !strings.Contains(a.header.Get("Location"), "error="+want+"&") {
			t.Errorf("redirect %s, want error=%s", a.header.Get("Location"), want)
		}
		b.ConfigureApp(func(a *App) { a.Blocked, a.NotInstalled, a.AdminApprovedOnly = false, false, false })
		b.Permit(func(p *Profile) { *p = Profile{} })
	}
	q := clone(good)
	q.Set("immediate", "true")
	b.tokens.approved = false
	if a := b.send("GET", authorizePath+"?"+q.Encode(), "", anonymous); !strings.Contains(a.header.Get("Location"), "error=immediate_unsuccessful") {
		t.Errorf("immediate without approval: %s", a.header.Get("Location"))
	}
}

func clone(v url.Values) url.Values {
	out := url.Values{}
	for k := range v {
		out.Set(k, v.Get(k))
	}
	return out
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	c := b.Credentials()
	password := []string{"grant_type", "password", "client_id", c.ClientID, "client_secret", c.ClientSecret, "username", c.Username, "password", c.Password}
	with := func(edits ...string) []string { return append(append([]string(nil), password...), edits...) }
	a := b.form(tokenPath, password...).must(t, http.StatusOK)
	if !b.works(a.text(t, "access_token")) {
		t.Error("the password flow's token does not work")
	}
	for name, c := range map[string]struct {
		form   []string
		before func()
		want   string
	}{
		"wrong key":      {form: with("client_id", "x"), want: `{"error":"invalid_client_id","error_description":"client identifier invalid"}`},
		"wrong secret":   {form: with("client_secret", "x"), want: `{"error":"invalid_client","error_description":"invalid client credentials"}`},
		"wrong password": {form: with("password", "x"), want: `{"error":"invalid_grant","error_description":"authentication failure"}`},
		"no token":       {form: with("password", b.config.Password), want: `"authentication failure"`},
		"wrong user":     {form: with("username", "x"), want: `"authentication failure"`},
		"wrong grant":    {form: with("grant_type", "magic"), want: `"unsupported_grant_type"`},
		"flow off":       {form: password, before: func() { b.ConfigureApp(func(a *App) { a.PasswordFlowOff = true }) }, want: `"authentication failure"`},
		"new app":        {form: password, before: func() { b.ConfigureApp(func(a *App) { a.Unknown = true }) }, want: `"invalid_client_id"`},
		"inactive user":  {form: password, before: func() { b.Permit(func(p *Profile) { p.Inactive = true }) }, want: `"inactive user"`},
		"address":        {form: password, before: func() { b.Permit(func(p *Profile) { p.RestrictedIP = true }) }, want: `"IP restricted or invalid login hours"`},
		"locked org":     {form: password, before: func() { b.Permit(func(p *Profile) { p.OrgLocked = true }) }, want: `"inactive_org"`},
		"logins":         {form: password, before: func() { b.Permit(func(p *Profile) { p.LoginsRefused = true }) }, want: `"rate_limit_exceeded"`},
		"not approved": {form: password, before: func() {
			b.ConfigureApp(func(a *App) { a.AdminApprovedOnly = true })
			b.Permit(func(p *Profile) { p.NotApproved = true })
		}, want: `"invalid_app_access"`},
		"no run-as user": {
			form: with("grant_type", "client_credentials"), before: func() { b.ConfigureApp(func(a *App) { a.NoRunAs = true }) },
			want: `"no client credentials user enabled"`,
		},
	} {
		if c.before != nil {
			c.before()
		}
		a := b.form(tokenPath, c.form...)
		if a.status != http.StatusBadRequest || !strings.Contains(a.body, c.want) || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, c.want)
		}
		b.ConfigureApp(func(a *App) {
			a.PasswordFlowOff, a.Unknown, a.AdminApprovedOnly, a.NoRunAs = false, false, false, false
		})
		b.Permit(func(p *Profile) { *p = Profile{} })
	}
	b.Permit(func(p *Profile) { p.TrustedIP = true })
	b.form(tokenPath, with("password", b.config.Password)...).must(t, http.StatusOK)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	c := b.Credentials()
	a := b.form(tokenPath, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret).must(t, http.StatusOK)
	a.lacks(t, "refresh_token")
	coded := b.form(tokenPath, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret, "format", "urlencoded").must(t, http.StatusOK)
	if body := coded.body; strings.Contains(body, "refresh_token") || !strings.Contains(body, "access_token=") {
		t.Errorf("in the form of a query: %s", body)
	}
	a = b.send("POST", tokenPath, "grant_type=client_credentials", asForm, func(r *http.Request) { r.SetBasicAuth(c.ClientID, c.ClientSecret) }).must(t, http.StatusOK)
	if !b.works(a.text(t, "access_token")) {
		t.Error("the token does not work")
	}
	r := httptest.NewRequest("POST", tokenPath, strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}.Encode()))
	asForm(r)
	w := httptest.NewRecorder()
	http.HandlerFunc(b.serveLogin).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "request not supported on this domain") {
		t.Errorf("on the login host: %s", w.Body)
	}
}

// assertion signs claims with the app's key.
func (b *bench) assertion(claims map[string]any) string {
	b.t.Helper()
	encode := func(v any) string {
		j, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(j)
	}
	text := encode(map[string]string{"alg": "RS256"}) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, b.keys.key(), crypto.SHA256, sum[:])
	if err != nil {
		b.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestJWTBearer(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	c := b.Credentials()
	ask := func(edit func(map[string]any)) answer {
		claims := map[string]any{"iss": c.ClientID, "sub": c.Username, "aud": "https://login.salesforce.com", "exp": time.Now().Add(3 * time.Minute).Unix()}
		if edit != nil {
			edit(claims)
		}
		return b.form(tokenPath, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", b.assertion(claims))
	}
	ask(nil).must(t, http.StatusOK).lacks(t, "refresh_token")
	for want, edit := range map[string]func(map[string]any){
		"invalid_client_id":              func(m map[string]any) { m["iss"] = "x" },
		"Audience validation failed":     func(m map[string]any) { m["aud"] = "https://example.com" },
		"user hasn't approved this cons": func(m map[string]any) { m["sub"] = "x" },
		"invalid assertion":              func(m map[string]any) { m["exp"] = time.Now().Add(time.Hour).Unix() },
	} {
		ask(edit).must(t, http.StatusBadRequest).has(t, want)
	}
	good := b.assertion(map[string]any{"iss": c.ClientID})
	for _, bad := range []string{"", "a.b", good[:len(good)-4] + "AAAA", "eyJhbGciOiJub25lIn0.e30."} {
		b.form(tokenPath, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", bad).must(t, http.StatusBadRequest).has(t, "invalid assertion")
	}
	b.tokens.approved = false
	ask(nil).must(t, http.StatusBadRequest).has(t, "user hasn't approved this consumer")
}

func TestRefreshRotation(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{App: App{RotateRefresh: true}})
	first := b.Credentials().RefreshToken
	a := b.refresh(first).must(t, http.StatusOK)
	second := a.text(t, "refresh_token")
	if second == "" || second == first {
		t.Fatalf("the refresh token was not rotated: %s", a.body)
	}
	next := b.refresh(second).must(t, http.StatusOK)
	third, token := next.text(t, "refresh_token"), next.text(t, "access_token")
	if !b.works(token) {
		t.Fatal("the new token does not work")
	}
	b.refresh(first).must(t, http.StatusBadRequest).has(t, "expired access/refresh token")
	b.refresh(third).must(t, http.StatusBadRequest).has(t, "expired access/refresh token")
	if b.works(token) {
		t.Error("reuse of a rotated token must end the sessions of its family")
	}
}

func TestSixthApprovalRevokesTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var tokens []string
	for range 6 {
		tokens = append(tokens, b.exchange(b.approve().Get("code")).must(t, http.StatusOK).text(t, "refresh_token"))
	}
	for i, token := range tokens {
		want := http.StatusOK
		if i == 0 {
			want = http.StatusBadRequest
		}
		b.refresh(token).must(t, want)
	}
	b.refresh(b.Credentials().RefreshToken).must(t, http.StatusBadRequest)
}

func TestCodesAndSessionsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Settings: Settings{SessionIdle: Duration(time.Minute)}})
		q := b.approve()
		b.exchange(q.Get("code"), "code_verifier", "wrong").must(t, http.StatusBadRequest).has(t, "invalid_grant")
		q = b.approve()
		b.exchange(q.Get("code"), "redirect_uri", "http://127.0.0.1:9/other").must(t, http.StatusBadRequest).has(t, "redirect_uri_mismatch")
		time.Sleep(16 * time.Minute)
		b.exchange(q.Get("code")).must(t, http.StatusBadRequest).has(t, "expired authorization code")
		b.login()
		for range 3 {
			time.Sleep(50 * time.Second)
			b.send("GET", rest+"/", "").must(t, http.StatusOK) // each call moves the end away
		}
		time.Sleep(61 * time.Second)
		a := b.send("GET", rest+"/", "").must(t, http.StatusUnauthorized)
		if a.body != `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`+"\n" || a.header.Get("WWW-Authenticate") != "Token" {
			t.Errorf("%s", a.body)
		}
	})
}

func TestRevokeAndIntrospect(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	c := b.Credentials()
	a := b.refresh(c.RefreshToken).must(t, http.StatusOK)
	token := a.text(t, "access_token")
	look := func(token string) answer {
		return b.form("/services/oauth2/introspect", "token", token, "client_id", c.ClientID, "client_secret", c.ClientSecret).must(t, http.StatusOK)
	}
	look(token).has(t, `"active":true`, `"access_token"`, `"scope"`, `"exp"`)
	look(c.RefreshToken).has(t, `"active":true`, `"refresh_token"`)
	b.form("/services/oauth2/introspect", "token", token).must(t, http.StatusBadRequest)
	if a := b.form("/services/oauth2/revoke", "token", c.RefreshToken).must(t, http.StatusOK); a.body != "" {
		t.Errorf("revoke answers %q", a.body)
	}
	if b.works(token) {
		t.Error("revoking a refresh token must end its sessions")
	}
	if a := look(token); a.body != `{"active":false}`+"\n" {
		t.Errorf("introspect says %s", a.body)
	}
	if a := b.form("/services/oauth2/revoke", "token", "x").must(t, http.StatusBadRequest); !strings.HasPrefix(a.body, "error=invalid_token&error_description=") {
		t.Errorf("revoke answers %q", a.body)
	}
	b.refresh(c.RefreshToken).must(t, http.StatusBadRequest)
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := "/id/" + b.Org().ID() + "/" + b.Org().User()
	b.send("GET", id, "").must(t, http.StatusOK).has(t, `"username":"integration@crosswalk.example"`, `"organization_id":"00D`, "services/data/v{version}/")
	b.send("GET", "/services/oauth2/userinfo", "").must(t, http.StatusOK).has(t, `"user_id":"005`, `"preferred_username"`)
	for _, path := range []string{id, "/services/oauth2/userinfo"} {
		a := b.send("GET", path, "", anonymous).must(t, http.StatusForbidden)
		bad := b.send("GET", path, "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }).must(t, http.StatusForbidden)
		if a.body != "Missing_OAuth_Token" || bad.body != "Bad_OAuth_Token" || !strings.HasPrefix(bad.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%q, %q", a.body, bad.body)
		}
	}
	b.send("GET", "/.well-known/openid-configuration", "", anonymous).must(t, http.StatusOK).has(t, "/services/oauth2/token")
}

func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	c := b.Credentials()
	login := func(password string) answer {
		return b.send("POST", "/services/Soap/u/66.0", `<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>`+c.Username+`</n1:username><n1:password>`+password+`</n1:password></n1:login></e:Body></e:Envelope>`, anonymous)
	}
	a := login(c.Password).must(t, http.StatusOK).has(t, "<userId>"+b.Org().User()+"</userId>", "/services/Soap/u/66.0/00D")
	_, rest, _ := strings.Cut(a.body, "<sessionId>")
	token, _, _ := strings.Cut(rest, "</sessionId>")
	if !b.works(token) {
		t.Errorf("session %q does not work", token)
	}
	login("x").must(t, http.StatusInternalServerError).has(t, "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>")
	b.send("POST", "/services/Soap/u/66.0", `<e:Envelope xmlns:e="x"><e:Header><SessionHeader><sessionId>`+token+`</sessionId></SessionHeader></e:Header><e:Body><logout/></e:Body></e:Envelope>`).must(t, http.StatusOK)
	if b.works(token) {
		t.Error("the session outlives its logout")
	}
	b.send("POST", "/services/Soap/u/66.0", `<e:Envelope xmlns:e="x"><e:Body><query/></e:Body></e:Envelope>`).must(t, http.StatusNotImplemented)
	b.send("POST", "/services/Soap/u/66.0", `<`).must(t, http.StatusInternalServerError)
}

func FuzzForm(f *testing.F) {
	f.Add("grant_type=password&username=%41", "application/x-www-form-urlencoded")
	f.Add("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=eyJhbGciOiJSUzI1NiJ9.e30.AA", "application/x-www-form-urlencoded")
	f.Add("%zz=;&token=", "multipart/form-data; boundary=x")
	sim, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, contentType string) {
		for _, path := range []string{tokenPath, "/services/oauth2/revoke", "/services/oauth2/introspect"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			sim.Handler().ServeHTTP(w, r)
			if w.Code == http.StatusOK && path == tokenPath {
				t.Errorf("a random form was given a token: %q", body)
			}
		}
	})
}

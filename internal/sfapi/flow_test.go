package sfapi

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/secret"
)

func TestPasswordFlowSendsThePasswordWithTheSecurityToken(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	got, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"grant_type": "password", "client_id": "3MVG9key", "client_secret": "shh", "username": "ann@acme.example", "password": "pwtok"}
	if fmt.Sprint(o.logins[0]) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", o.logins[0], want)
	}
	if got.OrgID() != "00DQk000000oRgAMAU" || got.UserID() != "005Qk000001UsErIAK" || got.InstanceURL != o.URL || !got.IssuedAt.Equal(time.UnixMilli(1763700000123)) {
		t.Errorf("token %+v", got)
	}
}

func TestClientCredentialsFlow(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	auth := Auth{Flow: ClientCredentials, LoginURL: o.URL, ClientID: "3MVG9key", ClientSecret: "shh", AllowAnyHost: true}
	if _, err := source(t, auth, nil).Token(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"grant_type": "client_credentials", "client_id": "3MVG9key", "client_secret": "shh"}
	if fmt.Sprint(o.logins[0]) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", o.logins[0], want)
	}
}

func TestJWTFlowSignsAnAssertion(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"PKCS1": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		"PKCS8": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		o := newOrg(t)
		auth := Auth{
			Flow: JWT, LoginURL: o.URL, ClientID: "3MVG9key", Username: "ann@acme.example", AllowAnyHost: true,
			PrivateKey: secret.String(pem.EncodeToMemory(block)), Audience: "https://login.salesforce.com",
		}
		if _, err := source(t, auth, nil).Token(t.Context(), ""); err != nil {
			t.Fatal(name, err)
		}
		form := o.logins[0]
		if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" || form["client_secret"] != "" {
			t.Errorf("%s: sent %v", name, form)
		}
		checkAssertion(t, form["assertion"], &key.PublicKey)
	}
}

func checkAssertion(t *testing.T, assertion string, key *rsa.PublicKey) {
	t.Helper()
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		t.Fatalf("the assertion has %d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature); err != nil {
		t.Error("the signature does not verify with RS256:", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	ahead := time.Until(time.Unix(claims.Exp, 0))
	if claims.Iss != "3MVG9key" || claims.Sub != "ann@acme.example" || claims.Aud != "https://login.salesforce.com" || ahead < 2*time.Minute || ahead > 5*time.Minute {
		t.Errorf("claims %+v, expiring in %v", claims, ahead)
	}
}

func TestWebServerFlow(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	store := newMemory()
	s := source(t, webAuth(o), store)
	login, err := s.NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "3MVG9key", "redirect_uri": "http://localhost:8080/callback",
		"scope": "api refresh_token", "state": login.State, "code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	code, err := login.Code("http://localhost:8080/callback?code=aPrx%3D%3D&state=" + url.QueryEscape(login.State))
	if err != nil || code != "aPrx==" {
		t.Fatalf("code %q, %v", code, err)
	}
	if _, err := s.Exchange(t.Context(), login, code); err != nil {
		t.Fatal(err)
	}
	form := o.logins[0]
	challenge := sha256.Sum256([]byte(form["code_verifier"]))
	if form["grant_type"] != "authorization_code" || form["code"] != "aPrx==" || base64.RawURLEncoding.EncodeToString(challenge[:]) != q.Get("code_challenge") {
		t.Errorf("sent %v for challenge %s", form, q.Get("code_challenge"))
	}
	if stored := store.get(); stored.Refresh != "refresh-00DQk000000oRgA!session-1" {
		t.Errorf("stored %q", stored.Refresh.Reveal())
	}
	if second, _ := s.NewLogin(); second.State == login.State || second.verifier == login.verifier {
		t.Error("two attempts must not share state or verifier")
	}
}

func TestLoginCodeFormsAndRefusals(t *testing.T) {
	t.Parallel()
	s := source(t, webAuth(newOrg(t)), nil)
	login, err := s.NewLogin()
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		" aPrx== ": "aPrx==", "aPrx%3D%3D": "aPrx==", "code=aPrx%3D%3D&state=" + login.State: "aPrx==",
	} {
		if code, err := login.Code(answer); err != nil || code != want {
			t.Errorf("%q gave %q, %v", answer, code, err)
		}
	}
	for answer, want := range map[string]string{
		"http://localhost:8080/callback?code=a&state=other": "another attempt",
		"http://localhost:8080/callback?code=a":             "another attempt",
		"http://localhost:8080/callback":                    "",
		"http://localhost:8080/callback?state=x":            "no approval code",
		"":                                                  "no approval code",
		"?error=access_denied&error_description=end-user+denied+authorization&state=x":                    "declined in the browser",
		"error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration":       "register it there",
		"error=OAUTH_EC_APP_NOT_FOUND&error_description=External+client+app+is+not+installed&state=whole": "My Domain",
	} {
		code, err := login.Code(answer)
		if want == "" {
			continue // a bare address is taken for a code, and Salesforce says what it is
		}
		if err == nil {
			t.Errorf("%q gave %q", answer, code)
			continue
		}
		has(t, err.Error(), want)
	}
}

func TestForeignInstanceIsRefused(t *testing.T) {
	t.Parallel()
	for host, fine := range map[string]bool{
		"https://acme.my.salesforce.com": true, "https://acme--dev.sandbox.my.salesforce.com/": true, "https://acme.my.salesforce.mil": true,
		"https://eu44.force.com": true, "https://salesforce.com.evil.example": false, "https://evilsalesforce.com": false,
		"http://acme.my.salesforce.com": false, "https://salesforce.com@evil.example": false, "https://127.0.0.1:8080": false, "": false, "ftp://acme.my.salesforce.com": false,
	} {
		s := &TokenSource{cfg: TokenConfig{Auth: Auth{}}}
		if _, err := s.checked(Token{InstanceURL: host}); (err == nil) != fine {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// TestThisMachineIsTrusted: an address of this machine that the configuration holds needs no allow_any_host, and only a login
// that runs here may name one.
func TestThisMachineIsTrusted(t *testing.T) {
	t.Parallel()
	for address, fine := range map[string]bool{
		"http://127.0.0.1:8443": true, "https://localhost:8443": true, "http://[::1]:8443": true, "http://org.localhost": true, "http://127.8.9.1": true,
		"http://10.0.0.1:8443": false, "http://localhost.example": false, "http://127.0.0.1.example": false, "http://simulator:8443": false,
	} {
		auth := Auth{Flow: ClientCredentials, ClientID: "k", ClientSecret: "s", LoginURL: address}
		if _, err := NewTokenSource(TokenConfig{Auth: auth}); (err == nil) != fine {
			t.Errorf("login_url %q: %v", address, err)
		}
		here := &TokenSource{cfg: TokenConfig{Auth: Auth{LoginURL: "http://localhost:1"}}}
		if _, err := here.checked(Token{InstanceURL: address}); (err == nil) != fine {
			t.Errorf("%q named by a login on this machine: %v", address, err)
		}
		far := &TokenSource{cfg: TokenConfig{Auth: Auth{LoginURL: "https://login.salesforce.com"}}}
		if _, err := far.checked(Token{InstanceURL: address}); err == nil {
			t.Errorf("%q named by Salesforce was accepted", address)
		}
	}
}

func TestAuthNamesEveryMissingKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		auth  Auth
		wants []string
	}{
		"nothing":           {Auth{}, []string{`auth.flow "" is not known`, "auth.client_id is missing"}},
		"password":          {Auth{Flow: Password, ClientID: "k"}, []string{"auth.username", "auth.password"}},
		"jwt":               {Auth{Flow: JWT, ClientID: "k"}, []string{"auth.username", "auth.private_key_file"}},
		"jwt without PEM":   {Auth{Flow: JWT, ClientID: "k", Username: "u", PrivateKey: "x"}, []string{"not PEM"}},
		"credentials":       {Auth{Flow: ClientCredentials, ClientID: "k"}, []string{"auth.client_secret", "My Domain"}},
		"http login":        {Auth{Flow: WebServer, ClientID: "k", LoginURL: "http://login.salesforce.com"}, []string{"login_url", "https"}},
		"foreign login":     {Auth{Flow: WebServer, ClientID: "k", LoginURL: "https://login.example.com"}, []string{"login_url", "allow_any_host"}},
		"login, no address": {Auth{Flow: WebServer, ClientID: "k", LoginURL: "login"}, []string{"login_url", "is not an address"}},
	} {
		_, err := NewTokenSource(TokenConfig{Auth: c.auth})
		if err == nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		has(t, err.Error(), c.wants...)
	}
}

func TestPasswordFlowWarnsOnce(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	var log strings.Builder
	auth := passwordAuth(o)
	s, err := NewTokenSource(TokenConfig{Auth: auth, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Auth.LoginURL, s.cfg.HTTP = "https://login.salesforce.com", &http.Client{Transport: o}
	s.cfg.Auth.AllowAnyHost = false
	for _, rejected := range []string{"", "00DQk000000oRgA!session-1"} {
		if _, err := s.Token(t.Context(), rejected); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "Salesforce is retiring it"); n != 1 {
		t.Errorf("%d warnings in %s", n, log.String())
	}
	if strings.Contains(log.String(), "pw") || strings.Contains(log.String(), "session") {
		t.Errorf("a secret shows in %s", log.String())
	}
}

// RoundTrip lets o stand in for Salesforce's own login host.
func (o *org) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	reply := o.URL
	o.URL = "https://acme.my.salesforce.com"
	o.login(w, r)
	o.URL = reply
	return w.Result(), nil
}

package sfapi

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"crosswalk/internal/secret"
)

func source(t *testing.T, auth Auth, store TokenStore) *TokenSource {
	t.Helper()
	s, err := NewTokenSource(TokenConfig{Auth: auth, Store: store, Retry: quick})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func webAuth(o *org) Auth {
	return Auth{Flow: WebServer, LoginURL: o.URL, ClientID: "3MVG9key", ClientSecret: "shh", RedirectURL: "http://localhost:8080/callback", AllowAnyHost: true}
}

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

func TestRefreshKeepsOrRotatesTheRefreshToken(t *testing.T) {
	t.Parallel()
	for rotate, want := range map[bool]secret.String{false: "seed", true: "refresh-00DQk000000oRgA!session-1"} {
		o := newOrg(t)
		o.rotate = rotate
		store := newMemory()
		auth := webAuth(o)
		auth.RefreshToken = "seed"
		if _, err := source(t, auth, store).Token(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if got := store.get().Refresh; got != want {
			t.Errorf("rotation %v: stored %q, want %q", rotate, got.Reveal(), want.Reveal())
		}
		if form := o.logins[0]; form["grant_type"] != "refresh_token" || form["refresh_token"] != "seed" || form["client_secret"] != "shh" {
			t.Errorf("sent %v", form)
		}
	}
}

func TestNewTokenIsDurableBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate = true
	store := newMemory()
	store.saveErr = errors.New("disk full")
	auth := webAuth(o)
	auth.RefreshToken = "seed"
	_, err := source(t, auth, store).Token(t.Context(), "")
	if err == nil {
		t.Fatal("a token that could not be stored must not be handed out")
	}
	has(t, err.Error(), "store token", "disk full")
}

func TestOneRefreshForAll(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	entered, release := make(chan struct{}), make(chan struct{})
	o.token = func(http.ResponseWriter, map[string]string) bool {
		if o.session == 0 {
			close(entered) // a second request would panic here
			<-release
		}
		return false
	}
	s := source(t, passwordAuth(o), nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if tok, err := s.Token(t.Context(), "old"); err != nil || tok.Access.Reveal() != "00DQk000000oRgA!session-1" {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
	<-entered
	close(release)
	wg.Wait()
	if n := o.loginCount(); n != 1 {
		t.Fatalf("%d refreshes for one rejected token, want one", n)
	}
}

// A caller that stops waiting must not stop a refresh half way: the rotated refresh token would be lost.
func TestRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate = true
	entered, release := make(chan struct{}), make(chan struct{})
	o.token = func(http.ResponseWriter, map[string]string) bool {
		close(entered)
		<-release
		return false
	}
	store := newMemory()
	auth := webAuth(o)
	auth.RefreshToken = "seed"
	s := source(t, auth, store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Token(ctx, "")
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("the caller got %v", err)
	}
	close(release)
	tok, err := s.Token(t.Context(), "")
	if err != nil || tok.Refresh != "refresh-00DQk000000oRgA!session-1" || store.get().Refresh != tok.Refresh {
		t.Fatalf("the next caller got %+v, %v", tok, err)
	}
}

func TestAnotherProcessRefreshIsTaken(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate = true
	store := newMemory()
	auth := webAuth(o)
	auth.RefreshToken = "seed"
	first, second := source(t, auth, store), source(t, auth, store)
	a, err := first.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := second.Token(t.Context(), "")
	if err != nil || b.Access != a.Access {
		t.Fatalf("the second process got %v, %v", b, err)
	}
	newer, err := first.Token(t.Context(), a.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	b, err = second.Token(t.Context(), b.Access.Reveal())
	if err != nil || b.Access != newer.Access || o.loginCount() != 2 {
		t.Fatalf("the second process got %v, %v after %d logins: want the first one's newer token", b, err, o.loginCount())
	}
}

func TestRefusalIsFinalUntilAnotherTokenIsStored(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.token = func(w http.ResponseWriter, form map[string]string) bool {
		if form["refresh_token"] != "revoked" {
			return false
		}
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`))
		return true
	}
	store := newMemory()
	store.put(Token{Refresh: "revoked", InstanceURL: o.URL})
	s := source(t, webAuth(o), store)
	for range 3 {
		_, err := s.Token(t.Context(), "")
		var refused *AuthError
		if !errors.As(err, &refused) || refused.Next() != NextStop {
			t.Fatalf("got %v", err)
		}
		has(t, err.Error(), "run crosswalk connect")
	}
	if n := o.loginCount(); n != 1 {
		t.Fatalf("%d requests: a refused token must not be sent again", n)
	}
	store.put(Token{Refresh: "approved anew", InstanceURL: o.URL})
	if _, err := s.Token(t.Context(), ""); err != nil {
		t.Fatalf("after a new approval: %v", err)
	}
}

func TestConfiguredRefreshTokenReplacesARefusedOne(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.token = func(w http.ResponseWriter, form map[string]string) bool {
		if form["refresh_token"] == "newer" {
			return false
		}
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`))
		return true
	}
	store := newMemory()
	store.put(Token{Refresh: "revoked", InstanceURL: o.URL})
	auth := webAuth(o)
	auth.RefreshToken = "newer"
	if _, err := source(t, auth, store).Token(t.Context(), ""); err != nil || store.get().Refresh != "newer" {
		t.Fatalf("stored %v, %v", store.get().Refresh.Reveal(), err)
	}
}

func TestTokenEndpointIsAskedAgainOnlyForWhatPasses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{400: 1, 401: 1, 403: 1, 429: 3, 500: 3, 503: 3} {
		o := newOrg(t)
		o.token = func(w http.ResponseWriter, _ map[string]string) bool {
			w.WriteHeader(status)
			return true
		}
		_, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
		var refused *AuthError
		if !errors.As(err, &refused) || refused.Status != status || o.loginCount() != want {
			t.Errorf("%d was asked %d times, want %d: %v", status, o.loginCount(), want, err)
		}
	}
	o := newOrg(t)
	o.Close()
	_, err := source(t, passwordAuth(o), nil).Token(t.Context(), "")
	if err == nil {
		t.Fatal("a dead host must be an error")
	}
	has(t, err.Error(), "log in at "+o.URL, "connection refused", "attempt 3 of 3")
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

func TestTokensDoNotPrint(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	s := source(t, passwordAuth(o), nil)
	tok, err := s.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	c := o.client(t)
	if err := c.fetchJSON(t.Context(), call{path: "/nothing"}, nil); err == nil {
		t.Fatal("want an error")
	}
	text := fmt.Sprintf("%v %+v %#v %v %+v %#v %v %+v %v", tok, tok, tok, s, s, s, passwordAuth(o), passwordAuth(o), c)
	for _, hidden := range []string{"session-1", "shh", "pw", "tok\""} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q shows in %s", hidden, text)
		}
	}
}

// memory is a TokenStore of a test.
type memory struct {
	mu      sync.Mutex
	t       *Token
	saveErr error
	lock    chan struct{}
}

func newMemory() *memory { return &memory{lock: make(chan struct{}, 1)} }

func (m *memory) put(t Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t = &t
}

func (m *memory) get() Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.t == nil {
		return Token{}
	}
	return *m.t
}

func (m *memory) Load(context.Context) (Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.t == nil {
		return Token{}, ErrNoToken
	}
	return *m.t, nil
}

func (m *memory) Save(_ context.Context, t Token) error {
	if m.saveErr != nil {
		return m.saveErr
	}
	m.put(t)
	return nil
}

func (m *memory) Lock(ctx context.Context) (func(), error) {
	select {
	case m.lock <- struct{}{}:
		return func() { <-m.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

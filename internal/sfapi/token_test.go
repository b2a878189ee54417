package sfapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

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

// A caller that stops waiting must not stop a refresh half way: the rotated refresh token would be lost. Before the process may
// end, the new one is stored.
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
	s.Settle()
	if got := store.get().Refresh; got == "" || got == "seed" {
		t.Errorf("when the process may end, %q is stored", got)
	}
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
	has(t, err.Error(), "log in: no answer from "+o.URL, "connection refused", "attempt 3 of 3")
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

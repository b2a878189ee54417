package sfapi

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"crosswalk/internal/secret"
)

// Login is one attempt of a person to approve the program in a browser: the web server flow with PKCE (facts 1.2).
type Login struct {
	URL      string        // where the person approves
	State    string        // comes back with the answer and must be the same
	verifier secret.String // proves that who redeems the code is who asked for it
	host     string
}

// NewLogin begins an attempt. It calls nobody; each attempt has a state and a PKCE verifier of its own.
func (s *TokenSource) NewLogin() (*Login, error) {
	if s.cfg.Auth.Flow != WebServer {
		return nil, errors.New("auth.flow is " + string(s.cfg.Auth.Flow) + ", which needs no approval in a browser")
	}
	if s.cfg.Auth.RedirectURL == "" {
		return nil, errors.New("no callback is set: the approval page needs one that is registered with the app, such as http://localhost:8080/callback")
	}
	verifier := oauth2.GenerateVerifier()
	l := &Login{State: rand.Text(), verifier: secret.String(verifier), host: s.cfg.Auth.LoginURL}
	l.URL = s.cfg.Auth.oauth().AuthCodeURL(l.State, oauth2.S256ChallengeOption(verifier))
	return l, nil
}

// Code takes the approval code out of what came back: the callback's query or full address, or what a person pasted,
// which may be the code alone (the verifier then binds it to this attempt, as the state does otherwise). A refusal is
// an *AuthError.
func (l *Login) Code(answer string) (string, error) {
	answer = strings.TrimSpace(answer)
	_, query, isAddress := strings.Cut(answer, "?")
	if !isAddress {
		query = answer
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("what was pasted is not the address that the browser was sent to: copy it whole from the address bar")
	}
	if code := values.Get("error"); code != "" {
		return "", &AuthError{Op: "authorize", Host: l.host, Code: code, Description: values.Get("error_description")}
	}
	code := values.Get("code")
	if code == "" && !isAddress && !strings.ContainsAny(strings.TrimRight(answer, "="), "&= ") && answer != "" {
		return unescapeOnce(answer), nil
	}
	if code == "" {
		return "", errors.New("the answer holds no approval code: copy the whole address that the browser was sent to")
	}
	if subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(l.State)) != 1 {
		return "", errors.New("the answer belongs to another attempt (its state differs): " + runConnect + " again and finish in the same run")
	}
	return code, nil
}

// unescapeOnce undoes the escaping of a code that was copied out of an address: it often ends in %3D%3D (facts 1.2).
func unescapeOnce(code string) string {
	if plain, err := url.PathUnescape(code); err == nil {
		return plain
	}
	return code
}

// Exchange redeems an approval code. The token is durable and current when it returns. A token of another org than the stored one's is
// refused: the records of two orgs would become one's.
func (s *TokenSource) Exchange(ctx context.Context, l *Login, code string) (Token, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Token{}, err
	}
	defer unlock()
	t, err := s.request(ctx, "exchange code", func(ctx context.Context) (*oauth2.Token, error) {
		return s.cfg.Auth.oauth().Exchange(ctx, code, oauth2.VerifierOption(l.verifier.Reveal()))
	})
	if err != nil {
		return Token{}, err
	}
	if before, err := s.load(ctx); err == nil && before.OrgID() != "" && t.OrgID() != "" && before.OrgID() != t.OrgID() {
		return Token{}, fmt.Errorf("the approval is of a user of org %s, and what is published here comes from org %s: log out of Salesforce in the browser and approve as a user of that org; another org needs an alias of its own in the configuration (a sandbox that was made anew: remove its token file in data_dir first)", t.OrgID(), before.OrgID())
	}
	return t, s.adopt(ctx, t)
}

// HasRefresh reports whether the token can be renewed without a person. Without the refresh_token scope Salesforce
// grants none, and says nothing about it (facts 8).
func (t Token) HasRefresh() bool { return t.Refresh != "" }

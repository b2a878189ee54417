package sfapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
)

// Token is what a token reply says (facts 1.5). There is no expiry: a session ends when it was idle for too long or
// was revoked, which a call learns by a 401.
type Token struct {
	Access      secret.String
	Refresh     secret.String // empty for jwt, client_credentials, password, and without the refresh_token scope
	InstanceURL string        // scheme and host where the org's data is served
	Identity    string        // …/id/<organisation id>/<user id>
	Scope       string        // space separated
	IssuedAt    time.Time
}

// OrgID returns the organisation's 18-character id, or the empty string when the reply named no identity.
func (t Token) OrgID() string {
	if t.Identity == "" {
		return ""
	}
	return path.Base(path.Dir(t.Identity))
}

// UserID returns the id of the user that the token acts for, or the empty string.
func (t Token) UserID() string {
	if t.Identity == "" {
		return ""
	}
	return path.Base(t.Identity)
}

// ErrNoToken says that a TokenStore holds no token yet.
var ErrNoToken = errors.New("no token is stored")

// TokenStore keeps the token of one org between runs.
type TokenStore interface {
	// Load returns the stored token, or an error that is ErrNoToken.
	Load(ctx context.Context) (Token, error)
	// Save returns when the token is durable: it would be found after a power failure.
	Save(ctx context.Context, t Token) error
	// Lock keeps other processes from refreshing the same token until unlock is called.
	Lock(ctx context.Context) (unlock func(), err error)
}

// TokenConfig says how a TokenSource obtains tokens.
type TokenConfig struct {
	Auth    Auth
	Store   TokenStore    // default: none, tokens live as long as the process (not for web_server)
	Retry   retry.Backoff // for network errors, 429 and 5xx; Attempts 0 means 5 here
	HTTP    *http.Client  // default: NewHTTPClient()
	Logger  *slog.Logger  // default: silent
	Metrics *Metrics      // default: not registered anywhere
}

// refreshTime bounds one refresh, its repetitions and the store's Save included.
const refreshTime = 2 * time.Minute

// TokenSource owns the credential of one org. It hands out the current token, and is the only one to replace it:
// at most one refresh is in flight, whoever asks. Safe for concurrent use.
type TokenSource struct {
	cfg  TokenConfig
	turn chan struct{} // holds one element; who takes it owns cur and refused until it is put back
	mu   sync.Mutex    // guards reading and writing cur and refused, which only the owner of turn replaces
	cur  Token
	// refused is the final answer of the token endpoint, the refresh token that it was given to, and when. It is
	// repeated without a call: until another refresh token is stored, or until a person may have mended it in Setup.
	refused        error
	refusedRefresh secret.String
	refusedAt      time.Time
}

// NewTokenSource checks cfg and returns a TokenSource. It calls nobody.
func NewTokenSource(cfg TokenConfig) (*TokenSource, error) {
	auth, err := cfg.Auth.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Auth = auth
	if cfg.Retry.Attempts == 0 {
		cfg.Retry.Attempts = defaultAttempts
	}
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTPClient()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return &TokenSource{cfg: cfg, turn: make(chan struct{}, 1)}, nil
}

// Token returns a token that is not the rejected one: the current one, or, when rejected is the current access token
// (or there is none yet), a new one. Callers pass the access token that was answered with 401, or "" at first.
// A refusal of the token endpoint is an *AuthError, which further calls repeat without asking (see refusalRest).
func (s *TokenSource) Token(ctx context.Context, rejected string) (Token, error) {
	if t, ok := s.current(rejected); ok {
		return t, nil
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	// The caller may stop waiting, the refresh may not stop half way: with rotation, a reply that nobody stores
	// locks the program out for good (facts 1.6).
	type result struct {
		t   Token
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.turn }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTime)
		defer cancel()
		t, err := s.renew(ctx, rejected)
		done <- result{t, err}
	}()
	select {
	case r := <-done:
		return r.t, r.err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

// settleTime is how long Settle waits at most: longer than the token endpoint takes.
const settleTime = 10 * time.Second

// Settle waits until no renewal is under way. It is called before the process ends: a refresh token that is rotated for a process
// that is gone locks the program out for good (facts 1.6).
func (s *TokenSource) Settle() {
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case s.turn <- struct{}{}:
		<-s.turn
	case <-timer.C:
	}
}

// AccessToken is Token for clients that want the text alone, such as a CometD client. A refusal is marked retry.Final: they must not ask
// again.
func (s *TokenSource) AccessToken(ctx context.Context, rejected string) (string, error) {
	t, err := s.Token(ctx, rejected)
	if isRefusal(err) {
		err = retry.Final(err)
	}
	return t.Access.Reveal(), err
}

func (s *TokenSource) current(rejected string) (Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.cur.Access != "" && s.cur.Access.Reveal() != rejected
}

// host is where the org's data is served as far as it is known without a call, else the login host.
func (s *TokenSource) host() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur.InstanceURL != "" {
		return s.cur.InstanceURL
	}
	return s.cfg.Auth.LoginURL
}

// renew runs under turn.
func (s *TokenSource) renew(ctx context.Context, rejected string) (Token, error) {
	if t, ok := s.current(rejected); ok { // somebody else renewed it meanwhile
		return t, nil
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Token{}, err
	}
	defer unlock()
	stored, err := s.load(ctx)
	if err != nil {
		return Token{}, err
	}
	// Another process may have renewed it: its token is as good, and the refresh token that we remember is spent.
	if stored.Access != "" && stored.Access.Reveal() != rejected && stored.Access != s.cur.Access {
		s.keep(stored)
		return stored, nil
	}
	if s.stillRefused(stored.Refresh) {
		return Token{}, s.refused
	}
	t, err := s.grant(ctx, stored.Refresh)
	if seed := s.cfg.Auth.RefreshToken; err != nil && isRefusal(err) && seed != "" && seed != stored.Refresh {
		t, err = s.grant(ctx, seed) // the stored approval is over, a person has configured a newer one
	}
	if err != nil {
		s.fail(err, stored.Refresh)
		return Token{}, err
	}
	if t.Refresh == "" {
		t.Refresh = stored.Refresh
	}
	return t, s.adopt(ctx, t)
}

// adopt makes t durable and only then current.
func (s *TokenSource) adopt(ctx context.Context, t Token) error {
	if s.cfg.Store != nil {
		if err := s.cfg.Store.Save(ctx, t); err != nil {
			s.cfg.Metrics.refreshes.WithLabelValues("failed").Inc()
			return fmt.Errorf("store token of %s: %w", s.cfg.Auth.LoginURL, err)
		}
	}
	if warning := s.cfg.Auth.Warning(); warning != "" && s.cur.Access == "" {
		s.cfg.Logger.Warn(warning, "host", s.cfg.Auth.LoginURL)
	}
	s.keep(t)
	s.cfg.Metrics.refreshes.WithLabelValues("ok").Inc()
	s.cfg.Logger.Debug("salesforce token renewed", "instance", t.InstanceURL, "flow", s.cfg.Auth.Flow)
	return nil
}

func (s *TokenSource) keep(t Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.refused, s.refusedRefresh = t, nil, ""
}

func (s *TokenSource) lock(ctx context.Context) (func(), error) {
	if s.cfg.Store == nil {
		return func() {}, nil
	}
	unlock, err := s.cfg.Store.Lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock token of %s: %w", s.cfg.Auth.LoginURL, err)
	}
	return unlock, nil
}

// load returns what the store holds, or else what the configuration and the memory of this process hold.
func (s *TokenSource) load(ctx context.Context) (Token, error) {
	known := s.cur
	if known.Refresh == "" {
		known.Refresh = s.cfg.Auth.RefreshToken
	}
	if s.cfg.Store == nil {
		return known, nil
	}
	stored, err := s.cfg.Store.Load(ctx)
	if errors.Is(err, ErrNoToken) {
		return known, nil
	}
	if err != nil {
		return Token{}, fmt.Errorf("load token of %s: %w", s.cfg.Auth.LoginURL, err)
	}
	return s.checked(stored)
}

// String keeps the tokens inside: fmt would print unexported fields past their own formatting.
func (s *TokenSource) String() string { return "token source for " + s.cfg.Auth.String() }

// GoString is what %#v prints.
func (s *TokenSource) GoString() string { return s.String() }

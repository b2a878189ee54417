package simulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
)

// session is what an access token stands for.
type session struct {
	token   string
	scope   string
	used    time.Time // last call; the session ends when it lies too far back (facts 1.5)
	issued  time.Time
	grant   *grant // refresh token that it came from; nil for other flows
	revoked bool
}

// grant is an approval: a refresh token and what came from it.
type grant struct {
	refresh string
	old     []string // rotated out; using one revokes the grant
	scope   string
	made    time.Time
	revoked bool
}

// code is an authorization code.
type code struct {
	redirect, scope, challenge string
	made                       time.Time
	used                       bool
}

// tokens are the sessions, approvals and codes.
type tokens struct {
	mu       sync.Mutex
	sessions map[string]*session
	grants   []*grant // oldest first
	codes    map[string]*code
	approved bool   // the user approved the app once
	first    string // refresh token that exists from the start
}

// defaultScope is what a client gets that asks for nothing.
const defaultScope = "refresh_token api"

func (t *tokens) init(s *Simulator) {
	t.sessions, t.codes = make(map[string]*session), make(map[string]*code)
	t.first = "5Aep861" + s.derived("refresh token", 60)
	t.grants = []*grant{{refresh: t.first, scope: defaultScope, made: s.now()}}
	t.approved = true
}

// derived makes a secret that the same seed gives again.
func (s *Simulator) derived(what string, n int) string {
	sum := sha256.Sum256([]byte(what + strconv.FormatUint(s.seed, 10)))
	text := hex.EncodeToString(sum[:])
	return text[:min(n, len(text))]
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// open makes a session. The caller holds t.mu.
func (t *tokens) open(s *Simulator, scope string, g *grant) *session {
	now := s.now()
	x := &session{
		token: s.org.ID()[:15] + "!AQ" + strings.ReplaceAll(random(60), "-", "."),
		scope: scope, used: now, issued: now, grant: g,
	}
	t.sessions[x.token] = x
	return x
}

// approve makes a grant and silently revokes the oldest beyond the limit (facts 1.5). The caller holds t.mu.
func (t *tokens) approve(s *Simulator, scope string) *grant {
	g := &grant{refresh: "5Aep861" + random(60), scope: scope, made: s.now()}
	t.grants = append(t.grants, g)
	t.approved = true
	alive := 0
	for _, g := range slices.Backward(t.grants) {
		if g.revoked {
			continue
		}
		if alive++; alive > orInt(s.settings.Load().MaxApprovals, 5) {
			t.kill(g)
		}
	}
	return g
}

// kill revokes a grant and all that came from it. The caller holds t.mu.
func (t *tokens) kill(g *grant) {
	g.revoked = true
	for _, x := range t.sessions {
		if x.grant == g {
			x.revoked = true
		}
	}
}

// alive returns the session of a token and moves its end away; nil when there is none or it ended.
func (t *tokens) alive(s *Simulator, token string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.sessions[token]
	if x == nil || x.revoked || s.now().Sub(x.used) >= s.settings.Load().SessionIdle.or(2*time.Hour) {
		return nil
	}
	x.used = s.now()
	return x
}

// RevokeTokens ends every session; refresh tokens and other grants go on working.
func (s *Simulator) RevokeTokens() {
	s.tokens.mu.Lock()
	for _, x := range s.tokens.sessions {
		x.revoked = true
	}
	s.tokens.mu.Unlock()
	s.stream.Reauthenticate()
}

// RevokeGrants ends every session and every refresh token: clients must be approved again.
func (s *Simulator) RevokeGrants() {
	s.tokens.mu.Lock()
	for _, g := range s.tokens.grants {
		s.tokens.kill(g)
	}
	s.tokens.mu.Unlock()
	s.RevokeTokens()
}

// bearer is the token of the Authorization header; ok is false when there is a header of another form (facts 2.1).
func bearer(r *http.Request) (token string, ok bool) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return "", true
	}
	word, token, found := strings.Cut(h, " ")
	return strings.TrimSpace(token), found && (strings.EqualFold(word, "Bearer") || strings.EqualFold(word, "OAuth"))
}

// admit checks the session and what the profile allows, and counts the call; false when it answered.
func (c *call) admit() bool {
	token, ok := bearer(c.r)
	if !ok {
		c.fail(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
		return false
	}
	c.session = c.s.tokens.alive(c.s, token)
	p := c.s.profile.Load()
	switch {
	case c.session == nil || p.Inactive || p.LockedToIP:
		c.fail(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
		return false
	case !hasScope(c.session.scope) || p.NoAPIScope || c.s.app.Load().NotAllowListed:
		c.fail(http.StatusUnauthorized, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
		return false
	case p.NoAPI:
		c.fail(http.StatusForbidden, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization or user type.")
		return false
	case p.NoAPIEdition:
		c.fail(http.StatusForbidden, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
		return false
	case p.Expired:
		c.fail(http.StatusForbidden, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The user's password has expired, you must call SetPassword before attempting any other API operations")
		return false
	}
	return c.count()
}

// hasScope reports whether a scope opens the API.
func hasScope(scope string) bool {
	words := strings.Fields(scope)
	return slices.Contains(words, "api") || slices.Contains(words, "full")
}

// count takes one API call from the daily budgets and tells the client how much is gone (facts 2.1). Whether Salesforce
// names an app's own limit in the same words as the org's is inferred.
func (c *call) count() bool {
	set := c.s.settings.Load()
	limit, free := orInt(set.DailyRequests, 1_000_000), orInt(set.DailyRequests, 1_000_000)-set.OtherRequests
	if set.AppRequests > 0 {
		free = min(free, set.AppRequests-set.AppUsed)
	}
	used, ok := c.s.usage.take(c.s.now(), free)
	said := "api-usage=" + strconv.Itoa(used+set.OtherRequests) + "/" + strconv.Itoa(limit)
	if set.AppRequests > 0 {
		said += "; per-app-api-usage=" + strconv.Itoa(used+set.AppUsed) + "/" + strconv.Itoa(set.AppRequests) + "(appName=" + c.s.app.Load().Name + ")"
	}
	c.w.Header().Set("Sforce-Limit-Info", said)
	if !ok {
		c.fail(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	return ok
}

// usage counts API calls of the last 24 hours by the minute.
type usage struct {
	mu      sync.Mutex
	minutes []struct {
		at    time.Time
		calls int
	}
	total int
}

func (u *usage) take(now time.Time, limit int) (used int, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.expire(now)
	if u.total >= limit {
		return u.total, false
	}
	if n := len(u.minutes); n == 0 || now.Sub(u.minutes[n-1].at) >= time.Minute {
		u.minutes = append(u.minutes, struct {
			at    time.Time
			calls int
		}{at: now})
	}
	u.minutes[len(u.minutes)-1].calls++
	u.total++
	return u.total, true
}

func (u *usage) used(now time.Time) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.expire(now)
	return u.total
}

// expire forgets the calls of a day ago. The caller holds mu.
func (u *usage) expire(now time.Time) {
	for len(u.minutes) > 0 && now.Sub(u.minutes[0].at) >= 24*time.Hour {
		u.total -= u.minutes[0].calls
		u.minutes = u.minutes[1:]
	}
}

// streamUser authenticates a streaming request.
func (s *Simulator) streamUser(r *http.Request) (cometd.User, error) {
	token, ok := bearer(r)
	if token == "" {
		return cometd.User{}, cometd.ErrMissing
	}
	x := s.tokens.alive(s, token)
	p := s.profile.Load()
	if !ok || x == nil || p.Inactive || p.LockedToIP || p.NoAPIScope {
		return cometd.User{}, errInvalidToken
	}
	return cometd.User{ID: s.org.User(), NotStreaming: p.NoStreaming, Access: cdc.Access{Entity: p.mayStream, Hidden: p.hides}}, nil
}

type loginHost struct{}

func withLoginHost(ctx context.Context) context.Context {
	return context.WithValue(ctx, loginHost{}, true)
}

func isLoginHost(r *http.Request) bool { return r.Context().Value(loginHost{}) != nil }

// origin is the address by which the client reached this host.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// instanceURL is where the client is to send its data calls.
func (c *call) instanceURL() string {
	own := ""
	if info := c.s.info.Load(); info != nil && isLoginHost(c.r) {
		own = info.InstanceURL
	}
	return cmp.Or(c.s.config.InstanceURL, own, origin(c.r))
}

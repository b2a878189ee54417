package sfapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
)

// assertionLife is how far ahead a JWT's exp lies. Salesforce allows only a few minutes (facts 1.7).
const assertionLife = 3 * time.Minute

// grant obtains a token by the configured flow. Network errors, 429 and 5xx are repeated; every other refusal is final.
func (s *TokenSource) grant(ctx context.Context, refresh secret.String) (Token, error) {
	if s.cfg.Auth.Flow == WebServer && refresh == "" {
		return Token{}, s.notConnected()
	}
	return s.request(ctx, "log in", func(ctx context.Context) (*oauth2.Token, error) {
		auth, conf := s.cfg.Auth, s.cfg.Auth.oauth()
		switch auth.Flow {
		case WebServer:
			return conf.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
		case Password:
			return conf.PasswordCredentialsToken(ctx, auth.Username, auth.Password.Reveal()+auth.SecurityToken.Reveal())
		case ClientCredentials:
			cc := clientcredentials.Config{
				ClientID: auth.ClientID, ClientSecret: auth.ClientSecret.Reveal(),
				TokenURL: conf.Endpoint.TokenURL, AuthStyle: oauth2.AuthStyleInParams,
			}
			return cc.Token(ctx)
		default: // JWT: withDefaults lets no other pass
			assertion := jwt.Config{
				Email: auth.ClientID, Subject: auth.Username, Audience: auth.Audience, PrivateKey: []byte(auth.PrivateKey.Reveal()),
				TokenURL: conf.Endpoint.TokenURL, Expires: assertionLife,
			}
			return assertion.TokenSource(ctx).Token()
		}
	})
}

func (s *TokenSource) notConnected() *AuthError {
	return &AuthError{Op: "log in", Host: s.cfg.Auth.LoginURL, Code: codeNotConnected, Description: "no approval is stored for this org"}
}

// request makes one grant, repeating what may pass, and checks its reply.
func (s *TokenSource) request(ctx context.Context, op string, fetch func(context.Context) (*oauth2.Token, error)) (Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.cfg.HTTP)
	policy := s.cfg.Retry
	policy.Notify = func(error, int, time.Duration) { s.cfg.Metrics.retries.WithLabelValues("token").Inc() }
	var reply *oauth2.Token
	var last error
	err := retry.Do(ctx, policy, func(ctx context.Context) (err error) {
		begun := time.Now()
		reply, err = fetch(ctx)
		s.cfg.Metrics.seconds.WithLabelValues("token").Observe(time.Since(begun).Seconds())
		last = s.classify(op, err)
		return markedLogin(last)
	})
	switch {
	case retry.IsFinal(err):
		return Token{}, last // the mark is for the loop above; a caller's own loop decides for itself
	case err != nil:
		return Token{}, err
	}
	return s.checked(fromReply(reply))
}

// classify counts the call and turns what x/oauth2 returned into an *AuthError, or into a network error.
func (s *TokenSource) classify(op string, err error) error {
	if err == nil {
		s.cfg.Metrics.calls.WithLabelValues("token", "2xx").Inc()
		return nil
	}
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) || refusal.Response == nil {
		s.cfg.Metrics.calls.WithLabelValues("token", "network").Inc()
		return noAnswer(op, s.cfg.Auth.LoginURL, err)
	}
	status := refusal.Response.StatusCode
	s.cfg.Metrics.calls.WithLabelValues("token", statusClass(status)).Inc()
	answer := parseError(refusal.Body)
	refused := &AuthError{Op: op, Host: s.cfg.Auth.LoginURL, Status: status, Code: answer.code, Description: answer.message}
	if wait, ok := retry.ParseAfter(refusal.Response.Header.Get("Retry-After"), time.Now()); ok {
		refused.retryAfter = min(wait, maxRetryAfter)
	}
	return refused
}

// markedLogin lets network errors, 429 and 5xx be repeated, and nothing else.
func markedLogin(err error) error {
	var refused *AuthError
	switch {
	case errors.As(err, &refused) && refused.Next() != NextRetry:
		return retry.Final(err)
	case refused != nil && refused.retryAfter > 0:
		return retry.After(err, refused.retryAfter)
	}
	return err
}

// checked accepts a token only for a host that may be given it; the instance may change with every reply (facts 1.1).
func (s *TokenSource) checked(t Token) (Token, error) {
	origin, err := checkHost("instance_url of the token reply", t.InstanceURL, repliedTrust(s.cfg.Auth.LoginURL, s.cfg.Auth.AllowAnyHost))
	if err != nil {
		return Token{}, err
	}
	t.InstanceURL = origin
	return t, nil
}

func (a Auth) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID: a.ClientID, ClientSecret: a.ClientSecret.Reveal(), RedirectURL: a.RedirectURL, Scopes: a.authorizeScopes(),
		Endpoint: oauth2.Endpoint{
			AuthURL:   a.LoginURL + "/services/oauth2/authorize",
			TokenURL:  a.LoginURL + "/services/oauth2/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// authorizeScopes are asked for by the web server flow alone: Salesforce refuses a scope parameter in some other grants.
func (a Auth) authorizeScopes() []string {
	if a.Flow == WebServer {
		return a.Scopes
	}
	return nil
}

func fromReply(reply *oauth2.Token) Token {
	text := func(key string) string {
		s, _ := reply.Extra(key).(string)
		return s
	}
	t := Token{
		Access: secret.String(reply.AccessToken), Refresh: secret.String(reply.RefreshToken),
		InstanceURL: text("instance_url"), Identity: text("id"), Scope: text("scope"),
	}
	if ms, err := strconv.ParseInt(text("issued_at"), 10, 64); err == nil {
		t.IssuedAt = time.UnixMilli(ms)
	}
	return t
}

func statusClass(status int) string {
	if status < http.StatusContinue || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

package sfapi

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/secret"
)

// refusalRest is how long a refusal is not asked for again. A refused password is never sent again by this process:
// some orgs lock a user for good after three.
const refusalRest = 15 * time.Minute

func (s *TokenSource) fail(err error, refresh secret.String) {
	if !isRefusal(err) {
		s.cfg.Metrics.refreshes.WithLabelValues("failed").Inc()
		return
	}
	s.cfg.Metrics.refreshes.WithLabelValues("refused").Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.refusedRefresh, s.refusedAt = err, refresh, time.Now()
}

func (s *TokenSource) stillRefused(refresh secret.String) bool {
	return s.refused != nil && s.refusedRefresh == refresh && (s.cfg.Auth.Flow == Password || time.Since(s.refusedAt) < refusalRest)
}

// Refusal returns the refusal that a login would meet, as far as that is known without asking anybody: nothing is stored to log in with,
// or what is stored was refused already (see refusalRest). Nil says that a login may be tried: what another process has stored
// meanwhile counts. The error is the store's, or ctx's.
func (s *TokenSource) Refusal(ctx context.Context) (*AuthError, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stored, err := s.load(ctx)
	switch {
	case err != nil:
		return nil, err
	case stored.Access != "" && stored.Access != s.cur.Access: // nobody has tried it
		return nil, nil
	case s.cfg.Auth.Flow == WebServer && stored.Access == "" && stored.Refresh == "":
		return s.notConnected(), nil
	case !s.stillRefused(stored.Refresh):
		return nil, nil
	}
	var refused *AuthError
	errors.As(s.refused, &refused)
	return refused, nil
}

// isRefusal reports an answer of the token endpoint that stays what it is.
func isRefusal(err error) bool {
	var refusal *AuthError
	return errors.As(err, &refusal) && refusal.Next() != NextRetry
}

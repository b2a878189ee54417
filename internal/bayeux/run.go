package bayeux

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"crosswalk/internal/retry"
)

// tokensTried is how many tokens in a row the server may refuse at first sight before Run gives up. One that it took
// at first has merely ended.
const tokensTried = 5

// settled is how long a session must last, at most, to end a row of failures.
const settled = time.Minute

// run is one call of Run: what outlives a session.
type run struct {
	*Client
	subs   []Subscription
	handle func(context.Context, []Message) error
	queue  *queue
	log    *slog.Logger

	opened   bool   // the server granted a session at least once
	rejected string // the token to ask a replacement for; empty: the current one will do
	refused  int    // tokens in a row that never got a good answer
	// The row of failures so far. A session that lasted ends it; the answer to a request for events ends what is below
	// failures.
	failures  int
	busy      int  // of CauseBusy
	forbidden bool // a fresh token was asked for because of an HTTP 403
	warned    bool // the log has a warning that asks for a line saying that it is over
}

// follow makes one session after the other until ctx ends or something ends Run. A new session begins when
// everything that the old one brought has been through the handler.
func (r *run) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait, err := r.plan(err)
		r.queue.drained(ctx)
		if err != nil {
			return err
		}
		_ = retry.Sleep(ctx, wait) // the loop looks at ctx
	}
	return nil
}

// session makes one session and lets it live. It never returns nil.
func (r *run) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.setRenew(cancel)
	defer r.setRenew(nil)

	s := &session{run: r, advice: noAdvice}
	err := s.live(ctx)
	if errors.Is(context.Cause(ctx), errResubscribe) {
		err = &LostError{Cause: CauseResubscribe, Err: errResubscribe}
	}
	s.end(ctx, err)
	return s.explain(err)
}

func (c *Client) setRenew(renew context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew = renew
}

// deliver is the handler's goroutine.
func (r *run) deliver(ctx context.Context) error {
	for {
		d, ok := r.queue.take(ctx)
		if !ok {
			return nil
		}
		if d.subscribed != nil {
			d.subscribed()
		} else {
			start := time.Now()
			if err := r.handle(ctx, d.events); err != nil {
				return err
			}
			r.config.Metrics.handle.Observe(time.Since(start).Seconds())
			r.config.Metrics.events.Add(float64(len(d.events)))
		}
		r.config.Metrics.buffered.Sub(float64(d.size))
		r.queue.done(d)
	}
}

// sessionEnd is what plan needs to know of a session that ended.
type sessionEnd struct {
	error
	lasted   time.Duration // since all channels were subscribed to; negative when it did not get that far
	interval time.Duration // the server's advice
	token    string
	accepted bool // the token got at least one good answer
}

func (e *sessionEnd) Unwrap() error { return e.error }

// plan decides what follows the end of a session: a wait and then a new one, or, by its error, the end of Run.
func (r *run) plan(err error) (wait time.Duration, final error) {
	var end *sessionEnd
	if !errors.As(err, &end) {
		return 0, err
	}
	if end.lasted >= min(settled, r.config.Backoff.Longest()) {
		r.failures, r.busy, r.forbidden = 0, 0, false
	}
	if end.accepted {
		r.refused = 0
	}
	lost := r.asLost(end.error)
	if lost == nil {
		return 0, end.error
	}
	r.failures++
	switch lost.Cause {
	case CauseForgotten, CauseGoodbye, CauseCookies, CauseSlow, CauseResubscribe:
		wait = r.soon(end)
	case CauseToken:
		r.rejected = end.token
		if !end.accepted {
			r.refused++
		}
		if r.refused == tokensTried {
			return 0, &AuthError{URL: r.config.URL, Text: cmp.Or(lost.Said, lost.Error())}
		}
		wait = r.soon(end)
	case CauseBusy:
		r.busy++
		wait = r.config.Busy.Wait(r.busy)
	default:
		wait = r.config.Backoff.Wait(r.failures)
	}
	if lost.Cause == CauseCookies {
		r.http.Jar = newCookies()
	}
	var status *statusError
	if errors.As(lost, &status) && status.code == http.StatusForbidden && !r.forbidden {
		r.forbidden, r.rejected = true, end.token // an expired session can look like this at a gateway; once
	}
	if after, ok := retry.AskedFor(lost); ok {
		wait = max(wait, after)
	}
	r.report(lost, wait)
	return wait, nil
}

// soon is the wait after an end that is normal operation: none but what the server asks for, the first time.
func (r *run) soon(end *sessionEnd) time.Duration {
	if r.failures == 1 {
		return max(0, end.interval)
	}
	return max(end.interval, r.config.Backoff.Wait(r.failures-1))
}

// asLost returns err as a reason to go on, nil when it ends Run. What was right once since Run began does not end
// it: a server in maintenance can say anything.
func (r *run) asLost(err error) *LostError {
	var (
		lost    *LostError
		address *AddressError
		refused *HandshakeError
	)
	switch {
	case errors.As(err, &lost):
		return lost
	case r.opened && errors.As(err, &address):
		return &LostError{Cause: CauseReply, Err: err}
	case r.opened && errors.As(err, &refused):
		return &LostError{Cause: CauseBusy, Err: err}
	}
	return nil
}

// report tells people: at debug what heals by itself, as a warning what came twice in a row or takes minutes.
func (r *run) report(lost *LostError, wait time.Duration) {
	r.config.Metrics.lost.WithLabelValues(string(lost.Cause)).Inc()
	level := slog.LevelDebug
	if lost.Cause == CauseBusy || lost.Cause == CauseLogin || r.failures > 1 && lost.Cause != CauseResubscribe {
		level, r.warned = slog.LevelWarn, true
	}
	r.log.Log(context.Background(), level, "streaming session lost", keyURL, r.config.URL, keyCause, string(lost.Cause),
		keyError, lost.Error(), keyFailures, r.failures, keyWait, wait)
	if r.config.Retrying != nil {
		r.config.Retrying(lost, wait)
	}
}

// The keys of log records.
const (
	keyURL      = "url"
	keyCause    = "cause"
	keyError    = "error"
	keyFailures = "failures"
	keyWait     = "wait"
	keyChannel  = "channel"
	keyReplay   = "replay_id"
)

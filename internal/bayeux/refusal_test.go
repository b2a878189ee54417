package bayeux_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
)

// listener is what Config.Retrying was told.
type listener struct {
	mu    sync.Mutex
	told  []*bayeux.LostError
	delay []time.Duration
}

func (l *listener) listen(c *bayeux.Config) {
	c.Retrying = func(err *bayeux.LostError, wait time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told, l.delay = append(l.told, err), append(l.delay, wait)
	}
}

func (l *listener) causes() (causes []bayeux.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.told {
		causes = append(causes, err.Cause)
	}
	return causes
}

func (l *listener) texts() (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.told {
		texts = append(texts, err.Error())
	}
	return texts
}

func (l *listener) waits() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.delay)
}

// once makes an answer hook that gives one answer to the nth request on a channel (from 1) and lets the others pass.
func once(channel string, nth int, answer func(w http.ResponseWriter, a ask)) func(http.ResponseWriter, ask) bool {
	var mu sync.Mutex
	count := 0
	return func(w http.ResponseWriter, a ask) bool {
		if a.Channel != channel {
			return false
		}
		mu.Lock()
		count++
		now := count == nth
		mu.Unlock()
		if now {
			answer(w, a)
		}
		return now
	}
}

const (
	onHandshake = "/meta/handshake"
	onConnect   = "/meta/connect"
	onSubscribe = "/meta/subscribe"
)

// refusalCase is a row of facts 4.5: an error text, where it comes, and what follows from it.
type refusalCase struct {
	on     string
	nth    int // which request on the channel is refused; the second connect is the first that is held
	error  string
	reason string // ext.sfdc.failureReason
	advice object
	// Either the client goes on …
	cause      bayeux.Cause
	wait       time.Duration
	freshToken bool // asked for
	// … or Run ends with an error of the kind of ends, whose sentence holds says.
	ends error
	says string
}

const (
	denied  = "403::Handshake denied"
	badLog  = "401::Authentication invalid"
	tooBusy = "503::Server is too busy.  Please try your request again later."
	expired = "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
	crowd   = "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous connections per server. Your request has been denied because this limit has been exceeded. Please try your request again later."
)

var (
	none  = object{"reconnect": "none"}
	again = object{"interval": 0, "reconnect": "handshake"}
)

// Every row of facts 4.5, and a few that the protocol allows beside them.
var refusals = []refusalCase{
	{on: onHandshake, nth: 1, error: denied, reason: badLog, advice: none, cause: bayeux.CauseToken, freshToken: true},
	{on: onHandshake, nth: 1, error: denied, reason: "401::Request requires authentication", advice: none, cause: bayeux.CauseToken, freshToken: true},
	{on: onConnect, nth: 1, error: badLog, advice: none, cause: bayeux.CauseToken, freshToken: true},
	{on: onConnect, nth: 2, error: badLog, advice: none, cause: bayeux.CauseToken, freshToken: true},
	{on: onSubscribe, nth: 1, error: badLog, advice: none, cause: bayeux.CauseToken, freshToken: true},
	{on: onConnect, nth: 2, error: "403::Unknown client", advice: again, cause: bayeux.CauseForgotten},
	{on: onConnect, nth: 1, error: "403::Unknown client", advice: again, cause: bayeux.CauseForgotten},
	{on: onSubscribe, nth: 1, error: "403::Unknown client", advice: again, cause: bayeux.CauseForgotten},
	{on: onConnect, nth: 2, error: "402::Unknown client", cause: bayeux.CauseForgotten},
	{on: onConnect, nth: 2, error: "401:3x5:Unknown client", advice: again, cause: bayeux.CauseForgotten}, // faye
	{on: onConnect, nth: 2, error: "402::session_unknown", advice: object{"interval": 700, "reconnect": "handshake"}, cause: bayeux.CauseForgotten, wait: 700 * time.Millisecond},
	{on: onSubscribe, nth: 1, error: "403::Client has not completed handshake", cause: bayeux.CauseForgotten},
	{on: onHandshake, nth: 1, error: denied, reason: "403::Organization concurrent user limit exceeded", advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onHandshake, nth: 1, error: denied, reason: crowd, advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onConnect, nth: 2, error: "403::Organization total events daily limit exceeded", cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onSubscribe, nth: 1, error: "403::Organization total events daily limit exceeded", cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onSubscribe, nth: 1, error: "403::Subscription limit exceeded for this topic", cause: bayeux.CauseBusy, wait: time.Minute},
	// "Server is too busy" beside a 401 must not cost a token.
	{on: onConnect, nth: 2, error: badLog, reason: tooBusy, advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onHandshake, nth: 1, error: denied, reason: tooBusy, advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onSubscribe, nth: 1, error: badLog, reason: tooBusy, advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onConnect, nth: 2, error: "400::Authenticated user id does not match the session's user id", cause: bayeux.CauseCookies},
	{on: onConnect, nth: 1, error: "400::Client example has established a session, but no sfdc-stream cookie present", cause: bayeux.CauseCookies},
	{on: onConnect, nth: 2, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond},
	{on: onConnect, nth: 2, error: "", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond},
	{on: onConnect, nth: 2, error: "499::Never heard of", advice: again, cause: bayeux.CauseForgotten},
	{on: onConnect, nth: 2, error: "499::Never heard of", advice: none, cause: bayeux.CauseBusy, wait: time.Minute},
	{on: onSubscribe, nth: 1, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond},
	{on: onHandshake, nth: 1, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond},

	{on: onSubscribe, nth: 1, error: expired, ends: &bayeux.ReplayError{}, says: "subscribe to " + accounts + " after replay id 82: "},
	{on: onSubscribe, nth: 1, error: "400::The replayId {82} you provided was invalid. Please", ends: &bayeux.ReplayError{}, says: "take a new snapshot"},
	{on: onSubscribe, nth: 1, error: "400::replay failed", reason: expired, ends: &bayeux.ReplayError{}, says: "400::The replayId {82}"},
	{on: onSubscribe, nth: 1, error: "403::User not allowed to subscribe CDC without required permissions", ends: &bayeux.SubscribeError{Code: "403"}, says: "select the object in Setup > Change Data Capture"},
	{on: onSubscribe, nth: 1, error: "403::User not allowed to subscribe CDC without View All Data permissions", ends: &bayeux.SubscribeError{Code: "403"}, says: "View All"},
	{on: onSubscribe, nth: 1, error: "403:denied_by_security_policy:create_denied", ends: &bayeux.SubscribeError{Code: "403"}, says: "the channel does not exist, or"},
	{on: onSubscribe, nth: 1, error: "403::Cannot create channel /data/X", ends: &bayeux.SubscribeError{Code: "403"}, says: "the channel does not exist, or"},
	{on: onSubscribe, nth: 1, error: "403::Restricted channel", ends: &bayeux.SubscribeError{Code: "403"}, says: "not open to clients"},
	{on: onSubscribe, nth: 1, error: "403::User not enabled for streaming", ends: &bayeux.SubscribeError{Code: "403"}, says: "switch on the Streaming API"},
	{on: onSubscribe, nth: 1, error: "400::The channel you requested to subscribe to does not exist {/topic/X}", ends: &bayeux.SubscribeError{Code: "400"}, says: "check the channel's name"},
	{on: onSubscribe, nth: 1, error: "400::The channel you requested to subscribe to doesn't exist {/topic/X}", ends: &bayeux.SubscribeError{Code: "400"}, says: "check the channel's name"},
	{on: onSubscribe, nth: 1, error: "400::Channel name not specified", ends: &bayeux.SubscribeError{Code: "400"}, says: "name the channel"},
	{on: onSubscribe, nth: 1, error: "400::Channel subscriptions must start with a leading '/'", ends: &bayeux.SubscribeError{Code: "400"}, says: "with a slash"},
	{on: onSubscribe, nth: 1, error: "400::Something else", ends: &bayeux.SubscribeError{Code: "400"}, says: "permission to read its objects"},
	{on: onHandshake, nth: 1, error: "400::API version in the URI is mandatory. URI format: '/cometd/66.0'", advice: none, ends: &bayeux.VersionError{}, says: "set the API version"},
	{on: onHandshake, nth: 1, error: "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'", advice: none, ends: &bayeux.VersionError{}, says: "'37.0' and later"},
	{on: onHandshake, nth: 1, error: denied, ends: &bayeux.HandshakeError{}, says: "check that the Streaming API is switched on"},
	{on: onHandshake, nth: 1, error: "400::Invalid connection type {long-polling}", ends: &bayeux.HandshakeError{}, says: "Invalid connection type"},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range refusals {
		t.Run(strings.TrimPrefix(test.on, "/meta/")+" "+test.error+" "+test.reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, test.run)
		})
	}
}

func (test refusalCase) run(t *testing.T) {
	org, f := newFakeOrg(t), newFollower()
	org.publish(accounts, 82)
	f.positions[accounts] = 82
	org.answer = once(test.on, test.nth, func(w http.ResponseWriter, a ask) {
		m := a.bad(test.error, test.advice)
		if test.reason != "" {
			m["ext"] = failure(test.reason)
		}
		org.send(w, []any{m})
	})
	var heard listener
	var refused []string // the tokens for which a fresh one was asked for
	client := org.client(heard.listen, func(c *bayeux.Config) {
		c.Token = rememberRefused(org, &refused)
	})
	r := f.start(t, client, accounts)
	settle()
	if test.ends != nil {
		r.endsWith(test.ends, test.says)
		return
	}
	if !slices.Equal(heard.causes(), []bayeux.Cause{test.cause}) || heard.waits()[0] != test.wait {
		t.Fatalf("heard of %v %q and waits of %v, want one %s and %v", heard.causes(), heard.texts(), heard.waits(), test.cause, test.wait)
	}
	if test.error != "" && !strings.Contains(heard.texts()[0], test.error) || !strings.Contains(heard.texts()[0], test.reason) {
		t.Errorf("a person reads %q, which lacks what the server said", heard.texts()[0])
	}
	time.Sleep(test.wait)
	org.publish(accounts, 83)
	settle()
	r.end()
	if got := f.events(accounts); !slices.Equal(got, []int64{83}) {
		t.Errorf("got %v, want [83]: the client should stream again after %v", got, test.wait)
	}
	if asked := len(refused) > 0; asked != test.freshToken {
		t.Errorf("asked for a fresh token: %v, want %v", asked, test.freshToken)
	}
	// Whatever it was, the way back is a handshake and the position.
	requests := org.requests()
	last := requests[len(requests)-1-slices.Index(reversed(requests), "/meta/handshake"):]
	want := []string{"/meta/handshake", "/meta/connect", "/meta/subscribe " + accounts + " 82", "/meta/connect"}
	if len(last) < 4 || !slices.Equal(last[:4], want) {
		t.Errorf("the last session began with %v, want %v", last, want)
	}
}

func reversed(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Reverse(lines)
	return lines
}

// endsWith wants Run to end by itself with an error of the kind of want, whose sentence contains says.
func (r *running) endsWith(want error, says string) {
	r.t.Helper()
	var err error
	select {
	case err = <-r.done:
	default:
		r.stop()
		r.t.Fatalf("Run goes on, and ends with %v; want %T", <-r.done, want)
	}
	if err == nil || !strings.Contains(err.Error(), says) {
		r.t.Errorf("a person reads %q, want %q in it", err, says)
	}
	kind := false
	switch want := want.(type) {
	case *bayeux.ReplayError:
		var got *bayeux.ReplayError
		kind = errors.As(err, &got) && got.Channel == accounts && got.Replay == 82
	case *bayeux.SubscribeError:
		var got *bayeux.SubscribeError
		kind = errors.As(err, &got) && got.Channel == accounts && got.Code == want.Code
	case *bayeux.VersionError:
		kind = errors.As(err, &want)
	case *bayeux.HandshakeError:
		kind = errors.As(err, &want)
	case *bayeux.AuthError:
		kind = errors.As(err, &want)
	case *bayeux.AddressError:
		kind = errors.As(err, &want)
	default:
		kind = errors.Is(err, want)
	}
	if !kind {
		r.t.Errorf("Run = %T %v, want %T", err, err, want)
	}
}

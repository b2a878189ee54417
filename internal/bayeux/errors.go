package bayeux

import (
	"errors"
	"fmt"
)

// ReplayError ends Run: the server does not know the position, or no longer (facts 4.4). Events may be missing;
// whether to read everything again and from where to go on is the caller's decision (H10).
type ReplayError struct {
	Channel string
	Replay  int64
	// Text is what the server said, code included.
	Text string
}

func (e *ReplayError) Error() string {
	return fmt.Sprintf("subscribe to %s after replay id %d: the server says %q; events after this position may be lost: "+
		"take a new snapshot and follow the channel from there", e.Channel, e.Replay, e.Text)
}

// SubscribeError ends Run: the server does not let this user follow this channel (facts 4.5, 5.8, 5.9).
type SubscribeError struct {
	Channel string
	// Code is the part before the first colon, such as 403.
	Code string
	// Text is what the server said, code included.
	Text string
	// Hint says what to do about it.
	Hint string
}

func (e *SubscribeError) Error() string {
	return fmt.Sprintf("subscribe to %s: the server says %q: %s", e.Channel, e.Text, e.Hint)
}

// AuthError ends Run: no token could be had, or fresh ones were refused one after the other.
type AuthError struct {
	URL string
	// Text is how the last token was refused; empty when there was none to try.
	Text string
	// Err is why there is no token, nil when the server refused them.
	Err error
}

func (e *AuthError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("get an access token for %s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("log in to %s: %d access tokens were refused one after the other (%s): check that the user may use the "+
		"API, that its sessions are not locked to another address, and that the tokens are this org's", e.URL, tokensTried, e.Text)
}

func (e *AuthError) Unwrap() error { return e.Err }

// VersionError ends Run: the address names no API version that the server speaks.
type VersionError struct {
	URL, Text string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("connect to %s: the server says %q: set the API version to one that it names", e.URL, e.Text)
}

// AddressError ends Run: nothing at the address speaks Bayeux, and it never did since Run began.
type AddressError struct {
	URL string
	// Text is what was found there.
	Text string
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("connect to %s: %s: check the instance URL (or streaming_url) and the API version in it", e.URL, e.Text)
}

// HandshakeError ends Run: the server refuses a session for a reason that waiting does not mend, and it never
// granted one since Run began.
type HandshakeError struct {
	URL, Text string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("open a streaming session at %s: the server says %q: check that the Streaming API is switched on "+
		"for the org and open to this user", e.URL, e.Text)
}

// ErrNoReplay ends Run: the server does not offer the replay extension, without which each lost reply would be lost
// events.
var ErrNoReplay = errors.New("the server does not offer the replay extension")

// Cause is why a session, or an attempt at one, ended. It is the label of crosswalk_bayeux_sessions_lost_total.
type Cause string

// The causes. After each of them the client goes on by itself.
const (
	CauseForgotten   Cause = "forgotten"   // the server no longer knows the client: normal operation (facts 4.3)
	CauseGoodbye     Cause = "goodbye"     // an unsolicited /meta/disconnect, or the advice to shake hands again
	CauseToken       Cause = "token"       // the access token was refused
	CauseLogin       Cause = "login"       // no access token could be had for now
	CauseBusy        Cause = "busy"        // a limit, or "Server is too busy": wait minutes, keep the token
	CauseCookies     Cause = "cookies"     // cookies of another session or user
	CauseNetwork     Cause = "network"     // no answer, a broken one, or none in time
	CauseReply       Cause = "reply"       // an answer that is not Bayeux: HTML, empty, an HTTP error
	CauseRefused     Cause = "refused"     // an error without a rule of its own
	CauseSlow        Cause = "slow"        // the handler was too slow for what the server had to say
	CauseResubscribe Cause = "resubscribe" // Resubscribe was called
)

// LostError is why a session, or an attempt at one, ended. Run goes on after it; Config.Retrying is told.
type LostError struct {
	Cause Cause
	Said  string // what the server said, code included; empty when it was not an answer that ended it
	Err   error
}

func (e *LostError) Error() string { return e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

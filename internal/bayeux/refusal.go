package bayeux

import (
	"fmt"
	"strings"
)

// lostRules are the refusals after which the client goes on by itself (facts 4.5), with what that means for a person. They are
// matched by prefix, since the texts behind it vary between releases.
var lostRules = []struct {
	prefix string
	cause  Cause
	hint   string
}{
	{"503:", CauseBusy, "Salesforce is overloaded (status.salesforce.com); " + triedAgain},
	{"403::Organization concurrent user limit exceeded", CauseBusy, "the org has as many streaming clients as it may; stop one that is not needed; " + triedAgain},
	{
		"403::Organization total events daily limit exceeded", CauseBusy,
		"the org's events of the last 24 hours are used up (crosswalk doctor shows the limit); events wait in Salesforce for 72 hours, and " + triedAgain,
	},
	{"403::Subscription limit exceeded for this topic", CauseBusy, "the channel has as many subscribers as it may; stop one that is not needed; " + triedAgain},
	{"403::To protect all customers", CauseBusy, "too many clients are connected to this server of Salesforce's; " + triedAgain},
	{"401:", CauseToken, "the access token is not accepted; a new one is obtained"},
	{"402:", CauseForgotten, forgotten},
	{"403::Client has not completed handshake", CauseForgotten, forgotten},
	{"400::Authenticated user id does not match", CauseCookies, "the cookies are another session's; a new session begins without them"},
	{"400::Client ", CauseCookies, "the cookies are another session's; a new session begins without them"}, // … has established a session, but no … cookie present
}

const (
	triedAgain = "it is tried again in some minutes, from the stored position"
	forgotten  = "the server has forgotten the session, as it does now and then; a new one goes on from the stored position"
)

// channelHints say what a person does about a refused subscription, by the prefix of the refusal.
var channelHints = []struct{ prefix, hint string }{
	{
		"403::User not allowed to subscribe CDC",
		"select the object in Setup > Change Data Capture, and give the user View All Records on it (View All Data for Task, Event " +
			"and channels of all objects)",
	},
	{"403:denied_by_security_policy", "the channel does not exist, or the user may not create it: check its name and the user's permissions"},
	{"403::Cannot create channel", "the channel does not exist, or the user may not create it: check its name and the user's permissions"},
	{"403::Restricted channel", "this channel is not open to clients: check its name"},
	{"403::User not enabled for streaming", "switch on the Streaming API under Setup > User Interface, and API Enabled for the user"},
	{"400::The channel you requested", "check the channel's name, case included, and that the object is selected in Setup > Change Data Capture"},
	{"400::Channel name not specified", "name the channel, such as /data/ChangeEvents"},
	{"400::Channel subscriptions must start", "begin the channel's name with a slash, such as /data/ChangeEvents"},
}

// refusal turns an unsuccessful answer into what Run does next: a *LostError, or an error that ends it.
func (s *session) refusal(asked request, answer metaReply) error {
	text := answer.text()
	// failureReason comes first: "Server is too busy" stands there beside a 401 in error and must not cost a token.
	for _, said := range []string{answer.reason, answer.err} {
		if strings.HasSuffix(said, ":Unknown client") { // with 403 from Salesforce, 402 from CometD, 401 from faye
			return s.lostBy(CauseForgotten, asked, text, forgotten)
		}
		for _, rule := range lostRules {
			if hasPrefix(said, rule.prefix) {
				return s.lostBy(rule.cause, asked, text, rule.hint)
			}
		}
	}
	switch {
	case strings.HasPrefix(answer.code(), "5"):
	case asked.Channel == metaSubscribe:
		return s.refusedChannel(asked, answer)
	case asked.Channel == metaHandshake && (answer.says("400::API version") || answer.says("400::Unsupported API version")):
		return &VersionError{URL: s.config.URL, Text: text}
	case asked.Channel == metaHandshake:
		return &HandshakeError{URL: s.config.URL, Text: text}
	}
	switch answer.advice.reconnect {
	case "handshake":
		return s.lostBy(CauseForgotten, asked, text, forgotten)
	case "none":
		return s.lostBy(CauseBusy, asked, text, triedAgain)
	}
	return s.lostBy(CauseRefused, asked, text, "a new session goes on from the stored position")
}

// lostBy is a session that ended by a refusal: what was asked for and where, what the server said, and what follows.
func (s *session) lostBy(cause Cause, asked request, text, hint string) *LostError {
	what := "call " + asked.Channel
	switch asked.Channel {
	case metaHandshake:
		what = "open a streaming session"
	case metaConnect:
		what = "wait for events"
	case metaSubscribe:
		what = "subscribe to " + asked.Subscription
	}
	end := lost(cause, "%s at %s: the server says %q: %s", what, s.config.URL, text, hint)
	end.Said = text
	return end
}

func (s *session) refusedChannel(asked request, answer metaReply) error {
	if answer.says("400::The replayId") {
		return &ReplayError{Channel: asked.Subscription, Replay: asked.replay, Text: answer.text()}
	}
	hint := "check the channel's name and the user's permission to read its objects"
	for _, row := range channelHints {
		if answer.says(row.prefix) {
			hint = row.hint
			break
		}
	}
	return &SubscribeError{Channel: asked.Subscription, Code: answer.code(), Text: answer.text(), Hint: hint}
}

// says reports whether the error or the reason behind it begins with prefix.
func (m metaReply) says(prefix string) bool {
	return hasPrefix(m.reason, prefix) || hasPrefix(m.err, prefix)
}

// code is the number before the first colon.
func (m metaReply) code() string {
	text := m.reason
	if text == "" {
		text = m.err
	}
	code, _, _ := strings.Cut(text, ":")
	return code
}

// text is what the server said, for people.
func (m metaReply) text() string {
	switch {
	case m.reason != "" && m.err != "" && m.reason != m.err:
		return m.err + " (" + m.reason + ")"
	case m.reason != "":
		return m.reason
	case m.err != "":
		return m.err
	}
	return "no, without a reason"
}

func hasPrefix(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

func lost(cause Cause, format string, args ...any) *LostError {
	return &LostError{Cause: cause, Err: fmt.Errorf(format, args...)}
}

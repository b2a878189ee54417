package bayeux_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/simulator/cometd"
)

// refusalFact is a row of facts 4.5: an error text, where it comes, and what follows from it.
type refusalFact struct {
	on     string // channel of the message that is refused
	nth    int    // which message on it; the second connect is the first that is held
	error  string // the fact
	reason string // ext.sfdc.failureReason
	advice string // reconnect

	// Either the client goes on by itself …
	cause      bayeux.Cause
	wait       time.Duration
	freshToken bool // asked for
	// … or Run ends with an error of this kind.
	ends error
	// What a person reads, where ORG stands for the endpoint and ID for the stored position.
	reads string
}

const (
	allChanges = "/data/ChangeEvents"
	denied     = "403::Handshake denied"
	badLog     = "401::Authentication invalid"
	tooBusy    = "503::Server is too busy.  Please try your request again later."
	expired    = "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
	crowd      = "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous connections per server. Your request has been denied because this limit has been exceeded. Please try your request again later."
	noVersion  = "400::API version in the URI is mandatory. URI format: '/cometd/66.0'"
	oldVersion = "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'"
)

// facts45 are the rows of facts 4.5, in their order; a row that can come in several places stands several times.
var facts45 = []refusalFact{
	// 401::Authentication invalid, on connect and subscribe in error, on the handshake as the reason
	{
		on: onConnect, nth: 1, error: badLog, advice: "none", cause: bayeux.CauseToken, freshToken: true,
		reads: `wait for events at ORG: the server says "401::Authentication invalid": the access token is not accepted; a new one is obtained`,
	},
	{
		on: onConnect, nth: 2, error: badLog, advice: "none", cause: bayeux.CauseToken, freshToken: true,
		reads: `wait for events at ORG: the server says "401::Authentication invalid": the access token is not accepted; a new one is obtained`,
	},
	{
		on: onSubscribe, nth: 1, error: badLog, advice: "none", cause: bayeux.CauseToken, freshToken: true,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "401::Authentication invalid": the access token is not accepted; a new one is obtained`,
	},
	{
		on: onHandshake, nth: 1, error: denied, reason: badLog, advice: "none", cause: bayeux.CauseToken, freshToken: true,
		reads: `open a streaming session at ORG: the server says "403::Handshake denied (401::Authentication invalid)": the access token is not accepted; a new one is obtained`,
	},
	// 401::Request requires authentication
	{
		on: onHandshake, nth: 1, error: denied, reason: "401::Request requires authentication", advice: "none", cause: bayeux.CauseToken, freshToken: true,
		reads: `open a streaming session at ORG: the server says "403::Handshake denied (401::Request requires authentication)": the access token is not accepted; a new one is obtained`,
	},
	// 403::Handshake denied without a reason
	{
		on: onHandshake, nth: 1, error: denied, advice: "none", ends: &bayeux.HandshakeError{},
		reads: `open a streaming session at ORG: the server says "403::Handshake denied": check that the Streaming API is switched on for the org and open to this user`,
	},
	// 403::Unknown client
	{
		on: onConnect, nth: 1, error: "403::Unknown client", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "403::Unknown client": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	{
		on: onConnect, nth: 2, error: "403::Unknown client", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "403::Unknown client": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	{
		on: onSubscribe, nth: 1, error: "403::Unknown client", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "403::Unknown client": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	// 402::Unknown client
	{
		on: onConnect, nth: 2, error: "402::Unknown client", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "402::Unknown client": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	// 403::Client has not completed handshake
	{
		on: onSubscribe, nth: 1, error: "403::Client has not completed handshake", cause: bayeux.CauseForgotten,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "403::Client has not completed handshake": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	// 403::User not allowed to subscribe CDC, in both wordings
	{
		on: onSubscribe, nth: 1, error: "403::User not allowed to subscribe CDC without required permissions", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403::User not allowed to subscribe CDC without required permissions": select the object in Setup > Change Data Capture, and give the user View All Records on it (View All Data for Task, Event and channels of all objects)`,
	},
	{
		on: onSubscribe, nth: 1, error: "403::User not allowed to subscribe CDC without View All Data permissions", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403::User not allowed to subscribe CDC without View All Data permissions": select the object in Setup > Change Data Capture, and give the user View All Records on it (View All Data for Task, Event and channels of all objects)`,
	},
	// 403:denied_by_security_policy
	{
		on: onSubscribe, nth: 1, error: "403:denied_by_security_policy:create_denied", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403:denied_by_security_policy:create_denied": the channel does not exist, or the user may not create it: check its name and the user's permissions`,
	},
	// 403::Cannot create channel, Restricted channel, User not enabled for streaming
	{
		on: onSubscribe, nth: 1, error: "403::Cannot create channel {/x/y}", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403::Cannot create channel {/x/y}": the channel does not exist, or the user may not create it: check its name and the user's permissions`,
	},
	{
		on: onSubscribe, nth: 1, error: "403::Restricted channel", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403::Restricted channel": this channel is not open to clients: check its name`,
	},
	{
		on: onSubscribe, nth: 1, error: "403::User not enabled for streaming", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "403::User not enabled for streaming": switch on the Streaming API under Setup > User Interface, and API Enabled for the user`,
	},
	// 400::The channel you requested to subscribe to does not exist, and as current docs print it
	{
		on: onSubscribe, nth: 1, error: "400::The channel you requested to subscribe to does not exist {/topic/X}", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "400::The channel you requested to subscribe to does not exist {/topic/X}": check the channel's name, case included, and that the object is selected in Setup > Change Data Capture`,
	},
	{
		on: onSubscribe, nth: 1, error: "400::The channel you requested to subscribe to doesn't exist {/topic/X}", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "400::The channel you requested to subscribe to doesn't exist {/topic/X}": check the channel's name, case included, and that the object is selected in Setup > Change Data Capture`,
	},
	// 400::Channel name not specified, Channel subscriptions must start with a leading slash
	{
		on: onSubscribe, nth: 1, error: "400::Channel name not specified", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "400::Channel name not specified": name the channel, such as /data/ChangeEvents`,
	},
	{
		on: onSubscribe, nth: 1, error: "400::Channel subscriptions must start with a leading '/'", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "400::Channel subscriptions must start with a leading '/'": begin the channel's name with a slash, such as /data/ChangeEvents`,
	},
	// 400::The replayId, with two spaces, with one, and as the reason
	{
		on: onSubscribe, nth: 1, error: expired, ends: &bayeux.ReplayError{},
		reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."; events after this position may be lost: take a new snapshot and follow the channel from there`,
	},
	{
		on: onSubscribe, nth: 1, error: "400::The replayId {82} you provided was invalid. Please provide a valid ID", ends: &bayeux.ReplayError{},
		reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::The replayId {82} you provided was invalid. Please provide a valid ID"; events after this position may be lost: take a new snapshot and follow the channel from there`,
	},
	{
		on: onSubscribe, nth: 1, error: "400::replay failed", reason: expired, ends: &bayeux.ReplayError{},
		reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::replay failed (400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.)"; events after this position may be lost: take a new snapshot and follow the channel from there`,
	},
	// 400::API version in the URI is mandatory, Unsupported API version
	{
		on: onHandshake, nth: 1, error: noVersion, advice: "none", ends: &bayeux.VersionError{},
		reads: `connect to ORG: the server says "400::API version in the URI is mandatory. URI format: '/cometd/66.0'": set the API version to one that it names`,
	},
	{
		on: onHandshake, nth: 1, error: oldVersion, advice: "none", ends: &bayeux.VersionError{},
		reads: `connect to ORG: the server says "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'": set the API version to one that it names`,
	},
	// 403::Organization concurrent user limit exceeded
	{
		on: onHandshake, nth: 1, error: denied, reason: "403::Organization concurrent user limit exceeded", advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `open a streaming session at ORG: the server says "403::Handshake denied (403::Organization concurrent user limit exceeded)": the org has as many streaming clients as it may; stop one that is not needed; it is tried again in some minutes, from the stored position`,
	},
	// 403::Organization total events daily limit exceeded
	{
		on: onConnect, nth: 2, error: "403::Organization total events daily limit exceeded", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `wait for events at ORG: the server says "403::Organization total events daily limit exceeded": the org's events of the last 24 hours are used up (crosswalk doctor shows the limit); events wait in Salesforce for 72 hours, and it is tried again in some minutes, from the stored position`,
	},
	{
		on: onSubscribe, nth: 1, error: "403::Organization total events daily limit exceeded", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "403::Organization total events daily limit exceeded": the org's events of the last 24 hours are used up (crosswalk doctor shows the limit); events wait in Salesforce for 72 hours, and it is tried again in some minutes, from the stored position`,
	},
	// 403::Subscription limit exceeded for this topic
	{
		on: onSubscribe, nth: 1, error: "403::Subscription limit exceeded for this topic", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "403::Subscription limit exceeded for this topic": the channel has as many subscribers as it may; stop one that is not needed; it is tried again in some minutes, from the stored position`,
	},
	// 403::To protect all customers
	{
		on: onHandshake, nth: 1, error: denied, reason: crowd, advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `open a streaming session at ORG: the server says "403::Handshake denied (403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous connections per server. Your request has been denied because this limit has been exceeded. Please try your request again later.)": too many clients are connected to this server of Salesforce's; it is tried again in some minutes, from the stored position`,
	},
	// 503::Server is too busy: beside a 401 it must not cost a token
	{
		on: onConnect, nth: 2, error: badLog, reason: tooBusy, advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `wait for events at ORG: the server says "401::Authentication invalid (503::Server is too busy.  Please try your request again later.)": Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`,
	},
	{
		on: onHandshake, nth: 1, error: denied, reason: tooBusy, advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `open a streaming session at ORG: the server says "403::Handshake denied (503::Server is too busy.  Please try your request again later.)": Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`,
	},
	{
		on: onSubscribe, nth: 1, error: badLog, reason: tooBusy, advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "401::Authentication invalid (503::Server is too busy.  Please try your request again later.)": Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`,
	},
	// 400::Authenticated user id does not match the session's user id
	{
		on: onConnect, nth: 2, error: "400::Authenticated user id does not match the session's user id", cause: bayeux.CauseCookies,
		reads: `wait for events at ORG: the server says "400::Authenticated user id does not match the session's user id": the cookies are another session's; a new session begins without them`,
	},
}

// besideFacts45 is what the protocol and other servers allow beside them.
var besideFacts45 = []refusalFact{
	// a cookie that is missing (facts 4.1)
	{
		on: onConnect, nth: 1, error: "400::Client example has established a session, but no sfdc-stream cookie present", cause: bayeux.CauseCookies,
		reads: `wait for events at ORG: the server says "400::Client example has established a session, but no sfdc-stream cookie present": the cookies are another session's; a new session begins without them`,
	},
	// a connection type that is not spoken (facts 4.1)
	{
		on: onHandshake, nth: 1, error: "400::Invalid connection type {long-polling}", ends: &bayeux.HandshakeError{},
		reads: `open a streaming session at ORG: the server says "400::Invalid connection type {long-polling}": check that the Streaming API is switched on for the org and open to this user`,
	},
	// faye and CometD have forgotten a client
	{
		on: onConnect, nth: 2, error: "401:3x5:Unknown client", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "401:3x5:Unknown client": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	{
		on: onConnect, nth: 2, error: "402::session_unknown", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "402::session_unknown": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	// failures of the server, and what nobody has heard of
	{
		on: onConnect, nth: 2, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond,
		reads: `wait for events at ORG: the server says "500::Internal error": a new session goes on from the stored position`,
	},
	{
		on: onSubscribe, nth: 1, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond,
		reads: `subscribe to /data/ChangeEvents at ORG: the server says "500::Internal error": a new session goes on from the stored position`,
	},
	{
		on: onHandshake, nth: 1, error: "500::Internal error", cause: bayeux.CauseRefused, wait: 500 * time.Millisecond,
		reads: `open a streaming session at ORG: the server says "500::Internal error": a new session goes on from the stored position`,
	},
	{
		on: onConnect, nth: 2, error: "499::Never heard of", advice: "handshake", cause: bayeux.CauseForgotten,
		reads: `wait for events at ORG: the server says "499::Never heard of": the server has forgotten the session, as it does now and then; a new one goes on from the stored position`,
	},
	{
		on: onConnect, nth: 2, error: "499::Never heard of", advice: "none", cause: bayeux.CauseBusy, wait: time.Minute,
		reads: `wait for events at ORG: the server says "499::Never heard of": it is tried again in some minutes, from the stored position`,
	},
	{
		on: onSubscribe, nth: 1, error: "400::Something else", ends: &bayeux.SubscribeError{},
		reads: `subscribe to /data/ChangeEvents: the server says "400::Something else": check the channel's name and the user's permission to read its objects`,
	},
}

func TestFacts45(t *testing.T) {
	t.Parallel()
	for _, row := range slices.Concat(facts45, besideFacts45) {
		t.Run(strings.TrimPrefix(row.on, "/meta/")+" "+row.error+" "+row.reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, row.run)
		})
	}
}

// hook lets one message of a channel fail, and counts them all by channel.
func (row refusalFact) hook(counts *sync.Map) func(cometd.Exchange) *cometd.Fault {
	return func(e cometd.Exchange) *cometd.Fault {
		count, _ := counts.LoadOrStore(e.Channel, new(atomic.Int64))
		if n := count.(*atomic.Int64).Add(1); e.Channel != row.on || n != int64(row.nth) {
			return nil
		}
		f := &cometd.Fault{Error: row.error, FailureReason: row.reason, Reconnect: row.advice}
		if strings.HasSuffix(row.error, "Unknown client") || strings.HasSuffix(row.error, "completed handshake") {
			f.Forget = true
		}
		return f
	}
}

func (row refusalFact) run(t *testing.T) {
	var counts sync.Map
	org := newSimulated(t, cometd.Options{Hook: row.hook(&counts)})
	org.token.Store(9_876_543_210)
	f := newFollower()
	f.real = true
	position := org.commit(1)
	f.positions[allChanges] = position
	var heard listener
	var refused []string // the tokens for which a fresh one was asked for
	r := f.start(t, org.client(t, heard.listen, func(c *bayeux.Config) {
		ask := c.Token
		c.Token = func(ctx context.Context, rejected string) (string, error) {
			if rejected != "" {
				refused = append(refused, rejected)
			}
			return ask(ctx, rejected)
		}
	}), allChanges)
	settle()
	if row.ends != nil {
		org.isFinal(t, r, row.ends, row.reads, position)
		return
	}
	if !slices.Equal(heard.causes(), []bayeux.Cause{row.cause}) || heard.waits()[0] != row.wait {
		t.Fatalf("heard of %v %q and waits of %v, want one %s and %v", heard.causes(), heard.texts(), heard.waits(), row.cause, row.wait)
	}
	org.read(t, heard.texts()[0], row.reads, position)
	time.Sleep(row.wait)
	next := org.commit(2)
	settle()
	r.end()
	if got := f.events(allChanges); !slices.Equal(got, []int64{next}) {
		t.Errorf("got %v, want [%d] once: the client goes on from its position after %v", got, next, row.wait)
	}
	if asked := len(refused) > 0; asked != row.freshToken {
		t.Errorf("asked for a fresh token: %v, want %v", asked, row.freshToken)
	}
	if n, _ := counts.Load(onHandshake); n.(*atomic.Int64).Load() != 2 {
		t.Error("whatever it was, the way back is one new session")
	}
}

// isFinal wants Run to have ended by itself with an error of the kind of want.
func (s *simulated) isFinal(t *testing.T, r *running, want error, reads string, position int64) {
	t.Helper()
	select {
	case err := <-r.done:
		if reflect.TypeOf(err) != reflect.TypeOf(want) {
			t.Errorf("Run = %T %v, want %T", err, err, want)
		}
		s.read(t, err.Error(), reads, position)
	default:
		r.stop()
		t.Fatalf("Run goes on, and ends with %v; want %T", <-r.done, want)
	}
}

// read compares what a person reads, and looks for the token in it.
func (s *simulated) read(t *testing.T, text, want string, position int64) {
	t.Helper()
	if strings.Contains(text, "9876543210") {
		t.Errorf("it shows the token: %s", text)
	}
	text = strings.ReplaceAll(text, "http://org.example/cometd/66.0", "ORG")
	text = strings.ReplaceAll(text, "replay id "+fmt.Sprint(position), "replay id ID")
	if text != want {
		t.Errorf("a person reads\n  %s\nwant\n  %s", text, want)
	}
}

// What the org answers by itself when it is set up so: the rows above come from real causes.
func TestStreamingRefusalsAndTheirCauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause   string
		options cometd.Options
		org     func(*simulated)
		client  func(*bayeux.Config)
		channel string
		ends    error
		lost    bayeux.Cause
		says    string
	}{
		{cause: "events that were purged", org: func(s *simulated) { s.commit(2); s.commit(3); s.log.Purge(); s.commit(4) }, channel: allChanges, ends: &bayeux.ReplayError{}, says: "400::The replayId {"},
		{cause: "an object that is not selected", org: func(s *simulated) { s.log.Select([]string{"Contact"}) }, channel: accounts, ends: &bayeux.SubscribeError{}, says: "403::User not allowed to subscribe CDC without required permissions"},
		{cause: "the same, in older words", options: cometd.Options{OldPermissionText: true}, org: func(s *simulated) { s.log.Select([]string{"Contact"}) }, channel: accounts, ends: &bayeux.SubscribeError{}, says: "403::User not allowed to subscribe CDC without View All Data permissions"},
		{cause: "the same, as a missing channel", options: cometd.Options{Unselected: cometd.UnselectedMissing}, org: func(s *simulated) { s.log.Select([]string{"Contact"}) }, channel: accounts, ends: &bayeux.SubscribeError{}, says: "400::The channel you requested to subscribe to does not exist"},
		{cause: "a topic that does not exist", channel: "/topic/X", ends: &bayeux.SubscribeError{}, says: "400::The channel you requested to subscribe to does not exist {/topic/X}"},
		{cause: "a generic channel", channel: "/u/X", ends: &bayeux.SubscribeError{}, says: "403:denied_by_security_policy:create_denied"},
		{cause: "a service channel", channel: "/service/x", ends: &bayeux.SubscribeError{}, says: "403::Restricted channel"},
		{cause: "a channel of nobody", channel: "/x/y", ends: &bayeux.SubscribeError{}, says: "403::Cannot create channel {/x/y}"},
		{cause: "an address without a version", client: func(c *bayeux.Config) { c.URL = "http://org.example/cometd" }, channel: allChanges, ends: &bayeux.VersionError{}, says: noVersion},
		{cause: "a version that is too old", client: func(c *bayeux.Config) { c.URL = "http://org.example/cometd/36.0" }, channel: allChanges, ends: &bayeux.VersionError{}, says: oldVersion},
		{cause: "the day's events used up", options: cometd.Options{DeliveryLimit: 1}, org: func(s *simulated) { s.commit(2); s.commit(3) }, channel: allChanges, lost: bayeux.CauseBusy, says: "403::Organization total events daily limit exceeded"},
		{cause: "a session that was forgotten", options: cometd.Options{ForgetAfter: 1}, channel: allChanges, lost: bayeux.CauseForgotten, says: "403::Unknown client"},
	} {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newSimulated(t, c.options), newFollower()
				f.real = true
				f.positions[c.channel] = org.commit(1)
				if c.org != nil {
					c.org(org)
				}
				var heard listener
				configure := []func(*bayeux.Config){heard.listen}
				if c.client != nil {
					configure = append(configure, c.client)
				}
				r := f.start(t, org.client(t, configure...), c.channel)
				settle()
				time.Sleep(time.Second)
				settle()
				if c.ends == nil {
					r.end()
					if !slices.Contains(heard.causes(), c.lost) || !strings.Contains(strings.Join(heard.texts(), "\n"), c.says) {
						t.Errorf("heard of %v %q", heard.causes(), heard.texts())
					}
					return
				}
				err := <-r.done
				r.done <- err
				if reflect.TypeOf(err) != reflect.TypeOf(c.ends) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Run = %T %v, want %T", err, err, c.ends)
				}
			})
		})
	}
}

package salesforce_test

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/producers/salesforce"
)

// refusedMessage is a row of facts 4.5: an error text, and where it comes.
type refusedMessage struct {
	on                    string // channel of the message that is refused
	error, reason, advice string // error, ext.sfdc.failureReason, and how to reconnect
	next                  reaction
	reads                 string // what it means and what to do, as a person reads it
}

const (
	onHandshake = "/meta/handshake"
	onConnect   = "/meta/connect"
	onSubscribe = "/meta/subscribe"
)

// What follows from a refused message.
const (
	renews  reaction = "a new token is obtained, and a new session goes on"
	reopens reaction = "a new session goes on"
	waits   reaction = "it warns, the status says it, and it goes on by itself, without another token"
	polls   reaction = "both entities are polled, status and audit say why, until the channel is granted again"
	rereads reaction = "the position is given up: a hole, closed by snapshots in a new epoch"
)

// facts45 are the rows of facts 4.5, in their order; a row that can come in several places stands several times.
var facts45 = []refusedMessage{
	{on: onConnect, error: "401::Authentication invalid", advice: "none", next: renews, reads: `the access token is not accepted; a new one is obtained`},
	{on: onSubscribe, error: "401::Authentication invalid", advice: "none", next: renews, reads: `the access token is not accepted; a new one is obtained`},
	{on: onHandshake, error: "403::Handshake denied", reason: "401::Authentication invalid", advice: "none", next: renews, reads: `the access token is not accepted; a new one is obtained`},
	{on: onHandshake, error: "403::Handshake denied", reason: "401::Request requires authentication", advice: "none", next: renews, reads: `the access token is not accepted; a new one is obtained`},
	{on: onHandshake, error: "403::Handshake denied", advice: "none", next: polls, reads: `the user may not stream: Setup > Change Data Capture, and Setup > User Interface > Enable Streaming API`},
	{on: onConnect, error: "403::Unknown client", advice: "handshake", next: reopens, reads: `the server has forgotten the session, as it does now and then; a new one goes on from the stored position`},
	{on: onSubscribe, error: "403::Unknown client", advice: "handshake", next: reopens, reads: `the server has forgotten the session, as it does now and then; a new one goes on from the stored position`},
	{on: onConnect, error: "402::Unknown client", next: reopens, reads: `the server has forgotten the session, as it does now and then; a new one goes on from the stored position`},
	{on: onSubscribe, error: "403::Client has not completed handshake", next: reopens, reads: `the server has forgotten the session, as it does now and then; a new one goes on from the stored position`},
	{on: onSubscribe, error: "403::User not allowed to subscribe CDC without required permissions", next: polls, reads: `select the object in Setup > Change Data Capture, and give the user View All Records on it (View All Data for Task, Event and channels of all objects)`},
	{on: onSubscribe, error: "403::User not allowed to subscribe CDC without View All Data permissions", next: polls, reads: `select the object in Setup > Change Data Capture, and give the user View All Records on it (View All Data for Task, Event and channels of all objects)`},
	{on: onSubscribe, error: "403:denied_by_security_policy:create_denied", next: polls, reads: `the channel does not exist, or the user may not create it: check its name and the user's permissions`},
	{on: onSubscribe, error: "403::Cannot create channel {/x/y}", next: polls, reads: `the channel does not exist, or the user may not create it: check its name and the user's permissions`},
	{on: onSubscribe, error: "403::Restricted channel", next: polls, reads: `this channel is not open to clients: check its name`},
	{on: onSubscribe, error: "403::User not enabled for streaming", next: polls, reads: `switch on the Streaming API under Setup > User Interface, and API Enabled for the user`},
	{on: onSubscribe, error: "400::The channel you requested to subscribe to does not exist {/topic/X}", next: polls, reads: `check the channel's name, case included, and that the object is selected in Setup > Change Data Capture`},
	{on: onSubscribe, error: "400::The channel you requested to subscribe to doesn't exist {/topic/X}", next: polls, reads: `check the channel's name, case included, and that the object is selected in Setup > Change Data Capture`},
	{on: onSubscribe, error: "400::Channel name not specified", next: polls, reads: `name the channel, such as /data/ChangeEvents`},
	{on: onSubscribe, error: "400::Channel subscriptions must start with a leading '/'", next: polls, reads: `begin the channel's name with a slash, such as /data/ChangeEvents`},
	{on: onSubscribe, error: "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.", next: rereads, reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."; events after this position may be lost: take a new snapshot and follow the channel from there`},
	{on: onSubscribe, error: "400::The replayId {82} you provided was invalid. Please provide a valid ID", next: rereads, reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::The replayId {82} you provided was invalid. Please provide a valid ID"; events after this position may be lost: take a new snapshot and follow the channel from there`},
	{on: onSubscribe, error: "400::replay failed", reason: "400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.", next: rereads, reads: `subscribe to /data/ChangeEvents after replay id ID: the server says "400::replay failed (400::The replayId {82} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.)"; events after this position may be lost: take a new snapshot and follow the channel from there`},
	{on: onHandshake, error: "400::API version in the URI is mandatory. URI format: '/cometd/66.0'", advice: "none", next: ends, reads: `set the API version to one that it names`},
	{on: onHandshake, error: "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'", advice: "none", next: ends, reads: `set the API version to one that it names`},
	{on: onHandshake, error: "403::Handshake denied", reason: "403::Organization concurrent user limit exceeded", advice: "none", next: waits, reads: `the org has as many streaming clients as it may; stop one that is not needed; it is tried again in some minutes, from the stored position`},
	{on: onConnect, error: "403::Organization total events daily limit exceeded", next: waits, reads: `the org's events of the last 24 hours are used up (crosswalk doctor shows the limit); events wait in Salesforce for 72 hours, and it is tried again in some minutes, from the stored position`},
	{on: onSubscribe, error: "403::Organization total events daily limit exceeded", next: waits, reads: `the org's events of the last 24 hours are used up (crosswalk doctor shows the limit); events wait in Salesforce for 72 hours, and it is tried again in some minutes, from the stored position`},
	{on: onSubscribe, error: "403::Subscription limit exceeded for this topic", next: waits, reads: `the channel has as many subscribers as it may; stop one that is not needed; it is tried again in some minutes, from the stored position`},
	{on: onHandshake, error: "403::Handshake denied", reason: "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of simultaneous connections per server. Your request has been denied because this limit has been exceeded. Please try your request again later.", advice: "none", next: waits, reads: `too many clients are connected to this server of Salesforce's; it is tried again in some minutes, from the stored position`},
	{on: onConnect, error: "401::Authentication invalid", reason: "503::Server is too busy.  Please try your request again later.", advice: "none", next: waits, reads: `Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`},
	{on: onHandshake, error: "403::Handshake denied", reason: "503::Server is too busy.  Please try your request again later.", advice: "none", next: waits, reads: `Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`},
	{on: onSubscribe, error: "401::Authentication invalid", reason: "503::Server is too busy.  Please try your request again later.", advice: "none", next: waits, reads: `Salesforce is overloaded (status.salesforce.com); it is tried again in some minutes, from the stored position`},
	{on: onConnect, error: "400::Authenticated user id does not match the session's user id", next: reopens, reads: `the cookies are another session's; a new session begins without them`},
}

func TestReactionsToFacts45(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{}, nil)
	for _, row := range facts45 {
		b.row(t, row.on[len("/meta/"):]+" "+row.error+" "+row.reason, func() { row.run(b) })
	}
	b.discreet()
}

// strike has messages of the row's channel refused, count times; -1 is until the faults are lifted.
func (row refusedMessage) strike(b *patient, count int) {
	b.sim.Inject(simulator.Rule{
		Channel: row.on, Error: row.error, Reason: row.reason, Reconnect: row.advice, Count: count, Forget: row.next == reopens,
	})
	if row.on == onConnect && count == 1 {
		b.change(false) // the next request for events follows it
		return
	}
	b.sim.Stream().ExpireSessions()
}

func (row refusedMessage) run(b *patient) {
	p, from, logins := b.alive(), b.diary.mark(), b.asked(http.MethodPost, tokenPath)
	epoch := p.Status().Epoch
	switch row.next {
	case renews, reopens:
		row.strike(b, 1)
		b.reads(from, anyLevel, "streaming session lost", row.reads) // it is a warning when it is the second in a row
	case waits:
		row.strike(b, 1)
		b.reads(from, slog.LevelWarn, "streaming session lost", "cause=busy", row.reads)
		b.await(p, func(s salesforce.Status) bool {
			return s.Interrupted != nil && containsAll(s.Interrupted.Text, row.reads)
		})
	case polls:
		b.p.end() // only a process to which the channel was never open takes a refused session for an answer
		b.p = nil
		row.strike(b, -1)
		b.login(nil)
		b.p = b.begun()
		p = b.p
		b.await(p, func(s salesforce.Status) bool {
			return len(s.Polled) == 2 && containsAll(s.Polled["Account"].Text, "Account: polled every 100ms", row.error, row.reads)
		})
	case rereads:
		row.strike(b, 1)
		b.await(p, func(s salesforce.Status) bool { return s.Epoch > epoch && s.Phase == "streaming" && s.Holes == 0 })
		b.reads(from, slog.LevelWarn, "hole in the stream", "refused_replay_id", "The replayId {82}")
		if audits := b.audits(); !slices.Contains(audits, "hole closed refused_replay_id") {
			b.t.Errorf("the audit has no hole that was closed: %q", audits)
		}
	case ends:
		row.strike(b, 1)
		b.ended("produce from org default: ", row.error, row.reads)
		p = b.alive()
	}
	id, city := b.change(false)
	b.shown(id, city)
	b.sim.ClearFaults()
	b.await(p, func(s salesforce.Status) bool {
		return s.Phase == "streaming" && s.Interrupted == nil && len(s.Polled) == 0
	})
	if fresh := b.asked(http.MethodPost, tokenPath) > logins; fresh != (row.next == renews || row.next == ends || row.next == polls) {
		b.t.Errorf("a new token was asked for: %v", fresh)
	}
}

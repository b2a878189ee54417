// Package cometd is the streaming endpoint of the simulated org: Bayeux messages over long polling, with replay.
//
// A request is read and bounded (body.go), authenticated, and taken apart into messages; each message goes past the
// fault hook to the file of its kind (handshake.go, connect.go, subscribe.go, disconnect.go), which answers from a
// session (session.go). Events are never queued per client: a session has one cursor into the cdc.Log, and whoever
// replies moves it and writes the events before the reply. What the server said is counted in Stats, and the Await
// methods tell a test when it was said. Behaviour is that of section 4 of the Salesforce facts; where they leave a
// choice it is a field of Options.
//
// The package shares no code with the client under test.
package cometd

import (
	"errors"
	"net/http"
	"time"

	"crosswalk/internal/simulator/cdc"
)

// User is who sent a request.
type User struct {
	ID string // 18-character user id; a session belongs to one user
	// NotStreaming takes away the streaming right: subscriptions fail with 403::User not enabled for streaming.
	NotStreaming bool
	Access       cdc.Access // which entities and fields the user may see
}

// ErrMissing is what Authenticate returns for a request without credentials; any other error means invalid ones.
var ErrMissing = errors.New("request has no credentials")

// Unselected says how a subscription to an entity behaves that is not selected for change events (facts 5.9).
type Unselected int

// The ways in which an unselected entity answers.
const (
	UnselectedDenied  Unselected = iota // 403::User not allowed to subscribe CDC without required permissions
	UnselectedSilent                    // accepted, no events
	UnselectedMissing                   // 400::The channel you requested to subscribe to does not exist
)

// AuthFailure says how a request with a bad token is refused.
type AuthFailure int

// The forms of an authentication failure (facts 4.1, 4.5).
const (
	AuthBayeux  AuthFailure = iota // 401 in error, on a handshake in ext.sfdc.failureReason with 403::Handshake denied
	AuthUnknown                    // 403::Unknown client on everything but a handshake
	AuthEmpty                      // HTTP 401 with an empty body
	AuthHTML                       // HTTP 401 with an HTML page
)

// Cookies says when a client that established a session must return its cookies (facts 4.1).
type Cookies int

// When cookies are demanded.
const (
	CookiesByName   Cookies = iota // only when the Host is a name: some cookie jars keep none for IP addresses
	CookiesAlways                  // always
	CookiesOptional                // never
)

// Options says how the endpoint behaves. Only Log is required.
type Options struct {
	Log *cdc.Log
	// Authenticate returns the user of a request, ErrMissing, or another error. Nil accepts everybody as one user.
	// It is asked for every request, and again when a held connect is about to deliver.
	Authenticate func(*http.Request) (User, error)
	// Hook sees every message and may answer it with a fault. Nil passes everything.
	Hook func(Exchange) *Fault
	// Clock is the time that session expiry and the delivery limit go by; nil means time.Now. Holds use timers.
	Clock func() time.Time

	MaxHold        time.Duration // how long a connect is held; 0 means 110 s (facts 4.3)
	SessionTimeout time.Duration // how long a session outlives its last reply; 0 means 40 s (facts 4.3)
	MaxClients     int           // concurrent sessions; 0 means 2,000 (facts 4.6)
	DeliveryLimit  int           // events delivered in a rolling 24 h; 0 means no limit (facts 4.6 has 10,000 to 50,000)
	// DeliveryAdvice is the reconnect advice beside the refusal of the delivery limit; "" gives none (facts 11.12).
	DeliveryAdvice string
	// LimitAtSubscribe refuses subscriptions too while the delivery limit is exceeded.
	LimitAtSubscribe bool
	MaxBatch         int // events in one reply; 0 means 500
	MaxReplyBytes    int // size after which no further event is added to a reply; 0 means 1 MiB

	Unselected  Unselected
	AuthFailure AuthFailure
	Cookies     Cookies
	// AnyReply delivers waiting events with every reply, not only with connects.
	AnyReply bool
	// Duplicates is how many events before the asked position are delivered again after a subscription by replay id.
	Duplicates int
	// ForgetAfter forgets a session after so many connects, as load balancing does (facts 4.3); 0 never.
	ForgetAfter int
	// DisconnectAdvice is the reconnect advice in the connect reply beside an unsolicited disconnect; "" gives none.
	DisconnectAdvice string
	// OldPermissionText uses the older wording "without View All Data permissions" (facts 4.5).
	OldPermissionText bool
}

func (o Options) withDefaults() Options {
	if o.Authenticate == nil {
		o.Authenticate = func(*http.Request) (User, error) { return User{ID: "005000000000001AAA"}, nil }
	}
	if o.Hook == nil {
		o.Hook = func(Exchange) *Fault { return nil }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	setDefault(&o.MaxHold, 110*time.Second)
	setDefault(&o.SessionTimeout, 40*time.Second)
	setDefault(&o.MaxClients, 2000)
	setDefault(&o.MaxBatch, 500)
	setDefault(&o.MaxReplyBytes, 1<<20)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

package cometd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Exchange is one message on its way in, as the fault hook sees it.
type Exchange struct {
	Request       *http.Request
	Channel       string   // /meta/connect
	ClientID      string   // "" before the handshake
	Subscriptions []string // of subscribe and unsubscribe
	Connects      int      // connects of this session before this one
}

// Fault is what happens to a message instead of, or besides, its normal answer. Empty members change nothing.
type Fault struct {
	Delay time.Duration   // wait before anything else; the request's end cuts it short
	Over  <-chan struct{} // when it is closed the wait ends, and the message is handled as if it had met no fault; nil: never

	// Drop closes the connection without an answer: before the message is handled or, with AfterHandling, when its
	// effect is done and events for it are taken from the log, so that they are lost to this session (facts 5.5).
	Drop          bool
	AfterHandling bool

	// Status answers the whole request with this HTTP status, ContentType and Body: a gateway's HTML page, an empty 401.
	Status      int
	ContentType string
	Body        string

	// Error fails the message with this text; FailureReason goes to ext.sfdc.failureReason; Reconnect is the advice.
	Error         string
	FailureReason string
	Reconnect     string
	// Interval is the advice's pause before the next attempt, in milliseconds; only with Reconnect.
	Interval int

	// Forget removes the session first, as if it had timed out.
	Forget bool
	// Disconnect puts an unsolicited /meta/disconnect before the reply and removes the session (facts 4.3).
	Disconnect bool
}

// apply writes the failure of a fault into a reply.
func (f *Fault) apply(r reply) reply {
	r = r.fail(f.Error, f.Reconnect)
	if f.Interval > 0 && r.Advice != nil {
		r.Advice["interval"] = f.Interval
	}
	if f.FailureReason != "" {
		r = r.because(f.FailureReason)
	}
	return r
}

// Kinds are ready-made faults, by name: each form in which the real endpoint fails (facts 4.1, 4.3, 4.5).
var Kinds = map[string]Fault{
	"auth_error":         {Error: errAuthInvalid, Reconnect: "none"},
	"auth_reason":        {Error: errDenied, FailureReason: errAuthInvalid, Reconnect: "none"},
	"auth_empty":         {Status: http.StatusUnauthorized},
	"auth_html":          {Status: http.StatusUnauthorized, ContentType: htmlType, Body: unauthorizedPage},
	"busy":               {Error: errAuthInvalid, FailureReason: errBusy, Reconnect: "none"},
	"unknown_client":     {Forget: true, Error: errUnknownClient, Reconnect: "handshake"},
	"unknown_client_402": {Forget: true, Error: "402::Unknown client", Reconnect: "handshake"},
	"forgotten":          {Forget: true},
	"disconnect":         {Disconnect: true},
	"client_limit":       {Error: errDenied, FailureReason: errClientLimit, Reconnect: "none"},
	"connection_limit":   {Error: errDenied, FailureReason: errConnectionLimit, Reconnect: "none"},
	"delivery_limit":     {Error: errDeliveryLimit},
	"html":               {Status: http.StatusOK, ContentType: htmlType, Body: "<html><head><title>Maintenance</title></head><body>We are down for maintenance.</body></html>"},
	"gateway_html":       {Status: http.StatusServiceUnavailable, ContentType: htmlType, Body: "<html><head><title>Error</title></head><body>Service unavailable</body></html>"},
	"forbidden_empty":    {Status: http.StatusForbidden},
	"drop":               {Drop: true},
	"lost_reply":         {Drop: true, AfterHandling: true},
}

// Random returns a hook that strikes a share of the messages, between 0 and 1, with faults of the kinds named, or of any kind.
// Message number n of a seed meets the same fault in every run. A name that is not in Kinds is an error.
func Random(seed uint64, share float64, kinds ...string) (func(Exchange) *Fault, error) {
	if len(kinds) == 0 {
		kinds = slices.Sorted(maps.Keys(Kinds))
	}
	for _, kind := range kinds {
		if _, ok := Kinds[kind]; !ok {
			return nil, fmt.Errorf("choose faults: %q is none of %s", kind, strings.Join(slices.Sorted(maps.Keys(Kinds)), ", "))
		}
	}
	var mu sync.Mutex
	draw := rand.New(rand.NewPCG(seed, 0xfa017))
	return func(Exchange) *Fault {
		mu.Lock()
		defer mu.Unlock()
		struck, kind := draw.Float64() < share, kinds[draw.IntN(len(kinds))]
		if !struck {
			return nil
		}
		fault := Kinds[kind]
		return &fault
	}, nil
}

package cometd

import (
	"net/http"
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
	Delay time.Duration // wait before anything else; the request's end cuts it short

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

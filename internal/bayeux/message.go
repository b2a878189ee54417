package bayeux

import (
	"encoding/json"
	"strings"
	"time"
)

// The replay positions that are no event's id (facts 4.4).
const (
	// ReplayNew asks for events from now on.
	ReplayNew int64 = -1
	// ReplayAll asks for all events that the server still keeps.
	ReplayAll int64 = -2
)

// Message is one event as it was delivered.
type Message struct {
	// Channel is the subscribed channel, such as /data/ChangeEvents.
	Channel string
	// ReplayID is data.event.replayId: opaque, rising within a channel, with holes, not always unique (facts 4.4,
	// 5.6). 0 when the server sent none.
	ReplayID int64
	// Schema is data.schema: it changes when the object's definition changes (facts 5.1). Empty when none was sent.
	Schema string
	// Data is data.payload, or the whole of data when it has no payload (PushTopics): valid JSON. It aliases the
	// reply's body, so keeping one message keeps its whole reply in memory.
	Data json.RawMessage
	// Received is when the reply that brought the event had been read.
	Received time.Time
}

// Subscription is one channel to follow.
type Subscription struct {
	// Channel is the name as the server knows it, case included; a query string may hold a filter.
	Channel string
	// Replay is asked each time the channel is about to be subscribed to: ReplayNew, ReplayAll, or the id after
	// which events are wanted, which must be the last whose effects are durable (H1). It is called from Run's
	// goroutine; whatever earlier sessions brought has been through the handler by then.
	Replay func() int64
	// Subscribed is called when the server has acknowledged the subscription, on the handler's goroutine, before
	// any event that the subscription brings. May be nil.
	Subscribed func(Acknowledgement)
}

// Acknowledgement proves a subscription (H2).
type Acknowledgement struct {
	Channel string
	// Replay is the position that was asked for.
	Replay int64
	// ServerTime is the server's clock, whole seconds rounded down, as its last reply before the subscription
	// was asked for gave it: T0 of H3. Zero when the server sends no Date header.
	ServerTime time.Time
}

// request is a message to the server; fields that are empty are left out.
type request struct {
	Channel        string         `json:"channel"`
	ClientID       string         `json:"clientId,omitempty"`
	Version        string         `json:"version,omitempty"`
	MinimumVersion string         `json:"minimumVersion,omitempty"`
	Supported      []string       `json:"supportedConnectionTypes,omitempty"`
	ConnectionType string         `json:"connectionType,omitempty"`
	Subscription   string         `json:"subscription,omitempty"`
	Advice         map[string]int `json:"advice,omitempty"`
	Ext            map[string]any `json:"ext,omitempty"`
	ID             string         `json:"id"`

	replay       int64  // the position in Ext of a subscription
	acknowledged func() // for the handler's goroutine when the answer is good; may be nil
}

// The meta channels.
const (
	metaHandshake   = "/meta/handshake"
	metaConnect     = "/meta/connect"
	metaSubscribe   = "/meta/subscribe"
	metaUnsubscribe = "/meta/unsubscribe"
	metaDisconnect  = "/meta/disconnect"
)

const longPolling = "long-polling"

func handshakeRequest() request {
	return request{
		Channel: metaHandshake, Version: "1.0", MinimumVersion: "1.0",
		Supported: []string{longPolling}, Ext: map[string]any{"replay": true},
	}
}

func connectRequest() request {
	return request{Channel: metaConnect, ConnectionType: longPolling}
}

// firstConnectRequest asks the server not to hold the connect: nothing is subscribed to yet. Salesforce answers the
// first one at once anyway, other servers only when asked.
func firstConnectRequest() request {
	r := connectRequest()
	r.Advice = map[string]int{"timeout": 0}
	return r
}

func subscribeRequest(channel string, replay int64) request {
	key, _, _ := strings.Cut(channel, "?")
	return request{
		Channel: metaSubscribe, Subscription: channel, replay: replay,
		Ext: map[string]any{"replay": map[string]int64{key: replay}},
	}
}

package cometd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxBody     = 32_768 // bytes of a request (facts 4.1)
	maxMessages = 100    // messages of a request
	maxText     = 1_000  // bytes of a client's text that an error repeats
)

// message is what a client sent, as far as this server reads it. Unknown members are ignored.
type message struct {
	Channel      string
	ClientID     string
	ID           string // as text, whatever it was; "" when absent
	Version      string
	Types        []string // supportedConnectionTypes
	Type         string   // connectionType
	Subscription subscription
	Replay       map[string]json.RawMessage // ext.replay of a subscribe
	Immediate    bool                       // advice.timeout 0: reply at once
}

// subscription is one channel name or a list of them; the reply echoes the form.
type subscription struct {
	names []string
	list  bool
}

var (
	errTooLarge = errors.New("request body is larger than 32,768 bytes")
	errMessages = errors.New("body is not a Bayeux message or an array of them")
)

// readMessages reads the body of a request: one message object or an array of them.
func readMessages(r *http.Request) ([]message, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return parseMessages(body)
}

func parseMessages(body []byte) ([]message, error) {
	body = bytes.TrimSpace(body)
	var raw []map[string]json.RawMessage
	if len(body) > 0 && body[0] == '{' {
		raw = make([]map[string]json.RawMessage, 1)
		if json.Unmarshal(body, &raw[0]) != nil {
			return nil, errMessages
		}
	} else if json.Unmarshal(body, &raw) != nil {
		return nil, errMessages
	}
	if len(raw) == 0 || len(raw) > maxMessages {
		return nil, errMessages
	}
	list := make([]message, len(raw))
	for i, m := range raw {
		if m == nil {
			return nil, errMessages
		}
		list[i] = parseMessage(m)
	}
	return list, nil
}

// parseMessage never fails: a member of the wrong type counts as absent, and the message is refused for that.
func parseMessage(m map[string]json.RawMessage) message {
	out := message{ID: idText(m["id"])}
	read := func(name string, into any) bool { return m[name] != nil && json.Unmarshal(m[name], into) == nil }
	read("channel", &out.Channel)
	read("clientId", &out.ClientID)
	read("version", &out.Version)
	read("connectionType", &out.Type)
	read("supportedConnectionTypes", &out.Types)
	var one string
	if read("subscription", &one) && one != "" {
		out.Subscription.names = []string{one}
	} else {
		out.Subscription.list = read("subscription", &out.Subscription.names) && m["subscription"][0] == '['
	}
	var ext map[string]json.RawMessage
	if read("ext", &ext) && ext["replay"] != nil {
		if json.Unmarshal(ext["replay"], &out.Replay) != nil {
			out.Replay = nil // true in a handshake
		}
	}
	var advice map[string]json.RawMessage
	if read("advice", &advice) {
		out.Immediate = string(advice["timeout"]) == "0"
	}
	return out
}

// idText is a message id as text, as replies echo it.
func idText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return clip(s)
	}
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return ""
	}
	return clip(string(raw))
}

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// reply is a message to the client.
type reply struct {
	Channel        string         `json:"channel"`
	ClientID       string         `json:"clientId,omitempty"`
	ID             string         `json:"id,omitempty"`
	Subscription   any            `json:"subscription,omitempty"`
	Version        string         `json:"version,omitempty"`
	MinimumVersion string         `json:"minimumVersion,omitempty"`
	Types          []string       `json:"supportedConnectionTypes,omitempty"`
	Ext            map[string]any `json:"ext,omitempty"`
	Advice         map[string]any `json:"advice,omitempty"`
	Error          string         `json:"error,omitempty"`
	Successful     bool           `json:"successful"`
}

// answer is the reply to m, to be completed.
func answer(m message) reply {
	r := reply{Channel: clip(m.Channel), ClientID: clip(m.ClientID), ID: m.ID}
	switch {
	case m.Subscription.list:
		r.Subscription = m.Subscription.names
	case len(m.Subscription.names) == 1:
		r.Subscription = m.Subscription.names[0]
	}
	return r
}

// fail makes r a failure with an error and, unless empty, reconnect advice.
func (r reply) fail(text, reconnect string) reply {
	r.Successful, r.Error = false, text
	if reconnect != "" {
		r.Advice = map[string]any{"reconnect": reconnect}
		if reconnect == "handshake" {
			r.Advice["interval"] = 0
		}
	}
	return r
}

// because nests the cause of a failure in ext.sfdc.failureReason (facts 4.5).
func (r reply) because(reason string) reply {
	r.Ext = map[string]any{
		"sfdc":   map[string]any{"failureReason": reason},
		"replay": true, "payload.format": true,
	}
	return r
}

func (r reply) append(dst []byte) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		return dst // not reached: every member can be encoded
	}
	return append(append(dst, text...), ',')
}

// version returns the major API version of a path like /cometd/66.0/connect/, 0 when it has none.
func version(path string) int {
	_, rest, found := strings.Cut(path, "/cometd")
	if !found {
		return 0
	}
	rest, _, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	major, minor, ok := strings.Cut(rest, ".")
	n, err := strconv.Atoi(major)
	if !ok || err != nil || strings.Trim(minor, "0123456789") != "" {
		return 0
	}
	return max(n, 0)
}

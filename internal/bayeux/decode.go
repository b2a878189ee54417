package bayeux

import (
	"errors"
	"strings"
	"time"
)

// reply is the decoded body of one HTTP response: events and meta messages, each in the order of the array.
type reply struct {
	events []Message
	metas  []metaReply
	size   int // bytes of the body
}

// metaReply is a message of the server on a /meta channel.
type metaReply struct {
	channel    string
	id         string
	clientID   string
	successful bool
	err        string // error
	reason     string // ext.sfdc.failureReason
	replay     bool   // ext.replay is true
	advice     advice
}

// advice is what the server said about the next connect; negative durations and an empty reconnect were not said.
type advice struct {
	reconnect string
	interval  time.Duration
	timeout   time.Duration
}

var noAdvice = advice{interval: -1, timeout: -1}

// decodeReply reads a body: an array of messages, or one message. It wants valid JSON; members that it does not
// know, or whose type is wrong, count as absent. What it returns aliases body.
func decodeReply(body []byte, received time.Time) (*reply, error) {
	d := decoder{scanner: scanner{src: body}, received: received, reply: reply{size: len(body)}}
	var err error
	switch c := d.peek(); {
	case c == '[':
		err = d.array(d.message)
	case c == '{':
		err = d.message()
	case d.ended():
		return nil, errors.New("the body is empty")
	default:
		err = d.unexpected("an array of messages")
	}
	if d.peek(); err == nil && !d.ended() {
		err = d.unexpected("the end")
	}
	if err != nil {
		return nil, err
	}
	return &d.reply, nil
}

type decoder struct {
	scanner
	reply    reply
	received time.Time
	// The last event's channel and schema: most events share them, and sharing the string saves its copy.
	channel, schema string
}

// message reads one element of the array. Keys come in any order, so it is known only at its end what it is:
// a meta message, an event (it has data), or the reply to a publish, which nobody waits for.
func (d *decoder) message() error {
	if d.peek() != '{' {
		return d.skip()
	}
	event, meta := Message{Received: d.received}, metaReply{advice: noAdvice}
	var channel []byte
	err := d.object(func(key []byte) (err error) {
		switch string(key) {
		case "channel":
			channel, err = d.text()
		case "data":
			err = d.data(&event)
		case "successful":
			meta.successful, err = d.flag()
		case "advice":
			meta.advice, err = d.advice()
		case "ext":
			err = d.ext(&meta)
		case "clientId":
			err = d.string(&meta.clientID)
		case "error":
			err = d.string(&meta.err)
		case "id":
			err = d.id(&meta.id)
		default:
			err = d.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(channel) == 0:
	case strings.HasPrefix(string(channel), "/meta/"):
		meta.channel = string(channel)
		d.reply.metas = append(d.reply.metas, meta)
	case event.Data != nil:
		event.Channel = share(&d.channel, channel)
		d.reply.events = append(d.reply.events, event)
	}
	return nil
}

// data reads an event's data. Its whole is the Data of an event that has no payload.
func (d *decoder) data(event *Message) error {
	event.ReplayID, event.Schema, event.Data = 0, "", nil
	if d.peek() != '{' {
		whole, err := d.raw()
		if string(whole) != "null" {
			event.Data = whole
		}
		return err
	}
	start := d.at
	err := d.object(func(key []byte) (err error) {
		switch string(key) {
		case "payload":
			event.Data, err = d.raw()
		case "event":
			err = d.event(event)
		case "schema":
			var schema []byte
			schema, err = d.text()
			event.Schema = share(&d.schema, schema)
		default:
			err = d.skip()
		}
		return err
	})
	if event.Data == nil {
		event.Data = d.src[start:d.at:d.at]
	}
	return err
}

func (d *decoder) event(event *Message) error {
	if d.peek() != '{' {
		return d.skip()
	}
	return d.object(func(key []byte) error {
		if string(key) != "replayId" {
			return d.skip()
		}
		id, ok, err := d.integer()
		if ok {
			event.ReplayID = id
		}
		return err
	})
}

func (d *decoder) advice() (advice, error) {
	a := noAdvice
	if d.peek() != '{' {
		return a, d.skip()
	}
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "reconnect":
			return d.string(&a.reconnect)
		case "interval":
			return d.millis(&a.interval)
		case "timeout":
			return d.millis(&a.timeout)
		}
		return d.skip()
	})
	return a, err
}

// ext reads the two extensions that matter: replay in a handshake's reply, and the cause that Salesforce hides
// beside an error (facts 4.5).
func (d *decoder) ext(meta *metaReply) error {
	if d.peek() != '{' {
		return d.skip()
	}
	return d.object(func(key []byte) (err error) {
		switch {
		case string(key) == "replay":
			meta.replay, err = d.flag()
			return err
		case string(key) == "sfdc" && d.peek() == '{':
			return d.object(func(key []byte) error {
				if string(key) == "failureReason" {
					return d.string(&meta.reason)
				}
				return d.skip()
			})
		}
		return d.skip()
	})
}

// id reads a message id: a string, by some servers a number.
func (d *decoder) id(id *string) error {
	if d.peek() == '"' {
		return d.string(id)
	}
	value, err := d.raw()
	if string(value) != "null" {
		*id = string(value)
	}
	return err
}

func (d *decoder) string(text *string) error {
	value, err := d.text()
	*text = string(value)
	return err
}

// millis reads a duration in milliseconds; what is none, negative, or longer than a day is as if it were not said.
func (d *decoder) millis(duration *time.Duration) error {
	n, ok, err := d.integer()
	if ok && n >= 0 && n <= 24*time.Hour.Milliseconds() {
		*duration = time.Duration(n) * time.Millisecond
	}
	return err
}

// share returns text as a string, the one in last if it is the same.
func share(last *string, text []byte) string {
	if *last != string(text) {
		*last = string(text)
	}
	return *last
}

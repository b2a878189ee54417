package bayeux_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
)

// fakeOrg is a CometD server with replay, as facts section 4 describes it, on an in-memory network: sessions that are
// forgotten 40 s after the last answer, a load balancer's cookie, holds of 110 s. Its hooks see every request first.
type fakeOrg struct {
	t        *testing.T
	listener *pipeListener
	url      string

	mu       sync.Mutex
	events   []event
	changed  chan struct{} // closed and replaced when events are added or clients forgotten
	clients  map[string]*fakeClient
	clientNo int
	tokenNo  int    // the token that is good is token-<tokenNo>
	oldest   int64  // replay ids below it have expired
	gzip     bool   // compress every reply
	noDate   bool   // send no Date header
	cookie   string // the cookie's value, new with each handshake
	seen     []seen
	// answer may answer instead of the org: true when it did.
	answer func(w http.ResponseWriter, ask ask) bool
	// arrange may reorder, add or drop messages of a reply that the org is about to send, or send something else
	// itself and return nil. Events in the reply are delivered ones for the org.
	arrange func(w http.ResponseWriter, ask ask, reply []any) []any
}

type event struct {
	channel string
	id      int64
	payload string // JSON
}

type fakeClient struct {
	cursors  map[string]int64 // of subscribed channels: the last id that was delivered
	lastSeen time.Time
	begun    bool // the first connect was answered
}

// ask is a request as the server reads it.
type ask struct {
	Channel      string `json:"channel"`
	ClientID     string `json:"clientId"`
	ID           string `json:"id"`
	Subscription string `json:"subscription"`
	Ext          struct {
		Replay json.RawMessage `json:"replay"`
	} `json:"ext"`
	token string
}

// seen is a request as a test reads it.
type seen struct {
	what  string // "/meta/subscribe /data/A 17"
	token string
	at    time.Duration // since the org was made
}

func newFakeOrg(t *testing.T) *fakeOrg {
	t.Helper()
	o := &fakeOrg{
		t: t, listener: newPipeListener(), url: "http://org.example/cometd/66.0",
		changed: make(chan struct{}), clients: map[string]*fakeClient{}, oldest: 1, tokenNo: 1,
	}
	begun := time.Now()
	o.listener.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, begun) }))
	return o
}

// publish adds an event and wakes the held connects.
func (o *fakeOrg) publish(channel string, id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, event{channel, id, fmt.Sprintf(`{"n":%d}`, id)})
	o.wake()
}

// wake lets held connects look again; mu is held.
func (o *fakeOrg) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *fakeOrg) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.clients)
	o.wake()
}

func (o *fakeOrg) revoke() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tokenNo++
	o.wake()
}

// token is a token source: the good one, whatever was refused.
func (o *fakeOrg) token(context.Context, string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return "token-" + strconv.Itoa(o.tokenNo), nil
}

// requests returns what was seen so far, one line each.
func (o *fakeOrg) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []string
	for _, s := range o.seen {
		lines = append(lines, s.what)
	}
	return lines
}

func (o *fakeOrg) serve(w http.ResponseWriter, r *http.Request, begun time.Time) {
	body, err := io.ReadAll(r.Body)
	var asks []ask
	if err == nil {
		err = json.Unmarshal(body, &asks)
	}
	if err != nil || len(asks) != 1 || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		o.t.Errorf("the client sent %s %q: %v", r.Method, body, err)
		return
	}
	a := asks[0]
	a.token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	what := strings.Join(slices.DeleteFunc([]string{a.Channel, a.Subscription, a.position()}, func(s string) bool { return s == "" }), " ")
	o.mu.Lock()
	o.seen = append(o.seen, seen{what, a.token, time.Since(begun)})
	hook := o.answer
	if o.noDate {
		w.Header()["Date"] = nil
	}
	o.mu.Unlock()
	if hook != nil && hook(w, a) {
		return
	}
	cookie, _ := r.Cookie("sfdc-stream")
	reply := o.reply(r.Context(), w, a, cookie)
	o.mu.Lock()
	arrange := o.arrange
	o.mu.Unlock()
	if arrange != nil {
		reply = arrange(w, a, reply)
	}
	if reply != nil {
		o.send(w, reply)
	}
}

func (o *fakeOrg) send(w http.ResponseWriter, reply []any) {
	w.Header().Set("Content-Type", "application/json")
	var to io.Writer = w
	if o.gzip {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		defer func() { _ = zip.Close() }() // the client sees a reply that is cut off
		to = zip
	}
	_ = json.NewEncoder(to).Encode(reply) // likewise
}

// position is the replay position that a subscription asks for.
func (a ask) position() string {
	var positions map[string]int64
	if a.Channel != "/meta/subscribe" || json.Unmarshal(a.Ext.Replay, &positions) != nil {
		return ""
	}
	return strconv.FormatInt(positions[a.Subscription], 10)
}

type object = map[string]any

// good is a successful answer.
func (a ask) good() object {
	return object{"channel": a.Channel, "id": a.ID, "clientId": a.ClientID, "successful": true}
}

// bad is a refusal.
func (a ask) bad(text string, advice object) object {
	m := object{"channel": a.Channel, "id": a.ID, "successful": false, "error": text}
	if advice != nil {
		m["advice"] = advice
	}
	return m
}

func failure(reason string) object {
	return object{"sfdc": object{"failureReason": reason}, "replay": true, "payload.format": true}
}

func (o *fakeOrg) reply(ctx context.Context, w http.ResponseWriter, a ask, cookie *http.Cookie) []any {
	o.mu.Lock()
	defer o.mu.Unlock()
	good := "token-" + strconv.Itoa(o.tokenNo)
	if a.Channel == "/meta/handshake" {
		if a.token != good {
			m := a.bad("403::Handshake denied", object{"reconnect": "none"})
			m["ext"] = failure("401::Authentication invalid")
			return []any{m}
		}
		return []any{o.handshake(w, a)}
	}
	client := o.clients[a.ClientID]
	switch {
	case a.token != good:
		return []any{a.bad("401::Authentication invalid", object{"reconnect": "none"})}
	case client == nil || time.Since(client.lastSeen) > 40*time.Second:
		delete(o.clients, a.ClientID)
		return []any{a.bad("403::Unknown client", object{"interval": 0, "reconnect": "handshake"})}
	case cookie == nil || cookie.Value != o.cookie:
		return []any{a.bad("400::Client fake has established a session, but no sfdc-stream cookie present", nil)}
	}
	defer func() { client.lastSeen = time.Now() }()
	switch a.Channel {
	case "/meta/connect":
		return o.connect(ctx, client, a)
	case "/meta/subscribe":
		return []any{o.subscribe(client, a)}
	case "/meta/unsubscribe":
		delete(client.cursors, a.Subscription)
	case "/meta/disconnect":
		delete(o.clients, a.ClientID)
	default:
		o.t.Errorf("the client sent %s", a.Channel)
	}
	return []any{a.good()}
}

func (o *fakeOrg) handshake(w http.ResponseWriter, a ask) object {
	o.clientNo++
	a.ClientID = fmt.Sprintf("client-%d", o.clientNo)
	o.cookie = fmt.Sprintf("!node-%d=", o.clientNo)
	o.clients[a.ClientID] = &fakeClient{cursors: map[string]int64{}, lastSeen: time.Now()}
	http.SetCookie(w, &http.Cookie{Name: "sfdc-stream", Value: o.cookie, Path: "/", Secure: true, Expires: time.Now().Add(3 * time.Hour)})
	m := a.good()
	m["ext"] = object{"replay": true, "payload.format": true}
	m["version"], m["minimumVersion"], m["supportedConnectionTypes"] = "1.0", "1.0", []string{"long-polling"}
	return m
}

func (o *fakeOrg) subscribe(client *fakeClient, a ask) object {
	replay, _ := strconv.ParseInt(a.position(), 10, 64)
	m := a.good()
	m["subscription"] = a.Subscription
	switch {
	case replay == -1:
		replay = 0
		if n := len(o.events); n > 0 {
			replay = o.events[n-1].id
		}
	case replay == -2:
		replay = o.oldest - 1
	case replay < o.oldest-1:
		m = a.bad(fmt.Sprintf("400::The replayId {%d} you provided was invalid.  Please provide a valid ID, -2 to replay "+
			"all events, or -1 to replay only new events.", replay), nil)
	}
	client.cursors[a.Subscription] = replay
	return m
}

// connect holds the request until there is an event for the client, its session or token ends, or 110 s are over.
// Like the real thing it counts events as delivered once they are in a reply.
func (o *fakeOrg) connect(ctx context.Context, client *fakeClient, a ask) []any {
	m := a.good()
	if !client.begun {
		client.begun = true
		m["advice"] = object{"interval": 0, "timeout": 110_000, "reconnect": "retry"}
		return []any{m}
	}
	over := time.NewTimer(110 * time.Second)
	defer over.Stop()
	for {
		if reply := o.take(client); len(reply) > 0 {
			return append(reply, m)
		}
		changed := o.changed
		o.mu.Unlock()
		expired := false
		select {
		case <-changed:
		case <-over.C:
			expired = true
		case <-ctx.Done():
			expired = true
		}
		o.mu.Lock()
		switch {
		case expired:
			return []any{m}
		case a.token != "token-"+strconv.Itoa(o.tokenNo):
			return []any{a.bad("401::Authentication invalid", object{"reconnect": "none"})}
		case o.clients[a.ClientID] != client:
			return []any{a.bad("403::Unknown client", object{"interval": 0, "reconnect": "handshake"})}
		}
	}
}

// take returns the events that client has not got yet, at most 100.
func (o *fakeOrg) take(client *fakeClient) []any {
	var reply []any
	for _, e := range o.events {
		cursor, subscribed := client.cursors[e.channel]
		if !subscribed || e.id <= cursor || e.id < o.oldest {
			continue
		}
		client.cursors[e.channel] = e.id
		reply = append(reply, e.message())
		if len(reply) == 100 {
			break
		}
	}
	return reply
}

func (e event) message() object {
	return object{"channel": e.channel, "data": object{
		"schema": "V2MGwDA2aIP0yQS98S2L6Q", "payload": json.RawMessage(e.payload), "event": object{"replayId": e.id},
	}}
}

// client makes a client of the org, with the given changes to its configuration.
func (o *fakeOrg) client(change ...func(*bayeux.Config)) *bayeux.Client {
	o.t.Helper()
	transport := &http.Transport{DialContext: o.listener.dial}
	o.t.Cleanup(transport.CloseIdleConnections)
	config := bayeux.Config{
		URL: o.url, Token: o.token,
		HTTP:    &http.Client{Transport: &oneAtATime{t: o.t, next: transport}, Timeout: time.Second},
		Backoff: retry.Backoff{Rand: func() float64 { return 1 }},
		Busy:    retry.Backoff{Rand: func() float64 { return 1 }},
	}
	for _, c := range change {
		c(&config)
	}
	client, err := bayeux.New(config)
	if err != nil {
		o.t.Fatal(err)
	}
	return client
}

// oneAtATime fails the test when two requests are under way at once.
type oneAtATime struct {
	t    *testing.T
	next http.RoundTripper
	busy atomic.Int32
}

func (o *oneAtATime) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.busy.Add(1) > 1 {
		o.t.Error("the client has two requests under way at once")
	}
	defer o.busy.Add(-1)
	return o.next.RoundTrip(r)
}

// pipeListener is a network within the test.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

// serve lets a handler answer until the test ends.
func (l *pipeListener) serve(t *testing.T, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.accepted <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

package cometd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
)

// org is a log with a server in front of it.
type org struct {
	*cometd.Server
	log *cdc.Log
}

func setup(t testing.TB, change ...func(*cometd.Options)) org {
	t.Helper()
	log := cdc.NewLog(cdc.Options{Seed: 1})
	opt := cometd.Options{Log: log, Cookies: cometd.CookiesAlways}
	for _, f := range change {
		f(&opt)
	}
	return org{cometd.NewServer(opt), opt.Log}
}

// update commits one change of an account and returns its replay id.
func (o org) update(n int) int64 {
	return o.log.Commit(cdc.Commit{User: "005000000000001AAA", Changes: []cdc.Change{{
		Entity: "Account", ID: fmt.Sprintf("001%012dAAA", n), Kind: cdc.Update,
		Fields: map[string]any{"Phone": fmt.Sprint(n), "LastModifiedDate": "2026-11-21T04:40:00.000Z"},
	}}})
}

// client speaks Bayeux straight to the handler: no network, so that a synctest bubble sees every wait.
type client struct {
	t       testing.TB
	server  http.Handler
	path    string
	token   string
	id      string
	cookies map[string]*http.Cookie
	serial  int
}

func (o org) client(t testing.TB) *client {
	return &client{t: t, server: o.Server, path: "/cometd/66.0", token: "good", cookies: make(map[string]*http.Cookie)}
}

// msg is a message of either side.
type msg map[string]any

// post sends a body and returns the HTTP answer.
func (c *client) post(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://acme.example"+c.path, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, cookie := range c.cookies {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		c.cookies[cookie.Name] = cookie
	}
	return w
}

// send posts messages, filling in id and clientId, and returns the replies.
func (c *client) send(messages ...msg) []msg {
	c.t.Helper()
	for _, m := range messages {
		c.serial++
		m["id"] = fmt.Sprint(c.serial)
		if _, set := m["clientId"]; !set && c.id != "" {
			m["clientId"] = c.id
		}
	}
	body, err := json.Marshal(messages)
	if err != nil {
		c.t.Fatal(err)
	}
	w := c.post(string(body))
	if w.Code != http.StatusOK {
		c.t.Fatalf("send %s: HTTP %d %s", body, w.Code, w.Body)
	}
	return decode(c.t, w)
}

func decode(t testing.TB, w *httptest.ResponseRecorder) []msg {
	t.Helper()
	var replies []msg
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.UseNumber()
	if err := d.Decode(&replies); err != nil {
		t.Fatalf("decode %s: %v", w.Body, err)
	}
	return replies
}

func (c *client) handshake() []msg {
	c.t.Helper()
	c.id = ""
	replies := c.send(msg{
		"channel": "/meta/handshake", "version": "1.0", "minimumVersion": "1.0",
		"supportedConnectionTypes": []string{"long-polling"}, "ext": msg{"replay": true},
	})
	c.id, _ = replies[0]["clientId"].(string)
	return replies
}

func (c *client) connect() []msg {
	c.t.Helper()
	return c.send(msg{"channel": "/meta/connect", "connectionType": "long-polling"})
}

func (c *client) subscribe(channel string, replay any) msg {
	c.t.Helper()
	m := msg{"channel": "/meta/subscribe", "subscription": channel}
	if replay != nil {
		m["ext"] = msg{"replay": msg{channel: replay}}
	}
	return c.send(m)[0]
}

// open makes a session, takes the first connect's reply and subscribes.
func (c *client) open(channel string, replay any) {
	c.t.Helper()
	c.handshake()
	c.connect()
	if r := c.subscribe(channel, replay); !ok(r) {
		c.t.Fatalf("subscribe %s: %v", channel, r)
	}
}

// replayIDs returns the replay ids of the events among replies.
func replayIDs(replies []msg) []int64 {
	var ids []int64
	for _, m := range replies {
		data, isEvent := m["data"].(map[string]any)
		if !isEvent {
			continue
		}
		n, _ := data["event"].(map[string]any)["replayId"].(json.Number).Int64()
		ids = append(ids, n)
	}
	return ids
}

// ok reports whether a reply was successful.
func ok(m msg) bool {
	v, _ := m["successful"].(bool)
	return v
}

// last returns the reply at the end.
func last(replies []msg) msg { return replies[len(replies)-1] }

// reason returns ext.sfdc.failureReason.
func reason(m msg) any {
	ext, _ := m["ext"].(map[string]any)
	sfdc, _ := ext["sfdc"].(map[string]any)
	return sfdc["failureReason"]
}

// advice returns the reconnect advice.
func advice(m msg) any {
	a, _ := m["advice"].(map[string]any)
	return a["reconnect"]
}

const second = time.Second

// pass lets fake time pass; it is only called in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

// recorder answers a request that a client did not make.
func recorder(o org, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return w
}

package cometd_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"crosswalk/internal/simulator/cometd"
)

const handshakeText = `{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"id":%s}`

func TestPaths(t *testing.T) {
	t.Parallel()
	o := setup(t)
	for path, want := range map[string]string{
		"/cometd/66.0":            "",
		"/cometd/66.0/":           "",
		"/cometd/66.0/handshake":  "",
		"/cometd/66.0/handshake/": "",
		"/cometd/37.0":            "",
		"/cometd/100.0":           "",
		"/cometd":                 "400::API version in the URI is mandatory. URI format: '/cometd/66.0'",
		"/cometd/":                "400::API version in the URI is mandatory. URI format: '/cometd/66.0'",
		"/cometd/handshake":       "400::API version in the URI is mandatory. URI format: '/cometd/66.0'",
		"/cometd/x.0":             "400::API version in the URI is mandatory. URI format: '/cometd/66.0'",
		"/cometd/36.0":            "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'",
		"/cometd/9.0/handshake":   "400::Unsupported API version. Only API versions '37.0' and later are supported. URI format: '/cometd/66.0'",
	} {
		c := o.client(t)
		c.path = path
		r := c.handshake()[0]
		if text, _ := r["error"].(string); text != want || ok(r) != (want == "") {
			t.Errorf("%s: %v, want %q", path, r, want)
		}
		if want != "" && advice(r) != "none" {
			t.Errorf("%s: advice %v", path, r["advice"])
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	o := setup(t)
	for body, want := range map[string]int{
		fmt.Sprintf(handshakeText, `"1"`):            200, // an object instead of an array
		" [" + fmt.Sprintf(handshakeText, "7") + "]": 200,
		"":                                       400,
		"[]":                                     400,
		"[null]":                                 400,
		"null":                                   400,
		`"x"`:                                    400,
		"[1]":                                    400,
		`{"channel":`:                            400,
		"{}":                                     200, // refused in the reply
		"[" + strings.Repeat("{},", 100) + "{}]": 400,
		strings.Repeat("[", 32_000):              400,
		strings.Repeat(" ", 32_769):              413,
	} {
		w := o.client(t).post(body)
		if w.Code != want {
			t.Errorf("%.40q: HTTP %d %s, want %d", body, w.Code, w.Body, want)
		}
		if want == 413 && w.Body.String() != "Maximum Request Size Exceeded" {
			t.Errorf("too large: %s", w.Body)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://acme.example/cometd/66.0", nil)
	w := recorder(o, r)
	if w.Code != 400 {
		t.Errorf("GET: HTTP %d", w.Code)
	}
}

func TestMessageIDIsText(t *testing.T) {
	t.Parallel()
	o := setup(t)
	for id, want := range map[string]any{`"a"`: "a", "7": "7", "null": nil, "{}": nil, "true": "true"} {
		if got := decode(t, o.client(t).post(fmt.Sprintf(handshakeText, id)))[0]["id"]; got != want {
			t.Errorf("id %s comes back as %v", id, got)
		}
	}
}

func TestManyMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		account, contact := o.update(1), o.update(2)
		c := o.client(t)
		c.handshake()
		// What a client sends that handshakes again: the connect first, then its subscriptions, in one request.
		got := c.send(
			msg{"channel": "/meta/connect", "connectionType": "long-polling"},
			msg{"channel": "/meta/subscribe", "subscription": "/data/AccountChangeEvent", "ext": msg{"replay": msg{"/data/AccountChangeEvent": account}}},
			msg{"channel": "/meta/subscribe", "subscription": "/data/NoSuch"},
		)
		if len(got) != 3 || !ok(got[0]) || !ok(got[1]) || ok(got[2]) || got[2]["subscription"] != "/data/NoSuch" {
			t.Errorf("batch: %v", got)
		}
		if ids := replayIDs(c.connect()); len(ids) != 1 || ids[0] != contact {
			t.Errorf("events: %v", ids)
		}
	})
}

func TestListOfSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		first := o.update(1)
		second := o.update(2)
		c := o.client(t)
		c.handshake()
		names := []string{"/data/AccountChangeEvent", "/data/ChangeEvents", "/data/ContactChangeEvent"}
		r := c.send(msg{
			"channel": "/meta/subscribe", "subscription": names,
			"ext": msg{"replay": msg{"/data/ChangeEvents": -2, "/data/AccountChangeEvent": first}},
		})[0]
		if !ok(r) || fmt.Sprint(r["subscription"]) != fmt.Sprint(names) {
			t.Errorf("subscribe: %v", r)
		}
		var got []string
		for _, m := range c.connect() {
			if ids := replayIDs([]msg{m}); ids != nil {
				got = append(got, fmt.Sprint(m["channel"], ids[0]))
			}
		}
		want := map[string]bool{fmt.Sprint("/data/ChangeEvents", first): true, fmt.Sprint("/data/ChangeEvents", second): true, fmt.Sprint("/data/AccountChangeEvent", second): true}
		for _, g := range got {
			delete(want, g)
		}
		if len(got) != 3 || len(want) != 0 {
			t.Errorf("events %v, missing %v", got, want)
		}
		// A list is refused whole.
		r = c.send(msg{"channel": "/meta/subscribe", "subscription": []string{"/data/LeadChangeEvent", "/topic/X"}})[0]
		if r["error"] != "400::The channel you requested to subscribe to does not exist {/topic/X}" || o.Subscribers("/data/LeadChangeEvent") != 0 {
			t.Errorf("list with a bad name: %v", r)
		}
		if r := c.send(msg{"channel": "/meta/unsubscribe", "subscription": names})[0]; !ok(r) || o.Subscribers(names[1]) != 0 {
			t.Errorf("unsubscribe: %v", r)
		}
	})
}

func TestSubscribeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		o.update(1)
		c := o.client(t)
		c.open("/data/ChangeEvents", -2)
		c.subscribe("/data/ChangeEvents", nil) // without replay nothing changes
		if got := replayIDs(c.connect()); len(got) != 1 {
			t.Errorf("events %v", got)
		}
		c.subscribe("/data/ChangeEvents", -2)
		if got := replayIDs(c.connect()); len(got) != 1 {
			t.Errorf("events after replaying again %v", got)
		}
	})
}

func TestCookies(t *testing.T) {
	t.Parallel()
	o := setup(t)
	c := o.client(t)
	c.handshake()
	stream, browser := c.cookies["sfdc-stream"], c.cookies["BAYEUX_BROWSER"]
	if stream == nil || browser == nil || !strings.HasPrefix(stream.Value, "!") || stream.Secure || stream.Expires.IsZero() {
		t.Fatalf("cookies %v", c.cookies)
	}
	delete(c.cookies, "sfdc-stream")
	if r := c.connect()[0]; r["error"] != "400::Client "+c.id+" has established a session, but no sfdc-stream cookie present" {
		t.Errorf("without sfdc-stream: %v", r)
	}
	c.cookies = map[string]*http.Cookie{"sfdc-stream": stream}
	if r := c.connect()[0]; r["error"] != "400::Client "+c.id+" has established a session, but no BAYEUX_BROWSER cookie present" {
		t.Errorf("without BAYEUX_BROWSER: %v", r)
	}
	c.cookies["BAYEUX_BROWSER"] = browser
	if r := c.connect()[0]; !ok(r) {
		t.Errorf("with both: %v", r)
	}
	for mode, demanded := range map[cometd.Cookies]map[string]bool{
		cometd.CookiesByName:   {"acme.example": true, "acme.example:8443": true, "127.0.0.1:8080": false, "[::1]:8080": false},
		cometd.CookiesOptional: {"acme.example": false},
	} {
		for host, want := range demanded {
			o := setup(t, func(opt *cometd.Options) { opt.Cookies = mode })
			c := o.client(t)
			c.handshake()
			clear(c.cookies)
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/cometd/66.0",
				strings.NewReader(fmt.Sprintf(`{"channel":"/meta/connect","connectionType":"long-polling","clientId":"%s"}`, c.id)))
			if got := !ok(decode(t, recorder(o, r))[0]); got != want {
				t.Errorf("mode %d demands cookies from %s: %v", mode, host, got)
			}
		}
	}
}

func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	o := setup(t)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://acme.example/cometd/66.0", strings.NewReader(strings.Replace(handshakeText, "%s", "1", 1)))
	r.TLS = new(tls.ConnectionState)
	for _, c := range recorder(o, r).Result().Cookies() {
		if !c.Secure || c.Name == "sfdc-stream" && c.SameSite != http.SameSiteNoneMode {
			t.Errorf("cookie %v", c)
		}
	}
}

func TestConnectionTypes(t *testing.T) {
	t.Parallel()
	o := setup(t)
	c := o.client(t)
	if r := c.send(msg{"channel": "/meta/handshake", "supportedConnectionTypes": []string{"websocket"}})[0]; r["error"] != "400::Invalid connection type {websocket}" {
		t.Errorf("handshake: %v", r)
	}
	c.handshake()
	if r := c.send(msg{"channel": "/meta/connect", "connectionType": "callback-polling"})[0]; r["error"] != "400::Invalid connection type {callback-polling}" {
		t.Errorf("connect: %v", r)
	}
}

func TestUnknownMessagesAreRefused(t *testing.T) {
	t.Parallel()
	o := setup(t)
	c := o.client(t)
	c.handshake()
	for channel, want := range map[string]string{
		"/meta/ping": "404::Unknown meta channel", "/data/ChangeEvents": "403::Publish denied", "": "400::Channel name not specified",
	} {
		if r := c.send(msg{"channel": channel, "data": msg{}})[0]; r["error"] != want {
			t.Errorf("%q: %v", channel, r)
		}
	}
	if got := o.Stats().Refused; got != 3 {
		t.Errorf("%d refusals are counted", got)
	}
}

func TestImmediateConnect(t *testing.T) {
	t.Parallel()
	o := setup(t) // no fake time: a hold would hang
	c := o.client(t)
	c.open("/data/ChangeEvents", -1)
	r := c.send(msg{"channel": "/meta/connect", "connectionType": "long-polling", "advice": msg{"timeout": 0}})
	if len(r) != 1 || !ok(r[0]) {
		t.Errorf("connect: %v", r)
	}
}

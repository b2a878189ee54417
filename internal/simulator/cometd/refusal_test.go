package cometd_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
)

// tokens is an Authenticate that knows token "good" and reads the user from the pointer.
func tokens(user *cometd.User, valid *atomic.Bool) func(*http.Request) (cometd.User, error) {
	return func(r *http.Request) (cometd.User, error) {
		word := r.Header.Get("Authorization")
		if word == "" {
			return cometd.User{}, cometd.ErrMissing
		}
		if !valid.Load() || !strings.HasSuffix(word, " good") {
			return cometd.User{}, errors.New("bad token")
		}
		return *user, nil
	}
}

// yes is an atomic true.
func yes() *atomic.Bool {
	b := new(atomic.Bool)
	b.Store(true)
	return b
}

func TestRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	user, valid := cometd.User{ID: "005000000000001AAA"}, yes()
	setupWith := func(change func(*cometd.Options)) *client {
		o := setup(t, func(opt *cometd.Options) {
			opt.Log = cdc.NewLog(cdc.Options{Selected: []string{"Account", "Contact"}, Exists: func(e string) bool { return e != "Nothing" }})
			opt.Authenticate = tokens(&user, valid)
			change(opt)
		})
		c := o.client(t)
		c.handshake()
		return c
	}
	c := setupWith(func(*cometd.Options) {})
	user.Access.Entity = func(entity string) bool { return entity != "Contact" }
	const denied = "403::User not allowed to subscribe CDC without required permissions"
	for channel, want := range map[string]string{
		"":                          "400::Channel name not specified",
		"data/ChangeEvents":         "400::Channel subscriptions must start with a leading '/'",
		"/topic/Accounts":           "400::The channel you requested to subscribe to does not exist {/topic/Accounts}",
		"/data/NothingChangeEvent":  "400::The channel you requested to subscribe to does not exist {/data/NothingChangeEvent}",
		"/data/Sales__chn":          "400::The channel you requested to subscribe to does not exist {/data/Sales__chn}",
		"/u/Generic":                "403:denied_by_security_policy:create_denied",
		"/meta/connect":             "403::Restricted channel",
		"/**":                       "403::Restricted channel",
		"/foo":                      "403::Cannot create channel {/foo}",
		"/data/LeadChangeEvent":     denied, // not selected
		"/data/ContactChangeEvent":  denied, // no View All
		"/data/ChangeEvents":        "",
		"/data/AccountChangeEvent":  "",
		"/data/ChangeEvents?filter": "",
	} {
		r := c.subscribe(channel, nil)
		if text, _ := r["error"].(string); text != want || ok(r) != (want == "") {
			t.Errorf("%q: %v, want %q", channel, r, want)
		}
	}
	if r := c.send(msg{"channel": "/meta/subscribe", "clientId": "", "subscription": "/data/ChangeEvents"})[0]; r["error"] != "403::Client has not completed handshake" {
		t.Errorf("without handshake: %v", r)
	}
	if r := c.send(msg{"channel": "/meta/subscribe", "clientId": "nobody", "subscription": "/data/ChangeEvents"})[0]; r["error"] != "403::Unknown client" || advice(r) != "handshake" {
		t.Errorf("unknown client: %v", r)
	}
	user.NotStreaming = true
	if r := c.subscribe("/data/ChangeEvents", nil); r["error"] != "403::User not enabled for streaming" {
		t.Errorf("not streaming: %v", r)
	}
	user.NotStreaming = false
	c = setupWith(func(opt *cometd.Options) { opt.OldPermissionText = true })
	if r := c.subscribe("/data/ContactChangeEvent", nil); r["error"] != "403::User not allowed to subscribe CDC without View All Data permissions" {
		t.Errorf("old text: %v", r)
	}
	c = setupWith(func(opt *cometd.Options) { opt.Unselected = cometd.UnselectedSilent })
	if r := c.subscribe("/data/LeadChangeEvent", nil); !ok(r) {
		t.Errorf("silent: %v", r)
	}
	c = setupWith(func(opt *cometd.Options) { opt.Unselected = cometd.UnselectedMissing })
	if r := c.subscribe("/data/LeadChangeEvent", nil); r["error"] != "400::The channel you requested to subscribe to does not exist {/data/LeadChangeEvent}" {
		t.Errorf("missing: %v", r)
	}
	user.ID = "005000000000002AAA"
	if r := c.connect()[0]; r["error"] != "400::Authenticated user id does not match the session's user id" {
		t.Errorf("another user: %v", r)
	}
}

func TestManySubscriptionsEndTheSession(t *testing.T) {
	t.Parallel()
	o := setup(t)
	c := o.client(t)
	c.handshake()
	names := make([]string, 101)
	for i := range names {
		names[i] = "/data/X" + strings.Repeat("x", i%70) + strings.Repeat("y", i/70) + "ChangeEvent"
	}
	if r := c.send(msg{"channel": "/meta/subscribe", "subscription": names})[0]; r["error"] != "403::Subscription limit exceeded for this topic" {
		t.Errorf("subscribe: %v", r)
	}
	if n := o.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestWithheldEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user, valid := cometd.User{ID: "005000000000001AAA"}, yes()
		o := setup(t, func(opt *cometd.Options) { opt.Authenticate = tokens(&user, valid) })
		multi, single := o.client(t), o.client(t)
		multi.open("/data/ChangeEvents", -1)
		single.open("/data/AccountChangeEvent", -1)
		o.update(1)
		if a, b := len(multi.connect()), len(single.connect()); a != 2 || b != 2 {
			t.Fatalf("%d and %d messages", a, b)
		}
		// Losing the permission silences a single-entity channel at once, the other one only after a new subscription.
		user.Access.Entity = func(string) bool { return false }
		o.update(2)
		if a, b := len(multi.connect()), len(single.connect()); a != 2 || b != 1 {
			t.Errorf("%d and %d messages after the loss", a, b)
		}
		multi.open("/data/ChangeEvents", -2)
		if a := len(multi.connect()); a != 1 {
			t.Errorf("%d messages after subscribing again", a)
		}
		user.Access.Entity, user.Access.Hidden = nil, func(_, field string) bool { return field == "Phone" }
		single.open("/data/AccountChangeEvent", -2)
		payload := single.connect()[0]["data"].(map[string]any)["payload"].(map[string]any)
		if _, there := payload["Phone"]; there || len(payload) != 2 {
			t.Errorf("payload with a hidden field: %v", payload)
		}
	})
}

func TestAuthenticationFailures(t *testing.T) {
	t.Parallel()
	user, valid := cometd.User{ID: "005000000000001AAA"}, yes()
	o := setup(t, func(opt *cometd.Options) { opt.Authenticate = tokens(&user, valid) })
	c := o.client(t)
	c.token = "bad"
	r := c.handshake()[0]
	if r["error"] != "403::Handshake denied" || reason(r) != "401::Authentication invalid" || advice(r) != "none" || r["clientId"] != nil {
		t.Errorf("handshake: %v", r)
	}
	c.token = ""
	if r := c.handshake()[0]; reason(r) != "401::Request requires authentication" {
		t.Errorf("handshake without token: %v", r)
	}
	c.token = "good"
	c.handshake()
	c.token = "bad"
	if r := c.connect()[0]; r["error"] != "401::Authentication invalid" || advice(r) != "none" {
		t.Errorf("connect: %v", r)
	}
	c.token = "good"
	if r := c.connect()[0]; r["error"] != "403::Unknown client" {
		t.Errorf("the session outlived its token: %v", r)
	}
	for form, want := range map[cometd.AuthFailure]struct {
		status int
		text   string
	}{
		cometd.AuthUnknown: {200, `"403::Unknown client"`}, cometd.AuthEmpty: {401, ""}, cometd.AuthHTML: {401, "<html>"},
	} {
		o := setup(t, func(opt *cometd.Options) { opt.Authenticate, opt.AuthFailure = tokens(&user, valid), form })
		c := o.client(t)
		c.handshake()
		c.token = "bad"
		w := c.post(`{"channel":"/meta/connect","connectionType":"long-polling","clientId":"` + c.id + `"}`)
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.text) || want.text == "" && w.Body.Len() > 0 {
			t.Errorf("form %d: HTTP %d %s", form, w.Code, w.Body)
		}
	}
}

func TestRevokedTokenEndsTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user, valid := cometd.User{ID: "005000000000001AAA"}, yes()
		o := setup(t, func(opt *cometd.Options) { opt.Authenticate = tokens(&user, valid) })
		for name, notice := range map[string]func(){"asked": o.Reauthenticate, "event": func() { o.update(1) }} {
			valid.Store(true)
			c := o.client(t)
			c.open("/data/ChangeEvents", -1)
			start := time.Now()
			go func() {
				pass(5 * second)
				o.Reauthenticate() // a good token stays connected
				pass(5 * second)
				valid.Store(false)
				notice()
			}()
			r := c.connect()
			if len(r) != 1 || r[0]["error"] != "401::Authentication invalid" || time.Since(start) != 10*second {
				t.Errorf("%s: %v after %v", name, r, time.Since(start))
			}
		}
	})
}

func TestClientLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t, func(opt *cometd.Options) { opt.MaxClients = 2 })
		one := o.client(t)
		one.handshake()
		o.client(t).handshake()
		r := o.client(t).handshake()[0]
		if r["error"] != "403::Handshake denied" || reason(r) != "403::Organization concurrent user limit exceeded" || advice(r) != "none" {
			t.Errorf("third client: %v", r)
		}
		one.send(msg{"channel": "/meta/disconnect"})
		if r := o.client(t).handshake()[0]; !ok(r) {
			t.Errorf("after a disconnect: %v", r)
		}
		pass(41 * second)
		if r := o.client(t).handshake()[0]; !ok(r) || o.Stats().Expired != 2 {
			t.Errorf("after a timeout: %v, %+v", r, o.Stats())
		}
	})
}

func TestDeliveryLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t, func(opt *cometd.Options) {
			opt.DeliveryLimit, opt.DeliveryAdvice, opt.LimitAtSubscribe = 3, "none", true
		})
		one, two := o.client(t), o.client(t)
		one.open("/data/ChangeEvents", -1)
		two.open("/data/ChangeEvents", -1)
		o.update(1)
		second := o.update(2)
		// Two events to the first client and one to the second: then the day is over.
		if a, b := len(replayIDs(one.connect())), len(replayIDs(two.connect())); a != 2 || b != 1 {
			t.Fatalf("%d and %d events", a, b)
		}
		const limit = "403::Organization total events daily limit exceeded"
		if r := two.connect()[0]; r["error"] != limit || advice(r) != "none" {
			t.Errorf("connect: %v", r)
		}
		if r := two.subscribe("/data/AccountChangeEvent", -1); r["error"] != limit {
			t.Errorf("subscribe: %v", r)
		}
		pass(24 * time.Hour)
		one = o.client(t)
		one.handshake()
		one.subscribe("/data/ChangeEvents", second)
		o.update(3)
		if got := replayIDs(one.connect()); len(got) != 1 {
			t.Errorf("the next day: %v", got)
		}
	})
}

package bayeux_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
)

// page answers with an HTTP status and a body that is not Bayeux.
func page(status int, kind, body string, headers ...string) func(http.ResponseWriter, ask) {
	return func(w http.ResponseWriter, _ ask) {
		w.Header()["Content-Type"] = nil
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// What gateways, proxies and broken servers answer, and what the client does.
func TestAnswersThatAreNotBayeux(t *testing.T) {
	t.Parallel()
	const html, half = "text/html", 500 * time.Millisecond
	for name, test := range map[string]struct {
		on         string
		nth        int
		answer     func(http.ResponseWriter, ask)
		cause      bayeux.Cause
		wait       time.Duration
		freshToken bool
		ends       error
		says       string
	}{
		"401 page on connect":   {on: onConnect, nth: 2, answer: page(401, html, "<html>"), cause: bayeux.CauseToken, freshToken: true},
		"401 REST error":        {on: onHandshake, nth: 1, answer: page(401, "application/json", `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`), cause: bayeux.CauseToken, freshToken: true},
		"403 page":              {on: onConnect, nth: 2, answer: page(403, "", ""), cause: bayeux.CauseReply, wait: half, freshToken: true, says: "HTTP 403 with no content type, which is not Bayeux (the body is empty)"},
		"403 page on handshake": {on: onHandshake, nth: 1, answer: page(403, html, "<html>"), cause: bayeux.CauseReply, wait: half, freshToken: true},
		"503 page":              {on: onConnect, nth: 2, answer: page(503, html, "<html>down</html>"), cause: bayeux.CauseReply, wait: half, says: `HTTP 503 with text/html`},
		"503 with Retry-After":  {on: onConnect, nth: 2, answer: page(503, html, "<html>", "Retry-After", "90"), cause: bayeux.CauseReply, wait: 90 * time.Second},
		"502 on handshake":      {on: onHandshake, nth: 1, answer: page(502, html, "<html>bad gateway</html>"), cause: bayeux.CauseReply, wait: half},
		"429":                   {on: onConnect, nth: 2, answer: page(429, "", ""), cause: bayeux.CauseBusy, wait: time.Minute},
		"429 with Retry-After":  {on: onConnect, nth: 2, answer: page(429, "", "", "Retry-After", "300"), cause: bayeux.CauseBusy, wait: 5 * time.Minute},
		"404 on first contact":  {on: onHandshake, nth: 1, answer: page(404, html, "<html>"), ends: &bayeux.AddressError{}, says: "it answered HTTP 404 with text/html, which is not Bayeux: check the instance URL"},
		"moved":                 {on: onHandshake, nth: 1, answer: page(301, html, "<html>", "Location", "https://elsewhere.example"), ends: &bayeux.AddressError{}, says: "HTTP 301"},
		"no such My Domain":     {on: onHandshake, nth: 1, answer: page(420, html, "<html>"), ends: &bayeux.AddressError{}, says: "HTTP 420"},
		"404 in between":        {on: onConnect, nth: 2, answer: page(404, html, "<html>"), cause: bayeux.CauseReply, wait: half, says: "HTTP 404"},
		"200 page":              {on: onConnect, nth: 2, answer: page(200, html, "<html>"+strings.Repeat("x", 200)), cause: bayeux.CauseReply, wait: half, says: "and 126 bytes more"},
		"200 page on handshake": {on: onHandshake, nth: 1, answer: page(200, html, "<html>"), cause: bayeux.CauseReply, wait: half},
		"200 empty":             {on: onConnect, nth: 2, answer: page(200, "", ""), cause: bayeux.CauseReply, wait: half, says: "the body is empty"},
		"200 empty array":       {on: onConnect, nth: 2, answer: page(200, "application/json", "[]"), cause: bayeux.CauseReply, wait: half, says: "there is no answer in it"},
		"cut off":               {on: onConnect, nth: 2, answer: page(200, "application/json", `[{"channel":"/meta/conn`), cause: bayeux.CauseReply, wait: half, says: "the JSON ends at byte 23"},
		"answer to another":     {on: onConnect, nth: 2, answer: page(200, "application/json", `[{"channel":"/meta/connect","id":"77","successful":true}]`), cause: bayeux.CauseReply, wait: half},
		"hung up":               {on: onConnect, nth: 2, answer: func(http.ResponseWriter, ask) { panic(http.ErrAbortHandler) }, cause: bayeux.CauseNetwork, wait: half, says: "/meta/connect: Post "},
		"hung up on subscribe":  {on: onSubscribe, nth: 1, answer: func(http.ResponseWriter, ask) { panic(http.ErrAbortHandler) }, cause: bayeux.CauseNetwork, wait: half},
		"no clientId": {
			on: onHandshake, nth: 1, answer: page(200, "application/json", `{"channel":"/meta/handshake","successful":true,"ext":{"replay":true}}`),
			cause: bayeux.CauseReply, wait: half, says: "has no clientId",
		},
		"forgotten with HTTP 400": {
			on: onConnect, nth: 2, answer: page(400, "application/json", `{"channel":"/meta/connect","successful":false,"error":"403::Unknown client"}`),
			cause: bayeux.CauseForgotten,
		},
		"goodbye instead of an answer": {
			on: onConnect, nth: 2, answer: page(200, "application/json", `[{"channel":"/meta/disconnect","successful":true}]`),
			cause: bayeux.CauseGoodbye, says: "the server ended the session",
		},
		"goodbye beside an answer": {
			on: onSubscribe, nth: 1, answer: page(200, "application/json", `[{"channel":"/meta/disconnect"},{"channel":"/meta/subscribe","successful":true}]`),
			cause: bayeux.CauseGoodbye,
		},
		"advice to shake hands": {
			on: onConnect, nth: 2, answer: page(200, "application/json", `[{"channel":"/meta/connect","successful":true,"advice":{"reconnect":"handshake","interval":2000}}]`),
			cause: bayeux.CauseGoodbye, wait: 2 * time.Second,
		},
		"advice to stay away": {
			on: onConnect, nth: 2, answer: page(200, "application/json", `[{"channel":"/meta/connect","successful":true,"advice":{"reconnect":"none"}}]`),
			cause: bayeux.CauseBusy, wait: time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newFakeOrg(t), newFollower()
				org.answer = once(test.on, test.nth, test.answer)
				var heard listener
				var refused []string
				r := f.start(t, org.client(heard.listen, func(c *bayeux.Config) { c.Token = rememberRefused(org, &refused) }), accounts)
				settle()
				if test.ends != nil {
					r.endsWith(test.ends, test.says)
					return
				}
				if !slices.Equal(heard.causes(), []bayeux.Cause{test.cause}) || heard.waits()[0] != test.wait || !strings.Contains(heard.texts()[0], test.says) {
					t.Fatalf("heard of %v %q and waits of %v, want one %s, %q and %v", heard.causes(), heard.texts(), heard.waits(), test.cause, test.says, test.wait)
				}
				time.Sleep(test.wait)
				org.publish(accounts, 5)
				settle()
				r.end()
				if got := f.events(accounts); !slices.Equal(got, []int64{5}) {
					t.Errorf("got %v, want [5]: the client should stream again after %v", got, test.wait)
				}
				if asked := len(refused) > 0; asked != test.freshToken {
					t.Errorf("asked for a fresh token: %v, want %v", asked, test.freshToken)
				}
			})
		})
	}
}

// What ends Run at first contact does not end it later: a server in maintenance can say anything.
func TestWhatWasRightOnceIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, ask){
		"404": page(404, "text/html", "<html>"),
		"denied": func(w http.ResponseWriter, a ask) {
			page(200, "", `{"channel":"/meta/handshake","error":"403::Handshake denied"}`)(w, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newFakeOrg(t), newFollower()
				org.answer = once(onHandshake, 2, answer)
				r := f.start(t, org.client(), accounts)
				settle()
				org.forget()
				settle()
				org.publish(accounts, 1)
				time.Sleep(2 * time.Minute)
				settle()
				r.end()
				if got := f.events(accounts); !slices.Equal(got, []int64{1}) {
					t.Errorf("got %v, want [1]", got)
				}
			})
		})
	}
}

// A server that never answers is given up when the hold and the slack are over; the server's advice sets the hold.
func TestHoldsThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		timeout int
		want    time.Duration
	}{
		"advised": {30_000, 50 * time.Second},
		"absent":  {-1, 130 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newFakeOrg(t), newFollower()
				gone := make(chan struct{})
				t.Cleanup(func() { close(gone) })
				org.arrange = func(_ http.ResponseWriter, a ask, reply []any) []any {
					if a.Channel == onConnect {
						reply[0].(object)["advice"] = object{"reconnect": "retry", "timeout": test.timeout}
					}
					return reply
				}
				org.answer = once(onConnect, 2, func(http.ResponseWriter, ask) { <-gone })
				var heard listener
				r := f.start(t, org.client(heard.listen), accounts)
				settle()
				time.Sleep(test.want - time.Nanosecond)
				settle()
				if len(heard.causes()) > 0 {
					t.Fatalf("given up before %v: %q", test.want, heard.texts())
				}
				time.Sleep(time.Nanosecond)
				settle()
				want := "/meta/connect: http://org.example/cometd/66.0 did not answer within " + test.want.String()
				if !slices.Equal(heard.texts(), []string{want}) || heard.causes()[0] != bayeux.CauseNetwork {
					t.Errorf("heard of %v %q, want %q", heard.causes(), heard.texts(), want)
				}
				r.end()
			})
		})
	}
}

// The server's interval is kept between two requests for events.
func TestIntervalIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.arrange = func(_ http.ResponseWriter, a ask, reply []any) []any {
			if a.Channel == onConnect {
				reply[len(reply)-1].(object)["advice"] = object{"reconnect": "retry", "interval": 5000}
			}
			return reply
		}
		org.publish(accounts, 1)
		r := f.start(t, org.client(), accounts)
		settle()
		time.Sleep(5 * time.Second)
		settle()
		r.end()
		var at []time.Duration
		for _, s := range org.seen {
			if s.what == onConnect {
				at = append(at, s.at)
			}
		}
		if want := []time.Duration{0, 0, 5 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("requests for events at %v, want %v", at, want)
		}
	})
}

func TestCompressedReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.gzip = true
		org.publish(accounts, 1)
		r := f.start(t, org.client(), accounts)
		settle()
		r.end()
		if got := f.events(accounts); !slices.Equal(got, []int64{1}) {
			t.Errorf("got %v, want [1]", got)
		}
	})
}

// A reply of 12 MB is taken; one above the bound is refused with a sentence and its events come again.
func TestLargeReplies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limit int64
		lost  bool
	}{
		"taken":   {0, false},
		"refused": {10 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newFakeOrg(t), newFollower()
				padded := false
				org.arrange = func(_ http.ResponseWriter, _ ask, reply []any) []any {
					if len(reply) > 1 && !padded {
						padded = true
						reply = append(reply, object{"channel": "/other", "padding": strings.Repeat("x", 12<<20)})
					}
					return reply
				}
				var heard listener
				org.publish(accounts, 1)
				r := f.start(t, org.client(heard.listen, func(c *bayeux.Config) { c.MaxReply = test.limit }), accounts)
				settle()
				time.Sleep(time.Second)
				settle()
				r.end()
				if got := f.events(accounts); !slices.Equal(got, []int64{1}) {
					t.Errorf("got %v, want [1]", got)
				}
				if lost := len(heard.causes()) > 0; lost != test.lost {
					t.Errorf("heard of %q, want a lost session: %v", heard.texts(), test.lost)
				}
				if test.lost && !strings.Contains(heard.texts()[0], "the reply is larger than 10485760 bytes: raise") {
					t.Errorf("a person reads %q", heard.texts()[0])
				}
			})
		})
	}
}

package cometd_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/cometd"
)

// once answers the first message on a channel with a fault.
func once(channel string, fault cometd.Fault) func(*cometd.Options) {
	done := false
	return func(opt *cometd.Options) {
		opt.Hook = func(e cometd.Exchange) *cometd.Fault {
			if e.Channel != channel || done {
				return nil
			}
			done = true
			return &fault
		}
	}
}

func TestForgottenSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		held, idle := o.client(t), o.client(t)
		held.open("/data/ChangeEvents", -1)
		idle.open("/data/ChangeEvents", -1)
		start := time.Now()
		go func() {
			pass(3 * second)
			o.ExpireSessions()
		}()
		for name, r := range map[string]msg{"held": held.connect()[0], "idle": idle.connect()[0]} {
			if r["error"] != "403::Unknown client" || advice(r) != "handshake" || r["advice"].(map[string]any)["interval"] == nil {
				t.Errorf("%s: %v", name, r)
			}
		}
		if time.Since(start) != 3*second || o.Subscribers("/data/ChangeEvents") != 0 {
			t.Errorf("after %v, %d subscribers", time.Since(start), o.Subscribers("/data/ChangeEvents"))
		}
	})
}

func TestUnsolicitedDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, wanted := range []any{nil, "none"} {
			o := setup(t, func(opt *cometd.Options) { opt.DisconnectAdvice, _ = wanted.(string) })
			held, idle := o.client(t), o.client(t)
			held.open("/data/ChangeEvents", -1)
			idle.open("/data/ChangeEvents", -1)
			go func() {
				pass(3 * second)
				o.Disconnect()
			}()
			got := [][]msg{held.connect()}
			got = append(got, idle.connect())
			for _, replies := range got {
				if len(replies) != 2 || replies[0]["channel"] != "/meta/disconnect" || !ok(replies[1]) || advice(replies[1]) != wanted {
					t.Errorf("replies %v", replies)
				}
			}
			if r := held.connect()[0]; r["error"] != "403::Unknown client" {
				t.Errorf("next connect: %v", r)
			}
		}
	})
}

func TestANewerConnectTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		c := o.client(t)
		c.open("/data/ChangeEvents", -1)
		older := *c
		done := make(chan []msg)
		go func() { done <- older.connect() }()
		synctest.Wait()
		go func() {
			pass(second)
			o.update(1)
		}()
		newer := c.connect()
		if got := <-done; len(got) != 1 || !ok(got[0]) || len(newer) != 2 {
			t.Errorf("older %v, newer %v", got, newer)
		}
	})
}

func TestSessionsAreForgottenAfterSomeConnects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t, func(opt *cometd.Options) { opt.ForgetAfter = 2 })
		c := o.client(t)
		c.open("/data/ChangeEvents", -1)
		if r := c.connect()[0]; !ok(r) {
			t.Errorf("second connect: %v", r)
		}
		if r := c.connect()[0]; r["error"] != "403::Unknown client" {
			t.Errorf("third connect: %v", r)
		}
	})
}

func TestEventsInAnyReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t, func(opt *cometd.Options) { opt.AnyReply = true })
		o.update(1)
		c := o.client(t)
		c.handshake()
		got := c.send(msg{"channel": "/meta/subscribe", "subscription": "/data/ChangeEvents", "ext": msg{"replay": msg{"/data/ChangeEvents": -2}}})
		if len(replayIDs(got)) != 1 || !ok(got[0]) {
			t.Errorf("subscribe: %v", got)
		}
		o.update(2)
		if got := c.send(msg{"channel": "/meta/unsubscribe", "subscription": "/data/LeadChangeEvent"}); len(replayIDs(got)) != 1 {
			t.Errorf("unsubscribe: %v", got)
		}
	})
}

func TestDuplicatesAfterResubscribing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t, func(opt *cometd.Options) { opt.Duplicates = 2 })
		one, two, three := o.update(1), o.update(2), o.update(3)
		c := o.client(t)
		c.open("/data/ChangeEvents", two)
		if got := replayIDs(c.connect()); len(got) != 3 || got[0] != one || got[2] != three {
			t.Errorf("events %v", got)
		}
	})
}

func TestReplySizes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, change := range map[string]func(*cometd.Options){
			"by number": func(opt *cometd.Options) { opt.MaxBatch = 3 },
			"by bytes":  func(opt *cometd.Options) { opt.MaxReplyBytes = 1200 },
		} {
			o := setup(t, change)
			want := make([]int64, 100)
			for n := range want {
				want[n] = o.update(n)
			}
			c := o.client(t)
			c.open("/data/ChangeEvents", -2)
			var got []int64
			for len(got) < 100 {
				ids := replayIDs(c.connect())
				if len(ids) == 0 || len(ids) > 3 {
					t.Fatalf("%s: %d events in one reply", name, len(ids))
				}
				got = append(got, ids...)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s: event %d is %d, want %d", name, i, got[i], want[i])
				}
			}
		}
	})
}

func TestASlowClientIsForgottenNotStarved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		c := o.client(t)
		c.open("/data/ChangeEvents", -1)
		o.update(1)
		o.log.Purge()
		if r := c.connect()[0]; r["error"] != "403::Unknown client" {
			t.Errorf("connect after its events expired: %v", r)
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const busy = "503::Server is too busy.  Please try your request again later."
		o := setup(t, once("/meta/connect", cometd.Fault{
			Error: "401::Authentication invalid", FailureReason: busy, Reconnect: "none", Interval: 5000, Delay: 2 * second,
		}))
		c := o.client(t)
		c.handshake()
		start := time.Now()
		r := c.connect()[0]
		if r["error"] != "401::Authentication invalid" || reason(r) != busy || advice(r) != "none" || time.Since(start) != 2*second {
			t.Errorf("busy: %v", r)
		}
		if r := c.connect()[0]; !ok(r) || o.Stats().Faults != 1 {
			t.Errorf("the session is gone: %v", r)
		}

		o = setup(t, once("/meta/subscribe", cometd.Fault{Forget: true}))
		c = o.client(t)
		c.handshake()
		if r := c.subscribe("/data/ChangeEvents", nil); r["error"] != "403::Unknown client" {
			t.Errorf("forgotten: %v", r)
		}

		o = setup(t, once("/meta/connect", cometd.Fault{Disconnect: true}))
		c = o.client(t)
		c.handshake()
		if got := c.connect(); len(got) != 2 || got[0]["channel"] != "/meta/disconnect" {
			t.Errorf("disconnected: %v", got)
		}

		o = setup(t, once("/meta/handshake", cometd.Fault{Status: 503, ContentType: "text/html", Body: "<html>down</html>"}))
		w := o.client(t).post(strings.Replace(handshakeText, "%s", "1", 1))
		if w.Code != 503 || w.Header().Get("Content-Type") != "text/html" || w.Body.String() != "<html>down</html>" {
			t.Errorf("HTML: %d %s", w.Code, w.Body)
		}
	})
}

func TestTheHookSeesEveryMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		var connects []int
		o := setup(t, func(opt *cometd.Options) {
			opt.Hook = func(e cometd.Exchange) *cometd.Fault {
				seen = append(seen, strings.TrimSpace(e.Channel+" "+strings.Join(e.Subscriptions, " ")))
				if e.Channel == "/meta/connect" {
					connects = append(connects, e.Connects)
				}
				return nil
			}
		})
		c := o.client(t)
		c.open("/data/ChangeEvents", -1)
		c.connect()
		if got := strings.Join(seen, ", "); got != "/meta/handshake, /meta/connect, /meta/subscribe /data/ChangeEvents, /meta/connect" {
			t.Errorf("seen %s", got)
		}
		if len(connects) != 2 || connects[0] != 0 || connects[1] != 1 {
			t.Errorf("connects %v", connects)
		}
	})
}

// TestDroppedReplies needs a real connection to drop.
func TestDroppedReplies(t *testing.T) {
	t.Parallel()
	var fault *cometd.Fault
	o := setup(t, func(opt *cometd.Options) {
		opt.Hook = func(e cometd.Exchange) *cometd.Fault {
			if e.Channel != "/meta/connect" || e.Connects == 0 {
				return nil
			}
			defer func() { fault = nil }()
			return fault
		}
	})
	server := httptest.NewServer(o)
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := o.client(t)
	c.server = proxy(t, server, &http.Client{Jar: jar})
	for name, test := range map[string]struct {
		fault cometd.Fault
		want  int
	}{
		"before": {cometd.Fault{Drop: true}, 1}, "after": {cometd.Fault{Drop: true, AfterHandling: true}, 0},
	} {
		c.open("/data/ChangeEvents", -1)
		o.update(1)
		fault = &test.fault
		if w := c.post(`{"channel":"/meta/connect","connectionType":"long-polling","clientId":"` + c.id + `"}`); w.Code != http.StatusBadGateway {
			t.Errorf("%s: the connection was not dropped: %d", name, w.Code)
		}
		// The events of a reply that was lost are lost to this session.
		got := c.send(msg{"channel": "/meta/connect", "connectionType": "long-polling", "advice": msg{"timeout": 0}})
		if n := len(replayIDs(got)); n != test.want {
			t.Errorf("%s: %d events after the drop, want %d", name, n, test.want)
		}
	}
}

// proxy sends requests over the network; a failure becomes 502.
func proxy(t testing.TB, server *httptest.Server, client *http.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		out, err := http.NewRequestWithContext(in.Context(), in.Method, server.URL+in.URL.Path, in.Body)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			t.Error(err)
		}
	})
}

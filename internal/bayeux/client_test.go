package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
)

func TestRunFollowsAChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		begun := time.Now()
		org.publish(accounts, 4)
		r := f.start(t, org.client(), accounts)
		settle()
		org.publish(accounts, 9)
		org.publish(accounts, 8_407_465_000)
		settle()
		time.Sleep(3 * time.Minute) // two holds that end without an event
		org.publish(accounts, 8_407_465_001)
		settle()
		r.end()
		if got, want := f.events(accounts), []int64{4, 9, 8_407_465_000, 8_407_465_001}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		want := []string{
			"/meta/handshake", "/meta/connect", "/meta/subscribe " + accounts + " -2", "/meta/connect", "/meta/connect",
			"/meta/connect", "/meta/connect", "/meta/connect", "/meta/connect", "/meta/unsubscribe " + accounts, "/meta/disconnect",
		}
		if got := org.requests(); !slices.Equal(shorten(got), shorten(want)) {
			t.Errorf("the server saw\n%s", strings.Join(got, "\n"))
		}
		ack := bayeux.Acknowledgement{Channel: accounts, Replay: bayeux.ReplayAll, ServerTime: begun.UTC()}
		if len(f.acks) != 1 || f.acks[0] != ack {
			t.Errorf("acknowledged %+v, want %+v once", f.acks, ack)
		}
	})
}

// shorten folds connects in a row into one: how many there are depends on which events met in a reply.
func shorten(requests []string) []string {
	return slices.CompactFunc(slices.Clone(requests), func(a, b string) bool { return a == b && a == "/meta/connect" })
}

func TestAcknowledgementComesBeforeTheEventsOfItsReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.publish(accounts, 1)
		org.arrange = func(_ http.ResponseWriter, a ask, reply []any) []any {
			if a.Channel != "/meta/subscribe" {
				return reply
			}
			org.mu.Lock()
			defer org.mu.Unlock()
			return append(org.take(org.clients[a.ClientID]), reply...)
		}
		f.handle = func(context.Context, []bayeux.Message) error {
			if f.mu.Lock(); len(f.acks) != 1 {
				t.Errorf("%d acknowledgements before the first event, want 1", len(f.acks))
			}
			f.mu.Unlock()
			return nil
		}
		r := f.start(t, org.client(), accounts)
		settle()
		r.end()
		if got := f.events(accounts); !slices.Equal(got, []int64{1}) {
			t.Errorf("got %v, want the event beside the answer to the subscription", got)
		}
	})
}

func TestServerWithoutClockGivesNoServerTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.noDate = true
		r := f.start(t, org.client(), accounts)
		settle()
		r.end()
		if len(f.acks) != 1 || !f.acks[0].ServerTime.IsZero() {
			t.Errorf("acknowledged %+v, want one without a server time", f.acks)
		}
	})
}

func TestEventsOfALostReplyComeAgain(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w http.ResponseWriter){
		"connection dropped": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"cut off": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`[{"channel":"/data/AccountChangeEvent","data":{"pay`))
		},
		"empty":        func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"another page": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>We are down for maintenance.</html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				org, f := newFakeOrg(t), newFollower()
				org.publish(accounts, 1)
				spoiled := false
				org.arrange = func(w http.ResponseWriter, a ask, reply []any) []any {
					if a.Channel != "/meta/connect" || len(reply) == 1 || len(f.events(accounts)) == 0 || spoiled {
						return reply
					}
					spoiled = true
					spoil(w)
					return nil
				}
				r := f.start(t, org.client(), accounts)
				settle()
				org.publish(accounts, 2)
				settle()
				org.publish(accounts, 3)
				org.publish(accounts, 4)
				time.Sleep(time.Second)
				settle()
				r.end()
				if !spoiled {
					t.Error("no reply was spoiled: the test shows nothing")
				}
				if got, want := f.events(accounts), []int64{1, 2, 3, 4}; !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		})
	}
}

func TestResubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.publish(accounts, 7)
		client := org.client()
		client.Resubscribe() // no session: nothing to do
		r := f.start(t, client, accounts, contacts)
		settle()
		before := len(org.requests())
		client.Resubscribe()
		settle()
		want := []string{
			"/meta/unsubscribe " + accounts, "/meta/unsubscribe " + contacts, "/meta/disconnect", "/meta/handshake", "/meta/connect",
			"/meta/subscribe " + accounts + " 7", "/meta/subscribe " + contacts + " -2", "/meta/connect",
		}
		if got := org.requests()[before:]; !slices.Equal(got, want) {
			t.Errorf("the server saw\n%s", strings.Join(got, "\n"))
		}
		if len(f.acks) != 4 {
			t.Errorf("%d acknowledgements, want 4", len(f.acks))
		}
		r.end()
	})
}

// A farewell must not hand over events: those of the connect that it cut short are missing before them.
func TestFarewellHandsOverNoEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		org.arrange = func(_ http.ResponseWriter, a ask, reply []any) []any {
			if a.Channel == "/meta/unsubscribe" {
				reply = append(reply, event{accounts, 99, `{"n":99}`}.message())
			}
			return reply
		}
		client := org.client()
		r := f.start(t, client, accounts)
		settle()
		client.Resubscribe()
		settle()
		r.end()
		if got := f.events(accounts); len(got) > 0 {
			t.Errorf("got %v, want none", got)
		}
	})
}

func TestHandlersErrorEndsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		full := errors.New("disk full")
		f.handle = func(context.Context, []bayeux.Message) error { return full }
		org.publish(accounts, 1)
		r := f.start(t, org.client(), accounts)
		err := <-r.done
		if !errors.Is(err, full) || err.Error() != "handle events: disk full" {
			t.Errorf("Run = %v", err)
		}
		if got := org.requests(); got[len(got)-1] != "/meta/disconnect" {
			t.Errorf("the last request is %s, want a farewell", got[len(got)-1])
		}
	})
}

// What came before an error that ends Run is handled first: the position is then as far as it can be.
func TestWhatCameIsHandledBeforeRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		f.slow(time.Minute)
		org.answer = once(onSubscribe, 1, func(w http.ResponseWriter, a ask) {
			org.send(w, []any{event{accounts, 5, `{"n":5}`}.message(), a.bad("403::Restricted channel", nil), event{accounts, 6, `{"n":6}`}.message()})
		})
		r := f.start(t, org.client(), accounts)
		time.Sleep(time.Minute)
		settle()
		r.endsWith(&bayeux.SubscribeError{Code: "403"}, "Restricted")
		if got := f.events(accounts); !slices.Equal(got, []int64{5, 6}) {
			t.Errorf("got %v, want [5 6]", got)
		}
	})
}

func TestRunEndsWhileTheHandlerWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		f.handle = func(ctx context.Context, _ []bayeux.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}
		org.publish(accounts, 1)
		r := f.start(t, org.client(), accounts)
		settle()
		r.end()
	})
}

// When the server is gone, ending takes no longer than a farewell may.
func TestFarewellIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		r := f.start(t, org.client(), accounts)
		settle()
		gone := make(chan struct{})
		t.Cleanup(func() { close(gone) })
		org.mu.Lock()
		org.answer = func(http.ResponseWriter, ask) bool {
			<-gone
			return true
		}
		org.mu.Unlock()
		start := time.Now()
		r.end()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("ending took %v, want 5s", took)
		}
	})
}

func TestSubscriptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	client, err := bayeux.New(bayeux.Config{URL: "https://org.example/cometd/66.0", Token: (&fakeOrg{}).token})
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []bayeux.Subscription{{Channel: "data/X", Replay: func() int64 { return -1 }}, {Channel: "/data/X"}} {
		err := client.Run(t.Context(), []bayeux.Subscription{sub}, nil)
		want := fmt.Sprintf("subscribe to %q: a subscription needs a channel that begins with a slash, and Replay", sub.Channel)
		if err == nil || err.Error() != want {
			t.Errorf("Run = %v, want %s", err, want)
		}
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	t.Parallel()
	token := (&fakeOrg{}).token
	for _, config := range []bayeux.Config{
		{Token: token},
		{URL: "org.example/cometd/66.0", Token: token},
		{URL: "ftp://org.example/cometd", Token: token},
		{URL: "https://%zz", Token: token},
		{URL: "https://org.example/cometd/66.0"},
	} {
		if _, err := bayeux.New(config); err == nil {
			t.Errorf("New(%q) = nil, want an error", config.URL)
		}
	}
}

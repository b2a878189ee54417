package cometd_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSequence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		c := o.client(t)
		h := c.handshake()[0]
		if !ok(h) || fmt.Sprint(h["ext"]) != "map[payload.format:true replay:true]" || len(c.id) < 20 {
			t.Fatalf("handshake: %v", h)
		}
		start := time.Now()
		first := c.connect()
		if time.Since(start) != 0 || len(first) != 1 || advice(first[0]) != "retry" {
			t.Errorf("first connect: %v after %v", first, time.Since(start))
		}
		if r := c.subscribe("/data/AccountChangeEvent", -1); !ok(r) || r["subscription"] != "/data/AccountChangeEvent" {
			t.Errorf("subscribe: %v", r)
		}
		idle := c.connect()
		if time.Since(start) != 110*time.Second || len(idle) != 1 || idle[0]["advice"] != nil || !ok(idle[0]) {
			t.Errorf("idle connect: %v after %v", idle, time.Since(start))
		}
		committed := make(chan int64, 1)
		go func() {
			pass(7 * second)
			committed <- o.update(1)
		}()
		start = time.Now()
		got := c.connect()
		id := <-committed
		if time.Since(start) != 7*second || !reflect.DeepEqual(replayIDs(got), []int64{id}) || last(got)["channel"] != "/meta/connect" {
			t.Errorf("connect with event: %v after %v", got, time.Since(start))
		}
		if got[0]["channel"] != "/data/AccountChangeEvent" {
			t.Errorf("event's channel: %v", got[0]["channel"])
		}
		if r := c.send(msg{"channel": "/meta/unsubscribe", "subscription": "/data/AccountChangeEvent"})[0]; !ok(r) {
			t.Errorf("unsubscribe: %v", r)
		}
		o.update(2)
		if got := c.connect(); len(got) != 1 {
			t.Errorf("connect after unsubscribe: %v", got)
		}
		if r := c.send(msg{"channel": "/meta/disconnect"})[0]; !ok(r) {
			t.Errorf("disconnect: %v", r)
		}
		if r := c.connect()[0]; r["error"] != "403::Unknown client" || advice(r) != "handshake" {
			t.Errorf("connect after disconnect: %v", r)
		}
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		one, two, three := o.update(1), o.update(2), o.update(3)
		for _, test := range []struct {
			replay any
			want   []int64
		}{{-2, []int64{one, two, three}}, {one, []int64{two, three}}, {two, []int64{three}}, {-1, nil}, {nil, nil}, {three, nil}} {
			c := o.client(t)
			c.open("/data/ChangeEvents", test.replay)
			if got := replayIDs(c.connect()); !reflect.DeepEqual(got, test.want) {
				t.Errorf("replay %v delivers %v, want %v", test.replay, got, test.want)
			}
		}
		if one <= 1<<31 || two-one+three-two == 2 {
			t.Errorf("replay ids %d %d %d are small or contiguous", one, two, three)
		}
		c := o.client(t)
		c.handshake()
		for _, bad := range []any{82, one - 1, three + 1, -3, "x", 1.5} {
			r := c.subscribe("/data/ChangeEvents", bad)
			text, _ := r["error"].(string)
			if ok(r) || !strings.HasPrefix(text, "400::The replayId {") {
				t.Errorf("replay %v: %v", bad, r)
			}
		}
		pass(73 * time.Hour)
		c = o.client(t)
		c.handshake()
		want := fmt.Sprintf("400::The replayId {%d} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.", three)
		if r := c.subscribe("/data/ChangeEvents", three); r["error"] != want {
			t.Errorf("expired id: %v", r)
		}
	})
}

func TestReconnectInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		c := o.client(t)
		c.open("/data/ChangeEvents", -1)
		pass(40 * second)
		o.update(1)
		if got := c.connect(); len(got) != 2 {
			t.Errorf("connect after 40 s: %v", got)
		}
		pass(41 * second)
		if r := c.connect()[0]; r["error"] != "403::Unknown client" || advice(r) != "handshake" {
			t.Errorf("connect after 41 s: %v", r)
		}
		// The new session knows nothing of the subscription.
		c.handshake()
		c.connect()
		o.update(2)
		if got := c.connect(); len(got) != 1 {
			t.Errorf("after a new handshake: %v", got)
		}
	})
}

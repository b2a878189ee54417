package cometd_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		go func() {
			pass(second)
			c := o.client(t)
			c.open("/data/AccountChangeEvent", -1)
			pass(second)
			c.connect()
			c.connect()
		}()
		if err := o.AwaitSubscribed(ctx, "/data/AccountChangeEvent"); err != nil || time.Since(start) != second {
			t.Errorf("subscribed: %v after %v", err, time.Since(start))
		}
		o.update(1)
		if err := o.AwaitDelivered(ctx, o.update(2)); err != nil || time.Since(start) != 2*second {
			t.Errorf("delivered: %v after %v", err, time.Since(start))
		}
		if err := o.AwaitHeld(ctx, 1); err != nil {
			t.Error(err)
		}
		if st := o.Stats(); st.Events != 2 || st.Handshakes != 1 || st.Connects != 3 || st.Held != 1 || st.Subscribes != 1 || st.Sessions != 1 || st.Bytes == 0 {
			t.Errorf("stats %+v", st)
		}
		o.ExpireSessions()
		synctest.Wait()
		if err := o.AwaitHeld(ctx, 0); err != nil || o.Stats().Held != 0 {
			t.Errorf("held after the sessions expired: %+v, %v", o.Stats(), err)
		}
		if err := o.AwaitDelivered(ctx, o.update(3)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("not delivered: %v", err)
		}
		if err := o.AwaitSubscribed(ctx, "/data/ContactChangeEvent"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("not subscribed: %v", err)
		}
	})
}

// overLoopback is a client with a session, reached over the network.
func overLoopback(b *testing.B) (org, *client) {
	o := setup(b)
	server := httptest.NewServer(o)
	b.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	c := o.client(b)
	c.server = proxy(b, server, &http.Client{Jar: jar})
	c.open("/data/ChangeEvents", -1)
	return o, c
}

// BenchmarkDelivery is the time from a commit to its event in the hands of a client that waits, over loopback.
func BenchmarkDelivery(b *testing.B) {
	o, c := overLoopback(b)
	var took []time.Duration
	events := 0
	for b.Loop() {
		arrived := make(chan struct{})
		go func() {
			events += len(replayIDs(c.connect()))
			close(arrived)
		}()
		if err := o.AwaitHeld(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		o.update(len(took))
		<-arrived
		took = append(took, time.Since(start))
	}
	if events != len(took) {
		b.Errorf("%d events of %d", events, len(took))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkBacklog is how fast one client takes retained events, over loopback.
func BenchmarkBacklog(b *testing.B) {
	o, c := overLoopback(b)
	for n := range 5000 {
		o.update(n)
	}
	events := 0
	for b.Loop() {
		c.subscribe("/data/ChangeEvents", -2)
		for got := 0; got < 5000; {
			w := c.post(`{"channel":"/meta/connect","connectionType":"long-polling","clientId":"` + c.id + `"}`)
			n := bytes.Count(w.Body.Bytes(), []byte(`"replayId":`))
			got, events = got+n, events+n
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

package bayeux_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
)

// slow makes the handler take d for each batch.
func (f *follower) slow(d time.Duration) {
	f.handle = func(ctx context.Context, _ []bayeux.Message) error { return retry.Sleep(ctx, d) }
}

// A handler that takes minutes keeps its session: the next request for events does not wait for it.
func TestSlowHandlerKeepsItsSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		f.slow(10 * time.Minute)
		var heard listener
		r := f.start(t, org.client(heard.listen), accounts)
		for id := range int64(3) {
			org.publish(accounts, id+1)
			settle()
		}
		time.Sleep(31 * time.Minute)
		settle()
		r.end()
		if got := f.events(accounts); !slices.Equal(got, []int64{1, 2, 3}) || len(heard.causes()) > 0 {
			t.Errorf("got %v and lost sessions %q, want 1 to 3 once and none", got, heard.texts())
		}
	})
}

// Above Buffer the next request waits for the handler, but not for so long that the server forgets the client.
func TestRequestIsHeldBackButNotTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		f.slow(100 * time.Second)
		var heard listener
		org.publish(accounts, 1)
		r := f.start(t, org.client(heard.listen, func(c *bayeux.Config) { c.Buffer = 200 }), accounts)
		settle()
		time.Sleep(99 * time.Second)
		settle()
		var at []time.Duration
		for _, s := range org.seen {
			if s.what == onConnect {
				at = append(at, s.at)
			}
		}
		if want := []time.Duration{0, 0, 30 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("requests for events at %v, want %v", at, want)
		}
		time.Sleep(time.Second)
		settle()
		r.end()
		if got := f.events(accounts); !slices.Equal(got, []int64{1}) || len(heard.causes()) > 0 {
			t.Errorf("got %v and lost sessions %q", got, heard.texts())
		}
	})
}

// When far more comes than the handler can take, the session is given up until it has caught up: memory is bounded.
func TestSessionIsGivenUpForASlowHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		f.slow(4 * time.Minute)
		var heard listener
		metrics := bayeux.NewMetrics(prometheus.NewPedanticRegistry())
		most, largest := 0.0, 0
		org.arrange = func(_ http.ResponseWriter, _ ask, reply []any) []any {
			body, _ := json.Marshal(reply)
			largest = max(largest, len(body)+1)
			return reply
		}
		r := f.start(t, org.client(heard.listen, func(c *bayeux.Config) { c.Buffer, c.Metrics = 300, metrics }), accounts)
		for id := range int64(60) {
			org.publish(accounts, id+1)
			settle()
			most = max(most, testutil.ToFloat64(bayeux.BufferedBytes(metrics)))
			time.Sleep(31 * time.Second)
		}
		time.Sleep(time.Hour)
		settle()
		r.end()
		if got := f.events(accounts); len(slices.Compact(got)) != 60 || !slices.IsSorted(got) {
			t.Errorf("got %v, want 1 to 60 in order", got)
		}
		if !slices.Contains(heard.causes(), bayeux.CauseSlow) {
			t.Errorf("lost sessions %v, want one for the slow handler", heard.causes())
		}
		if most > float64(2*300+largest) {
			t.Errorf("%v bytes were held, want no more than twice Buffer and the largest reply, of %d", most, largest)
		}
		if left := testutil.ToFloat64(bayeux.BufferedBytes(metrics)); left != 0 {
			t.Errorf("%v bytes are held after the end", left)
		}
	})
}

// Failures in a row are spaced out, also those that are normal operation; a session that lasts ends the row.
func TestFailuresInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		var heard listener
		r := f.start(t, org.client(heard.listen), accounts)
		settle()
		for n := range 8 {
			org.forget()
			settle()
			time.Sleep(heard.waits()[n] + time.Second)
			settle()
		}
		time.Sleep(30 * time.Second)
		org.forget()
		settle()
		r.end()
		s := time.Second
		if want := []time.Duration{0, s / 2, s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 0}; !slices.Equal(heard.waits(), want) {
			t.Errorf("waits %v, want %v", heard.waits(), want)
		}
	})
}

// Nothing above debug while all is well, a warning when it is not, and a line when that is over.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		var log safeBuffer
		r := f.start(t, org.client(func(c *bayeux.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }), accounts)
		settle()
		org.forget()
		settle()
		if text := log.String(); text != "" {
			t.Errorf("a forgotten session says %s", text)
		}
		org.forget()
		settle()
		time.Sleep(time.Minute)
		settle()
		org.publish(accounts, 1)
		settle()
		r.end()
		text := log.String()
		if !strings.Contains(text, "level=WARN msg=\"streaming session lost\"") || !strings.Contains(text, "cause=forgotten") ||
			!strings.Contains(text, "failures=2 wait=500ms") || !strings.Contains(text, "level=INFO msg=\"streaming again\"") {
			t.Errorf("the log says %s", text)
		}
		if strings.Contains(text, "token-") || strings.Contains(text, "client-") {
			t.Errorf("the log holds a secret: %s", text)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, f := newFakeOrg(t), newFollower()
		registry := prometheus.NewPedanticRegistry()
		metrics := bayeux.NewMetrics(registry)
		org.publish(accounts, 1)
		r := f.start(t, org.client(func(c *bayeux.Config) { c.Metrics = metrics }), accounts, contacts)
		settle()
		want := `# HELP crosswalk_bayeux_subscriptions Channels that are subscribed to now.
# TYPE crosswalk_bayeux_subscriptions gauge
crosswalk_bayeux_subscriptions 2
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "crosswalk_bayeux_subscriptions"); err != nil {
			t.Error(err)
		}
		org.forget()
		settle()
		r.end()
		want = `# HELP crosswalk_bayeux_connects_total Requests for events (/meta/connect) that were answered well.
# TYPE crosswalk_bayeux_connects_total counter
crosswalk_bayeux_connects_total 1
# HELP crosswalk_bayeux_events_total Events handed over, duplicates included.
# TYPE crosswalk_bayeux_events_total counter
crosswalk_bayeux_events_total 1
# HELP crosswalk_bayeux_handshakes_total Streaming sessions begun.
# TYPE crosswalk_bayeux_handshakes_total counter
crosswalk_bayeux_handshakes_total 2
# HELP crosswalk_bayeux_sessions_lost_total Streaming sessions, or attempts at one, that ended, by cause.
# TYPE crosswalk_bayeux_sessions_lost_total counter
crosswalk_bayeux_sessions_lost_total{cause="forgotten"} 1
# HELP crosswalk_bayeux_subscriptions Channels that are subscribed to now.
# TYPE crosswalk_bayeux_subscriptions gauge
crosswalk_bayeux_subscriptions 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "crosswalk_bayeux_connects_total", "crosswalk_bayeux_events_total",
			"crosswalk_bayeux_handshakes_total", "crosswalk_bayeux_sessions_lost_total", "crosswalk_bayeux_subscriptions"); err != nil {
			t.Error(err)
		}
	})
}

// safeBuffer collects a log.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

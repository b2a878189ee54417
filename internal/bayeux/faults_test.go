package bayeux_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
)

// TestEveryEventOnceAndInOrder is the guarantee: whatever the server and the network do, what reaches the handler is,
// without what comes twice, every event in its order. BAYEUX_SEED=n runs one history again, BAYEUX_HISTORIES=n many.
func TestEveryEventOnceAndInOrder(t *testing.T) {
	t.Parallel()
	first, histories := uint64(1), uint64(80)
	if n, err := strconv.ParseUint(os.Getenv("BAYEUX_SEED"), 10, 64); err == nil {
		first, histories = n, 1
	}
	if n, err := strconv.ParseUint(os.Getenv("BAYEUX_HISTORIES"), 10, 64); err == nil {
		histories = n
	}
	var mu sync.Mutex
	met := map[string]int{}
	for seed := first; seed < first+histories; seed++ {
		synctest.Test(t, func(t *testing.T) {
			h := newHistory(t, seed)
			h.run()
			mu.Lock()
			defer mu.Unlock()
			for fault, n := range h.met {
				met[fault] += n
			}
		})
		if t.Failed() {
			t.Fatalf("run this history again with BAYEUX_SEED=%d", seed)
		}
	}
	for _, fault := range faultNames {
		if met[fault] == 0 && histories >= 80 {
			t.Errorf("no history met %q: the test shows less than it says", fault)
		}
	}
}

// history is one random run: a generator of events, a nemesis, a client whose position lags, a checker.
type history struct {
	*fakeOrg
	rand *rand.Rand
	dice sync.Mutex // rand is shared by the org's goroutines
	rate float64    // of faults
	met  map[string]int
	// refused counts the tokens refused since a good reply was delivered: five in a row end the client, by design, and
	// chance must not bring that about.
	refused atomic.Int32

	check     sync.Mutex
	expected  map[string][]int64 // per channel, every event in order
	next      map[string]int     // index of the next new event in expected
	published map[string]int64   // the position; lags behind what was handled
	repeated  int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		fakeOrg: newFakeOrg(t), rand: rand.New(rand.NewPCG(seed, 0)), met: map[string]int{},
		expected: map[string][]int64{}, next: map[string]int{}, published: map[string]int64{},
	}
	h.rate = []float64{0, 0.05, 0.2, 0.5}[h.rand.IntN(4)]
	h.gzip = h.draw(4) == 0
	h.answer, h.arrange = h.before, h.after
	return h
}

func (h *history) draw(n int) int {
	h.dice.Lock()
	defer h.dice.Unlock()
	return h.rand.IntN(n)
}

// strikes decides whether a fault happens now, and notes which.
func (h *history) strikes(faults []string) string {
	h.dice.Lock()
	defer h.dice.Unlock()
	if h.rand.Float64() >= h.rate {
		return ""
	}
	fault := faults[h.rand.IntN(len(faults))]
	h.met[fault]++
	return fault
}

// The faults that strike before the org has seen a request, and those that strike its reply, events included.
var (
	faultsBefore = []string{"forget", "revoke", "hang up", "HTML", "503", "403", "401", "busy", "cookies", "hang", "error"}
	faultsAfter  = []string{"lose the reply", "cut the reply off", "goodbye beside", "goodbye instead", "answer first", "advise handshake", "empty"}
	faultNames   = slices.Concat(faultsBefore, faultsAfter)
)

func (h *history) before(w http.ResponseWriter, a ask) bool {
	fault := h.strikes(faultsBefore)
	if (fault == "revoke" || fault == "401") && h.refused.Add(1) > 3 {
		return false
	}
	switch fault {
	case "forget":
		h.forget()
		return false
	case "revoke":
		h.revoke()
		return false
	case "hang up":
		panic(http.ErrAbortHandler)
	case "HTML":
		page(200, "text/html", "<html>maintenance</html>")(w, a)
	case "503":
		page(503, "text/html", "<html>", "Retry-After", strconv.Itoa(h.draw(90)))(w, a)
	case "403":
		page(403, "", "")(w, a)
	case "401":
		page(401, "text/html", "<html>")(w, a)
	case "busy":
		m := a.bad("401::Authentication invalid", object{"reconnect": "none"})
		m["ext"] = failure(tooBusy)
		h.send(w, []any{m})
	case "cookies":
		h.send(w, []any{a.bad("400::Client x has established a session, but no sfdc-stream cookie present", nil)})
	case "hang":
		time.Sleep(3 * time.Minute) // longer than the client waits
	case "error":
		h.send(w, []any{a.bad("500::Internal error", object{"reconnect": "retry"})})
	default:
		return false
	}
	return true
}

func (h *history) after(w http.ResponseWriter, a ask, reply []any) []any {
	if a.Channel == onSubscribe && h.draw(2) == 0 {
		reply = h.withEvents(a, reply)
	}
	answer := reply[len(reply)-1].(object)
	goodbye := object{"channel": "/meta/disconnect", "successful": true}
	switch h.strikes(faultsAfter) {
	case "lose the reply":
		panic(http.ErrAbortHandler)
	case "cut the reply off":
		text := fmt.Sprintf(`[{"channel":%q,"data":{"payload":{"n":0},"event":{"replayId":0}}},{"chan`, accounts)
		_, _ = w.Write([]byte(text))
		return nil
	case "goodbye beside":
		return slices.Insert(reply, h.draw(len(reply)+1), any(goodbye))
	case "goodbye instead":
		reply[len(reply)-1] = goodbye
	case "answer first":
		reply = append([]any{answer}, reply[:len(reply)-1]...)
	case "advise handshake":
		answer["advice"] = object{"reconnect": "handshake", "interval": h.draw(3000)}
	case "empty":
		w.WriteHeader(http.StatusOK)
		return nil
	case "":
		if ok, _ := answer["successful"].(bool); ok {
			h.refused.Store(0)
		}
	}
	return reply
}

// withEvents puts events into the reply to a subscription, before or after the answer.
func (h *history) withEvents(a ask, reply []any) []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	client := h.clients[a.ClientID]
	if client == nil {
		return reply
	}
	if h.draw(2) == 0 {
		return append(h.take(client), reply...)
	}
	events := h.take(client)
	if len(events) == 0 {
		return reply
	}
	return append(events, reply...)
}

// generate publishes n events on two channels, at random moments, with holes between their ids.
func (h *history) generate(n int) {
	id := int64(1_000_000 * h.draw(5000))
	h.mu.Lock()
	h.oldest = id
	h.mu.Unlock()
	for range n {
		id += int64(1 + h.draw(20))
		channel := []string{accounts, contacts}[h.draw(2)]
		h.check.Lock()
		h.expected[channel] = append(h.expected[channel], id)
		h.check.Unlock()
		h.publish(channel, id)
		switch h.draw(10) {
		case 0:
			time.Sleep(time.Duration(h.draw(150_000)) * time.Millisecond)
		case 1, 2:
			time.Sleep(time.Duration(h.draw(50)) * time.Millisecond)
		}
	}
}

// handle is the checker: an event is one that came before, or the next one.
func (h *history) handle(ctx context.Context, batch []bayeux.Message) error {
	if h.draw(20) == 0 {
		time.Sleep(time.Duration(h.draw(100)) * time.Second)
	}
	h.check.Lock()
	defer h.check.Unlock()
	for _, m := range batch {
		expected, next := h.expected[m.Channel], h.next[m.Channel]
		switch at, known := slices.BinarySearch(expected, m.ReplayID); {
		case string(m.Data) != fmt.Sprintf(`{"n":%d}`, m.ReplayID):
			return fmt.Errorf("event %d holds %s", m.ReplayID, m.Data)
		case !known:
			return fmt.Errorf("event %d on %s was never sent", m.ReplayID, m.Channel)
		case at < next:
			h.repeated++
		case at > next:
			return fmt.Errorf("event %d on %s came before %d", m.ReplayID, m.Channel, expected[next])
		default:
			h.next[m.Channel] = next + 1
		}
		if done := h.next[m.Channel]; h.draw(3) == 0 { // what is durable lags behind what was handled
			h.published[m.Channel] = expected[max(0, done-1-h.draw(5))]
		}
	}
	return nil
}

// complete reports whether every event has come.
func (h *history) complete() bool {
	h.check.Lock()
	defer h.check.Unlock()
	for channel, expected := range h.expected {
		if h.next[channel] < len(expected) {
			return false
		}
	}
	return true
}

func (h *history) replay(channel string) func() int64 {
	return func() int64 {
		h.check.Lock()
		defer h.check.Unlock()
		if position, ok := h.published[channel]; ok {
			return position
		}
		return bayeux.ReplayAll
	}
}

func (h *history) run() {
	client := h.client(func(c *bayeux.Config) {
		c.Buffer = []int{0, 300}[h.draw(2)]
		c.Backoff.Rand, c.Busy.Rand = nil, nil
	})
	ctx, stop := context.WithCancel(h.t.Context())
	var subs []bayeux.Subscription
	for _, channel := range []string{accounts, contacts} {
		subs = append(subs, bayeux.Subscription{Channel: channel, Replay: h.replay(channel)})
	}
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx, subs, h.handle) }()
	h.generate(50 + h.draw(200))
	if h.draw(2) == 0 {
		client.Resubscribe()
	}
	h.dice.Lock()
	h.rate = 0 // the nemesis rests
	h.dice.Unlock()
	for deadline := time.Now().Add(24 * time.Hour); !h.complete() && time.Now().Before(deadline); {
		time.Sleep(time.Minute)
	}
	time.Sleep(5 * time.Minute) // what comes now came before
	synctest.Wait()
	stop()
	if err := <-done; err != nil {
		h.t.Errorf("Run = %v", err)
	}
	h.check.Lock()
	defer h.check.Unlock()
	for channel, expected := range h.expected {
		if h.next[channel] != len(expected) {
			h.t.Errorf("%s: %d of %d events came; %d is missing", channel, h.next[channel], len(expected), expected[h.next[channel]])
		}
	}
}

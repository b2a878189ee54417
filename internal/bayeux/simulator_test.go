package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
)

// simulated is the simulated org's streaming endpoint, which shares no code with the client, on an in-memory network.
type simulated struct {
	*cometd.Server
	log      *cdc.Log
	listener *pipeListener
	token    atomic.Int64 // the good token is this number
}

func newSimulated(t *testing.T, options cometd.Options) *simulated {
	t.Helper()
	s := &simulated{log: cdc.NewLog(cdc.Options{Seed: 1}), listener: newPipeListener()}
	options.Log, options.Cookies = s.log, cometd.CookiesAlways
	options.Authenticate = func(r *http.Request) (cometd.User, error) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer %d", s.token.Load()) {
			return cometd.User{}, errors.New("the session has ended")
		}
		return cometd.User{ID: "005000000000001AAA"}, nil
	}
	s.Server = cometd.NewServer(options)
	s.listener.serve(t, s.Server)
	return s
}

func (s *simulated) client(t *testing.T, change ...func(*bayeux.Config)) *bayeux.Client {
	t.Helper()
	transport := &http.Transport{DialContext: s.listener.dial}
	t.Cleanup(transport.CloseIdleConnections)
	config := bayeux.Config{
		URL: "http://org.example/cometd/66.0", HTTP: &http.Client{Transport: transport},
		Token:   func(context.Context, string) (string, error) { return fmt.Sprint(s.token.Load()), nil },
		Backoff: retry.Backoff{Rand: func() float64 { return 1 }},
		Busy:    retry.Backoff{Rand: func() float64 { return 1 }},
	}
	for _, c := range change {
		c(&config)
	}
	client, err := bayeux.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s *simulated) commit(n int) int64 {
	return s.log.Commit(cdc.Commit{User: "005000000000001AAA", Changes: []cdc.Change{{
		Entity: "Account", ID: fmt.Sprintf("001%012dAAA", n), Kind: cdc.Update, Fields: map[string]any{"Phone": fmt.Sprint(n)},
	}}})
}

// The simulated org in each of its moods: every event once and in order after what comes twice is left out.
func TestSimulatedOrg(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]cometd.Options{
		"calm":                        {},
		"batches of three":            {MaxBatch: 3},
		"events in every reply":       {AnyReply: true, MaxBatch: 2},
		"repeats after subscribing":   {Duplicates: 5},
		"forgets after two connects":  {ForgetAfter: 2},
		"401 in error":                {AuthFailure: cometd.AuthBayeux},
		"401 as unknown client":       {AuthFailure: cometd.AuthUnknown},
		"401 empty":                   {AuthFailure: cometd.AuthEmpty},
		"401 HTML":                    {AuthFailure: cometd.AuthHTML},
		"goodbye with advice to wait": {DisconnectAdvice: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulatedHistory(t, options) })
		})
	}
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("random faults %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hook, err := cometd.Random(seed, 0.2)
				if err != nil {
					t.Fatal(err)
				}
				simulatedHistory(t, cometd.Options{Hook: hook, AnyReply: seed%2 == 0})
			})
		})
	}
}

func simulatedHistory(t *testing.T, options cometd.Options) {
	org := newSimulated(t, options)
	var position atomic.Int64
	position.Store(bayeux.ReplayAll)
	got := make(chan int64, 1000)
	handle := func(_ context.Context, batch []bayeux.Message) error {
		for _, m := range batch {
			if m.ReplayID > position.Load() { // what is not is a repetition
				got <- m.ReplayID
				position.Store(m.ReplayID)
			}
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- org.client(t).Run(ctx, []bayeux.Subscription{{Channel: "/data/ChangeEvents", Replay: position.Load}}, handle)
	}()
	var want []int64
	for n := range 120 {
		want = append(want, org.commit(n))
		switch n % 40 {
		case 5:
			org.ExpireSessions()
		case 15:
			org.Disconnect()
		case 25:
			org.token.Add(1)
			org.Reauthenticate()
		case 35:
			time.Sleep(3 * time.Minute)
		}
		if n%4 == 0 {
			synctest.Wait()
		}
	}
	time.Sleep(6 * time.Hour)
	synctest.Wait()
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	close(got)
	var all []int64
	for id := range got {
		all = append(all, id)
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %d events %v, want %d %v", len(all), all, len(want), want)
	}
	if farewells := org.Stats().Disconnects; options.Hook == nil && farewells != 1 {
		t.Errorf("%d farewells, want 1", farewells)
	}
}

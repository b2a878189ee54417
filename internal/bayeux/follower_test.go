package bayeux_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"crosswalk/internal/bayeux"
)

const accounts, contacts = "/data/AccountChangeEvent", "/data/ContactChangeEvent"

// follower is the caller of a client: it keeps what came and, as a producer does, a position per channel.
type follower struct {
	mu        sync.Mutex
	got       map[string][]int64 // every event as it came, duplicates included
	positions map[string]int64   // what Replay answers
	acks      []bayeux.Acknowledgement
	keep      bool // move the position with each batch
	real      bool // the payloads are change events, not those of fakeOrg
	handle    func(ctx context.Context, batch []bayeux.Message) error
}

func newFollower() *follower {
	return &follower{got: map[string][]int64{}, positions: map[string]int64{}, keep: true}
}

func (f *follower) subscription(channel string) bayeux.Subscription {
	return bayeux.Subscription{
		Channel: channel,
		Replay: func() int64 {
			f.mu.Lock()
			defer f.mu.Unlock()
			if p, ok := f.positions[channel]; ok {
				return p
			}
			return bayeux.ReplayAll
		},
		Subscribed: func(ack bayeux.Acknowledgement) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.acks = append(f.acks, ack)
		},
	}
}

func (f *follower) take(ctx context.Context, batch []bayeux.Message) error {
	if f.handle != nil {
		if err := f.handle(ctx, batch); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range batch {
		if want := fmt.Sprintf(`{"n":%d}`, m.ReplayID); !f.real && string(m.Data) != want {
			return fmt.Errorf("event %d holds %s, want %s", m.ReplayID, m.Data, want)
		}
		f.got[m.Channel] = append(f.got[m.Channel], m.ReplayID)
		if f.keep {
			f.positions[m.Channel] = m.ReplayID
		}
	}
	return nil
}

func (f *follower) events(channel string) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got[channel])
}

// running is a Run under way.
type running struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

// start runs client until stop, or the end of the test.
func (f *follower) start(t *testing.T, client *bayeux.Client, channels ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var subs []bayeux.Subscription
	for _, channel := range channels {
		subs = append(subs, f.subscription(channel))
	}
	r := &running{t: t, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- client.Run(ctx, subs, f.take) }()
	return r
}

// end stops the run and wants it to end well.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run = %v, want nil after its context ended", err)
	}
}

// settle waits until nothing moves without time passing.
func settle() { synctest.Wait() }

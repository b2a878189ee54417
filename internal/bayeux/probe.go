package bayeux

import (
	"context"
	"errors"
	"fmt"
	"time"

	"crosswalk/internal/retry"
)

// ProbeTime bounds a Probe.
const ProbeTime = 30 * time.Second

// probeTries is how many sessions a Probe tries to open, a moment apart.
const probeTries = 3

var errGranted = errors.New("granted")

// Probe subscribes to one channel for new events, and unsubscribes again. It returns nil when the server granted it, what
// Run would have returned when it refused, and the *LostError when no session could be had within a few tries.
func Probe(ctx context.Context, config Config, channel string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ProbeTime,
		fmt.Errorf("subscribe to %s: no answer within %s; check that nothing on the way to %s holds back long requests", channel, ProbeTime, config.URL))
	defer cancel()
	probing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if config.Backoff.First <= 0 {
		config.Backoff = retry.Backoff{First: 500 * time.Millisecond}
	}
	failures := 0
	config.Retrying = func(why *LostError, _ time.Duration) {
		if failures++; failures >= probeTries || why.Cause == CauseBusy {
			stop(why)
		}
	}
	client, err := New(config)
	if err != nil {
		return err
	}
	err = client.Run(probing, []Subscription{{
		Channel: channel, Replay: func() int64 { return ReplayNew }, Subscribed: func(Acknowledgement) { stop(errGranted) },
	}}, func(context.Context, []Message) error { return nil })
	if err != nil {
		return err
	}
	if cause := context.Cause(probing); !errors.Is(cause, errGranted) {
		return cause
	}
	return nil
}

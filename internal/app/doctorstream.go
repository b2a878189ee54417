package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
)

// streamTime bounds one attempt to subscribe.
const streamTime = 30 * time.Second

// refusedChannel reports that the server answered a subscription with no.
func refusedChannel(err error) bool {
	var refused *bayeux.SubscribeError
	return errors.As(err, &refused)
}

// subscribe asks once for an object's own channel, unsubscribes again and remembers the answer; nil is a yes.
func (e *examination) subscribe(ctx context.Context, object string) error {
	if err, known := e.streams[object]; known {
		return err
	}
	address := e.org.Salesforce.StreamingURL
	if address == "" {
		address = strings.TrimSuffix(e.token.InstanceURL, "/") + "/cometd/" + e.client.Version()
	}
	err := e.tryChannel(ctx, address, "/data/"+eventOf(object))
	e.streams[object] = err
	return err
}

func (e *examination) tryChannel(ctx context.Context, address, channel string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, streamTime, fmt.Errorf("subscribe to %s: no answer within %s; check that nothing on the way to %s holds back long requests", channel, streamTime, address))
	defer cancel()
	done, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	granted := errors.New("granted")
	failures := 0
	client, err := bayeux.New(bayeux.Config{
		URL: address, Token: e.tokens.AccessToken, Logger: e.app.log, Backoff: retry.Backoff{First: patience.First},
		Retrying: func(why *bayeux.LostError, _ time.Duration) {
			if failures++; failures >= patience.Attempts || why.Cause == bayeux.CauseBusy {
				stop(why)
			}
		},
	})
	if err != nil {
		return err
	}
	err = client.Run(done, []bayeux.Subscription{{
		Channel: channel, Replay: func() int64 { return bayeux.ReplayNew }, Subscribed: func(bayeux.Acknowledgement) { stop(granted) },
	}}, func(context.Context, []bayeux.Message) error { return nil })
	if err != nil {
		return err
	}
	if cause := context.Cause(done); !errors.Is(cause, granted) {
		return cause
	}
	return nil
}

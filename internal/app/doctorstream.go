package app

import (
	"context"
	"errors"
	"strings"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

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
	err := bayeux.Probe(ctx, bayeux.Config{
		URL: address, Token: e.tokens.AccessToken, Logger: e.app.log, Backoff: retry.Backoff{First: patience.First},
	}, "/data/"+sfapi.EventOf(object))
	e.streams[object] = err
	return err
}

package bayeux

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/retry"
)

// Config says where and how a Client works. URL and Token are needed; the rest has defaults.
type Config struct {
	// URL is where CometD is spoken, version included: https://example.my.salesforce.com/cometd/66.0.
	URL string
	// HTTP gives the transport; its Jar, Timeout and CheckRedirect are not used. Nil means http.DefaultTransport.
	HTTP *http.Client
	// Token returns the access token to use now. rejected is the token that the server has just refused, which
	// must not be returned again, or empty. An error marked by retry.Final ends Run; others are tried again.
	Token func(ctx context.Context, rejected string) (token string, err error)
	// Logger is silent above debug while sessions are lost and found as they should be. Nil means no log.
	Logger *slog.Logger
	// Metrics may be shared by clients. Nil means metrics that nobody sees.
	Metrics *Metrics
	// Backoff spaces out attempts that fail in a row. A session that lasted longer than its longest wait, or than
	// a minute if that is less, ends the row. Zero: see retry.Backoff. Attempts and Notify are not used.
	Backoff retry.Backoff
	// Busy spaces out attempts after a limit or "Server is too busy". Zero means 1 to 15 minutes.
	Busy retry.Backoff
	// Timing holds the protocol's durations.
	Timing Timing
	// MaxReply is the largest reply that is read, in bytes after decompression. Zero means 32 MiB; Salesforce asks
	// for at least 10 MB (facts 4.1).
	MaxReply int64
	// Buffer is how many bytes of replies may wait for the handler before the next request for events is held back.
	// Twice as many, in spite of that, give the session up until the handler has caught up. Zero means 8 MiB.
	Buffer int
	// Retrying is told of each lost session, or failed attempt at one, and of the wait before the next. It is called
	// from Run's goroutine. May be nil.
	Retrying func(err *LostError, wait time.Duration)
}

// Timing holds the protocol's durations. A zero field means its default; a test against a faster server sets all.
type Timing struct {
	// Hold is how long the server may hold a request for events, unless its advice says otherwise. Default 110 s.
	Hold time.Duration
	// Slack is how much later than Hold an answer may come. Default 20 s.
	Slack time.Duration
	// Request bounds every other request. Default 30 s.
	Request time.Duration
	// KeepAlive is how long after an answer the next request for events is sent at the latest, though the handler
	// is busy. Default 30 s: Salesforce forgets a client after 40.
	KeepAlive time.Duration
	// Goodbye bounds unsubscribing and disconnecting. Default 5 s.
	Goodbye time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{
		{&t.Hold, 110 * time.Second},
		{&t.Slack, 20 * time.Second},
		{&t.Request, 30 * time.Second},
		{&t.KeepAlive, 30 * time.Second},
		{&t.Goodbye, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.fallback
		}
	}
	return t
}

// Client follows channels of one server for one user.
type Client struct {
	config Config
	http   http.Client
	log    *slog.Logger

	mu    sync.Mutex
	renew context.CancelCauseFunc // ends the session under way; nil when there is none
}

// New checks config and makes a client. It starts nothing and sends nothing.
func New(config Config) (*Client, error) {
	address, err := url.Parse(config.URL)
	if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
		return nil, fmt.Errorf("use %q as streaming URL: it must look like https://example.my.salesforce.com/cometd/66.0", config.URL)
	}
	if config.Token == nil {
		return nil, errors.New("make a Bayeux client: Config.Token is missing")
	}
	config.Timing = config.Timing.withDefaults()
	if config.Busy.First <= 0 {
		config.Busy.First = time.Minute
	}
	if config.Busy.Max <= 0 {
		config.Busy.Max = 15 * time.Minute
	}
	if config.MaxReply <= 0 {
		config.MaxReply = 32 << 20
	}
	if config.Buffer <= 0 {
		config.Buffer = 8 << 20
	}
	if config.Metrics == nil {
		config.Metrics = NewMetrics(nil)
	}
	c := &Client{config: config, log: config.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if config.HTTP != nil {
		c.http = *config.HTTP
	}
	c.http.Timeout = 0 // the requests have their own
	c.http.Jar = newCookies()
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Run subscribes to subs and hands what comes to handle, until ctx ends: then it unsubscribes, disconnects and
// returns nil. Any other end is an error: the handler's, or one of those that the package comment lists.
//
// handle gets the events of one reply, in the server's order, one batch at a time; Run returns after it did. Its
// ctx ends with Run's. An event whose batch handle has not returned from may come again. One Run at a time.
func (c *Client) Run(ctx context.Context, subs []Subscription, handle func(context.Context, []Message) error) error {
	for _, sub := range subs {
		if !strings.HasPrefix(sub.Channel, "/") || sub.Replay == nil {
			return fmt.Errorf("subscribe to %q: a subscription needs a channel that begins with a slash, and Replay", sub.Channel)
		}
	}
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{Client: c, subs: subs, handle: handle, queue: newQueue(), log: c.log}
	handled := make(chan error, 1)
	go func() {
		err := r.deliver(ctx)
		cancel(err)
		handled <- err
	}()
	err := r.follow(ctx)
	cancel(nil)
	failed := <-handled
	held, _ := r.queue.size()
	c.config.Metrics.buffered.Sub(float64(held))
	switch {
	case outer.Err() != nil:
		return nil
	case failed != nil:
		return fmt.Errorf("handle events: %w", failed)
	}
	return err
}

// Resubscribe ends the session under way, unsubscribing from all channels, and subscribes to them again in a new
// one, each from its position (H16). It returns at once; Subscribed tells when it is done. Without a session under
// way there is nothing to do, since the next one subscribes anyway.
func (c *Client) Resubscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.renew != nil {
		c.renew(errResubscribe)
	}
}

var errResubscribe = errors.New("asked to subscribe again")

package topic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"crosswalk/internal/secret"
)

// Config says which Kafka cluster, and how to get in.
type Config struct {
	Brokers  []string     // host:port of one or more brokers; the others are found through them
	TLS      *tls.Config  // nil: plain text
	SASL     SASL         // zero: no login
	ClientID string       // what brokers write in their logs; default crosswalk
	Logger   *slog.Logger // default discards
	Metrics  *Metrics     // default counts nowhere

	// Dial opens a connection; default is TCP with a timeout of 5 s. It is how tests lose replies and how a proxy is
	// put between.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SASL is how to log in.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; empty: no login
	User      string
	Password  secret.String
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToUpper(s.Mechanism) {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password.Reveal()}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password.Reveal())
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password.Reveal())
	}
	return nil, fmt.Errorf("log in to Kafka: unknown SASL mechanism %q; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// requestTimeout bounds one exchange with a broker, the waiting for its replicas included.
const requestTimeout = 30 * time.Second

// Client is a connection to a cluster. It is safe for concurrent use; writers, readers and tasks are made from it.
type Client struct {
	config    Config
	addr      net.Addr
	transport *kafka.Transport
	cancel    context.CancelFunc
	layout    layout
	stamps    atomic.Int64 // the greatest rev of a Stamp
}

// Dial connects and asks for the brokers, so that a wrong address or password shows here: the error is one sentence
// that names the address.
func Dial(ctx context.Context, config Config) (*Client, error) {
	if len(config.Brokers) == 0 {
		return nil, errors.New("connect to Kafka: no broker is configured; set kafka.brokers")
	}
	mechanism, err := config.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" {
		config.ClientID = "crosswalk"
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Metrics == nil {
		config.Metrics = NewMetrics(nil)
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{config: config, addr: kafka.TCP(config.Brokers...), cancel: cancel}
	c.transport = &kafka.Transport{
		Dial: config.Dial, ClientID: config.ClientID, TLS: config.TLS, SASL: mechanism, Context: background,
		DialTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second,
		MetadataTTL:    4 * time.Second,
		MetadataTopics: []string{}, // brokers only: topics are looked up by layout
	}
	c.layout.client = c
	ctx, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	if err := c.layout.refresh(ctx); err != nil {
		return nil, errors.Join(explainDial(config, err), c.Close())
	}
	return c, nil
}

func explainDial(config Config, err error) error {
	where, login := strings.Join(config.Brokers, ", "), ""
	if config.SASL.Mechanism != "" {
		login = fmt.Sprintf(" and the login as %q (kafka.sasl)", config.SASL.User)
	}
	var network *net.OpError
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed), errors.Is(err, kafka.UnsupportedSASLMechanism),
		errors.Is(err, kafka.IllegalSASLState):
		return fmt.Errorf("connect to Kafka at %s: the login as %q was refused; check kafka.sasl: %w", where, config.SASL.User, err)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("connect to Kafka at %s: no broker answers; check kafka.brokers and that the broker runs: %w", where, err)
	}
	return fmt.Errorf("connect to Kafka at %s: no usable answer; check kafka.brokers, kafka.tls%s: %w", where, login, err)
}

// Close ends the connections. Writers, readers and tasks of the client must have ended before.
func (c *Client) Close() error {
	c.cancel()
	c.transport.CloseIdleConnections()
	return nil
}

// ask sends a request of that kind with our body to the broker node (any when negative) and returns the answer behind its header.
func (c *Client) ask(ctx context.Context, node int32, kind protocol.Message, version int16, body []byte) (*decoder, error) {
	b := &toBroker{node: node, exchange: exchange{Message: kind, version: version, body: [][]byte{body}, max: 64 << 20}}
	if err := c.send(ctx, &b.exchange, b); err != nil {
		return nil, err
	}
	return &decoder{b: b.reply}, nil
}

// send runs an exchange to its end. After an error its memory may still be in use until its done is closed, at the
// latest when requestTimeout is over.
func (c *Client) send(ctx context.Context, e *exchange, message protocol.Message) error {
	e.clientID, e.done = c.config.ClientID, make(chan struct{})
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.transport.RoundTrip(ctx, c.addr, message)
	return err
}

// --- errors that pass ---

// transient reports whether a request may be tried again: the connection broke or the cluster is moving.
func transient(err error) bool {
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Temporary() || code == kafka.BrokerNotAvailable || code == kafka.ConcurrentTransactions
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errShort) && !errors.Is(err, errPermanent) &&
		!errors.Is(err, ErrLeaseLost)
}

// backoff waits between tries: 20 ms, doubled up to 1 s.
type backoff struct{ next time.Duration }

func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(2*b.next, 20*time.Millisecond), time.Second)
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry runs do until it succeeds, fails for good, or ctx ends; the error is then the last one of do.
func retry(ctx context.Context, do func() error) error {
	var pause backoff
	for {
		err := do()
		if err == nil || !transient(err) || ctx.Err() != nil {
			return err
		}
		if pause.wait(ctx) != nil {
			return err
		}
	}
}

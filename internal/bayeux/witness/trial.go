package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
)

// What the servers publish, and where.
const (
	channel = "/data/ChangeEvents"
	text    = "café \"quoted\" \\ 😀"
)

// trial is one client following the server for one check.
type trial struct {
	control  string
	client   *bayeux.Client
	network  *network
	position atomic.Int64
	since    int64 // events after this one are expected
	cancel   context.CancelFunc
	ended    chan error

	mu         sync.Mutex
	got        []int64
	wrong      error // the first event that was not as it should be
	losts      []*bayeux.LostError
	arrived    chan struct{} // holds a token when a batch was handled
	subscribed chan struct{} // likewise, for an acknowledgement
}

func newTrial(url, controlURL string) *trial {
	t := &trial{
		control: controlURL, network: &network{}, arrived: make(chan struct{}, 1), subscribed: make(chan struct{}, 1),
	}
	client, err := bayeux.New(bayeux.Config{
		URL:     url,
		HTTP:    &http.Client{Transport: &http.Transport{DialContext: t.network.dial}},
		Token:   func(ctx context.Context, _ string) (string, error) { return t.get(ctx, "/token") },
		Backoff: retry.Backoff{First: 10 * time.Millisecond, Max: 200 * time.Millisecond},
		Timing:  bayeux.Timing{Hold: 5 * time.Second, Slack: 5 * time.Second, KeepAlive: 2 * time.Second},
		Retrying: func(err *bayeux.LostError, _ time.Duration) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.losts = append(t.losts, err)
		},
	})
	if err != nil {
		panic(err) // the configuration is this file's
	}
	t.client = client
	return t
}

// mark makes what is in the server's log now the past.
func (t *trial) mark(ctx context.Context) error {
	ids, err := t.log(ctx, 0)
	if err == nil && len(ids) > 0 {
		t.since = ids[len(ids)-1]
	}
	return err
}

// start begins to follow and returns when the subscription is acknowledged. Without a position it is the log's end.
func (t *trial) start(ctx context.Context) error {
	if t.position.Load() == 0 {
		if err := t.mark(ctx); err != nil {
			return err
		}
		t.position.Store(t.since)
		if t.since == 0 {
			t.position.Store(bayeux.ReplayAll)
		}
	}
	ctx, t.cancel = context.WithCancel(ctx)
	t.ended = make(chan error, 1)
	go func() { t.ended <- t.client.Run(ctx, t.subscriptions(), t.handle) }()
	select {
	case <-t.subscribed:
		return nil
	case err := <-t.ended:
		return fmt.Errorf("the client ended: %w", err)
	}
}

// stop ends the client, once.
func (t *trial) stop() error {
	if t.cancel == nil {
		return nil
	}
	t.cancel()
	t.cancel = nil
	return <-t.ended
}

func (t *trial) subscriptions() []bayeux.Subscription {
	return []bayeux.Subscription{{
		Channel: channel, Replay: t.position.Load,
		Subscribed: func(bayeux.Acknowledgement) { signal(t.subscribed) },
	}}
}

// handle keeps the events that are new, as a producer does that compares positions.
func (t *trial) handle(_ context.Context, batch []bayeux.Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range batch {
		if m.ReplayID <= t.position.Load() {
			continue
		}
		var payload struct {
			N    int64
			Text string
		}
		err := json.Unmarshal(m.Data, &payload)
		if err != nil || m.Channel != channel || m.Schema == "" || payload.N != m.ReplayID || payload.Text != text {
			t.wrong = fmt.Errorf("event %d on %s holds %s", m.ReplayID, m.Channel, m.Data)
		}
		t.position.Store(m.ReplayID)
		t.got = append(t.got, m.ReplayID)
	}
	signal(t.arrived)
	return nil
}

// complete waits until as many events came as the server published, and compares them.
func (t *trial) complete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	want, err := t.log(ctx, t.since)
	if err != nil {
		return err
	}
	for {
		t.mu.Lock()
		got, wrong := slices.Clone(t.got), t.wrong
		t.mu.Unlock()
		switch {
		case wrong != nil:
			return wrong
		case slices.Equal(got, want):
			return nil
		case len(got) > len(want) || !slices.Equal(got, want[:len(got)]):
			return fmt.Errorf("%d events came that are not the %d published: %s", len(got), len(want), difference(got, want))
		}
		select {
		case <-t.arrived:
		case err := <-t.ended:
			t.ended <- err
			return fmt.Errorf("the client ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events came, the last session was lost by %v", len(got), len(want), t.lastLoss())
		}
	}
}

func difference(got, want []int64) string {
	for i, id := range got {
		if i == len(want) || id != want[i] {
			return fmt.Sprintf("number %d is %d", i, id)
		}
	}
	return "none"
}

// noticed reports whether a session was lost by one of causes.
func (t *trial) noticed(causes []bayeux.Cause) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.losts, func(l *bayeux.LostError) bool { return slices.Contains(causes, l.Cause) })
}

func (t *trial) losses() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.losts)
}

func (t *trial) lastLoss() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.losts) == 0 {
		return errors.New("nothing")
	}
	return t.losts[len(t.losts)-1]
}

// log returns the ids of the events that the server published after one.
func (t *trial) log(ctx context.Context, after int64) ([]int64, error) {
	lines, err := t.get(ctx, "/log?after="+strconv.FormatInt(after, 10))
	var ids []int64
	for line := range strings.FieldsSeq(lines) {
		id, failed := strconv.ParseInt(line, 10, 64)
		ids, err = append(ids, id), errors.Join(err, failed)
	}
	return ids, err
}

func (t *trial) publish(ctx context.Context, n int) error {
	_, err := t.get(ctx, "/publish?n="+strconv.Itoa(n))
	return err
}

// control makes a fault of a path of the control address.
func control(path string) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		_, err := t.get(ctx, path)
		return err
	}
}

// get asks the control address.
func (t *trial) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.control+path, nil)
	if err != nil {
		return "", fmt.Errorf("make a control request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("control the server: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("control the server: %s answered HTTP %d: %w", path, response.StatusCode, err)
	}
	return string(body), nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

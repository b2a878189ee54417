package sfapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/retry"
)

// inBubble runs fn with a client whose server and clock are both inside one bubble: waits pass in no time and are
// measured exactly.
func inBubble(t *testing.T, serve http.HandlerFunc, cfg Config, fn func(c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan net.Conn)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/services/oauth2/token" {
				w.Header().Set("Content-Type", jsonType)
				_, _ = io.WriteString(w, `{"access_token":"00D!s","instance_url":"http://org"}`)
				return
			}
			serve(w, r)
		})}
		listener := &pipeListener{conns: conns, done: make(chan struct{})}
		go func() { _ = server.Serve(listener) }()
		transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			near, far := net.Pipe()
			select {
			case conns <- far:
				return near, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		defer func() {
			transport.CloseIdleConnections()
			_ = server.Close()
		}()
		web := &http.Client{Transport: transport}
		tokens, err := NewTokenSource(TokenConfig{HTTP: web, Auth: Auth{
			Flow: Password, LoginURL: "http://org", ClientID: "k", Username: "u", Password: "p", AllowAnyHost: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Tokens, cfg.AllowAnyHost, cfg.HTTP = tokens, true, web
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		fn(c)
	})
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "org"} }

func TestRetryAfterIsWaitedForAndBounded(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"90": 90 * time.Second, "86400": maxRetryAfter} {
		calls := 0
		inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(503)
				return
			}
			_, _ = io.WriteString(w, `{}`)
		}, Config{}, func(c *Client) {
			begun := time.Now()
			if _, err := c.Limits(context.Background()); err != nil {
				t.Error(err)
			}
			if waited := time.Since(begun); waited != want {
				t.Errorf("waited %v for Retry-After %s, want %v", waited, header, want)
			}
		})
	}
}

// An hour of maintenance: a client that outlasts it has its answer afterwards, and an operator has read of it meanwhile.
func TestOutageIsOutlasted(t *testing.T) {
	t.Parallel()
	var begun time.Time
	var log bytes.Buffer
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(begun) < time.Hour {
			w.WriteHeader(503)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}, Config{Retry: retry.Backoff{Attempts: Outlast}, Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(c *Client) {
		begun = time.Now()
		if _, err := c.Limits(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("took %v, want an hour and one wait", took)
		}
	})
	has(t, log.String(), "level=WARN", "attempt=5", "read limits", "in maintenance (status.salesforce.com)")
	if strings.Contains(log.String(), "attempt=4 ") {
		t.Error("a failover is no warning")
	}
}

func TestSilentReplyIsGivenUpAndAskedAgain(t *testing.T) {
	t.Parallel()
	calls := 0
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			_, _ = io.WriteString(w, `{"A"`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}, Config{Retry: retry.Backoff{First: time.Second, Max: time.Second, Rand: func() float64 { return 1 }}}, func(c *Client) {
		begun := time.Now()
		if _, err := c.Limits(context.Background()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begun); waited != 2*time.Minute+time.Second {
			t.Errorf("took %v: want two minutes of silence and a second before the next try", waited)
		}
	})
}

func TestSilenceIsNamed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, Config{IdleTimeout: time.Minute}, func(c *Client) {
		body, err := c.Blob(context.Background(), "Note", "002", "Body")
		if err != nil {
			t.Error(err)
			return
		}
		_, err = io.ReadAll(body)
		if !errors.Is(err, errIdle) {
			t.Errorf("got %v", err)
		}
		_ = body.Close()
	})
}

// A consumer that is slow, not a server that is silent: the page stays open.
func TestSlowReaderKeepsItsPage(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	}, Config{IdleTimeout: time.Minute}, func(c *Client) {
		body, err := c.Blob(context.Background(), "Note", "002", "Body")
		if err != nil {
			t.Error(err)
			return
		}
		defer body.Close()
		total, buf := 0, make([]byte, 256<<10)
		for {
			n, err := io.ReadFull(body, buf)
			total += n
			if err != nil {
				break
			}
			_ = retry.Sleep(context.Background(), time.Hour)
		}
		if total != 1<<20 {
			t.Errorf("%d bytes came", total)
		}
	})
}

// A refusal rests: what a person mends in Setup is found without a restart, and nobody is locked out by asking.
func TestRefusalRests(t *testing.T) {
	t.Parallel()
	for flow, want := range map[Flow]int{Password: 1, ClientCredentials: 3} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			web := &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
				asked++
				w := httptest.NewRecorder()
				w.WriteHeader(400)
				_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"IP restricted or invalid login hours"}`)
				return w.Result()
			})}
			s, err := NewTokenSource(TokenConfig{HTTP: web, Auth: Auth{
				Flow: flow, LoginURL: "https://acme.my.salesforce.com", ClientID: "k", ClientSecret: "s", Username: "u", Password: "p",
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range 31 {
				if _, err := s.Token(t.Context(), ""); err == nil {
					t.Error("want the refusal")
				}
				_ = retry.Sleep(t.Context(), time.Minute)
			}
			if asked != want {
				t.Errorf("flow %s asked %d times in half an hour, want %d", flow, asked, want)
			}
		})
	}
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestPollingSlowsDown(t *testing.T) {
	t.Parallel()
	polls := 0
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		state := JobInProgress
		if polls++; polls == 100 {
			state = JobComplete
		}
		_, _ = fmt.Fprintf(w, `{"id":"750","state":%q}`, state)
	}, Config{}, func(c *Client) {
		begun := time.Now()
		if _, err := c.AwaitJob(context.Background(), "750", nil); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < 20*time.Minute || took > 50*time.Minute {
			t.Errorf("100 polls took %v: want 15 to 30 seconds between most", took)
		}
	})
}

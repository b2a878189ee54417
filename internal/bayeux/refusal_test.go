package bayeux_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/bayeux"
)

// listener is what Config.Retrying was told.
type listener struct {
	mu    sync.Mutex
	told  []*bayeux.LostError
	delay []time.Duration
}

func (l *listener) listen(c *bayeux.Config) {
	c.Retrying = func(err *bayeux.LostError, wait time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told, l.delay = append(l.told, err), append(l.delay, wait)
	}
}

func (l *listener) causes() (causes []bayeux.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.told {
		causes = append(causes, err.Cause)
	}
	return causes
}

func (l *listener) texts() (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.told {
		texts = append(texts, err.Error())
	}
	return texts
}

func (l *listener) waits() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.delay)
}

// once makes an answer hook that gives one answer to the nth request on a channel (from 1) and lets the others pass.
func once(channel string, nth int, answer func(w http.ResponseWriter, a ask)) func(http.ResponseWriter, ask) bool {
	var mu sync.Mutex
	count := 0
	return func(w http.ResponseWriter, a ask) bool {
		if a.Channel != channel {
			return false
		}
		mu.Lock()
		count++
		now := count == nth
		mu.Unlock()
		if now {
			answer(w, a)
		}
		return now
	}
}

const (
	onHandshake = "/meta/handshake"
	onConnect   = "/meta/connect"
	onSubscribe = "/meta/subscribe"
)

// endsWith wants Run to end by itself with an error of the kind of want, whose sentence contains says.
func (r *running) endsWith(want error, says string) {
	r.t.Helper()
	var err error
	select {
	case err = <-r.done:
	default:
		r.stop()
		r.t.Fatalf("Run goes on, and ends with %v; want %T", <-r.done, want)
	}
	if err == nil || !strings.Contains(err.Error(), says) {
		r.t.Errorf("a person reads %q, want %q in it", err, says)
	}
	kind := false
	switch want := want.(type) {
	case *bayeux.ReplayError:
		var got *bayeux.ReplayError
		kind = errors.As(err, &got) && got.Channel == accounts && got.Replay == 82
	case *bayeux.SubscribeError:
		var got *bayeux.SubscribeError
		kind = errors.As(err, &got) && got.Channel == accounts && got.Code == want.Code
	case *bayeux.VersionError:
		kind = errors.As(err, &want)
	case *bayeux.HandshakeError:
		kind = errors.As(err, &want)
	case *bayeux.AuthError:
		kind = errors.As(err, &want)
	case *bayeux.AddressError:
		kind = errors.As(err, &want)
	default:
		kind = errors.Is(err, want)
	}
	if !kind {
		r.t.Errorf("Run = %T %v, want %T", err, err, want)
	}
}

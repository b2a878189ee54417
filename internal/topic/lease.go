package topic

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Lease is the proof of a process that its tasks are still its own: the coordinator has answered a sign of life, and
// gives the tasks to nobody else before a session timeout after that. A nil lease is always held.
//
// Only half of the session counts (W1), because a request that is sent takes time to arrive.
type Lease struct {
	session time.Duration
	proved  atomic.Pointer[time.Time] // when the last answered sign of life was sent
	lost    atomic.Bool
}

// ErrLeaseLost says that the process no longer owns the task.
var ErrLeaseLost = errors.New("the lease of the task is lost")

// prove notes that a sign of life that was sent at that time was answered.
func (l *Lease) prove(sent time.Time) { l.proved.Store(&sent) }

// age returns how old the proof is. The wall clock counts too, because the monotonic one stands still while the
// machine sleeps.
func (l *Lease) age() time.Duration {
	proved := l.proved.Load()
	if proved == nil {
		return 1<<63 - 1
	}
	now := time.Now()
	return max(now.Sub(*proved), now.Round(0).Sub(proved.Round(0)))
}

func (l *Lease) held() bool {
	return l == nil || (!l.lost.Load() && l.age() < l.session/2)
}

// await waits until the lease is held.
func (l *Lease) await(ctx context.Context) error {
	for !l.held() {
		if l.lost.Load() {
			return ErrLeaseLost
		}
		timer := time.NewTimer(leasePoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}

type leaseKey struct{}

func withLease(ctx context.Context, l *Lease) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

func leaseOf(ctx context.Context) *Lease {
	l, _ := ctx.Value(leaseKey{}).(*Lease)
	return l
}

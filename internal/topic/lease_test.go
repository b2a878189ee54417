package topic

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeaseIsHeldForHalfASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &Lease{session: 10 * time.Second}
		if l.held() {
			t.Error("held before it was proved")
		}
		l.prove(time.Now())
		time.Sleep(5*time.Second - 1)
		if !l.held() {
			t.Error("not held just before half of the session")
		}
		time.Sleep(time.Nanosecond)
		if l.held() {
			t.Error("held at half of the session")
		}
		go func() {
			time.Sleep(time.Second)
			l.prove(time.Now())
		}()
		if err := l.await(t.Context()); err != nil || !l.held() {
			t.Errorf("await = %v", err)
		}
		l.lost.Store(true)
		if err := l.await(t.Context()); !errors.Is(err, ErrLeaseLost) || l.held() {
			t.Errorf("await of a lost lease = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := (&Lease{session: time.Second}).await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await without proof = %v", err)
		}
		if err := (*Lease)(nil).await(ctx); err != nil {
			t.Errorf("await without a lease = %v", err)
		}
	})
}

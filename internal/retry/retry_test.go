package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/retry"
)

var errBroken = errors.New("broken pipe")

// exact is a policy whose jitter always draws the longest wait but one part in 2^53.
func exact(b retry.Backoff) retry.Backoff {
	b.Rand = func() float64 { return 1 }
	return b
}

func TestDoTriesUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		err := retry.Do(t.Context(), exact(retry.Backoff{First: time.Second, Max: 3 * time.Second}), func(context.Context) error {
			if calls++; calls < 5 {
				return errBroken
			}
			return nil
		})
		if err != nil || calls != 5 {
			t.Fatalf("Do = %v after %d calls, want nil after 5", err, calls)
		}
		if waited := time.Since(start); waited != (1+2+3+3)*time.Second {
			t.Errorf("waited %v in all, want 9s: 1, 2, 3, 3", waited)
		}
	})
}

func TestDoStopsAtFinal(t *testing.T) {
	t.Parallel()
	calls := 0
	err := retry.Do(t.Context(), retry.Backoff{}, func(context.Context) error {
		calls++
		return fmt.Errorf("log in: %w", retry.Final(errBroken))
	})
	if calls != 1 || !errors.Is(err, errBroken) || err.Error() != "log in: broken pipe" {
		t.Errorf("Do = %q after %d calls, want the final error as it came after 1", err, calls)
	}
}

func TestDoStopsAfterAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		b := exact(retry.Backoff{Attempts: 3, First: time.Second})
		b.Notify = func(err error, n int, wait time.Duration) { told = append(told, fmt.Sprint(err, n, wait)) }
		err := retry.Do(t.Context(), b, func(context.Context) error { return errBroken })
		if !errors.Is(err, errBroken) || err.Error() != "broken pipe (attempt 3 of 3)" {
			t.Errorf("Do = %q", err)
		}
		if want := "[broken pipe 1 1s broken pipe 2 2s]"; fmt.Sprint(told) != want {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("stopped by the operator")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { stop(stopped) })
		start := time.Now()
		err := retry.Do(ctx, exact(retry.Backoff{First: time.Minute}), func(context.Context) error { return errBroken })
		if !errors.Is(err, errBroken) || !errors.Is(err, stopped) {
			t.Errorf("Do = %q, want the last failure and the cause", err)
		}
		if time.Since(start) != 10*time.Second {
			t.Errorf("ended after %v, want 10s: a wait must not outlive the context", time.Since(start))
		}
	})
}

func TestDoReturnsTheContextsOwnErrorOnce(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	err := retry.Do(ctx, retry.Backoff{}, func(ctx context.Context) error {
		stop()
		return fmt.Errorf("read page: %w", ctx.Err())
	})
	if !errors.Is(err, context.Canceled) || err.Error() != "read page: context canceled" {
		t.Errorf("Do = %q", err)
	}
}

func TestDoHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		err := retry.Do(t.Context(), retry.Backoff{}, func(context.Context) error {
			if calls++; calls == 1 {
				return fmt.Errorf("query: %w", retry.After(errBroken, 2*time.Minute))
			}
			return nil
		})
		if err != nil || time.Since(start) != 2*time.Minute {
			t.Errorf("Do = %v after %v, want nil after 2m", err, time.Since(start))
		}
	})
}

func TestBackoffWait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		backoff  retry.Backoff
		failures int
		longest  time.Duration
	}{
		{retry.Backoff{}, 1, 500 * time.Millisecond},
		{retry.Backoff{}, 0, 500 * time.Millisecond},
		{retry.Backoff{}, 3, 2 * time.Second},
		{retry.Backoff{}, 7, 30 * time.Second},
		{retry.Backoff{}, 1 << 40, 30 * time.Second},
		{retry.Backoff{First: time.Minute, Max: time.Second}, 4, time.Minute},
		{retry.Backoff{First: 1, Max: 1<<63 - 1}, 100, 1<<63 - 1},
	} {
		shortest := test.backoff
		shortest.Rand = func() float64 { return 0 }
		if got := shortest.Wait(test.failures); got != test.longest/2 {
			t.Errorf("%+v after %d: shortest wait %v, want %v", test.backoff, test.failures, got, test.longest/2)
		}
		for range 100 {
			if got := test.backoff.Wait(test.failures); got < test.longest/2 || got > test.longest {
				t.Fatalf("%+v after %d: %v is outside [%v, %v]", test.backoff, test.failures, got, test.longest/2, test.longest)
			}
		}
	}
}

func TestMarksOfNothing(t *testing.T) {
	t.Parallel()
	if retry.Final(nil) != nil || retry.After(nil, time.Second) != nil {
		t.Error("a mark made an error out of nil")
	}
	if _, ok := retry.AskedFor(errBroken); ok || retry.IsFinal(errBroken) {
		t.Error("an error without marks has one")
	}
}

func TestParseAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"120", 2 * time.Minute, true},
		{" 0 ", 0, true},
		{"Sat, 21 Nov 2026 10:01:30 GMT", 90 * time.Second, true},
		{"Sat, 21 Nov 2026 09:00:00 GMT", 0, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"", 0, false},
		{"soon", 0, false},
		{"-5", 0, false},
	} {
		if got, ok := retry.ParseAfter(test.header, now); got != test.want || ok != test.ok {
			t.Errorf("ParseAfter(%q) = %v, %v, want %v, %v", test.header, got, ok, test.want, test.ok)
		}
	}
}

func TestSleepOfNothingSeesTheEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	if err := retry.Sleep(ctx, 0); err != nil {
		t.Errorf("Sleep = %v in a living context", err)
	}
	stop()
	if err := retry.Sleep(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep = %v in an ended context", err)
	}
}

package retry

import (
	"math/rand/v2"
	"time"
)

// What a zero Backoff means.
const (
	DefaultFirst = 500 * time.Millisecond
	DefaultMax   = 30 * time.Second
)

// Backoff is a policy: how long to wait after each failure, and how often to try. The zero value tries until
// the context ends and waits between half of and all of 500 ms, 1 s, 2 s … 30 s.
type Backoff struct {
	// First is the longest wait after the first failure. Zero means DefaultFirst.
	First time.Duration
	// Max is the longest wait ever. Zero means DefaultMax; less than First means First.
	Max time.Duration
	// Attempts is how often Do calls in all. Zero means until the context ends.
	Attempts int
	// Rand draws the jitter from [0,1). Nil means math/rand/v2; a test that wants the same waits again sets it.
	Rand func() float64
	// Notify is told of each failure that Do will try again: the error, its number from 1, and the wait. May be nil.
	Notify func(err error, attempt int, wait time.Duration)
}

// Wait returns how long to wait after so many failures in a row (1 or more): between half of and all of
// First·2^(failures-1), never above Max.
func (b Backoff) Wait(failures int) time.Duration {
	limit := b.Longest()
	wait := b.first()
	for n := 1; n < failures && wait < limit; n++ {
		if wait > limit/2 {
			wait = limit
			break
		}
		wait *= 2
	}
	draw := b.Rand
	if draw == nil {
		draw = rand.Float64
	}
	half := wait / 2
	return half + time.Duration(draw()*float64(wait-half))
}

// Longest returns the longest wait of the policy.
func (b Backoff) Longest() time.Duration {
	if b.Max <= 0 {
		return max(DefaultMax, b.first())
	}
	return max(b.Max, b.first())
}

func (b Backoff) first() time.Duration {
	if b.First <= 0 {
		return DefaultFirst
	}
	return b.First
}

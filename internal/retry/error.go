package retry

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// Final marks err as one that no further attempt mends: Do returns it at once. The text stays as it is.
// Final(nil) is nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

// IsFinal reports whether err, or an error that it wraps, was marked by Final.
func IsFinal(err error) bool {
	var final *finalError
	return errors.As(err, &final)
}

type afterError struct {
	err  error
	wait time.Duration
}

func (e *afterError) Error() string { return e.err.Error() }
func (e *afterError) Unwrap() error { return e.err }

// After says that the server asked not to be called again before wait has passed. The text stays as it is.
// After(nil, …) is nil.
func After(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return &afterError{err, wait}
}

// AskedFor returns the wait that After put on err or on an error that it wraps.
func AskedFor(err error) (wait time.Duration, ok bool) {
	var after *afterError
	if !errors.As(err, &after) {
		return 0, false
	}
	return after.wait, true
}

// ParseAfter reads a Retry-After header (RFC 9110, 10.2.3): seconds, or an HTTP date, which is compared with
// now. It reports false when the header is empty or is neither; a date that has passed is zero.
func ParseAfter(header string, now time.Time) (wait time.Duration, ok bool) {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 63); err == nil {
		if seconds > math.MaxInt64/uint64(time.Second) {
			return math.MaxInt64, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0, false
	}
	return max(0, date.Sub(now)), true
}

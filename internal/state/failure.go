package state

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failure is why a store is of no more use.
type failure struct {
	dir string
	err error
}

func (f *failure) Error() string {
	if errors.Is(f.err, syscall.ENOSPC) {
		return fmt.Sprintf("commit state in %s: the disk is full; free some space and start again, nothing committed is lost", f.dir)
	}
	return fmt.Sprintf("commit state in %s: %v; repair the disk and start again, nothing committed is lost", f.dir, f.err)
}

func (f *failure) Unwrap() error { return f.err }

// fail makes the store refuse every call from now on. The first reason stays.
func (s *Store) fail(err error) *failure {
	f := &failure{dir: s.dir, err: err}
	if s.failure.CompareAndSwap(nil, f) {
		s.metrics.failures.Inc()
		return f
	}
	return s.failure.Load()
}

// recoverFailure turns what [logger.Fatalf] threw into the error of the call.
func recoverFailure(err *error) {
	switch r := recover().(type) {
	case nil:
	case *failure:
		*err = r
	default:
		panic(r)
	}
}

// logger takes Pebble's log: what it tells about its normal work is dropped.
type logger struct {
	log   *slog.Logger
	store *Store
}

func (logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("state store reports an error", "dir", l.store.dir, "error", fmt.Sprintf(format, args...))
}

// Fatalf is called by Pebble where it cannot go on, and must not return: the default would end the process. The
// caller's own goroutine gets the failure thrown; a goroutine in the background stops for good, and the next call
// tells why.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			err = cause
		}
	}
	l.store.stuck.Store(true)
	f := l.store.fail(err)
	if l.store.opening.Load() || strings.HasPrefix(format, "pebble: fatal commit error") {
		panic(f)
	}
	l.log.Error("state store stopped", "dir", l.store.dir, "error", f)
	select {}
}

func (l logger) background(err error) {
	l.log.Warn("state store retries its background work", "dir", l.store.dir, "error", err)
}

// reserve is a file that only takes up space. When the disk is full it is removed, so that what Pebble is writing at
// that moment can still be finished; from then on commits are refused.
type reserve struct {
	fs    vfs.FS
	dir   string
	store *Store
	log   *slog.Logger
}

const reserveSize = 1 << 20

func (r *reserve) path() string { return filepath.Join(r.dir, "RESERVE") }

// take makes the file if it is missing.
func (r *reserve) take() error {
	if info, err := r.fs.Stat(r.path()); err == nil && info.Size() == reserveSize {
		return nil
	}
	f, err := r.fs.Create(r.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create reserve: %w", err)
	}
	_, err = f.Write(make([]byte, reserveSize))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write reserve: %w", errors.Join(err, r.fs.Remove(r.path())))
	}
	return nil
}

// release is called by the file system on the first write that finds no space.
func (r *reserve) release() {
	f := r.store.fail(syscall.ENOSPC)
	r.log.Error("state store stopped", "dir", r.dir, "error", f)
	_ = r.fs.Remove(r.path()) // whether it helps shows in the write that is tried again
}

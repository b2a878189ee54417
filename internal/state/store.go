// Package state is what a task remembers between two runs: keys and values on disk, changed by batches that are atomic
// and durable. A task puts its values and the input offsets that they reflect into one [Batch]; after a crash it finds
// both of the same moment or both of the moment before (R33).
//
// Behind the package is Pebble. Memory is bounded by the block cache and two write buffers, whatever the size of the
// data; reads of more than that go to disk.
//
// A store that could not write (a full disk, a failing device) refuses every later call with the first reason, because
// what it would show may hold more than what is on disk: the owner stops, says why, and goes on from the last commit
// when it is started again (F14).
//
// Metrics: crosswalk_state_commits_total, crosswalk_state_commit_bytes_total, crosswalk_state_commit_seconds,
// crosswalk_state_failures_total.
package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrClosed is returned by every call on a closed store.
var ErrClosed = errors.New("state store is closed")

// blockCache is how many bytes of table files stay in memory for reads, unless BlockCache says otherwise.
const blockCache = 16 << 20

// writeBuffer is the size of one of the two buffers that hold what is not yet in a table file. It is also the most
// that is replayed from the log when a store is opened.
const writeBuffer = 16 << 20

type settings struct {
	logger   *slog.Logger
	metrics  *Metrics
	fs       vfs.FS
	separate int
	cache    int
	raw      bool
}

// Option changes how a store is opened.
type Option func(*settings)

// Logger sets where failures in the background are logged; the default discards them.
func Logger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithMetrics sets where commits are counted; nil counts nowhere.
func WithMetrics(m *Metrics) Option { return func(s *settings) { s.metrics = m } }

// SeparateValues has values of at least size bytes written once, to files of their own, and left there when their keys are
// merged into larger files: for a store of many values of hundreds of bytes, whose merging would else cost more than all
// the rest. Reading such a value costs one more read.
func SeparateValues(size int) Option { return func(s *settings) { s.separate = size } }

// BlockCache sets how many bytes of table files stay in memory for reads; the default is 16 MiB.
func BlockCache(size int) Option { return func(s *settings) { s.cache = size } }

// Uncompressed leaves values on disk as they are: for long values that are soon replaced, whose compression would cost more
// than the disk that it saves.
func Uncompressed() Option { return func(s *settings) { s.raw = true } }

// filesystem puts another file system under the store, for tests of its failures.
func filesystem(fs vfs.FS) Option { return func(s *settings) { s.fs = fs } }

// Store is an open store. It is safe for concurrent use.
type Store struct {
	dir     string
	db      *pebble.DB
	metrics *Metrics
	failure atomic.Pointer[failure]
	closed  atomic.Bool
	opening atomic.Bool
	stuck   atomic.Bool // Pebble gave up: see logger.Fatalf
}

// Open opens the store in dir, a folder that it makes when it is missing. One process at a time can have it open. The
// error is one sentence for the operator when the folder is taken, not writable, or its disk is full.
func Open(dir string, how ...Option) (_ *Store, err error) {
	set := settings{logger: slog.New(slog.DiscardHandler), fs: vfs.Default, cache: blockCache}
	for _, option := range how {
		option(&set)
	}
	if set.metrics == nil {
		set.metrics = NewMetrics(nil)
	}
	s := &Store{dir: dir, metrics: set.metrics}
	s.opening.Store(true)
	defer s.opening.Store(false)
	defer recoverFailure(&err)
	reserve := &reserve{fs: set.fs, dir: dir, store: s, log: set.logger}
	log := logger{log: set.logger, store: s}
	options := &pebble.Options{
		FS:                          vfs.OnDiskFull(set.fs, reserve.release),
		CacheSize:                   int64(set.cache) + 2*writeBuffer, // Pebble counts its write buffers in
		MemTableSize:                writeBuffer,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                256,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      log,
		EventListener:               &pebble.EventListener{BackgroundError: log.background},
	}
	if set.raw {
		options.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	}
	if set.separate > 0 {
		options.TargetFileSizes[0] = writeBuffer // what is flushed is one file: opening many small ones costs more than reading
		options.Experimental.ValueSeparationPolicy = separation(set.separate)
	}
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, explainOpen(dir, err)
	}
	s.db = db
	if err := reserve.take(); err != nil {
		return nil, errors.Join(explainOpen(dir, err), db.Close())
	}
	return s, nil
}

// separation keeps values apart; what a fifth of is garbage is written anew after some minutes.
func separation(size int) func() pebble.ValueSeparationPolicy {
	return func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: size, MaxBlobReferenceDepth: 10, RewriteMinimumAge: 5 * time.Minute, TargetGarbageRatio: 0.2,
		}
	}
}

func explainOpen(dir string, err error) error {
	var pathErr *os.PathError
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES) && !errors.As(err, &pathErr),
		err.Error() == "lock held by current process":
		return fmt.Errorf("open state in %s: another process has it open; stop that process or set another data_dir: %w", dir, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("open state in %s: the disk is full; free some space and start again: %w", dir, err)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("open state in %s: the folder is not writable; change its owner or set another data_dir: %w", dir, err)
	}
	return fmt.Errorf("open state in %s: %w", dir, err)
}

// Close releases the store. What was committed is durable before; nothing is written late.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.stuck.Load() {
		return nil // Pebble would wait for work that it gave up
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close state in %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) usable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	f := s.failure.Load()
	if f == nil {
		return nil // not a nil *failure
	}
	return f
}

// Get returns a copy of the value under key, and whether there is one.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	value, ok, err = s.Append([]byte{}, key)
	if !ok {
		return nil, false, err
	}
	return value, true, err
}

// Append is Get that appends the value to dst; without one it returns dst.
func (s *Store) Append(dst, key []byte) (_ []byte, ok bool, err error) {
	if err := s.usable(); err != nil {
		return dst, false, err
	}
	found, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, fmt.Errorf("read state in %s: %w", s.dir, err)
	}
	return append(dst, found...), true, closer.Close()
}

// Scan calls fn for each key that begins with prefix, in ascending order of bytes, as the store was when Scan began.
// The slices are valid only during the call. An error of fn ends the scan and is returned as it is.
func (s *Store) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return s.ScanFrom(prefix, prefix, fn)
}

// ScanFrom is Scan beginning at the key from, or at the first one behind it.
func (s *Store) ScanFrom(prefix, from []byte, fn func(key, value []byte) error) (err error) {
	if err := s.usable(); err != nil {
		return err
	}
	bounds := &pebble.IterOptions{UpperBound: after(prefix)}
	if len(from) > 0 {
		bounds.LowerBound = from
	}
	it, err := s.db.NewIter(bounds)
	if err != nil {
		return fmt.Errorf("scan state in %s: %w", s.dir, err)
	}
	defer func() {
		if cerr := it.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("scan state in %s: %w", s.dir, cerr)
		}
	}()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("scan state in %s: %w", s.dir, err)
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return nil
}

// after returns the first key behind all that begin with prefix, nil when there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte{}, prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

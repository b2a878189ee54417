package state

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// lastKey lies behind every key that a store may hold: no key begins with 256 bytes of 0xff.
var lastKey = bytes.Repeat([]byte{0xff}, 256)

// Batch is a set of changes that become visible and durable together. It is for one goroutine and one commit.
type Batch struct {
	store *Store
	batch *pebble.Batch
	err   error
}

// NewBatch returns an empty batch. A batch that is not committed must be discarded.
func (s *Store) NewBatch() *Batch { return &Batch{store: s, batch: s.db.NewBatch()} }

// NewBatchOf is NewBatch with room for size bytes of keys and values: for many, it saves that they are copied as the batch grows.
func (s *Store) NewBatchOf(size int) *Batch {
	return &Batch{store: s, batch: s.db.NewBatchWithSize(size)}
}

// Set puts value under key. Both are copied.
func (b *Batch) Set(key, value []byte) { b.note(b.batch.Set(key, value, nil)) }

// Delete removes key; a key that is not there is no error.
func (b *Batch) Delete(key []byte) { b.note(b.batch.Delete(key, nil)) }

// DeletePrefix removes every key that begins with prefix; keys that this batch sets afterwards stay. An empty prefix
// removes everything.
func (b *Batch) DeletePrefix(prefix []byte) {
	end := after(prefix)
	if end == nil {
		end = lastKey
	}
	b.note(b.batch.DeleteRange(prefix, end, nil))
}

// Size returns the number of bytes that the batch holds.
func (b *Batch) Size() int { return b.batch.Len() }

func (b *Batch) note(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// Commit writes the batch and returns after it is on disk. It is all or nothing; when the
// disk is the reason of an error, the store is of no more use, and only opening it again tells what it holds.
func (b *Batch) Commit() (err error) {
	s := b.store
	defer b.Discard()
	if err := s.usable(); err != nil {
		return err
	}
	if b.err != nil {
		return fmt.Errorf("commit state in %s: %w", s.dir, b.err)
	}
	defer recoverFailure(&err)
	start, size := time.Now(), b.batch.Len()
	if err := b.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("commit state in %s: %w", s.dir, err)
	}
	s.metrics.committed(size, time.Since(start))
	return nil
}

// Discard gives up a batch. After Commit it does nothing.
func (b *Batch) Discard() {
	if b.batch == nil {
		return
	}
	if !b.store.stuck.Load() {
		_ = b.batch.Close() // only gives memory back
	}
	b.batch = nil
	b.err = errors.New("batch was already committed or discarded")
}

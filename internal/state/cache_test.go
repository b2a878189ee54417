package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestWriteBuffersLeaveTheCacheAlone holds that what is read again and again is in memory while much is written: Pebble
// takes the write buffers out of its cache.
func TestWriteBuffersLeaveTheCacheAlone(t *testing.T) {
	t.Parallel()
	const values, size, hot = 3 * writeBuffer / 4096, 4096, blockCache / 4 / 4096
	s, _ := setup(t)
	key := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	noise := rand.NewChaCha8([32]byte{})
	value := make([]byte, size)
	for n := 0; n < values; n += 256 {
		commit(t, s, func(b *Batch) {
			for i := range 256 {
				_, _ = noise.Read(value) // it never fails
				b.Set(key(n+i), value)
			}
		})
	}
	if err := s.db.Compact(t.Context(), key(0), lastKey, false); err != nil { // no file is replaced while it is read
		t.Fatal(err)
	}
	read := func() (misses int64) {
		before := s.db.Metrics().BlockCache.Misses
		for n := range hot {
			if _, ok, err := s.Get(key(n)); err != nil || !ok {
				t.Fatalf("Get(%d) = %v, %v", n, ok, err)
			}
		}
		return s.db.Metrics().BlockCache.Misses - before
	}
	first := read()
	if second := read(); first < hot/2 || second > hot/10 {
		t.Errorf("%d values took %d reads from disk, and %d when read again", hot, first, second)
	}
}

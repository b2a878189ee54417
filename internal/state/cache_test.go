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

// TestSeparateValuesFillFewFiles holds that a file has the values of a whole write buffer: a store of millions of rows has more
// small ones than are open at a time, and would open one for nearly every read.
func TestSeparateValuesFillFewFiles(t *testing.T) {
	t.Parallel()
	const buffers, size = 3, 4096
	s := open(t, t.TempDir(), SeparateValues(128), Uncompressed())
	value := make([]byte, size)
	for n := 0; n < buffers*writeBuffer/size; n += 1024 {
		commit(t, s, func(b *Batch) {
			for i := range 1024 {
				b.Set(binary.BigEndian.AppendUint32(nil, uint32(n+i)), value)
			}
		})
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if files := s.db.Metrics().BlobFiles.LiveCount; files == 0 || files > 2*buffers {
		t.Errorf("the values of %d write buffers are in %d files", buffers, files)
	}
}

package join

import (
	"encoding/binary"
	"math/bits"
)

// The arena hands out memory in granules. A blob's reference is the number of its first granule, so that 32 bits reach 64 GiB.
const (
	granule    = 16
	chunkSize  = 1 << 19
	perChunk   = chunkSize / granule
	exactSizes = 64 // up to so many granules every size has its own free list, above eight per power of two
)

// arena keeps byte strings in large chunks that hold no pointers: the garbage collector sees some thousand objects
// instead of millions. A freed blob's granules are used again for a blob of the same size class.
//
// A slice returned by get is valid until the blob is freed. Reference 0 is no blob.
type arena struct {
	chunks [][]byte
	next   uint32         // first granule never used
	end    uint32         // end of the chunk that next is in
	free   map[int]uint32 // by size class: the last freed blob, which begins with the reference of the one before
	used   int64          // bytes in blobs that are not freed, with their rounding
}

func newArena() arena {
	return arena{next: perChunk, end: perChunk, chunks: [][]byte{nil}, free: map[int]uint32{}}
}

// put stores the parts one after the other and returns the reference of the whole.
func (a *arena) put(parts ...[]byte) uint32 {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	ref := a.alloc(sizeClass(size))
	b := a.memory(ref)
	n := binary.PutUvarint(b, uint64(size))
	for _, p := range parts {
		n += copy(b[n:], p)
	}
	return ref
}

// writeBlob writes a blob as put does, into memory that adopt will be given.
func writeBlob(b, blob []byte) {
	n := binary.PutUvarint(b, uint64(len(blob)))
	copy(b[n:], blob)
}

// adopt takes over a chunk that is full of blobs and returns the reference of the first of its granules.
func (a *arena) adopt(chunk []byte) uint32 {
	ref := uint32(len(a.chunks)) * perChunk
	a.chunks = append(a.chunks, chunk)
	a.used += int64(len(chunk))
	return ref
}

// get returns the blob's bytes.
func (a *arena) get(ref uint32) []byte {
	b := a.memory(ref)
	size, n := binary.Uvarint(b)
	return b[n : n+int(size) : n+int(size)]
}

// release gives the blob's memory back.
func (a *arena) release(ref uint32) {
	if ref == 0 {
		return
	}
	class := sizeClass(len(a.get(ref)))
	binary.LittleEndian.PutUint32(a.memory(ref), a.free[class])
	a.free[class] = ref
	a.used -= int64(class) * granule
}

func (a *arena) memory(ref uint32) []byte {
	return a.chunks[ref/perChunk][ref%perChunk*granule:]
}

// alloc returns room for class granules.
func (a *arena) alloc(class int) uint32 {
	a.used += int64(class) * granule
	if ref := a.free[class]; ref != 0 {
		a.free[class] = binary.LittleEndian.Uint32(a.memory(ref))
		return ref
	}
	if class > perChunk/4 { // a chunk of its own
		ref := uint32(len(a.chunks)) * perChunk
		a.chunks = append(a.chunks, make([]byte, class*granule))
		return ref
	}
	if a.next+uint32(class) > a.end {
		a.next = uint32(len(a.chunks)) * perChunk
		a.end = a.next + perChunk
		a.chunks = append(a.chunks, make([]byte, chunkSize))
	}
	ref := a.next
	a.next += uint32(class)
	return ref
}

// sizeClass returns the granules that a blob of size bytes takes, rounded up to a size that has a free list.
func sizeClass(size int) int {
	n := (size + uvarintLen(uint64(size)) + granule - 1) / granule
	if n <= exactSizes {
		return n
	}
	step := 1 << (bits.Len(uint(n)) - 4)
	return (n + step - 1) / step * step
}

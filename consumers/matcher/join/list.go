package join

import (
	"math/bits"
	"slices"
)

// list is an ordered set of record or identifier numbers, kept in a lists. Most have one member, which needs no memory
// of its own. The zero list is empty.
type list struct {
	ref [1]uint32 // the member when n is 1, else where the members are
	n   uint32
}

// lists keeps the members of long lists in pages without pointers, in blocks of a power of two. A block's reference is
// page<<pageBits + offset; a block larger than a page has one of its own.
type lists struct {
	pages [][]uint32
	next  uint32
	free  [32]uint32 // by exponent: the last freed block, whose first word is the reference of the one before
}

const (
	pageBits = 12
	pageSize = 1 << pageBits
)

func newLists() lists { return lists{pages: [][]uint32{nil}, next: pageSize} }

// items returns the members in order. The slice is valid until the list changes.
func (l *lists) items(x *list) []uint32 {
	if x.n <= 1 {
		return x.ref[:x.n]
	}
	return l.block(x.ref[0])[:x.n]
}

// insert puts id in its place by order, which compares two members; a member that is there already stays.
func (l *lists) insert(x *list, id uint32, order func(a, b uint32) int) {
	items := l.items(x)
	at, found := slices.BinarySearchFunc(items, id, order)
	if found {
		return
	}
	if x.n == 0 {
		*x = list{[1]uint32{id}, 1}
		return
	}
	if x.n == 1 || x.n == capacity(x.n) {
		ref := l.alloc(x.n + 1)
		items = l.block(ref)[:copy(l.block(ref), items)]
		if x.n > 1 {
			l.release(x.ref[0], x.n)
		}
		x.ref[0] = ref
	}
	items = items[:x.n+1]
	copy(items[at+1:], items[at:])
	items[at] = id
	x.n++
}

// remove takes id out, if it is in.
func (l *lists) remove(x *list, id uint32, order func(a, b uint32) int) {
	items := l.items(x)
	at, found := slices.BinarySearchFunc(items, id, order)
	if !found {
		return
	}
	copy(items[at:], items[at+1:])
	before := x.n
	x.n--
	switch {
	case x.n == 0:
		*x = list{}
	case x.n == 1:
		last := items[0]
		l.release(x.ref[0], before)
		x.ref[0] = last
	case capacity(x.n) < capacity(before):
		ref := l.alloc(x.n)
		copy(l.block(ref), items[:x.n])
		l.release(x.ref[0], before)
		x.ref[0] = ref
	}
}

// clear empties the list.
func (l *lists) clear(x *list) {
	if x.n > 1 {
		l.release(x.ref[0], x.n)
	}
	*x = list{}
}

func (l *lists) block(ref uint32) []uint32 { return l.pages[ref>>pageBits][ref%pageSize:] }

// capacity is the size of the block of a list of n members, n > 1.
func capacity(n uint32) uint32 { return 1 << bits.Len32(n-1) }

func (l *lists) alloc(n uint32) uint32 {
	size := capacity(n)
	class := bits.TrailingZeros32(size)
	if ref := l.free[class]; ref != 0 {
		l.free[class] = l.block(ref)[0]
		return ref
	}
	if size > pageSize {
		l.pages = append(l.pages, make([]uint32, size))
		return uint32(len(l.pages)-1) << pageBits
	}
	if l.next%pageSize == 0 || l.next%pageSize+size > pageSize {
		l.next = uint32(len(l.pages)) << pageBits
		l.pages = append(l.pages, make([]uint32, pageSize))
	}
	ref := l.next
	l.next += size
	return ref
}

func (l *lists) release(ref, n uint32) {
	class := bits.TrailingZeros32(capacity(n))
	l.block(ref)[0] = l.free[class]
	l.free[class] = ref
}

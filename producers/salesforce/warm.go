package salesforce

import (
	"encoding/binary"
	"hash/maphash"
)

// warm keeps stored records that events named lately, as they are on disk: who was changed will be changed again soon.
// It is a ring of segments that are filled one after the other; beginning a segment anew forgets the oldest records.
type warm struct {
	seed     maphash.Seed
	at       map[uint64]uint32 // by hash of the key: segment, and place in it
	segments [][]byte          // each as long as it is filled
	now      int               // the segment in hand
}

const (
	warmSegment  = 1 << 20 // bytes
	warmSegments = 16      // most of them; memory is taken as it is needed
)

func newWarm() *warm { return &warm{seed: maphash.MakeSeed(), at: map[uint64]uint32{}} }

// get appends to dst what is kept under a key.
func (w *warm) get(dst, key []byte) (_ []byte, ok bool) {
	place, ok := w.at[maphash.Bytes(w.seed, key)]
	if !ok {
		return dst, false
	}
	e := w.entry(place)
	if string(e.key()) != string(key) {
		return dst, false
	}
	return append(dst, e.value()...), true
}

// put keeps a value, in the place of the one before it when it fits there.
func (w *warm) put(key, value []byte) {
	h := maphash.Bytes(w.seed, key)
	if place, ok := w.at[h]; ok {
		if e := w.entry(place); string(e.key()) == string(key) && e.replace(value) {
			return
		}
		delete(w.at, h)
	}
	size := entryHead + len(key) + len(value) + len(value)/8
	if size > warmSegment/4 {
		return
	}
	if len(w.segments) == 0 || len(w.segments[w.now])+size > warmSegment {
		w.turn()
	}
	s := w.segments[w.now]
	w.at[h] = uint32(w.now*warmSegment + len(s))
	w.segments[w.now] = s[:len(s)+size]
	warmEntry(s[len(s):len(s)+size]).set(key, value)
}

// drop forgets what is kept under a key.
func (w *warm) drop(key []byte) { delete(w.at, maphash.Bytes(w.seed, key)) }

// turn goes on to the next segment and forgets what is in it.
func (w *warm) turn() {
	if len(w.segments) < warmSegments {
		w.now = len(w.segments)
		w.segments = append(w.segments, make([]byte, 0, warmSegment))
		return
	}
	w.now = (w.now + 1) % warmSegments
	for from, end := 0, len(w.segments[w.now]); from < end; {
		place := uint32(w.now*warmSegment + from)
		e := w.entry(place)
		if h := maphash.Bytes(w.seed, e.key()); w.at[h] == place {
			delete(w.at, h)
		}
		from += len(e)
	}
	w.segments[w.now] = w.segments[w.now][:0]
}

func (w *warm) entry(place uint32) warmEntry {
	e := warmEntry(w.segments[place/warmSegment][place%warmSegment:])
	return e[:binary.LittleEndian.Uint32(e)]
}

// warmEntry is a key and a value with some room: the size of it all, those of key and value, the key, the value.
type warmEntry []byte

const entryHead = 12

// set makes an entry of memory that has room for all of it.
func (e warmEntry) set(key, value []byte) {
	binary.LittleEndian.PutUint32(e, uint32(len(e)))
	binary.LittleEndian.PutUint32(e[4:], uint32(len(key)))
	copy(e[entryHead:], key)
	e.replace(value)
}

func (e warmEntry) key() []byte { return e[entryHead:e.begin()] }

func (e warmEntry) value() []byte {
	return e[e.begin() : e.begin()+int(binary.LittleEndian.Uint32(e[8:]))]
}

func (e warmEntry) begin() int { return entryHead + int(binary.LittleEndian.Uint32(e[4:])) }

// replace writes another value, if there is room for it.
func (e warmEntry) replace(value []byte) bool {
	room := e[e.begin():]
	if len(value) > len(room) {
		return false
	}
	binary.LittleEndian.PutUint32(e[8:], uint32(len(value)))
	copy(room, value)
	return true
}

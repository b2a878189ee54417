package join

import (
	"bytes"
	"encoding/binary"
)

// The log is how the state is kept in a Store: blocks of entries, numbered in the order in which they were written. A
// later entry for the same thing replaces an earlier one. Blocks are written whole and read whole, so that a record
// costs a copy and not a place in a search tree. When more than half of the log is out of date, its oldest blocks are
// taken away, what is still true of them being written again at the end.
const (
	blockBytes      = 256 << 10
	smallBlockBytes = 16 << 10
	logSlack        = 4 << 20 // the log may be so much longer than twice what is true of it

	// aheadBytes bounds the memory of one write. When more has changed, blocks are written before the write that makes
	// them part of the log: until then nothing reads them, and what a crash leaves of them is written over.
	aheadBytes = 4 << 20
)

var (
	blockPrefix = []byte("b")
	logKey      = []byte("log")
)

// logFormat is raised when entries change their meaning: a log of another format is no log (the state is rebuilt).
const logFormat = 1

// Pair is one key of a Store with its value.
type Pair struct{ Key, Value []byte }

// Store keeps keys and values on disk.
type Store interface {
	// Append appends the value under a key to dst, and reports whether there is one.
	Append(dst, key []byte) (value []byte, ok bool, err error)
	// Scan calls fn for each key with the prefix, ascending. The slices are valid during the call.
	Scan(prefix []byte, fn func(key, value []byte) error) error
	// Write sets and drops keys in one atomic and durable write (R33). It keeps no slice that it is given.
	Write(set []Pair, drop [][]byte) error
}

// logState is where the log stands.
type logState struct {
	first, next uint32 // blocks [first, next)
	tail        uint32 // blocks [next, tail) are written and become part of the log with the next commit
	size        int64  // bytes of [first, tail)
}

// liveBytes is about what the log would take if nothing in it were out of date.
func (e *Engine) liveBytes() int64 {
	return e.blobs.used + e.memory.bytes + 48*int64(e.published.count())
}

// Commit writes what differs from the log, together with extra, in one atomic write. It must be called only when
// everything that Settle published is acknowledged (R33). After an error the Engine must be given up.
func (e *Engine) Commit(s Store, extra ...Pair) error {
	e.memory.store = s
	w := logWriter{Engine: e, store: s, block: e.log.tail}
	for i, id := range e.unsaved {
		if i%AheadOf == 0 {
			e.lookAtBlobs(firstOf(e.unsaved[i:], AheadOf))
		}
		w.record(id)
	}
	for i, id := range e.unsavedTold {
		if i%AheadOf == 0 {
			e.lookAtTold(firstOf(e.unsavedTold[i:], AheadOf))
		}
		r := e.records.at(id)
		if r.is(told0) {
			w.published(Unmatched, id)
		}
		if r.is(told1) {
			w.published(View, id)
		}
	}
	for _, g := range e.unsavedGroups {
		w.published(Ambiguous, g)
	}
	first := w.clean()
	w.cut()
	if w.err != nil {
		return w.err
	}
	head := binary.AppendUvarint([]byte{logFormat}, uint64(first))
	head = binary.AppendUvarint(head, uint64(w.block))
	head = binary.AppendUvarint(head, uint64(e.floor))
	head = append(head, e.digests.key[:]...)
	head = binary.AppendUvarint(head, uint64(e.records.count()))
	w.set = append(w.set, extra...)
	if pair, changed := e.shapes.pair(); changed {
		w.set = append(w.set, pair)
	}
	w.saveMarks()
	w.set = append(w.set, Pair{logKey, head})
	if err := s.Write(w.set, w.drop); err != nil {
		return err
	}
	e.log = logState{first, w.block, w.block, e.log.size + w.written - w.dropped}
	e.shapes.saved = len(e.shapes.all)
	e.forgetUnsaved()
	return nil
}

// Unsaved reports whether Commit has something to write.
func (e *Engine) Unsaved() bool { return len(e.unsaved)+len(e.unsavedTold)+len(e.unsavedGroups) > 0 }

func (e *Engine) forgetUnsaved() {
	for _, id := range e.unsavedTold {
		e.records.at(id).flags &^= told0 | told1
	}
	e.forgetUnsavedRecords()
	for _, id := range e.unsavedTold {
		e.reap(id)
	}
	for _, g := range e.unsavedGroups {
		e.groups.at(g).unsaved = false
		e.reapGroup(g)
	}
	e.unsavedTold, e.unsavedGroups = e.unsavedTold[:0], e.unsavedGroups[:0]
}

func (e *Engine) forgetUnsavedRecords() {
	for _, id := range e.unsaved {
		e.records.at(id).flags &^= unsaved
	}
	for _, id := range e.unsaved {
		e.reap(id)
	}
	e.unsaved = e.unsaved[:0]
}

// logWriter is one Commit under way.
type logWriter struct {
	*Engine
	store            Store
	block            uint32 // number of the block that is being filled
	buf              []byte
	set              []Pair
	ahead            int      // bytes of blocks in set
	free             [][]byte // blocks that are written: their memory is used again
	drop             [][]byte
	written, dropped int64
	err              error // the first of the store
}

func blockKey(n uint32) []byte { return binary.BigEndian.AppendUint32(bytes.Clone(blockPrefix), n) }

// cut ends the block that is being filled.
func (w *logWriter) cut() {
	if len(w.buf) == 0 {
		return
	}
	w.set = append(w.set, Pair{blockKey(w.block), w.buf})
	w.written += int64(len(w.buf))
	w.block++
	if w.ahead += len(w.buf); w.ahead >= aheadBytes {
		w.note(w.store.Write(w.set, nil))
		for _, p := range w.set {
			w.free = append(w.free, p.Value[:0])
		}
		w.set, w.ahead = nil, 0
	}
	if last := len(w.free) - 1; last >= 0 {
		w.buf, w.free = w.free[last], w.free[:last]
	} else {
		w.buf = make([]byte, 0, min(cap(w.buf), w.blockSize()+w.blockSize()/8))
	}
}

func (w *logWriter) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// blockSize is how long blocks are at least: shorter when single values are read from them.
func (w *logWriter) blockSize() int {
	if w.memory.limit > 0 {
		return smallBlockBytes
	}
	return blockBytes
}

func (w *logWriter) cutWhenFull() {
	if len(w.buf) >= w.blockSize() {
		w.cut()
	}
}

func (w *logWriter) record(id uint32) {
	w.recordBlob(w.records.at(id), w.blobs.get(w.records.at(id).blob))
}

func (w *logWriter) recordBlob(r *record, blob []byte) {
	w.cutWhenFull()
	w.buf = append(w.buf, entryRecord, byte(r.kind), boolByte(r.is(live)))
	r.block, r.at = w.block, uint32(len(w.buf))
	w.name(blob)
}

func (w *logWriter) published(t Topic, owner uint32) {
	w.cutWhenFull()
	if t == Ambiguous {
		w.buf = append(w.buf, entryAmbiguous)
		w.name(w.Engine.name(owner))
	} else {
		w.buf = append(w.buf, entryPublished, byte(w.records.at(owner).kind), byte(t))
		w.name(w.key(owner))
	}
	pub := *w.publication(t, owner)
	if pub == 0 {
		w.buf = append(w.buf, 0)
		return
	}
	p := w.Engine.published.at(pub)
	w.buf = append(w.buf, 1, boolByte(p.near))
	w.buf = append(w.buf, p.digest[:]...)
	w.buf = binary.AppendUvarint(w.buf, uint64(p.rev))
	p.block = w.block
}

func (w *logWriter) name(b []byte) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(b)))
	w.buf = append(w.buf, b...)
}

// clean takes away the oldest blocks while the log is too long, but not more than keeps pace with what is written. It
// returns the first block that stays.
func (w *logWriter) clean() (first uint32) {
	first = w.log.first
	var block []byte
	for first < w.log.next && w.err == nil && w.log.size+w.produced()-w.dropped > 2*w.liveBytes()+logSlack &&
		w.dropped < 2*w.produced()+blockBytes {
		key := blockKey(first)
		var err error
		block, _, err = w.store.Append(block[:0], key)
		w.note(err)
		w.note(eachEntry(block, func(x entry) error { return w.keepEntry(first, x) }))
		w.dropped += int64(len(block))
		w.drop = append(w.drop, key)
		first++
	}
	return first
}

// produced is the number of bytes of the blocks so far.
func (w *logWriter) produced() int64 { return w.written + int64(len(w.buf)) }

// keepEntry writes an entry of an old block again when it is still what is true.
func (w *logWriter) keepEntry(block uint32, x entry) error {
	switch x.tag {
	case entryRecord:
		id := w.find(x.kind, keyOfBlob(x.blob))
		if id == 0 {
			return nil
		}
		if r := w.records.at(id); r.block == block {
			w.recordBlob(r, x.blob) // its value may be away
		}
	case entryPublished, entryAmbiguous:
		owner := w.ownerOf(x)
		if owner == 0 {
			return nil
		}
		if pub := *w.publication(x.topic, owner); pub != 0 && w.Engine.published.at(pub).block == block {
			w.published(x.topic, owner)
		}
	}
	return nil
}

// ownerOf returns the record or group that a publication's entry names, 0 when there is none any more.
func (e *Engine) ownerOf(x entry) uint32 {
	if x.topic == Ambiguous {
		return e.byGroup.find(e.hash(x.name), func(g uint32) bool { return bytes.Equal(e.name(g), x.name) })
	}
	return e.find(x.kind, x.name)
}

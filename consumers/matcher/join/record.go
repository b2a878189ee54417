package join

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"

	"crosswalk/internal/change"
)

// record is one record of an input topic, or a place kept for one: the parent that a Contact names before it comes, or
// the owner of an output that was published by an earlier run.
type record struct {
	blob    uint32    // key, version and value, see row
	group   uint32    // of a live Account or ERP customer with an identifier
	parent  uint32    // of a live Contact: the Account that it names, which need not be live
	related list      // of an Account: its live Contacts; of a note: the Accounts and Contacts that it is linked to
	notes   list      // of an Account or Contact: the live notes linked to it
	pub     [2]uint32 // what is published of it: publications by slot
	block   uint32    // the block of the log that holds it
	at      uint32    // where in that block its blob stands
	kind    Kind
	miss    uint8 // of a live Account or ERP customer without an identifier: index into misses
	flags   flag
}

type flag uint16

const (
	live    flag = 1 << iota // has a value that counts (R1, erp_deleted_field)
	known                    // has a version, of a value or of a deletion
	dirty                    // its outputs may have changed
	waiting                  // an orphan within its grace (R20)
	ripe                     // an orphan whose grace is over
	unsaved                  // differs from what the log has
	told0                    // publication slot 0 differs from what the log has
	told1                    // publication slot 1 differs from what the log has
	away                     // its value is in the log only, see memory
	used                     // its value was needed since memory was last looked for here
)

// The publication slots of a record.
const (
	slotUnmatched = 0
	slotView      = 1
)

func (r *record) is(f flag) bool { return r.flags&f != 0 }

// row is a record's blob: its key, its version, then the value of a live record as it is kept, or the time of a dead one's
// deletion, or what stands for a value that is away.
type row struct {
	key     []byte
	version change.Version
	value   []byte
}

func (e *Engine) row(id uint32) row { return rowOf(e.blobs.get(e.records.at(id).blob)) }

func rowOf(b []byte) row {
	n, w := binary.Uvarint(b)
	key, b := b[w:w+int(n)], b[w+int(n):]
	epoch, w := binary.Varint(b)
	rev, w2 := binary.Varint(b[w:])
	return row{key, change.Version{Epoch: epoch, Rev: rev}, b[w+w2:]}
}

// key returns the record's key, valid until its blob is replaced.
func (e *Engine) key(id uint32) []byte {
	b := e.blobs.get(e.records.at(id).blob)
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

// write replaces the record's blob.
func (e *Engine) write(id uint32, key []byte, v change.Version, value []byte) {
	head := binary.AppendUvarint(e.head[:0], uint64(len(key)))
	head = append(head, key...)
	head = binary.AppendVarint(head, v.Epoch)
	head = binary.AppendVarint(head, v.Rev)
	e.head = head
	e.replace(e.records.at(id), head, value)
}

// replace gives the record another blob, made of the parts.
func (e *Engine) replace(r *record, parts ...[]byte) {
	old := r.blob
	if r.is(away) {
		e.back(e.blobs.get(old))
		r.flags &^= away
	}
	r.blob = e.blobs.put(parts...)
	e.blobs.release(old)
}

// diedAt is the time of a dead record's deletion in milliseconds.
func (r row) diedAt() int64 {
	t, _ := binary.Varint(r.value)
	return t
}

// find returns the record of a key, or 0.
func (e *Engine) find(kind Kind, key []byte) uint32 {
	return e.findHashed(kind, key, e.recordHash(kind, key))
}

func (e *Engine) findHashed(kind Kind, key []byte, hash uint32) uint32 {
	return e.byRecord.find(hash, func(id uint32) bool {
		return e.records.at(id).kind == kind && bytes.Equal(e.key(id), key)
	})
}

// place returns the record of a key and makes one that is neither live nor known when there is none.
func (e *Engine) place(kind Kind, key []byte) uint32 {
	return e.placeHashed(kind, key, e.recordHash(kind, key))
}

func (e *Engine) placeHashed(kind Kind, key []byte, hash uint32) uint32 {
	if id := e.findHashed(kind, key, hash); id != 0 {
		return id
	}
	id := e.create(kind, hash)
	e.write(id, key, change.Version{}, nil)
	return id
}

// create makes a record for a key that has none and has this hash. Its blob has to be written at once.
func (e *Engine) create(kind Kind, hash uint32) uint32 {
	id := e.records.add()
	e.records.at(id).kind = kind
	e.byRecord.add(hash, id)
	return id
}

func (e *Engine) recordHash(kind Kind, key []byte) uint32 {
	h := maphash.Bytes(e.seed, key)
	return uint32(h>>32) ^ uint32(h) ^ uint32(kind)<<27
}

// compareKeys orders records by key bytes (R26).
func (e *Engine) compareKeys(a, b uint32) int {
	if a == b {
		return 0
	}
	return bytes.Compare(e.key(a), e.key(b))
}

// mark notes that the record's outputs may have changed.
func (e *Engine) mark(id uint32) {
	r := e.records.at(id)
	if e.bulk || r.is(dirty) {
		return
	}
	r.flags |= dirty
	e.dirty = append(e.dirty, id)
}

func (e *Engine) markAll(ids []uint32) {
	for _, id := range ids {
		e.mark(id)
	}
}

// save notes that the record differs from what the log has.
func (e *Engine) save(id uint32) {
	r := e.records.at(id)
	if r.is(unsaved) {
		return
	}
	r.flags |= unsaved
	e.unsaved = append(e.unsaved, id)
}

// reap frees the record when nothing needs its place any more.
func (e *Engine) reap(id uint32) {
	r := e.records.at(id)
	if r.blob == 0 || r.flags&^used != 0 || r.related.n > 0 || r.notes.n > 0 || r.pub != [2]uint32{} {
		return
	}
	e.byRecord.remove(e.recordHash(r.kind, e.key(id)), id)
	e.blobs.release(r.blob)
	e.records.remove(id)
}

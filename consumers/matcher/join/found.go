package join

import "crosswalk/consumers/matcher/rule"

// block is one block of the log as it was read, or why it could not be. When it is restored, its memory is used again.
type block struct {
	number  uint32
	bytes   []byte
	entries []found
	chunk   []byte // the blobs of its records, as the arena keeps them; nil: the arena has to take them one by one
	err     error
}

// found is an entry of a block that is read back, with all that can be known of it without the other records.
type found struct {
	entry
	hash    uint32 // of the record's key, or of the identifier
	blobAt  uint32 // where in the block's chunk the record's blob is; nowhere when it is not in one
	learnt  bool   // the rest is known of the record; else its value has to be looked into when it has its turn
	belongs bool   // to an Account or group
	miss    uint8  // of an Account or ERP customer that does not: why
	to      string // the Account's key, or the identifier
	toHash  uint32 // of that
}

const nowhere = ^uint32(0)

// readBlock reads and decodes a block, and finds out what it can: it runs beside what restores others, and only reads what
// stays as it is meanwhile.
func (e *Engine) readBlock(s Store, b *block) {
	ok := false
	b.bytes, ok, b.err = s.Append(b.bytes[:0], blockKey(b.number))
	b.entries, b.chunk = b.entries[:0], nil
	if b.err == nil && !ok {
		b.err = errDamaged
	}
	if b.err != nil {
		return
	}
	room := 0
	b.err = eachEntry(b.bytes, func(x entry) error {
		y := found{entry: x, blobAt: nowhere}
		switch {
		case x.topic == Ambiguous && x.tag == entryAmbiguous:
			y.hash = e.hash(x.name)
		default:
			y.hash = e.recordHash(x.kind, x.key())
		}
		if x.tag == entryRecord {
			room += sizeClass(len(x.blob))
			if x.isLive {
				e.lookInto(&y)
			}
		}
		b.entries = append(b.entries, y)
		return nil
	})
	if e.memory.limit == 0 {
		b.fill(room)
	}
}

// lookInto learns where a live record belongs, unless it takes a schema to know that.
func (e *Engine) lookInto(x *found) {
	w := rowOf(x.blob)
	if x.kind == Note || len(w.value) == 0 || w.value[0] == keptRaw || x.kind != Contact && e.link == nil {
		return
	}
	f := facts{}
	err := e.learn(&f, x.kind, w.key, func(path []string) (rule.Value, error) { return e.valueOf(w.value, path) })
	if err != nil {
		return // it is met again when the record has its turn
	}
	x.learnt = true
	if x.kind == Contact {
		x.belongs, x.to = f.hasParent, f.parent
		x.toHash = e.recordHash(Account, []byte(x.to))
		return
	}
	x.belongs, x.to, x.miss = f.miss == rule.Miss{}, f.identifier, missCode(f.miss)
	x.toHash = e.hash([]byte(x.to))
}

// fill lays the records' blobs, of so many granules together, out as the arena keeps them. A short block gets no chunk, as
// that would waste the numbers of granules.
func (b *block) fill(room int) {
	if room > perChunk || room < perChunk/4 {
		return
	}
	b.chunk = make([]byte, room*granule)
	next := uint32(0)
	for i := range b.entries {
		if x := &b.entries[i]; x.tag == entryRecord {
			x.blobAt = next
			writeBlob(b.chunk[next*granule:], x.blob)
			next += uint32(sizeClass(len(x.blob)))
		}
	}
}

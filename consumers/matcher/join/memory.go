package join

import (
	"encoding/binary"
	"unsafe"
)

// memory bounds what the Engine takes. Keys, versions, links and what is published always stay in memory; the value of a
// record may be away: it is then only in the log, where its record says, and a digest stands for it, which tells whether
// a newer version has the same value. It comes back when a view or another link needs it.
type memory struct {
	limit   int64  // bytes; 0: no value is ever sent away
	store   Store  // has the log
	hand    uint32 // the record at which values to send away are looked for next
	fetched int    // values that came back since then
	bytes   int64  // of the values that are away
	blocks  [cachedBlocks]cachedBlock
}

// cachedBlocks is how many blocks of the log are kept as they were read, for values that lie next to each other.
const cachedBlocks = 64

type cachedBlock struct {
	number uint32
	bytes  []byte
}

// lookAt is how many records are looked at, for each that is settled, to find values to send away.
const lookAt = 16

// get returns a block of the log, valid as long as the Engine.
func (m *memory) get(n uint32) ([]byte, error) {
	slot := &m.blocks[n%cachedBlocks]
	if slot.bytes != nil && slot.number == n {
		return slot.bytes, nil
	}
	b, ok, err := m.store.Append(nil, blockKey(n))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errDamaged
	}
	*slot = cachedBlock{n, b}
	return b, nil
}

// back notes that the value is not away any more for which a blob stands: with its digest and, at the end, its length.
func (e *Engine) back(blob []byte) {
	e.memory.bytes -= int64(binary.LittleEndian.Uint32(blob[len(blob)-4:]))
	e.stats.OnDisk--
}

// fixed is what the Engine takes besides the blobs.
func (e *Engine) fixed() int64 {
	pages := len(e.records.pages)*int(unsafe.Sizeof(record{})) + len(e.groups.pages)*int(unsafe.Sizeof(group{})) +
		len(e.families.pages)*int(unsafe.Sizeof(family{})) + len(e.published.pages)*int(unsafe.Sizeof(publication{}))
	slots := len(e.byRecord.slots) + len(e.byGroup.slots) + len(e.byFamily.slots)
	return int64(pages*tablePage + slots*int(unsafe.Sizeof(slot{})) + len(e.lists.pages)*pageSize*4)
}

// crowded reports whether more is in memory than may be.
func (e *Engine) crowded() bool {
	return e.memory.limit > 0 && e.blobs.used+e.fixed() > e.memory.limit
}

// full returns a record with its value, which comes back from the log when it is away.
func (e *Engine) full(id uint32) (row, error) {
	r := e.records.at(id)
	if e.memory.limit == 0 {
		return e.row(id), nil
	}
	r.flags |= used
	if !r.is(away) {
		return e.row(id), nil
	}
	block, err := e.memory.get(r.block)
	if err != nil {
		return row{}, err
	}
	d := decoder{b: block[min(int(r.at), len(block)):]}
	blob := d.bytes()
	if d.bad {
		return row{}, errDamaged
	}
	e.replace(r, blob)
	e.memory.fetched++
	return e.row(id), nil
}

// shed sends some values away when there is too much in memory: those that the log has and that were not used since the
// last time round. No slice of a blob may be in use.
func (e *Engine) shed() {
	if !e.crowded() {
		return
	}
	for range min(lookAt+4*e.memory.fetched, int(e.records.n)) {
		e.memory.hand = e.memory.hand%e.records.n + 1
		r := e.records.at(e.memory.hand)
		switch {
		case !r.is(live) || r.is(away|unsaved):
		case r.is(used):
			r.flags &^= used
		default:
			e.sendAway(e.memory.hand, r)
		}
	}
	e.memory.fetched = 0
}

func (e *Engine) sendAway(id uint32, r *record) {
	w := e.row(id)
	size := len(w.value)
	d := e.digests.of(w.value)
	e.stand = binary.LittleEndian.AppendUint32(append(e.stand[:0], d[:]...), uint32(size))
	e.write(id, w.key, w.version, e.stand)
	r.flags |= away
	e.memory.bytes += int64(size)
	e.stats.OnDisk++
}

// Spill writes records that have changed into the log, so that their values can be sent away, when there is too much in
// memory. They count only with the next Commit. After an error the Engine must be given up.
func (e *Engine) Spill(s Store) error {
	if !e.crowded() || len(e.unsaved) < min(spillRecords, int(e.memory.limit>>16)) {
		return nil
	}
	e.memory.store = s
	w := logWriter{Engine: e, store: s, block: e.log.tail}
	for _, id := range e.unsaved {
		w.record(id)
	}
	w.cut()
	if len(w.set) > 0 {
		w.note(s.Write(w.set, nil))
	}
	e.log.tail, e.log.size = w.block, e.log.size+w.written
	e.forgetUnsavedRecords()
	e.memory.fetched = int(e.records.n) // look everywhere
	e.shed()
	return w.err
}

// spillRecords is how many records have to have changed for a Spill to be worth its write; fewer when the bound is small.
const spillRecords = 10_000

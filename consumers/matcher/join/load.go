package join

import (
	"encoding/binary"
	"fmt"
)

// Load reads the log of a Store into a new Engine. It reports false when there is none that this program can read.
// Resume has to follow.
func (e *Engine) Load(s Store) (bool, error) {
	head, ok, err := s.Get(logKey)
	if err != nil || !ok || len(head) == 0 || head[0] != logFormat {
		return false, err
	}
	d := decoder{b: head[1:]}
	e.log.first, e.log.next, e.floor = uint32(d.uvarint()), uint32(d.uvarint()), uint32(d.uvarint())
	key := d.take(uint64(len(e.digests.key)))
	if d.bad {
		return false, errDamaged
	}
	e.digests.use(key)
	known, _, err := s.Get(shapesKey)
	if err != nil {
		return false, err
	}
	if !e.shapes.load(known) {
		return false, errDamaged
	}
	e.bulk = true
	defer func() { e.bulk = false }()
	err = s.Scan(blockPrefix, func(key, block []byte) error {
		if len(key) != len(blockPrefix)+4 {
			return errDamaged
		}
		n := binary.BigEndian.Uint32(key[len(blockPrefix):])
		if n < e.log.first || n >= e.log.next {
			return nil // was written ahead by a Commit that did not come to its end
		}
		e.log.size += int64(len(block))
		return eachEntry(block, func(x entry) error { return e.restore(n, x) })
	})
	if err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	return true, e.placeRelated()
}

func (e *Engine) restore(block uint32, x entry) error {
	if x.tag == entryRecord {
		return e.restoreRecord(block, x)
	}
	owner := uint32(0)
	if x.topic == Ambiguous {
		owner = e.groupOf(x.name)
	} else {
		owner = e.place(x.kind, x.name)
	}
	pub := e.publication(x.topic, owner)
	if x.pub.rev == 0 {
		if *pub != 0 {
			e.dropPublication(x.topic, owner)
		}
		return nil
	}
	if *pub == 0 {
		*pub = e.published.add()
		e.stats.published(e, x.topic, owner, 1)
	}
	e.setNear(*pub, x.pub.near)
	*e.published.at(*pub) = publication{x.pub.digest, x.pub.rev, block, x.pub.near}
	return nil
}

func (e *Engine) restoreRecord(block uint32, x entry) error {
	id := e.place(x.kind, keyOfBlob(x.blob))
	r := e.records.at(id)
	old := r.blob
	r.blob = e.blobs.put(x.blob)
	e.blobs.release(old)
	if r.is(live) != x.isLive {
		e.stats.count(r.kind, x.isLive)
	}
	r.flags = known
	if x.isLive {
		r.flags |= live
	}
	r.block = block
	return nil
}

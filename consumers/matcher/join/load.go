package join

import (
	"fmt"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// Load reads the log of a Store into a new Engine, under the link by which the outputs were published that it knows of.
// It reports false when there is no log that this program can read; the link is set then, too.
//
// The log is read from its end to its beginning: the first entry for a thing is the one that is true, and its value is
// looked at while it is at hand.
func (e *Engine) Load(s Store, link *customer.Link) (bool, error) {
	e.setLink(link)
	e.memory.store = s
	head, ok, err := s.Append(nil, logKey)
	if err != nil || !ok || len(head) == 0 || head[0] != logFormat {
		return false, err
	}
	d := decoder{b: head[1:]}
	e.log.first, e.log.next, e.floor = uint32(d.uvarint()), uint32(d.uvarint()), uint32(d.uvarint())
	e.log.tail = e.log.next
	key := d.take(uint64(len(e.digests.key)))
	if d.bad {
		return false, errDamaged
	}
	e.digests.use(key)
	e.byRecord.expect(int(d.uvarint()))
	known, _, err := s.Append(nil, shapesKey)
	if err != nil {
		return false, err
	}
	if !e.shapes.load(known) {
		return false, errDamaged
	}
	e.bulk = true
	defer func() { e.bulk = false }()
	if err := e.readBack(s); err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	e.endLoad()
	if err := e.loadMarks(s); err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	return true, nil
}

// blocksAhead is how many blocks wait to be restored.
const blocksAhead = 4

// readBack restores what the blocks hold, the last one first. What a block says by itself is found out beside the restoring
// of others, see readBlock.
func (e *Engine) readBack(s Store) error {
	blocks, spent, stop := make(chan block, blocksAhead), make(chan block, blocksAhead+2), make(chan struct{})
	go func() {
		defer close(blocks)
		for n := e.log.next; n > e.log.first; n-- {
			var b block
			select {
			case b = <-spent:
			default:
			}
			b.number = n - 1
			e.readBlock(s, &b)
			select {
			case blocks <- b:
			case <-stop:
				return
			}
		}
	}()
	var err error
	for b := range blocks {
		if err != nil {
			continue // until the reading has ended
		}
		if err = b.err; err == nil {
			e.log.size += int64(len(b.bytes))
			err = e.restoreBlock(b)
			spent <- b
		}
		if err != nil {
			close(stop)
		}
	}
	return err
}

// restoreBlock takes the entries of a block, each a moment after it was looked at.
func (e *Engine) restoreBlock(b block) error {
	chunk := uint32(0)
	if b.chunk != nil {
		chunk = e.blobs.adopt(b.chunk)
	}
	for i := range b.entries {
		if i%AheadOf == 0 {
			e.lookAtFound(firstOf(b.entries[i:], AheadOf))
		}
		x := &b.entries[i]
		if x.blobAt != nowhere {
			x.blobAt += chunk
		}
		if err := e.restore(b.number, x); err != nil {
			return err
		}
	}
	return nil
}

// restore takes an entry, unless a later one for the same thing was taken. Until endLoad the marks of what differs from
// the log say for which publications there was one.
func (e *Engine) restore(block uint32, x *found) error {
	owner := uint32(0)
	switch {
	case x.tag == entryRecord:
		return e.restoreRecord(block, x)
	case x.topic == Ambiguous:
		owner = e.groupHashed(x.name, x.hash)
		g := e.groups.at(owner)
		if g.unsaved {
			return nil
		}
		g.unsaved = true
	default:
		owner = e.placeHashed(x.kind, x.name, x.hash)
		r := e.records.at(owner)
		if r.is(toldFlag(x.topic)) {
			return nil
		}
		r.flags |= toldFlag(x.topic)
	}
	if x.pub.rev == 0 {
		return nil
	}
	pub := e.publication(x.topic, owner)
	*pub = e.published.add()
	e.stats.published(e, x.topic, owner, 1)
	e.setNear(*pub, x.pub.near)
	*e.published.at(*pub) = publication{x.pub.digest, x.pub.rev, block, x.pub.near}
	return nil
}

func (e *Engine) restoreRecord(block uint32, x *found) error {
	id := e.findHashed(x.kind, x.key(), x.hash)
	if id == 0 {
		id = e.create(x.kind, x.hash)
	}
	r := e.records.at(id)
	if r.is(known) {
		if x.blobAt != nowhere {
			e.blobs.release(x.blobAt)
		}
		return nil
	}
	if x.blobAt != nowhere {
		e.blobs.release(r.blob) // that of a place
		r.blob = x.blobAt
	} else {
		e.replace(r, x.blob)
	}
	r.block, r.at = block, x.at
	r.flags |= known
	if !x.isLive {
		return nil
	}
	r.flags |= live
	e.stats.count(r.kind, true)
	if err := e.settleFound(id, r, x); err != nil {
		return err
	}
	e.shed()
	return nil
}

// settleFound brings a live record to its place among the others.
func (e *Engine) settleFound(id uint32, r *record, x *found) error {
	switch {
	case !x.learnt:
		return e.settleLoaded(id, r)
	case r.kind != Contact:
		r.miss = x.miss
		if x.belongs {
			e.join(id, e.groupHashed([]byte(x.to), x.toHash))
		}
	case x.belongs:
		e.attach(id, e.placeHashed(Account, []byte(x.to), x.toHash))
	}
	return nil
}

// settleLoaded is settleFound of a record that had to wait for its turn to be looked into.
func (e *Engine) settleLoaded(id uint32, r *record) error {
	w := e.row(id)
	f := facts{live: true}
	var err error
	switch r.kind {
	case Note:
		if f.links, err = e.linksOf(w.value); err == nil {
			e.moveNote(id, f)
		}
	case Contact:
		if err = e.learn(&f, Contact, w.key, e.lookupIn(id)); err == nil {
			e.moveContact(id, *r, f)
		}
	default:
		err = e.assign(id)
	}
	return err
}

// assign brings a live Account or ERP customer that is in no group into that of its identifier.
func (e *Engine) assign(id uint32) error {
	if e.link == nil {
		return nil
	}
	r := e.records.at(id)
	var f facts
	if err := e.identify(&f, r.kind, e.key(id), e.lookupIn(id)); err != nil {
		return err
	}
	r.miss = missCode(f.miss)
	if f.miss == (rule.Miss{}) {
		e.join(id, e.groupOf([]byte(f.identifier)))
	}
	return nil
}

// endLoad takes the marks of the load away and marks what was waiting.
func (e *Engine) endLoad() {
	e.bulk = false
	for g := uint32(1); g <= e.groups.n; g++ {
		e.groups.at(g).unsaved = false
	}
	for id := uint32(1); id <= e.records.n; id++ {
		r := e.records.at(id)
		r.flags &^= told0 | told1
		if r.is(live) && (r.kind == Contact || r.kind == Note) && r.pub[slotUnmatched] == 0 && e.orphanReason(r) != "" {
			e.mark(id) // it was within its grace
		}
	}
}

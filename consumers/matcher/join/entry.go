package join

import (
	"encoding/binary"
	"errors"
)

// The kinds of entries.
const (
	entryRecord    byte = iota + 1 // kind, live, blob
	entryPublished                 // kind, slot, key, publication
	entryAmbiguous                 // identifier, publication
)

// entry is one entry of a block, decoded.
type entry struct {
	tag    byte
	kind   Kind
	isLive bool
	topic  Topic
	name   []byte // of a publication: key or identifier
	blob   []byte // of a record
	at     uint32 // where in its block that stands
	pub    publication
}

// key returns the key of the record that the entry, not one of match.ambiguous, is about.
func (x *entry) key() []byte {
	if x.tag == entryRecord {
		return keyOfBlob(x.blob)
	}
	return x.name
}

func keyOfBlob(b []byte) []byte {
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

var errDamaged = errors.New("the state's log is damaged")

// eachEntry decodes a block. The slices of an entry are valid during the call.
func eachEntry(block []byte, fn func(entry) error) error {
	d := decoder{b: block}
	for len(d.b) > 0 && !d.bad {
		x := entry{tag: d.byte()}
		switch x.tag {
		case entryRecord:
			x.kind, x.isLive = Kind(d.byte()), d.byte() == 1
			x.at = uint32(len(block) - len(d.b))
			x.blob = d.bytes()
			n, w := binary.Uvarint(x.blob)
			d.bad = d.bad || w <= 0 || n > uint64(len(x.blob)-w)
		case entryPublished:
			x.kind, x.topic = Kind(d.byte()), Topic(d.byte())
			x.name, x.pub = d.bytes(), d.publication()
		case entryAmbiguous:
			x.topic = Ambiguous
			x.name, x.pub = d.bytes(), d.publication()
		default:
			d.bad = true
		}
		if d.bad || x.kind > Customer || x.topic >= Topics {
			return errDamaged
		}
		if err := fn(x); err != nil {
			return err
		}
	}
	return nil
}

// decoder reads a block; bad is set by the first read beyond its end.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	n, w := binary.Uvarint(d.b)
	if w <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[w:]
	return n
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

// publication reads what is published under a key; its rev is 0 when nothing is.
func (d *decoder) publication() publication {
	var p publication
	if d.byte() == 0 {
		return p
	}
	p.near = d.byte() == 1
	copy(p.digest[:], d.take(uint64(len(p.digest))))
	p.rev = uint32(d.uvarint())
	return p
}

package join

// What the join needs of a record lies at random places in some hundred megabytes, and each place is known only when the one
// before it was read: index, record, blob. One record after the other, the processor would wait for each of them. Looked at
// for some records together, it waits once per step for all of them: what follows finds everything in its cache. Nothing
// is decided here, and nothing is changed.

// AheadOf is how many records are looked at together.
const AheadOf = 16

// Coming is a record that Apply is about to be given.
type Coming struct {
	Kind Kind
	Key  []byte
}

// Ahead looks at what Apply will need of some AheadOf records that come next.
func (e *Engine) Ahead(coming []Coming) {
	var room [AheadOf]uint32
	hashes := room[:0]
	for _, c := range firstOf(coming, AheadOf) {
		hashes = append(hashes, e.recordHash(c.Kind, c.Key))
	}
	e.lookAtRecords(hashes)
}

// lookAtRecords looks at the records that have these hashes, and at the groups to which they belong.
func (e *Engine) lookAtRecords(hashes []uint32) {
	var room [2 * AheadOf]uint32
	ids := room[:0]
	for _, hash := range hashes {
		if id := e.byRecord.guess(hash); id != 0 {
			ids = append(ids, id)
		}
	}
	sum := uint32(0)
	for _, id := range ids {
		sum += e.records.at(id).blob
	}
	for _, id := range ids {
		r := e.records.at(id)
		sum += uint32(e.blobs.memory(r.blob)[0])
		if r.parent != 0 {
			sum += e.records.at(r.parent).group
		}
	}
	for _, id := range ids {
		g := e.records.at(id).group
		if parent := e.records.at(id).parent; parent != 0 {
			g = e.records.at(parent).group
			sum += uint32(e.blobs.memory(e.records.at(parent).blob)[0])
		}
		if g != 0 {
			sum += e.groups.at(g).blob
		}
	}
	for _, id := range ids {
		if g := e.records.at(id).group; g != 0 {
			sum += uint32(e.blobs.memory(e.groups.at(g).blob)[0])
		}
	}
	e.looked += sum
}

// lookAtViews looks at what the views of ERP customers are made of: their Account, its Contacts, and the values of all.
func (e *Engine) lookAtViews(ids []uint32) {
	sum, shown := uint32(0), e.shown[:0]
	for _, id := range ids {
		r := e.records.at(id)
		if r.kind != Customer || r.group == 0 {
			continue
		}
		if g := e.groups.at(r.group); g.accounts.n == 1 { // of more, the view takes longer than the waiting
			shown = append(shown, id, g.accounts.ref[0])
		}
	}
	for _, id := range shown {
		sum += e.records.at(id).related.ref[0]
	}
	members := len(shown)
	for i := 0; i < members; i += 2 {
		r := e.records.at(shown[i])
		sum += uint32(e.blobs.memory(e.groups.at(r.group).blob)[0])
		if pub := r.pub[slotView]; pub != 0 {
			sum += e.published.at(pub).rev
		}
	}
	for _, id := range shown[:members] {
		shown = append(shown, firstOf(e.lists.items(&e.records.at(id).related), lookedAtContacts)...)
	}
	for _, id := range shown[members:] {
		sum += e.records.at(id).blob
	}
	e.shown = shown
	e.looked += sum + e.lookAtValues(shown)
}

// lookAtValues looks at the blobs of records, which are looked at already.
func (e *Engine) lookAtValues(ids []uint32) (sum uint32) {
	for _, id := range ids {
		sum += uint32(e.blobs.memory(e.records.at(id).blob)[0])
	}
	for _, id := range ids {
		b := e.blobs.get(e.records.at(id).blob)
		for at := cacheLine; at < min(len(b), lookedAtBytes); at += cacheLine {
			sum += uint32(b[at])
		}
	}
	return sum
}

// The views looked at together have to fit into the cache that is next to the processor.
const (
	cacheLine        = 64
	lookedAtContacts = 4
	lookedAtBytes    = 512
)

// lookAtBlobs looks at what the log will have of records.
func (e *Engine) lookAtBlobs(ids []uint32) {
	sum := uint32(0)
	for _, id := range ids {
		sum += e.records.at(id).blob
	}
	e.looked += sum + e.lookAtValues(ids)
}

// lookAtTold looks at what the log will have of what is published of records.
func (e *Engine) lookAtTold(ids []uint32) {
	sum := uint32(0)
	for _, id := range ids {
		sum += e.records.at(id).blob
	}
	for _, id := range ids {
		r := e.records.at(id)
		sum += uint32(e.blobs.memory(r.blob)[0])
		for _, pub := range r.pub {
			if pub != 0 {
				sum += e.published.at(pub).rev
			}
		}
	}
	e.looked += sum
}

// lookAtFound looks at what entries of the log are about, and at what they belong to.
func (e *Engine) lookAtFound(entries []found) {
	var room [2 * AheadOf]uint32
	hashes := room[:0]
	sum := uint32(0)
	for i := range entries {
		x := &entries[i]
		switch {
		case x.tag == entryAmbiguous:
		case !x.belongs:
			hashes = append(hashes, x.hash)
		case x.kind == Contact:
			hashes = append(hashes, x.hash, x.toHash)
		default:
			hashes = append(hashes, x.hash)
			sum += e.byGroup.guess(x.toHash)
		}
	}
	e.looked += sum
	e.lookAtRecords(hashes)
}

package join

// index finds numbers by the hash of what they stand for: open addressing, eight bytes a slot, no pointers. The things
// themselves are compared by the caller.
type index struct {
	slots []slot // a power of two
	n     int
}

type slot struct{ hash, id uint32 } // id 0: empty

// find returns the number with this hash for which same says yes, or 0.
func (x *index) find(hash uint32, same func(id uint32) bool) uint32 {
	if len(x.slots) == 0 {
		return 0
	}
	mask := uint32(len(x.slots) - 1)
	for i := hash & mask; x.slots[i].id != 0; i = (i + 1) & mask {
		if x.slots[i].hash == hash && same(x.slots[i].id) {
			return x.slots[i].id
		}
	}
	return 0
}

// guess returns the first number with this hash, or 0, without asking whether it is the one.
func (x *index) guess(hash uint32) uint32 {
	if len(x.slots) == 0 {
		return 0
	}
	mask := uint32(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i].id != 0 && x.slots[i].hash != hash {
		i = (i + 1) & mask
	}
	return x.slots[i].id
}

// expect makes room for n numbers in an index that is empty.
func (x *index) expect(n int) {
	size := 64
	for n >= size/4*3 && size < 1<<28 {
		size *= 2
	}
	x.slots = make([]slot, size)
}

// add puts in a number that find does not find.
func (x *index) add(hash, id uint32) {
	if x.n >= len(x.slots)/4*3 {
		old := x.slots
		x.slots = make([]slot, max(64, 2*len(old)))
		for _, s := range old {
			if s.id != 0 {
				x.place(s)
			}
		}
	}
	x.n++
	x.place(slot{hash, id})
}

func (x *index) place(s slot) {
	mask := uint32(len(x.slots) - 1)
	i := s.hash & mask
	for x.slots[i].id != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}

// remove takes a number out, if it is in, and closes the gap so that no mark of a deletion is needed.
func (x *index) remove(hash, id uint32) {
	if len(x.slots) == 0 {
		return
	}
	mask := uint32(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i].id != id {
		if x.slots[i].id == 0 {
			return
		}
		i = (i + 1) & mask
	}
	x.n--
	for j := (i + 1) & mask; x.slots[j].id != 0; j = (j + 1) & mask {
		home := x.slots[j].hash & mask
		if (j-home)&mask >= (j-i)&mask { // what stands at j may stand at i
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = slot{}
}

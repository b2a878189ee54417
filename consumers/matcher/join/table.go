package join

// table numbers its items from 1 and keeps them in pages, so that growing never copies. Freed numbers are used again.
type table[T any] struct {
	pages [][]T
	n     uint32   // numbers given out so far
	free  []uint32 // numbers given back
}

const (
	tableBits = 10
	tablePage = 1 << tableBits
)

// at returns the item of a number that add returned.
func (t *table[T]) at(id uint32) *T { return &t.pages[id>>tableBits][id%tablePage] }

// add makes room for a zero item.
func (t *table[T]) add() uint32 {
	if last := len(t.free) - 1; last >= 0 {
		id := t.free[last]
		t.free = t.free[:last]
		return id
	}
	t.n++
	if int(t.n>>tableBits) >= len(t.pages) {
		t.pages = append(t.pages, make([]T, tablePage))
	}
	return t.n
}

// remove gives the number back and clears its item.
func (t *table[T]) remove(id uint32) {
	var zero T
	*t.at(id) = zero
	t.free = append(t.free, id)
}

// count is the number of items.
func (t *table[T]) count() int { return int(t.n) - len(t.free) }

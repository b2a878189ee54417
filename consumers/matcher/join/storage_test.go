package join

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestArenaKeepsBlobsApart(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	a := newArena()
	want := map[uint32][]byte{}
	var live []uint32
	for step := range 20000 {
		if len(live) > 0 && rng.IntN(5) < 2 {
			i := rng.IntN(len(live))
			a.release(live[i])
			delete(want, live[i])
			live = slices.Delete(live, i, i+1)
			continue
		}
		size := rng.IntN(300)
		if step%1000 == 0 {
			size = rng.IntN(3 << 20)
		}
		blob := bytes.Repeat([]byte{byte(step)}, size)
		ref := a.put(blob[:size/2], blob[size/2:])
		if ref == 0 || want[ref] != nil {
			t.Fatalf("reference %d is given twice", ref)
		}
		want[ref] = blob
		live = append(live, ref)
	}
	for ref, blob := range want {
		if !bytes.Equal(a.get(ref), blob) {
			t.Fatalf("blob %d of %d bytes is damaged", ref, len(blob))
		}
		a.release(ref)
	}
	if a.used != 0 {
		t.Errorf("%d bytes are counted as used in an empty arena", a.used)
	}
}

// A chunk that was filled beside the arena is as good as one of its own, and its blobs' memory is used again.
func TestArenaAdoptsChunks(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	a := newArena()
	want := map[uint32][]byte{}
	for range 20 {
		var b block
		room := 0
		for range 300 {
			blob := make([]byte, rng.IntN(2000))
			for i := range blob {
				blob[i] = byte(rng.Uint32())
			}
			b.entries = append(b.entries, found{entry: entry{tag: entryRecord, blob: blob}, blobAt: nowhere})
			room += sizeClass(len(blob))
		}
		b.fill(room)
		if b.chunk == nil {
			t.Fatalf("a block of %d granules gets no chunk", room)
		}
		chunk := a.adopt(b.chunk)
		own := bytes.Repeat([]byte{7}, rng.IntN(300))
		want[a.put(own)] = own
		for _, x := range b.entries {
			want[chunk+x.blobAt] = x.blob
		}
	}
	if len(want) != 20*301 {
		t.Fatalf("%d references for %d blobs", len(want), 20*301)
	}
	chunks := len(a.chunks)
	for ref, blob := range want {
		if !bytes.Equal(a.get(ref), blob) {
			t.Fatalf("blob %d of %d bytes is damaged", ref, len(blob))
		}
	}
	for ref, blob := range want {
		a.release(ref)
		if again := a.put(blob); again != ref {
			t.Fatalf("blob %d of %d bytes is put at %d when its memory is free", ref, len(blob), again)
		}
		a.release(ref)
	}
	if a.used != 0 || len(a.chunks) != chunks {
		t.Errorf("%d bytes are counted as used in an empty arena; %d chunks, were %d", a.used, len(a.chunks), chunks)
	}
}

func TestArenaUsesFreedMemoryAgain(t *testing.T) {
	t.Parallel()
	a := newArena()
	for range 100000 {
		a.release(a.put(make([]byte, 1000)))
	}
	if len(a.chunks) > 2 {
		t.Errorf("%d chunks for one blob at a time", len(a.chunks)-1)
	}
}

func TestListsAreOrderedSets(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	l := newLists()
	heads := make([]list, 50)
	want := make([]map[uint32]bool, len(heads))
	for range 50000 {
		i, id := rng.IntN(len(heads)), 1+rng.Uint32N(200)
		if i == 0 {
			id = 1 + rng.Uint32N(100000)
		}
		if want[i] == nil {
			want[i] = map[uint32]bool{}
		}
		if rng.IntN(2) == 0 || i == 0 {
			l.insert(&heads[i], id, cmp.Compare[uint32])
			want[i][id] = true
		} else {
			l.remove(&heads[i], id, cmp.Compare[uint32])
			delete(want[i], id)
		}
	}
	l.clear(&heads[1])
	want[1] = nil
	for i := range heads {
		got := l.items(&heads[i])
		if len(got) != len(want[i]) || !slices.IsSorted(got) {
			t.Fatalf("list %d has %d members, want %d in order", i, len(got), len(want[i]))
		}
		for _, id := range got {
			if !want[i][id] {
				t.Fatalf("list %d has %d", i, id)
			}
		}
	}
}

func TestIndexFindsWhatIsIn(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	var x index
	in := map[uint32]bool{}
	hash := func(id uint32) uint32 { return id % 997 } // many collisions
	for range 50000 {
		id := 1 + rng.Uint32N(3000)
		if in[id] {
			x.remove(hash(id), id)
		} else {
			x.add(hash(id), id)
		}
		in[id] = !in[id]
	}
	x.remove(hash(5000), 5000)
	for id := uint32(1); id <= 3000; id++ {
		found := x.find(hash(id), func(other uint32) bool { return other == id }) == id
		if found != in[id] {
			t.Fatalf("%d: found %v, want %v", id, found, in[id])
		}
	}
}

func TestTableUsesNumbersAgain(t *testing.T) {
	t.Parallel()
	var tab table[string]
	for i := range 10000 {
		id := tab.add()
		*tab.at(id) = fmt.Sprint(i)
	}
	tab.remove(77)
	if id := tab.add(); id != 77 || *tab.at(id) != "" || tab.count() != 10000 || *tab.at(10000) != "9999" {
		t.Errorf("number %d is used again, holding %q; %d items", id, *tab.at(id), tab.count())
	}
}

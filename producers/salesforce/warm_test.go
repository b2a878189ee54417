package salesforce

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestWarmKeepsTheLastValues puts and drops far more than fits, and holds every answer to what was put last.
func TestWarmKeepsTheLastValues(t *testing.T) {
	t.Parallel()
	const keys, puts = 25_000, 60_000
	w, want := newWarm(), map[string][]byte{}
	source, noise := rand.New(rand.NewPCG(3, 4)), make([]byte, 8<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	hits, last := 0, ""
	for n := range puts {
		key := fmt.Sprintf("r/Contact/%018d", source.IntN(keys))
		value := noise[:source.IntN(3000)]
		if n%1000 == 0 {
			value = bytes.Repeat(noise, warmSegment/4/len(noise)) // too large to be kept
		}
		switch got, ok := w.get([]byte("before"), []byte(key)); {
		case ok && string(got) != "before"+string(want[key]):
			t.Fatalf("%s is another value than the one that was put last", key)
		case ok:
			hits++
		case string(got) != "before":
			t.Fatalf("%s is not kept, and %d bytes are returned", key, len(got))
		}
		if n%50 == 0 {
			w.drop([]byte(key))
			if _, ok := w.get(nil, []byte(key)); ok {
				t.Fatalf("%s is kept after it was dropped", key)
			}
			continue
		}
		copied := bytes.Clone(value)
		w.put([]byte(key), copied)
		clear(copied) // the memory is the caller's
		want[key], last = bytes.Clone(value), key
		if len(value) < warmSegment/8 {
			if got, ok := w.get(nil, []byte(last)); !ok || !bytes.Equal(got, value) {
				t.Fatalf("%s is not kept when it was put", last)
			}
		}
	}
	if hits < puts/4 {
		t.Errorf("%d of %d values were kept", hits, puts)
	}
	size := 0
	for _, s := range w.segments {
		size += cap(s)
	}
	if size > warmSegments*warmSegment || len(w.at) > keys {
		t.Errorf("%d bytes and %d places are kept", size, len(w.at))
	}
}

package sfapi

import (
	"math/rand/v2"
	"testing"
)

// TestSkipString holds it to the plain way of looking at one byte at a time.
func TestSkipString(t *testing.T) {
	t.Parallel()
	plain := func(raw []byte, p int) int {
		for p++; p < len(raw); p++ {
			switch raw[p] {
			case '"':
				return p + 1
			case '\\':
				p++
			}
		}
		return -1
	}
	source := rand.New(rand.NewPCG(1, 2))
	const alphabet = "ab\x00\x01\x21\x22\x23\x5b\x5c\x5d\x80\xa2\xdc\xff"
	for range 20_000 {
		raw := make([]byte, 1+source.IntN(40))
		for i := range raw {
			raw[i] = 'x'
			if source.IntN(8) == 0 {
				raw[i] = alphabet[source.IntN(len(alphabet))]
			}
		}
		if got, want := skipString(raw, 0), plain(raw, 0); got != want {
			t.Fatalf("%q: %d, want %d", raw, got, want)
		}
	}
}

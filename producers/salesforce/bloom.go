package salesforce

import "hash/maphash"

// bloom remembers which keys are stored, so that a key that is not there costs no read from disk: in a first snapshot
// every row is such a key. A false "maybe" costs that read; there is no false "no".
type bloom struct {
	bits []uint64
	seed maphash.Seed
}

const (
	bloomBits   = 1 << 26 // 8 MiB; 4 million keys give about 1 % false answers, more keys more of them
	bloomHashes = 5
)

func newBloom() *bloom { return &bloom{bits: make([]uint64, bloomBits/64), seed: maphash.MakeSeed()} }

func (b *bloom) add(key []byte) {
	for i, h := 0, maphash.Bytes(b.seed, key); i < bloomHashes; i++ {
		bit := (uint32(h) + uint32(i)*uint32(h>>32)) % bloomBits
		b.bits[bit/64] |= 1 << (bit % 64)
	}
}

func (b *bloom) maybe(key []byte) bool {
	for i, h := 0, maphash.Bytes(b.seed, key); i < bloomHashes; i++ {
		bit := (uint32(h) + uint32(i)*uint32(h>>32)) % bloomBits
		if b.bits[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

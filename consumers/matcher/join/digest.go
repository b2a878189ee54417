package join

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// digest stands for a published value: it tells whether another value is the same.
type digest [16]byte

// digester makes digests with a secret key of the state (GMAC): as good as a cryptographic hash for telling values
// apart that nobody who knows the key has made, at a fifth of the time. The key is kept in the log.
type digester struct {
	key  [16]byte
	aead cipher.AEAD
	sum  []byte
}

func newDigester() *digester {
	d := &digester{}
	_, _ = rand.Read(d.key[:]) // never fails
	d.use(d.key[:])
	return d
}

// use takes the key of a state that is loaded, before anything is digested.
func (d *digester) use(key []byte) {
	copy(d.key[:], key)
	block, err := aes.NewCipher(d.key[:])
	if err != nil {
		panic(err) // the key has the right size
	}
	if d.aead, err = cipher.NewGCM(block); err != nil {
		panic(err) // the block, too
	}
}

// nonce is always the same: the digests are shown to nobody.
var nonce = make([]byte, 12)

func (d *digester) of(value []byte) digest {
	d.sum = d.aead.Seal(d.sum[:0], nonce, nil, value)
	return digest(d.sum)
}

package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
)

// keys is the key pair of the JWT bearer flow, made when it is first needed.
type keys struct {
	once    sync.Once
	private *rsa.PrivateKey
}

// keyBits is the size that Salesforce asks for.
const keyBits = 2048

func (k *keys) key() *rsa.PrivateKey {
	k.once.Do(func() {
		key, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			panic("make RSA key: " + err.Error()) // the system has no randomness
		}
		k.private = key
	})
	return k.private
}

// PEM is the private key that signs assertions, in PKCS #8.
func (k *keys) PEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k.key())
	if err != nil {
		panic("encode RSA key: " + err.Error()) // cannot be: the key is RSA
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// JWTKey is the private key of the JWT bearer flow, PKCS #8 in PEM: the app knows its certificate.
func (s *Simulator) JWTKey() []byte { return s.keys.PEM() }

// verify checks an RS256 assertion and returns its claims.
func (k *keys) verify(assertion string) (claims, bool) {
	var out claims
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return out, false
	}
	decode := func(part string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
		if err != nil {
			return nil
		}
		return b
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if json.Unmarshal(decode(parts[0]), &header) != nil || header.Alg != "RS256" {
		return out, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&k.key().PublicKey, crypto.SHA256, sum[:], decode(parts[2])) != nil {
		return out, false
	}
	if json.Unmarshal(decode(parts[1]), &out) != nil {
		return out, false
	}
	var list []string
	switch {
	case json.Unmarshal(out.Aud, &out.Audience) == nil:
	case json.Unmarshal(out.Aud, &list) == nil && len(list) == 1:
		out.Audience = list[0]
	}
	return out, true
}

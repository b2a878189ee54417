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
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
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

// jwtFlow checks a signed assertion (facts 1.7).
func (c *call) jwtFlow(form url.Values) (*tokenResponse, *oauthError) {
	claims, ok := c.s.keys.verify(form.Get("assertion"))
	if !ok {
		return nil, &oauthError{"invalid_grant", "invalid assertion"}
	}
	app := c.s.app.Load()
	now := c.s.now()
	switch {
	case app.Unknown || claims.Issuer != app.ClientID:
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	case !c.isAudience(claims.Audience):
		return nil, &oauthError{"invalid_grant", "Audience validation failed"}
	case claims.expires() <= now.Unix() || claims.expires() > now.Add(maxAssertion).Unix():
		return nil, &oauthError{"invalid_grant", "invalid assertion"}
	case !strings.EqualFold(claims.user(), c.s.config.Org.Username) || !c.s.tokens.isApproved() || c.s.profile.Load().NotApproved && !app.AdminApprovedOnly:
		return nil, &oauthError{"invalid_grant", "user hasn't approved this consumer"}
	}
	if e := c.unapproved(); e != nil {
		return nil, e
	}
	return c.sessionOf("api"), nil
}

// maxAssertion is how far ahead a JWT may expire (facts 11.11: three or five minutes).
const maxAssertion = 5 * time.Minute

// isAudience accepts Salesforce's login hosts and this host by any of its names.
func (c *call) isAudience(aud string) bool {
	known := []string{"https://login.salesforce.com", "https://test.salesforce.com", origin(c.r), c.instanceURL(), c.s.config.LoginURL}
	if info := c.s.info.Load(); info != nil {
		known = append(known, info.LoginURL)
	}
	aud = strings.TrimSuffix(aud, "/")
	return aud != "" && slices.Contains(known, aud)
}

// claims are those of a JWT bearer assertion.
type claims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Old      string          `json:"prn"` // name of sub before the standard
	Audience string          `json:"-"`
	Aud      json.RawMessage `json:"aud"` // text, or a list of one
	Expires  json.Number     `json:"exp"` // some clients send a text
}

// expires is the assertion's end in seconds; 0, long ago, when it cannot be read.
func (c claims) expires() int64 {
	seconds, _ := c.Expires.Float64()
	return int64(seconds)
}

func (c claims) user() string {
	if c.Subject != "" {
		return c.Subject
	}
	return c.Old
}

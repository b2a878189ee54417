package sfapi

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/secret"
)

// FileStore keeps the token of one org in a file, encrypted with AES-256-GCM, mode 0600. A new token replaces the old
// one in one step and is on the disk, directory entry included, when Save returns.
type FileStore struct {
	path string
	org  string
	aead cipher.AEAD
}

// storeMagic begins the file and is authenticated together with the org's name, so that the file of one org cannot
// stand in for another's.
const storeMagic = "crosswalk token 1\n"

// NewFileStore keeps the token of org in the file at path under a key of LoadKey.
func NewFileStore(path, org string, key secret.String) (*FileStore, error) {
	block, err := aes.NewCipher([]byte(key.Reveal()))
	if err != nil || len(key.Reveal()) != keyBytes {
		return nil, fmt.Errorf("open token file %s: the key is not %d bytes long", path, keyBytes)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("open token file %s: %w", path, err)
	}
	return &FileStore{path: path, org: org, aead: aead}, nil
}

// storedToken is the JSON inside the encryption.
type storedToken struct {
	Access      string    `json:"access_token"`
	Refresh     string    `json:"refresh_token,omitempty"`
	InstanceURL string    `json:"instance_url"`
	Identity    string    `json:"id,omitempty"`
	Scope       string    `json:"scope,omitempty"`
	IssuedAt    time.Time `json:"issued_at"`
}

// Load reads the token; ErrNoToken when none was saved yet.
func (s *FileStore) Load(context.Context) (Token, error) {
	sealed, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, ErrNoToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("read token file: %w", err)
	}
	body, ok := bytes.CutPrefix(sealed, []byte(storeMagic))
	if !ok || len(body) < s.aead.NonceSize() {
		return Token{}, fmt.Errorf("token file %s is not one, or is damaged: remove it and %s", s.path, runConnect)
	}
	nonce, sealed := body[:s.aead.NonceSize()], body[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, s.bound())
	if err != nil {
		return Token{}, fmt.Errorf("token file %s cannot be decrypted: it was written with another key or for another org than %q; put back the key (%s or the key file), or remove the file and %s", s.path, s.org, KeyVariable, runConnect)
	}
	var t storedToken
	if err := json.Unmarshal(plain, &t); err != nil {
		return Token{}, fmt.Errorf("token file %s is damaged: remove it and %s", s.path, runConnect)
	}
	return Token{
		Access: secret.String(t.Access), Refresh: secret.String(t.Refresh), InstanceURL: t.InstanceURL,
		Identity: t.Identity, Scope: t.Scope, IssuedAt: t.IssuedAt,
	}, nil
}

// Save replaces the token, encrypted, and returns when that is on the disk: a crash leaves the old one or the new one.
func (s *FileStore) Save(_ context.Context, t Token) error {
	plain, err := json.Marshal(storedToken{
		Access: t.Access.Reveal(), Refresh: t.Refresh.Reveal(), InstanceURL: t.InstanceURL,
		Identity: t.Identity, Scope: t.Scope, IssuedAt: t.IssuedAt,
	})
	if err != nil {
		return fmt.Errorf("encode token: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	sealed := append([]byte(storeMagic), nonce...)
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	if err := writeDurably(s.path, s.aead.Seal(sealed, nonce, plain, s.bound())); err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	return nil
}

func (s *FileStore) bound() []byte { return []byte(storeMagic + s.org) }

// lockWaits is how the lock of another process is waited for: it holds it for one refresh.
var lockWaits = retry.Backoff{First: 20 * time.Millisecond, Max: 500 * time.Millisecond}

// Lock keeps the other processes of this machine from refreshing the token meanwhile. It ends with the process.
func (s *FileStore) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for tries := 1; ; tries++ {
		held, err := tryLock(f)
		if err == nil && held {
			return func() { _ = giveUp(f) }, nil
		}
		if err == nil {
			err = retry.Sleep(ctx, lockWaits.Wait(tries))
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

// writeDurably replaces the file at path by content in one step, mode 0600, and returns when it would survive a power
// failure.
func writeDurably(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

package sfapi

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"crosswalk/internal/secret"
)

// KeyVariable is the environment variable that holds the key of stored tokens.
const KeyVariable = "CROSSWALK_SECRET_KEY"

const keyBytes = 32 // AES-256

// LoadKey returns the key that tokens are stored under: text when it is set (what KeyVariable holds), else what the
// file holds. A missing file is made with a new random key, readable by its owner alone.
func LoadKey(text secret.String, file string) (secret.String, error) {
	if text != "" {
		key, err := decodeKey(text.Reveal())
		if err != nil {
			return "", fmt.Errorf("%s %w", KeyVariable, err)
		}
		return key, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(file)
	}
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("key file %s may be read by others (mode %04o): run chmod 600 on it", file, info.Mode().Perm())
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	key, err := decodeKey(strings.TrimSpace(string(content)))
	if err != nil {
		return "", fmt.Errorf("key file %s %w", file, err)
	}
	return key, nil
}

func createKey(file string) (secret.String, error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fmt.Errorf("create key file: %w", err)
	}
	// O_EXCL: of two processes that start together one makes the key and the other reads it.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return LoadKey("", file)
	}
	if err != nil {
		return "", fmt.Errorf("create key file: %w", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(file))); err != nil {
		return "", fmt.Errorf("create key file: %w", err)
	}
	return secret.String(key), nil
}

// decodeKey takes 32 bytes as base64 or hexadecimal. A passphrase is refused: it would be weak where it looks strong.
func decodeKey(text string) (secret.String, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if key, err := decode(text); err == nil && len(key) == keyBytes {
			return secret.String(key), nil
		}
	}
	return "", errors.New("is not a key of 32 bytes in base64 or hexadecimal: make one with openssl rand -base64 32")
}

// ReadPrivateKey returns what the PEM file of flow jwt holds, for Auth.PrivateKey. That it can sign is checked there.
func ReadPrivateKey(file string) (secret.String, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read auth.private_key_file: %w", err)
	}
	return secret.String(content), nil
}

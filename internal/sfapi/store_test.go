package sfapi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/secret"
)

func TestFileStoreKeepsATokenEncrypted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens", "acme")
	key, err := LoadKey("", filepath.Join(dir, "keys", "key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewFileStore(path, "acme", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context()); !errors.Is(err, ErrNoToken) {
		t.Fatalf("an empty store gave %v", err)
	}
	want := Token{Access: "00D!access", Refresh: "5Aep-refresh", InstanceURL: "https://acme.my.salesforce.com", Identity: "https://login.salesforce.com/id/00D/005", Scope: "api", IssuedAt: time.UnixMilli(1763700000123).UTC()}
	for range 2 { // the second replaces the first
		if err := s.Save(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(t.Context()); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"access", "refresh", "acme.my", "00D"} {
		if strings.Contains(string(raw), hidden) {
			t.Errorf("%q can be read in the file", hidden)
		}
	}
	for file, mode := range map[string]os.FileMode{path: 0o600, filepath.Join(dir, "keys", "key"): 0o600, filepath.Join(dir, "tokens"): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", file, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "tokens", ".*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestFileStoreRefusesAnotherKeyOrgOrContent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "acme")
	open := func(org string, key secret.String) *FileStore {
		s, err := NewFileStore(path, org, key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	key := secret.String(strings.Repeat("k", 32))
	if err := open("acme", key).Save(t.Context(), Token{Access: "a"}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*FileStore{
		"another key": open("acme", secret.String(strings.Repeat("x", 32))), "another org": open("globex", key),
	} {
		_, err := s.Load(t.Context())
		if err == nil {
			t.Fatalf("%s was accepted", name)
		}
		has(t, err.Error(), path, "cannot be decrypted", KeyVariable, "run crosswalk connect")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open("acme", key).Load(t.Context()); err == nil {
			t.Fatalf("a file cut at byte %d was accepted", n)
		}
	}
	if _, err := NewFileStore(path, "acme", "short"); err == nil {
		t.Error("a short key was accepted")
	}
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]secret.String{
		"hexadecimal": secret.String(strings.Repeat("6b", 32)), "base64": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "base64url": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s",
	} {
		if key, err := LoadKey(text, ""); err != nil || key.Reveal() != strings.Repeat("k", 32) {
			t.Errorf("%s: %q, %v", name, key.Reveal(), err)
		}
	}
	if _, err := LoadKey("correct horse battery staple", ""); err == nil {
		t.Error("a passphrase was accepted")
	} else {
		has(t, err.Error(), KeyVariable, "openssl rand -base64 32")
		if strings.Contains(err.Error(), "horse") {
			t.Error("the key shows in the error")
		}
	}
}

func TestKeyFileIsMadeOnceAndKeptToItsOwner(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	first, err := LoadKey("", file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadKey("", file)
	if err != nil || first != second || len(first.Reveal()) != 32 {
		t.Fatalf("the key changed: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey("", file); err == nil {
		t.Error("a key that everybody may read was accepted")
	} else {
		has(t, err.Error(), file, "chmod 600")
	}
	if err := os.WriteFile(file, []byte("-----BEGIN PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey("", file); err == nil {
		t.Error("a PEM file was accepted as a key")
	}
}

func TestLockKeepsOthersOutUntilUnlocked(t *testing.T) {
	t.Parallel()
	key := secret.String(strings.Repeat("k", 32))
	path := filepath.Join(t.TempDir(), "acme")
	s, err := NewFileStore(path, "acme", key)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Lock(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("a held lock gave %v", err)
	}
	unlock()
	again, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// A crash between two refreshes must find the newest refresh token: the whole cycle over a file.
func TestRotationSurvivesARestart(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate = true
	path := filepath.Join(t.TempDir(), "acme")
	auth := webAuth(o)
	auth.RefreshToken = "seed"
	var last Token
	for i := range 3 {
		store, err := NewFileStore(path, "acme", secret.String(strings.Repeat("k", 32)))
		if err != nil {
			t.Fatal(err)
		}
		s := source(t, auth, store)
		if last, err = s.Token(t.Context(), last.Access.Reveal()); err != nil {
			t.Fatal(i, err)
		}
	}
	var sent []string
	for _, form := range o.logins {
		sent = append(sent, form["refresh_token"])
	}
	equal(t, sent, []string{"seed", "refresh-00DQk000000oRgA!session-1", "refresh-00DQk000000oRgA!session-2"})
}

package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func setup(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "b")
	return open(t, dir), dir
}

func open(t *testing.T, dir string, options ...Option) *Store {
	t.Helper()
	s, err := Open(dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func commit(t *testing.T, s *Store, fill func(b *Batch)) {
	t.Helper()
	b := s.NewBatch()
	fill(b)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, s *Store, prefix string) string {
	t.Helper()
	var out []string
	err := s.Scan([]byte(prefix), func(k, v []byte) error {
		out = append(out, fmt.Sprintf("%s=%s", k, v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestValuesSurviveAReopening(t *testing.T) {
	t.Parallel()
	s, dir := setup(t)
	commit(t, s, func(b *Batch) {
		b.Set([]byte("k"), []byte("v"))
		b.Set([]byte("empty"), nil)
		b.Set([]byte("gone"), []byte("x"))
		b.Delete([]byte("gone"))
		b.Delete([]byte("never"))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	value, ok, err := s.Get([]byte("k"))
	if err != nil || !ok || string(value) != "v" {
		t.Errorf("Get(k) = %q, %v, %v", value, ok, err)
	}
	if value, ok, err := s.Get([]byte("empty")); err != nil || !ok || len(value) != 0 {
		t.Errorf("Get(empty) = %q, %v, %v", value, ok, err)
	}
	if _, ok, err := s.Get([]byte("gone")); ok || err != nil {
		t.Errorf("Get(gone) = %v, %v", ok, err)
	}
}

func TestScanIsAscendingAndBounded(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	commit(t, s, func(b *Batch) {
		for _, k := range []string{"b/2", "b/10", "a", "b", "c", "b/\xff", "\xff\xff1", "\xff"} {
			b.Set([]byte(k), []byte("1"))
		}
	})
	for _, test := range []struct{ prefix, want string }{
		{"b/", "b/10=1 b/2=1 b/\xff=1"},
		{"\xff\xff", "\xff\xff1=1"},
		{"", "a=1 b=1 b/10=1 b/2=1 b/\xff=1 c=1 \xff=1 \xff\xff1=1"},
		{"z", ""},
	} {
		if got := content(t, s, test.prefix); got != test.want {
			t.Errorf("Scan(%q) = %q, want %q", test.prefix, got, test.want)
		}
	}
	stop := errors.New("stop")
	if err := s.Scan(nil, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Scan returned %v, want the error of fn", err)
	}
}

func TestDeletePrefixKeepsWhatIsSetAfterIt(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	commit(t, s, func(b *Batch) {
		for _, k := range []string{"a/1", "a/2", "b", "\xff\xffx"} {
			b.Set([]byte(k), []byte("1"))
		}
	})
	commit(t, s, func(b *Batch) {
		b.Set([]byte("a/3"), []byte("2"))
		b.DeletePrefix([]byte("a/"))
		b.Set([]byte("a/2"), []byte("3"))
	})
	if got, want := content(t, s, ""), "a/2=3 b=1 \xff\xffx=1"; got != want {
		t.Errorf("after DeletePrefix(a/): %q, want %q", got, want)
	}
	commit(t, s, func(b *Batch) { b.DeletePrefix([]byte("\xff")) })
	if got, want := content(t, s, ""), "a/2=3 b=1"; got != want {
		t.Errorf("after DeletePrefix(ff): %q, want %q", got, want)
	}
	commit(t, s, func(b *Batch) { b.DeletePrefix(nil) })
	if got := content(t, s, ""); got != "" {
		t.Errorf("after DeletePrefix(nil): %q, want nothing", got)
	}
}

func TestDiscardedBatchIsNotThere(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	b := s.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	b.Discard()
	if got := content(t, s, ""); got != "" {
		t.Errorf("store holds %q", got)
	}
}

// TestRandomHistory compares the store with a map under random batches, reopenings, mergers and scans; every other one
// keeps larger values apart from their keys.
func TestRandomHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir, separate := t.TempDir(), SeparateValues(int(seed%2)*25)
			s := open(t, dir, separate)
			rng, model := rand.New(rand.NewPCG(seed, 1)), map[string]string{}
			for range 60 {
				commit(t, s, func(b *Batch) { change(rng, b, model) })
				switch rng.IntN(10) {
				case 0:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, dir, separate)
				case 1:
					if err := s.db.Flush(); err != nil {
						t.Fatal(err)
					}
				case 2:
					if err := s.db.Compact(t.Context(), []byte("a"), []byte("z"), false); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := content(t, s, ""), flat(model); got != want {
					t.Fatalf("store holds %q, model %q", got, want)
				}
			}
		})
	}
}

func change(rng *rand.Rand, b *Batch, model map[string]string) {
	for range rng.IntN(20) {
		k := fmt.Sprintf("%c/%d", 'a'+rng.IntN(3), rng.IntN(10))
		switch rng.IntN(6) {
		case 0:
			b.Delete([]byte(k))
			delete(model, k)
		case 1:
			b.DeletePrefix([]byte(k[:2]))
			for m := range model {
				if m[:2] == k[:2] {
					delete(model, m)
				}
			}
		default:
			v := bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, rng.IntN(50))
			b.Set([]byte(k), v)
			model[k] = string(v)
		}
	}
}

func flat(model map[string]string) string {
	var out []string
	for k, v := range model {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	b := s.NewBatch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit = %v", err)
	}
	if _, _, err := s.Get([]byte("k")); !errors.Is(err, ErrClosed) {
		t.Errorf("Get = %v", err)
	}
	if err := s.Scan(nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Scan = %v", err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, dir := setup(t)
	_, err := Open(dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "has it open") {
		t.Errorf("second Open = %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(filepath.Join(file, "state"))
	if err == nil || !strings.Contains(err.Error(), "not writable") {
		t.Errorf("Open under a file = %v", err)
	}
}

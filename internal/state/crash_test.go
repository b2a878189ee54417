package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

const childDir = "CROSSWALK_STATE_TEST_DIR"

// TestMain is the store's owner that gets killed when the variable is set: it commits pairs of equal numbers and
// prints each one after its commit.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for n := uint64(1); ; n++ {
		b := s.NewBatch()
		number := binary.BigEndian.AppendUint64(nil, n)
		b.Set([]byte("value"), number)
		b.Set([]byte("offset"), number)
		if err := b.Commit(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// owner starts a process that commits in dir until it is killed, and hands over what it prints.
func owner(t *testing.T, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func TestCommitsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	for round := range 3 {
		cmd, out := owner(t, dir)
		for range 20 + 30*round {
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		printed := uint64(20 + 30*round)
		if lines := strings.Fields(string(rest)); len(lines) > 0 {
			// The last line may be cut off; the one before it is whole.
			if n, err := strconv.ParseUint(lines[max(0, len(lines)-2)], 10, 64); err == nil {
				printed = max(printed, n)
			}
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := s.Get([]byte("value"))
		offset, _, err2 := s.Get([]byte("offset"))
		if err = errors.Join(err, err2, s.Close()); err != nil {
			t.Fatal(err)
		}
		if string(value) != string(offset) {
			t.Fatalf("value %x and offset %x are of different commits", value, offset)
		}
		if got := binary.BigEndian.Uint64(value); got < printed {
			t.Fatalf("%d was committed and printed, but the store holds %d", printed, got)
		}
	}
}

func TestAnotherProcessHoldsTheLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	cmd, out := owner(t, dir)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir)
	if err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("Open = %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
}

// disk fails writes with fault while full is set; removing a file makes space when it helps.
func disk(full *atomic.Bool, helps bool, fault error) vfs.FS {
	return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove && helps {
			full.Store(false)
		}
		if op.Kind != errorfs.OpRemove && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && full.Load() {
			return fault
		}
		return nil
	}))
}

func TestFullDiskStopsTheStoreUntilARestart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		helps bool
		fault error
		words string
	}{
		{"reserve helps", true, syscall.ENOSPC, "the disk is full"},
		{"reserve does not help", false, syscall.ENOSPC, "the disk is full"},
		{"device fails", false, syscall.EIO, "repair the disk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			var full atomic.Bool
			s := open(t, dir, filesystem(disk(&full, test.helps, test.fault)))
			commit(t, s, func(b *Batch) { b.Set([]byte("k"), []byte("1")) })
			full.Store(true)
			written, err := fill(s)
			if err == nil || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("Commit on a full disk = %v", err)
			}
			if _, _, err2 := s.Get([]byte("k")); !errors.Is(err2, test.fault) {
				t.Errorf("Get on a failed store = %v", err2)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			restarted := filepath.Join(t.TempDir(), "copy") // this process still holds the lock of a failed store
			if err := os.CopyFS(restarted, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			s = open(t, restarted)
			got, ok, err := s.Get([]byte("k"))
			if err != nil || !ok {
				t.Fatalf("Get(k) after the restart = %v, %v", ok, err)
			}
			if n, _ := strconv.Atoi(string(got)); n < written {
				t.Errorf("after the restart k = %s, but %d was committed", got, written)
			}
			commit(t, s, func(b *Batch) { b.Set([]byte("k"), []byte("again")) })
		})
	}
}

// fill commits until the store refuses, and returns the last value that it took.
func fill(s *Store) (written int, err error) {
	written = 1
	for n := 2; n < 100; n++ {
		b := s.NewBatch()
		b.Set([]byte("k"), []byte(strconv.Itoa(n)))
		if err := b.Commit(); err != nil {
			return written, err
		}
		written = n
	}
	return written, nil
}

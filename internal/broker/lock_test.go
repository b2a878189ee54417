package broker

import (
	"syscall"
	"testing"
)

// A child that is being started holds a copy of every open file for a moment: a duplicate of the lock's file stands for it.
func TestUnlockDoesNotWaitForCopiesInChildren(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(child) }()
	if err := (&Broker{lock: f}).unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("the directory stays locked by the copy: %v", err)
	}
	if err := (&Broker{lock: again}).unlock(); err != nil {
		t.Error(err)
	}
}

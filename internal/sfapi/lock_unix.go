//go:build unix

package sfapi

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the file's lock, which other processes see, without waiting.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// giveUp gives the lock up by name. Closing alone would not: a child that is being started at this moment has a copy of
// every open file until it executes its own program, and the lock lives as long as the last copy.
func giveUp(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// syncDir makes a rename within the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

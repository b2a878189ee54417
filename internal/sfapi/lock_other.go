//go:build !unix

package sfapi

import "os"

// tryLock cannot keep other processes away here: a credential must then be used by one process only.
func tryLock(*os.File) (held bool, err error) { return true, nil }

func giveUp(f *os.File) error { return f.Close() }

// syncDir does nothing: a directory cannot be synced here, and a rename is durable with the file system's journal.
func syncDir(string) error { return nil }

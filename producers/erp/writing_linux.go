package erp

import (
	"os"
	"syscall"
)

// From fcntl(2): a read lease is refused with EAGAIN while anybody has the file open for writing.
const setLease = 1024

// writing reports that some process of this machine has the file open for writing. It cannot see writers on other machines,
// and says no where leases are not to be had; a file that changes while it is imported is noticed anyway.
func writing(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, _, refused := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, uintptr(syscall.F_RDLCK))
	if refused == 0 {
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, uintptr(syscall.F_UNLCK)) // closing ends it anyway
	}
	return refused == syscall.EAGAIN
}

package erp

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// RejectError is a row that could not be taken. The rest of the file goes on (guarantee 8 of the design).
type RejectError struct {
	Line   int    // 1-based line of the file, the header being line 1
	Column string // the column at fault; empty when it is the row as a whole
	Reason string
	Raw    string // the row as it came
}

func (r *RejectError) Error() string {
	if r.Column == "" {
		return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
	}
	return fmt.Sprintf("line %d, column %q: %s", r.Line, r.Column, r.Reason)
}

// rejectsFile writes line, column, reason and row of each rejected row as CSV. It makes the file with the first one.
type rejectsFile struct {
	path  string
	file  *os.File
	out   *csv.Writer
	buf   *bufio.Writer
	count int
}

// add appends one reject.
func (f *rejectsFile) add(r *RejectError) error {
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("make the rejects file: %w; choose another with --rejects", err)
		}
		f.file, f.buf = file, bufio.NewWriter(file)
		f.out = csv.NewWriter(f.buf)
		if err := f.out.Write([]string{"line", "column", "reason", "row"}); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	f.count++
	if err := f.out.Write([]string{strconv.Itoa(r.Line), r.Column, r.Reason, r.Raw}); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// close makes what was added durable. Nothing was added: there is no file, and one of an earlier import is removed.
func (f *rejectsFile) close() error {
	if f.file == nil {
		if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove the rejects file of an earlier import: %w", err)
		}
		return nil
	}
	f.out.Flush()
	err := f.out.Error()
	for _, step := range []func() error{f.buf.Flush, f.file.Sync, f.file.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// RejectsPath is where the rejects of a file go when nothing else is said: beside it, name.rejects.csv.
func RejectsPath(file string) string {
	return filepath.Join(filepath.Dir(file), trimExt(filepath.Base(file))+".rejects.csv")
}

func trimExt(name string) string { return name[:len(name)-len(filepath.Ext(name))] }

package erp

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"crosswalk/producers/erp/rows"
)

// rejectsFile writes line, column, reason and row of each rejected row as CSV. It makes the file with the first one.
type rejectsFile struct {
	path  string
	file  *os.File
	out   *csv.Writer
	buf   *bufio.Writer
	count int
}

// add appends one reject.
func (f *rejectsFile) add(r *rows.Reject) error {
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
	if err := f.out.Write([]string{strconv.FormatInt(r.Line, 10), r.Column, r.Reason, readable(r.Raw)}); err != nil {
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

// readable keeps the file one that any program opens.
func readable(raw string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(raw, "\ufffd"), "\x00", "\u2400")
}

// RejectsPath is where the rejects of a file go when nothing else is said: beside it, name.rejects.csv.
func RejectsPath(file string) string {
	return filepath.Join(filepath.Dir(file), trimExt(filepath.Base(file))+".rejects.csv")
}

func trimExt(name string) string { return name[:len(name)-len(filepath.Ext(name))] }

// Package rows reads the rows of ERP files: CSV and JSON, in the encodings and with the quirks that exports have.
//
// A file's bytes become UTF-8 (encoding), are cut into lines (lines), and each line or run of lines becomes a Row: the cells of
// a table under the names of its header (table), or the members of a JSON object (json). Whatever cannot be a row becomes a
// *Reject with line, column and reason, and reading goes on behind it: damage never reaches further than the line that it is in.
// What a row means is for its reader to say; nothing here knows a customer.
package rows

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"crosswalk/internal/avro"
)

// Row is one row as its source gave it. What it points to is valid until the next row is asked for.
type Row struct {
	Line    int64            // where it stands: the 1-based line of a file, or the offset in a topic
	Fields  []avro.Attribute // in the order of the source
	Text    bool             // the values are the texts of a table: an empty one is null, numbers and times are told from the text
	Deleted bool             // the source says that what the row names is gone
	Raw     func() string    // the row as it came, for the one who corrects it
}

// Reader yields rows from a source's start to its end.
type Reader interface {
	// Next returns the next row, io.EOF at the end, or a *Reject for a row that cannot be taken.
	Next() (Row, error)
	// Header returns the names of the columns; nil where each row names its own.
	Header() []string
	// Offset returns how many bytes of the source have been read.
	Offset() int64
	// Guessed reports that the encoding is a guess, if a safe one: what identifies a customer should not rest on it.
	Guessed() bool
}

// Reject is a row that could not be taken. The rest of the file goes on.
type Reject struct {
	Line   int64  // 1-based line of the file, or the offset in a topic
	Column string // the column at fault; empty when it is the row as a whole
	Reason string
	Raw    string // the row as it came
}

func (r *Reject) Error() string {
	if r.Column == "" {
		return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
	}
	return fmt.Sprintf("line %d, column %q: %s", r.Line, r.Column, r.Reason)
}

// Bounds, so that one damaged row cannot take the memory of all.
const (
	maxRow  = 4 << 20 // bytes of a row
	maxCell = 1 << 20 // bytes of a cell
)

// The formats of a file.
const (
	CSV  = "csv"
	JSON = "json" // an object a line, or one array of objects
)

// Options say how a file is read. The zero value tells everything from the file.
type Options struct {
	Format    string                      // CSV or JSON; empty: by the name's ending, else by the first character
	Encoding  Encoding                    // empty: Auto
	Delimiter string                      // of a CSV: one of , ; tab |; empty: the one under which the header is found
	Header    func(columns []string) bool // tells the header of a CSV from title lines before it; nil: the first row is it
}

// Open reads the beginning of a file and returns a reader of its rows. Errors name the file and what to do; they mean that
// the file as a whole cannot be read.
func Open(name string, in io.ReadSeeker, opts Options) (Reader, error) {
	encoding, guessed, err := encodingOf(name, in, opts.Encoding)
	if err != nil {
		return nil, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	counted := &counter{in: in}
	text := bufio.NewReaderSize(encoding.decoder(counted), 64<<10)
	format, err := formatOf(name, text, opts.Format)
	if err != nil {
		return nil, err
	}
	base := base{name: name, bytes: counted, guessed: guessed, lines: &lines{in: oneEnd(text)}}
	if format == JSON {
		return openJSON(base)
	}
	return openTable(base, opts)
}

// base is what all readers of files have.
type base struct {
	name    string
	bytes   *counter
	guessed bool
	lines   *lines
}

func (b *base) Offset() int64 { return b.bytes.n }
func (b *base) Guessed() bool { return b.guessed }

// formatOf tells the format when it is not said.
func formatOf(name string, text *bufio.Reader, said string) (string, error) {
	if said != "" {
		return said, nil
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".jsonl", ".ndjson":
		return JSON, nil
	case ".csv", ".tsv", ".txt":
		return CSV, nil
	}
	start, err := text.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if first := strings.TrimLeft(string(start), " \t\r\n"); strings.HasPrefix(first, "{") || strings.HasPrefix(first, "[") {
		return JSON, nil
	}
	return CSV, nil
}

// counter counts the bytes that pass.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

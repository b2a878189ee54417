package erp

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxCell bounds one cell, so that an unclosed quote does not pull a whole file into one of them.
const maxCell = 1 << 20

// table reads a CSV file (RFC 4180, UTF-8 with or without BOM) row by row.
type table struct {
	name   string
	header []string
	in     *csv.Reader
}

// row is one line of the file as it came. Line is 1-based and counts the header.
type row struct {
	line  int
	cells []string
	raw   string
}

// openTable reads the header. delimiter "" is told from it. Errors name the file and what to do.
func openTable(name string, r io.Reader, delimiter string) (*table, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if start, err := buffered.Peek(3); err == nil && bytes.Equal(start, []byte("\xef\xbb\xbf")) {
		if _, err := buffered.Discard(3); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	if err := refuseUTF16(name, buffered); err != nil {
		return nil, err
	}
	comma, err := delimiterOf(name, buffered, delimiter)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(buffered)
	in.Comma = comma
	in.FieldsPerRecord = -1
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty: the first line must be the header with the column names", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the header of %s: %w; the first line must hold the column names", name, err)
	}
	seen := map[string]int{}
	for i, h := range header {
		if !utf8.ValidString(h) {
			return nil, fmt.Errorf("%s line 1: column %d's name is not UTF-8; save the file as UTF-8", name, i+1)
		}
		if first, twice := seen[h]; twice && h != "" {
			return nil, fmt.Errorf("%s line 1: column %q stands twice (columns %d and %d); rename one", name, h, first+1, i+1)
		}
		seen[h] = i
	}
	return &table{name: name, header: header, in: in}, nil
}

func refuseUTF16(name string, r *bufio.Reader) error {
	start, err := r.Peek(2)
	if err == nil && (bytes.Equal(start, []byte{0xff, 0xfe}) || bytes.Equal(start, []byte{0xfe, 0xff})) {
		return fmt.Errorf("%s is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)", name)
	}
	return nil
}

// delimiterOf returns the configured delimiter or the one of , ; tab | that the header has most of, outside quotes.
func delimiterOf(name string, r *bufio.Reader, configured string) (rune, error) {
	if configured != "" {
		c, size := utf8.DecodeRuneInString(configured)
		if size != len(configured) {
			return 0, fmt.Errorf("delimiter %q of %s is not one character", configured, name)
		}
		return c, nil
	}
	start, err := r.Peek(r.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	counts, quoted := map[rune]int{}, false
	for _, c := range string(start) {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted && strings.ContainsRune(",;\t|", c) {
			counts[c]++
		}
	}
	best := ','
	for _, c := range []rune{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best, nil
}

// next returns the next row, io.EOF at the end, or a *RejectError for a row that cannot be taken; reading goes on after it.
func (t *table) next() (row, error) {
	cells, err := t.in.Read()
	if errors.Is(err, io.EOF) {
		return row{}, io.EOF
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return row{}, &RejectError{Line: parse.StartLine, Column: "", Reason: parseReason(parse), Raw: strings.Join(cells, string(t.in.Comma))}
	}
	if err != nil {
		return row{}, fmt.Errorf("read %s: %w", t.name, err)
	}
	line, _ := t.in.FieldPos(0)
	r := row{line: line, cells: cells, raw: strings.Join(cells, string(t.in.Comma))}
	if reason, column := t.check(cells); reason != "" {
		return row{}, &RejectError{Line: line, Column: column, Reason: reason, Raw: r.raw}
	}
	return r, nil
}

// check says what is wrong with a row as a row: too few or too many cells, NUL bytes, invalid UTF-8.
func (t *table) check(cells []string) (reason, column string) {
	if len(cells) < len(t.header) {
		return fmt.Sprintf("the row has %d cells, the header %d", len(cells), len(t.header)), t.header[len(cells)]
	}
	if len(cells) > len(t.header) {
		return fmt.Sprintf("the row has %d cells, the header %d; quote cells that contain the delimiter %q", len(cells), len(t.header), t.in.Comma), ""
	}
	for i, c := range cells {
		switch {
		case len(c) > maxCell:
			return fmt.Sprintf("the cell has %d bytes, more than %d; a quote is probably not closed", len(c), maxCell), t.header[i]
		case strings.IndexByte(c, 0) >= 0:
			return "the cell contains a NUL byte", t.header[i]
		case !utf8.ValidString(c):
			return "the cell is not UTF-8; save the file as UTF-8", t.header[i]
		}
	}
	return "", ""
}

func parseReason(e *csv.ParseError) string {
	switch {
	case errors.Is(e.Err, csv.ErrQuote):
		return "a quote is not closed or stands inside a quoted cell; write it twice"
	case errors.Is(e.Err, csv.ErrBareQuote):
		return "a quote stands inside an unquoted cell; quote the whole cell and write the inner quote twice"
	}
	return e.Err.Error()
}

package rows

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
)

// table reads a CSV file.
type table struct {
	base
	cells  cells
	header []string
	width  int  // columns up to the last one that has a name
	ruled  bool // a printed list

	raw    []byte // the row as it came
	rawFn  func() string
	split  []string
	fields []avro.Attribute
	pulled []line
}

// A quoted cell may span so much; beyond it the quote is damage.
const (
	maxQuotedLines = 500
	maxQuotedBytes = 256 << 10
)

// preamble is how many rows may stand before the header: reports begin with their title, the company, a date.
const preamble = 40

// openTable finds the delimiter and the header. When there is no row that opts.Header accepts, the header is the one of the first
// rows that has most cells, so that whoever misses a column can be shown it.
func openTable(b base, opts Options) (*table, error) {
	delimiters := []byte{',', ';', '\t', '|'}
	if opts.Delimiter != "" {
		if len(opts.Delimiter) != 1 || !slices.Contains(delimiters, opts.Delimiter[0]) {
			return nil, fmt.Errorf("delimiter %q of %s is none of , ; tab |", opts.Delimiter, b.name)
		}
		delimiters = []byte{opts.Delimiter[0]}
	}
	start, err := b.lines.in.Peek(b.lines.in.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", b.name, err)
	}
	start = bytes.Clone(start)
	if said, ok := bytes.CutPrefix(body(firstLine(start)), []byte("sep=")); ok && len(said) == 1 && opts.Delimiter == "" {
		delimiters = []byte{said[0]} // as Excel writes it
	}
	best := candidate{line: -1}
	for _, d := range delimiters {
		if c := find(start, d, opts.Header); c.better(best) {
			best = c
		}
	}
	if best.line < 0 {
		return nil, fmt.Errorf("%s is empty: the first line must be the header with the column names", b.name)
	}
	t := &table{base: b, cells: cells{comma: best.comma}}
	t.rawFn = func() string { return string(body(t.raw)) }
	return t, t.readHeader(best.line)
}

func firstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}

// candidate is a row that may be the header.
type candidate struct {
	comma  byte
	line   int64 // -1: none
	wanted bool
	cells  int // that are not empty
}

func (c candidate) better(than candidate) bool {
	if c.line < 0 || than.line < 0 || c.wanted != than.wanted {
		return c.line >= 0 && (than.line < 0 || c.wanted)
	}
	return c.cells > than.cells
}

// find looks for the header under one delimiter.
func find(start []byte, comma byte, header func([]string) bool) candidate {
	in := bytes.NewReader(start)
	t := &table{base: base{lines: &lines{in: bufio.NewReaderSize(in, len(start)+16)}}, cells: cells{comma: comma}}
	t.rawFn = func() string { return "" }
	best := candidate{comma: comma, line: -1}
	for range preamble {
		names, number, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || number == 1 && len(names) > 0 && strings.HasPrefix(names[0], "sep=") {
			continue
		}
		names = trimmed(names)
		if blank(names) {
			continue
		}
		c := candidate{comma: comma, line: number, wanted: header == nil || header(names)}
		for _, n := range names {
			if n != "" {
				c.cells++
			}
		}
		if c.better(best) {
			best = c
		}
		if c.wanted {
			return c
		}
	}
	return best
}

func trimmed(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimSpace(n)
	}
	return out
}

// readHeader reads up to the header, which begins on a line.
func (t *table) readHeader(at int64) error {
	for {
		names, number, err := t.next()
		var bad *Reject
		if err != nil && !errors.As(err, &bad) {
			return fmt.Errorf("read the header of %s: %w", t.name, err)
		}
		if bad != nil || number < at {
			continue
		}
		return t.setHeader(trimmed(names))
	}
}

// Second is what the second column of a name is called.
func Second(name string) string { return numbered(name, 2) }

func numbered(name string, n int) string { return name + " (" + strconv.Itoa(n) + ")" }

// setHeader names the columns. A name that stands twice gets a number behind it, so that both values are kept.
func (t *table) setHeader(names []string) error {
	seen := map[string]int{}
	for i, name := range names {
		if !utf8.ValidString(name) {
			return fmt.Errorf("%s: the name of column %d is not valid text in the file's encoding; set encoding, or save the file as UTF-8", t.name, i+1)
		}
		seen[name]++
		if n := seen[name]; n > 1 && name != "" {
			names[i] = numbered(name, n)
		}
		if name != "" {
			t.width = i + 1
		}
	}
	t.header, t.ruled = names, ruled(t.cells.comma, names)
	if t.cells.bare = t.ruled; t.ruled {
		t.width = len(names)
	}
	t.fields = make([]avro.Attribute, len(names))
	for i, name := range names {
		t.fields[i].Name = name
	}
	return nil
}

func (t *table) Header() []string { return t.header }

// Next implements Reader.
func (t *table) Next() (Row, error) {
	for {
		values, number, err := t.next()
		if err != nil {
			return Row{}, err
		}
		if t.ruled && t.rule(values) || blank(values) {
			continue
		}
		if reason, column := t.check(values); reason != "" {
			return Row{}, &Reject{Line: number, Column: column, Reason: reason, Raw: t.rawFn()}
		}
		for i := range t.fields {
			text := ""
			if i < len(values) {
				text = values[i]
			}
			t.fields[i].Value = avro.FieldValue{Scalar: change.StringValue(text)}
		}
		return Row{Line: number, Fields: t.fields, Text: true, Raw: t.rawFn}, nil
	}
}

// blank reports a row of nothing but delimiters, as spreadsheets leave them behind the last row.
func blank(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return v != "" })
}

// next returns the cells of the next row and the line on which it begins. A quote that is not closed would pull all that
// follows into one cell: the row is then the first line alone, and what follows is read anew.
func (t *table) next() ([]string, int64, error) {
	first, err := t.lines.next()
	if err != nil {
		return nil, 0, t.failed(err)
	}
	t.raw = append(t.raw[:0], first.text...)
	if first.long {
		return nil, 0, &Reject{Line: first.number, Reason: fmt.Sprintf("the line has more than %d bytes", maxRow), Raw: string(t.raw[:200]) + "…"}
	}
	t.cells.reset()
	t.pulled = t.pulled[:0]
	done, reason := t.cells.feed(first.text)
	for !done {
		more, err := t.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, t.failed(err)
		}
		if err == nil {
			more.text = bytes.Clone(more.text)
			t.pulled = append(t.pulled, more)
			t.raw = append(t.raw, more.text...)
		}
		if err != nil || more.long || len(t.pulled) > maxQuotedLines || len(t.raw) > maxQuotedBytes {
			reason = reasonUnclosed
			break
		}
		if done, reason = t.cells.feed(more.text); !done && t.wholeRow(more.text) {
			reason = reasonUnclosed
			break
		}
	}
	if len(t.pulled) > 0 && (reason != "" || t.header != nil && (len(t.cells.ends) < t.width || len(t.cells.ends) > len(t.header))) {
		t.lines.back(slices.Clone(t.pulled))
		return nil, 0, &Reject{Line: first.number, Reason: reasonUnclosed, Raw: string(body(first.text))}
	}
	if reason != "" {
		return nil, 0, &Reject{Line: first.number, Reason: reason, Raw: t.rawFn()}
	}
	t.split = t.cells.split(t.split[:0])
	return t.split, first.number, nil
}

// wholeRow reports that a line which seems to be the inside of a quoted cell has as many delimiters as a row: with four columns
// or more that is no address but the next row, which a stray quote has swallowed.
func (t *table) wholeRow(line []byte) bool {
	return t.width >= 4 && bytes.Count(line, []byte{t.cells.comma}) >= t.width-1
}

func (t *table) failed(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read %s: %w", t.name, err)
}

// check says what is wrong with a row as a row: too few or too many cells, NUL bytes, bytes that are no characters.
func (t *table) check(values []string) (reason, column string) {
	if len(values) < t.width {
		return fmt.Sprintf("the row has %d cells, the header %d", len(values), len(t.header)), t.header[len(values)]
	}
	if len(values) > len(t.header) && (t.ruled || !blank(values[len(t.header):])) {
		return fmt.Sprintf("the row has %d cells, the header %d; quote cells that contain the delimiter %q", len(values), len(t.header), t.cells.comma), ""
	}
	for i, v := range values {
		reason := ""
		switch {
		case len(v) > maxCell:
			reason = fmt.Sprintf("the cell has %d bytes, more than %d", len(v), maxCell)
		case strings.IndexByte(v, 0) >= 0:
			reason = "the cell contains a NUL byte"
		case !utf8.ValidString(v):
			reason = "the cell is not valid text in the file's encoding; save the file as UTF-8, or set encoding"
		}
		if reason != "" {
			return reason, t.header[min(i, len(t.header)-1)]
		}
	}
	return "", ""
}

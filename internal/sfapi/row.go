package sfapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"crosswalk/internal/change"
)

// RowReader turns a page's CSV into rows. Memory is bounded by the longest row. Not safe for concurrent use.
type RowReader struct {
	scanner   csvScanner
	schema    *change.Schema
	columns   []column
	values    []change.Value
	id        int    // index of Id
	texts     []byte // the cells of a row that become strings, one after the other
	rows      int    // read so far, bad ones included
	announced int    // rows that the page must have; -1 when nobody said
	passOver  bool   // columns that the schema does not have
	done      error
}

// column is where a cell of the page goes.
type column struct {
	field int // index into Schema.Fields; -1 when the column is passed over
	kind  change.Type
	name  string
	from  int // of the cell's text within texts; -1 when the cell is decoded from its bytes
	to    int
}

// NewRowReader reads CSV with a header row from src. Columns of the header must be fields of the schema, Id among
// them; fields of the schema that are no columns stay Absent.
func NewRowReader(src io.Reader, schema *change.Schema) *RowReader {
	return &RowReader{scanner: csvScanner{src: src}, schema: schema, announced: -1}
}

// Next returns the next row. Its Values are valid until the following call; strings in them stay. A *RowError is one
// bad row: the next call goes on after it. io.EOF is the end; any other error ends the page, which must be read again.
func (r *RowReader) Next() (change.Row, error) {
	if r.done != nil {
		return change.Row{}, r.done
	}
	if r.columns == nil {
		if err := r.header(); err != nil {
			return change.Row{}, r.end(err)
		}
	}
	switch err := r.scanner.scan(); {
	case errors.Is(err, errQuoting):
		r.rows++
		r.scanner.cells = nil // they are not to be relied on
		return change.Row{}, r.bad("", err.Error())
	case err != nil:
		return change.Row{}, r.end(err)
	}
	r.rows++
	if n := len(r.scanner.cells); n != len(r.columns) {
		return change.Row{}, r.bad("", fmt.Sprintf("it has %d values where the page has %d columns", n, len(r.columns)))
	}
	return r.row()
}

// PassOver has columns of the header that are no fields of the schema passed over: those of a job that was created when the
// object had more of them. It must be called before the first Next.
func (r *RowReader) PassOver() { r.passOver = true }

// Rows returns how many rows were read, bad ones included.
func (r *RowReader) Rows() int { return r.rows }

// PageError ends a page before its end was reached, or says that the end is not where Salesforce announced it.
type PageError struct {
	Rows int   // read before, bad ones included
	Err  error // what is wrong
	next Next
}

func (e *PageError) Error() string {
	return fmt.Sprintf("read page after row %d: %v", e.Rows, e.Err)
}

// Unwrap returns the cause.
func (e *PageError) Unwrap() error { return e.Err }

// Next is NextRetry when the page should be opened again at its locator, NextDescribe when its columns are not those
// of the schema.
func (e *PageError) Next() Next { return e.next }

// end makes the reason why no row follows, and remembers it.
func (r *RowReader) end(err error) error {
	var columns *columnError
	switch {
	case errors.As(err, &columns):
		err = &PageError{Rows: r.rows, Err: err, next: NextDescribe}
	case err != io.EOF:
		err = &PageError{Rows: r.rows, Err: err, next: NextRetry}
	case r.announced >= 0 && r.rows != r.announced:
		err = &PageError{Rows: r.rows, Err: fmt.Errorf("the page ends although Salesforce announced %d rows: read it again", r.announced), next: NextRetry}
	}
	r.done = err
	return err
}

// columnError is a header row that does not fit the schema.
type columnError struct{ reason string }

func (e *columnError) Error() string { return e.reason }

func (r *RowReader) bad(field, reason string) *RowError {
	return &RowError{Row: r.rows, Field: field, Reason: reason, Raw: string(r.scanner.record), ID: r.idOf()}
}

// idOf returns the id of the scanned record. One whose cells are not those of the columns may have anything in its place.
func (r *RowReader) idOf() string {
	if len(r.scanner.cells) != len(r.columns) {
		return ""
	}
	for i := range r.columns {
		if id := r.cell(nil, r.scanner.cells[i]); r.columns[i].field == r.id && isID(id) {
			return string(id)
		}
	}
	return ""
}

// isID reports whether a text has the form of an 18-character record id.
func isID(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(text) == 18
}

// header maps the columns. An empty body is a page without rows (facts 3.3).
func (r *RowReader) header() error {
	if err := r.scanner.scan(); err != nil {
		return err
	}
	columns := make([]column, 0, len(r.scanner.cells))
	seen := make(map[int]bool)
	for i := range r.scanner.cells {
		name := string(r.cell(nil, r.scanner.cells[i]))
		field := r.schema.Index(name)
		if field < 0 && r.passOver {
			columns = append(columns, column{field: -1, name: name, from: -1})
			continue
		}
		if field < 0 {
			return &columnError{"the page has a column " + excerpt(name) + " that " + r.schema.Entity + " is not known to have: describe the object again"}
		}
		if seen[field] {
			return &columnError{"the page has the column " + name + " twice: select it once"}
		}
		seen[field] = true
		columns = append(columns, column{field: field, kind: r.schema.Fields[field].Type, name: name})
	}
	if r.id = r.schema.Index("Id"); !seen[r.id] {
		return &columnError{"the page has no column Id: select it"}
	}
	r.columns = columns
	r.values = make([]change.Value, len(r.schema.Fields))
	return nil
}

// row decodes the scanned record. Texts are gathered and made one string per row: a string per cell would cost as much
// as all the rest.
func (r *RowReader) row() (change.Row, error) {
	buf := r.scanner.buf
	r.texts = r.texts[:0]
	for i := range r.columns {
		col, c := &r.columns[i], r.scanner.cells[i]
		if col.from = -1; col.field < 0 {
			continue
		}
		if c.from == c.to {
			r.values[col.field] = change.NullValue()
			continue
		}
		if v, ok := direct(col.kind, buf[c.from:c.to]); ok {
			r.values[col.field] = v
			continue
		}
		col.from = len(r.texts)
		r.texts = r.cell(r.texts, c)
		col.to = len(r.texts)
	}
	texts := string(r.texts)
	if !utf8.ValidString(texts) {
		return change.Row{}, r.invalid(texts)
	}
	for i := range r.columns {
		col := &r.columns[i]
		if col.from < 0 {
			continue
		}
		v, err := parseText(col.kind, texts[col.from:col.to])
		if err != nil {
			return change.Row{}, r.bad(col.name, err.Error())
		}
		r.values[col.field] = v
	}
	id := r.values[r.id]
	if len(id.Str()) != 18 {
		return change.Row{}, r.bad("Id", excerpt(id.Str())+" is not an id of 18 characters")
	}
	return change.Row{Schema: r.schema, ID: id.Str(), Values: r.values}, nil
}

// direct decodes the common forms of kinds that need no text to live on.
func direct(kind change.Type, cell []byte) (change.Value, bool) {
	switch kind {
	case change.TypeDatetime:
		ms, ok := parseDatetime(cell)
		return change.DatetimeValue(ms), ok
	case change.TypeDate:
		days, ok := parseDate(cell)
		return change.DateValue(days), ok
	case change.TypeBool:
		return change.BoolValue(cell[0] == 't'), string(cell) == "true" || string(cell) == "false"
	case change.TypeInt:
		if len(cell) > 18 {
			return change.Value{}, false
		}
		n, ok := digits(cell)
		return change.IntValue(n), ok
	}
	return change.Value{}, false
}

// cell appends the cell's text to dst, doubled quotes made single.
func (r *RowReader) cell(dst []byte, c span) []byte {
	raw := r.scanner.buf[c.from:c.to]
	for c.doubled {
		i := bytes.IndexByte(raw, '"')
		if i < 0 {
			break
		}
		dst = append(dst, raw[:i+1]...)
		raw = raw[min(i+2, len(raw)):]
	}
	return append(dst, raw...)
}

// invalid names the first field whose text is not UTF-8.
func (r *RowReader) invalid(texts string) *RowError {
	for _, col := range r.columns {
		if col.from >= 0 && !utf8.ValidString(texts[col.from:col.to]) {
			return r.bad(col.name, excerpt(texts[col.from:col.to])+" is not UTF-8")
		}
	}
	return r.bad("", "it is not UTF-8")
}

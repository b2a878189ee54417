package rows

import (
	"io"

	"crosswalk/internal/avro"
)

// List is a Reader over rows that are in memory already.
type List struct {
	Rows  []Row
	Names []string // the header; nil where each row names its columns
	next  int
}

// One returns a reader of a single row of named values. raw is the row as it came.
func One(fields []avro.Attribute, raw func() string) *List {
	return &List{Rows: []Row{{Line: 1, Fields: fields, Raw: raw}}}
}

// Next implements Reader.
func (l *List) Next() (Row, error) {
	if l.next >= len(l.Rows) {
		return Row{}, io.EOF
	}
	l.next++
	return l.Rows[l.next-1], nil
}

// Header implements Reader.
func (l *List) Header() []string { return l.Names }

// Offset implements Reader.
func (l *List) Offset() int64 { return 0 }

// Guessed implements Reader.
func (l *List) Guessed() bool { return false }

package sfapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A page's CSV (facts 3.3): every value in quotes, a quote doubled, line breaks allowed inside, LF between records.
// The scanner also takes unquoted values, CRLF and blank lines, so that a change of Salesforce's habits is no outage.

const (
	firstBuffer = 256 << 10 // bytes read at a time
	maxRecord   = 64 << 20  // one record may not be longer; Salesforce's own bound for a record's texts is far lower
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// errQuoting is a record whose quotes do not pair; the scanner goes on after the next line break.
var errQuoting = errors.New("a quote is followed by neither a comma nor the end of the line")

// span is one cell within the scanner's buffer, without its outer quotes.
type span struct {
	from, to int
	doubled  bool // contains doubled quotes
}

// csvScanner cuts a stream into records without copying: cells and record are valid until the next call of scan.
type csvScanner struct {
	src    io.Reader
	buf    []byte
	at     int // buf[at:end] is unread
	end    int
	ended  error // what src said when it had no more: io.EOF or worse
	cells  []span
	record []byte // the record as it came, without its line break
	begun  bool   // the byte order mark, if any, is behind us
}

// scan reads the next record into cells. It returns io.EOF after the last one, errQuoting for a record that is
// damaged (record holds its text), and any other error when nothing more can be read.
func (s *csvScanner) scan() error {
	for !s.begun {
		if s.ended == nil && s.end < len(byteOrderMark) {
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		if bytes.HasPrefix(s.buf[:s.end], byteOrderMark) {
			s.at = len(byteOrderMark)
		}
		s.begun = true
	}
	for {
		next, err := s.cut()
		switch {
		case err == errMore:
			if err := s.fill(); err != nil {
				return err
			}
		case err == nil && next-s.at > 0 && len(s.record) == 0: // a blank line
			s.at = next
		default:
			s.at = next
			return err
		}
	}
}

// errMore says that the buffer ends before the record does.
var errMore = errors.New("more")

// cut finds the record that begins at s.at and returns where the next one begins.
func (s *csvScanner) cut() (next int, err error) {
	s.cells = s.cells[:0]
	buf, p := s.buf[:s.end], s.at
	if p == len(buf) {
		return p, s.short(io.EOF)
	}
	for {
		var c span
		if p < len(buf) && buf[p] == '"' {
			c, p, err = s.quoted(buf, p+1)
		} else {
			c, p, err = s.bare(buf, p)
		}
		if err != nil {
			return s.resync(buf, p, err)
		}
		s.cells = append(s.cells, c)
		switch {
		case p == len(buf): // quoted and bare ask for more unless there is none: a stream that broke off ends no record
			if s.ended != io.EOF {
				return s.at, s.ended
			}
			s.record = buf[s.at:p]
			return p, nil
		case buf[p] == ',':
			p++
			if p == len(buf) && s.ended == nil {
				return s.at, errMore
			}
		case buf[p] == '\n':
			s.record = buf[s.at:p]
			return p + 1, nil
		case buf[p] == '\r' && p+1 < len(buf) && buf[p+1] == '\n':
			s.record = buf[s.at:p]
			return p + 2, nil
		default:
			return s.resync(buf, p, errQuoting)
		}
	}
}

// quoted reads a cell whose opening quote is before p.
func (s *csvScanner) quoted(buf []byte, p int) (c span, after int, err error) {
	c.from = p
	for {
		n := bytes.IndexByte(buf[p:], '"')
		if n < 0 {
			return c, p, s.short(io.ErrUnexpectedEOF)
		}
		p += n
		// What follows the quote decides, two bytes of it when it is a carriage return.
		if s.ended == nil && (p+1 == len(buf) || buf[p+1] == '\r' && p+2 == len(buf)) {
			return c, p, errMore
		}
		if p+1 == len(buf) || buf[p+1] != '"' {
			c.to = p
			return c, p + 1, nil
		}
		c.doubled = true
		p += 2
	}
}

// bare reads a cell without quotes.
func (s *csvScanner) bare(buf []byte, p int) (c span, after int, err error) {
	n := bytes.IndexAny(buf[p:], ",\n")
	if n < 0 {
		if s.ended == nil {
			return c, p, errMore
		}
		n = len(buf) - p
	}
	c.from, c.to = p, p+n
	if c.to < len(buf) && buf[c.to] == '\n' && n > 0 && buf[c.to-1] == '\r' {
		c.to--
	}
	return c, c.to, nil
}

// short says what to do at the end of the buffer: read on, or, when there is no more, atEnd.
func (s *csvScanner) short(atEnd error) error {
	if s.ended == nil {
		return errMore
	}
	if s.ended != io.EOF {
		return s.ended
	}
	return atEnd
}

// resync passes errMore and the end on; a damaged record is skipped to the next line break.
func (s *csvScanner) resync(buf []byte, p int, err error) (next int, _ error) {
	if err != errQuoting {
		return s.at, err
	}
	n := bytes.IndexByte(buf[p:], '\n')
	if n < 0 {
		if s.ended == nil {
			return s.at, errMore
		}
		s.record = buf[s.at:]
		return len(buf), errQuoting
	}
	s.record = buf[s.at : p+n]
	return p + n + 1, errQuoting
}

// fill reads more bytes behind what is unread. It moves and grows the buffer, so spans do not survive it.
func (s *csvScanner) fill() error {
	if s.buf == nil {
		s.buf = make([]byte, firstBuffer)
	}
	if s.at > 0 {
		copy(s.buf, s.buf[s.at:s.end])
		s.end -= s.at
		s.at = 0
	}
	if s.end == len(s.buf) {
		if len(s.buf) >= maxRecord {
			return fmt.Errorf("a row is longer than %d bytes: the page is damaged", maxRecord)
		}
		grown := make([]byte, 2*len(s.buf))
		copy(grown, s.buf)
		s.buf = grown
	}
	n, err := s.src.Read(s.buf[s.end:])
	s.end += n
	if err != nil {
		s.ended = err
	}
	return nil
}

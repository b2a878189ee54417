package rows

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

// oneEnd makes a file whose lines end in CR alone, as some Macintosh programs write them, one whose lines end in LF.
func oneEnd(text *bufio.Reader) *bufio.Reader {
	start, _ := text.Peek(text.Size()) // what cannot be read now is said when it is read
	if bytes.IndexByte(start, '\n') >= 0 || bytes.IndexByte(start, '\r') < 0 {
		return text
	}
	return bufio.NewReaderSize(&fromCR{in: text}, text.Size())
}

type fromCR struct{ in io.Reader }

func (c *fromCR) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// line is one physical line with its end of line.
type line struct {
	text   []byte
	number int64 // 1-based
	long   bool  // longer than maxRow: the rest of it is left out
}

// lines cuts text into lines, and takes lines back.
type lines struct {
	in    *bufio.Reader
	ahead []line // taken back, to be read first
	read  int64
	whole []byte // of a line that did not fit the buffer
}

// next returns the next line, or io.EOF. Its text is valid until the next call.
func (l *lines) next() (line, error) {
	if len(l.ahead) > 0 {
		first := l.ahead[0]
		l.ahead = l.ahead[1:]
		return first, nil
	}
	text, err := l.in.ReadSlice('\n')
	out := line{number: l.read + 1}
	if errors.Is(err, bufio.ErrBufferFull) {
		l.whole = l.whole[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if out.long = len(l.whole) > maxRow; !out.long {
				l.whole = append(l.whole, text...)
			}
			text, err = l.in.ReadSlice('\n')
		}
		if !out.long {
			l.whole = append(l.whole, text...)
		}
		text = l.whole
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
		return line{}, err
	}
	l.read++
	out.text = text
	return out, nil
}

// first returns the first character that is no space, and leaves it to be read.
func (l *lines) first() (byte, error) {
	for {
		c, err := l.in.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			l.read++
		case c != ' ' && c != '\t' && c != '\r':
			return c, l.in.UnreadByte()
		}
	}
}

// chunk returns what follows up to the end of the line, or as much of it as is in memory, and the line that it is of. It is valid until
// the next call.
func (l *lines) chunk() (text []byte, number int64, err error) {
	text, err = l.in.ReadSlice('\n')
	number = l.read + 1
	switch {
	case err == nil:
		l.read++
	case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF) && len(text) > 0:
		err = nil
	}
	return text, number, err
}

// back takes lines back that were copied.
func (l *lines) back(again []line) { l.ahead = slices.Concat(again, l.ahead) }

// body is a line without its end.
func body(text []byte) []byte {
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r"))
}

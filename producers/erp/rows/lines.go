package rows

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

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

// back takes lines back that were copied.
func (l *lines) back(again []line) { l.ahead = slices.Concat(again, l.ahead) }

// body is a line without its end.
func body(text []byte) []byte {
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r"))
}

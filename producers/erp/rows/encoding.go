package rows

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Encoding is how a file writes its characters.
type Encoding string

// The encodings. The order of UTF16 is told by its byte order mark, else by where the zeros of Latin text stand.
const (
	Auto        Encoding = "auto" // told by the byte order mark, else by all bytes of the file
	UTF8        Encoding = "utf-8"
	UTF16       Encoding = "utf-16"
	Windows1252 Encoding = "windows-1252"

	utf16LE Encoding = "utf-16le"
	utf16BE Encoding = "utf-16be"
)

// damaged stands in the decoded text for bytes that are no character of the encoding. It is never part of UTF-8, so that
// the row in which it stands is recognised; the replacement character could be the file's own.
const damaged = 0xff

// encodingOf tells the encoding of a file. guessed is true when only the look of the bytes speaks for it.
func encodingOf(name string, in io.ReadSeeker, said Encoding) (e Encoding, guessed bool, err error) {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return "", false, fmt.Errorf("read %s: %w", name, err)
	}
	start := make([]byte, 4096)
	n, err := io.ReadFull(in, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", false, fmt.Errorf("read %s: %w", name, err)
	}
	start = start[:n]
	mark := markOf(start)
	switch {
	case said == Windows1252, said == UTF8 && mark != utf16LE && mark != utf16BE:
		return said, false, nil
	case said == UTF8:
		return "", false, fmt.Errorf("%s is UTF-16, not UTF-8; set encoding to utf-16 or auto", name)
	case mark != "" && (said != UTF16 || mark != UTF8):
		return mark, false, nil
	case orderOf(start) != "":
		return orderOf(start), false, nil
	case said == UTF16:
		return "", false, fmt.Errorf("%s has no UTF-16 byte order mark, and its bytes do not tell the order; save it with one, or correct encoding", name)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return "", false, fmt.Errorf("read %s: %w", name, err)
	}
	western, err := looksLikeWindows1252(in)
	if err != nil {
		return "", false, fmt.Errorf("read %s: %w", name, err)
	}
	if western {
		return Windows1252, true, nil
	}
	return UTF8, false, nil
}

func markOf(start []byte) Encoding {
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		return UTF8
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}):
		return utf16LE
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return utf16BE
	}
	return ""
}

// orderOf tells the order of UTF-16 without a mark: nearly every second byte of Latin text is zero, the first of each pair or the
// second. A stray NUL is something else.
func orderOf(start []byte) Encoding {
	var zeros [2]int
	for i, b := range start {
		if b == 0 {
			zeros[i%2]++
		}
	}
	first, second := zeros[0], zeros[1]
	switch {
	case (first+second)*5 <= len(start)*2:
		return ""
	case first > second*9:
		return utf16BE
	case second > first*9:
		return utf16LE
	}
	return ""
}

// looksLikeWindows1252 reads everything. It says yes only when the text is not UTF-8 in any place and each byte above ASCII
// is a sign that Western European text has, letters beside letters. One damaged byte in a UTF-8 file is thus not
// enough, and what is left of the doubt (Windows-1250, ISO 8859-2) is why the answer counts as a guess.
func looksLikeWindows1252(in io.Reader) (bool, error) {
	r := bufio.NewReaderSize(in, 64<<10)
	found, before := false, byte(0)
	for {
		c, size, err := r.ReadRune()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return false, err
		}
		if c < utf8.RuneSelf {
			before = byte(c)
			continue
		}
		if c != utf8.RuneError || size > 1 {
			return false, nil
		}
		if err := r.UnreadRune(); err != nil {
			return false, err
		}
		b, err := r.ReadByte()
		if err != nil {
			return false, err
		}
		after, _ := r.Peek(1)
		if !western(b, before, after) {
			return false, nil
		}
		found, before = true, b
	}
}

// western reports whether a byte between its neighbours is plausible in Windows-1252.
func western(b, before byte, after []byte) bool {
	if letter(b) && b >= 0x80 {
		return letter(before) || len(after) > 0 && letter(after[0])
	}
	return bytes.IndexByte([]byte("\x80\x85\x91\x92\x93\x94\x95\x96\x97\x99\xa0\xa3\xa7\xa9\xab\xae\xb0\xb2\xb4\xb5\xb7\xbb"), b) >= 0
}

func letter(b byte) bool {
	switch {
	case b < 0x80:
		return b|0x20 >= 'a' && b|0x20 <= 'z'
	case b >= 0xc0:
		return b != 0xd7 && b != 0xf7 && b != 0xff // ×, ÷, and ÿ, which stands for damage more often than for itself
	}
	return bytes.IndexByte([]byte("\x8a\x8c\x8e\x9a\x9c\x9e"), b) >= 0
}

// decoder returns the text as UTF-8, without a byte order mark, with damaged for what is no character.
func (e Encoding) decoder(in io.Reader) io.Reader {
	raw := bufio.NewReaderSize(in, 64<<10)
	d := &decoder{raw: raw}
	switch e {
	case utf16LE, utf16BE:
		d.next = d.utf16(e == utf16BE)
	case Windows1252:
		d.next = d.windows1252
	default:
		return &unmarked{in: raw}
	}
	return d
}

// unmarked leaves out the byte order mark of UTF-8.
type unmarked struct {
	in    *bufio.Reader
	begun bool
}

func (u *unmarked) Read(p []byte) (int, error) {
	if !u.begun {
		u.begun = true
		if start, err := u.in.Peek(3); err == nil && markOf(start) == UTF8 {
			if _, err := u.in.Discard(3); err != nil {
				return 0, err
			}
		}
	}
	return u.in.Read(p)
}

// decoder turns one character after the other into UTF-8.
type decoder struct {
	raw  *bufio.Reader
	out  []byte // decoded and not yet read
	next func() error
}

func (d *decoder) Read(p []byte) (int, error) {
	if len(d.out) == 0 {
		d.out = d.out[:0:cap(d.out)]
		for len(d.out) < 4096 {
			if err := d.next(); err != nil {
				if len(d.out) == 0 {
					return 0, err
				}
				break
			}
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

func (d *decoder) windows1252() error {
	b, err := d.raw.ReadByte()
	if err != nil {
		return err
	}
	if c := charmap.Windows1252.DecodeByte(b); c != utf8.RuneError {
		d.out = utf8.AppendRune(d.out, c)
	} else {
		d.out = append(d.out, damaged)
	}
	return nil
}

// utf16 decodes code units; surrogates that have no partner and half a unit at the end are damage.
func (d *decoder) utf16(bigEndian bool) func() error {
	unit := func(b []byte) rune {
		if bigEndian {
			return rune(b[0])<<8 | rune(b[1])
		}
		return rune(b[1])<<8 | rune(b[0])
	}
	begun := false
	return func() error {
		b, err := d.raw.Peek(2)
		if len(b) == 1 {
			d.out = append(d.out, damaged)
			_, err = d.raw.Discard(1)
			return err
		}
		if err != nil {
			return err
		}
		c, size := unit(b), 2
		if utf16.IsSurrogate(c) {
			if pair, _ := d.raw.Peek(4); len(pair) == 4 && utf16.DecodeRune(c, unit(pair[2:])) != utf8.RuneError {
				c, size = utf16.DecodeRune(c, unit(pair[2:])), 4
			} else {
				d.out = append(d.out, damaged)
				c = -1
			}
		}
		if c >= 0 && (begun || c != 0xfeff) {
			d.out = utf8.AppendRune(d.out, c)
		}
		begun = true
		_, err = d.raw.Discard(size)
		return err
	}
}

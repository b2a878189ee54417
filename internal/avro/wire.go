package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"crosswalk/internal/avro/schema"
)

// What can be wrong with an Avro body. The callers say which body it was.
var (
	errShort   = errors.New("the bytes end too early")
	errVarint  = errors.New("a number of more than 64 bits")
	errBool    = errors.New("a boolean that is neither 0 nor 1")
	errBranch  = errors.New("a union branch that the schema does not have")
	errSymbol  = errors.New("an enum symbol that the schema does not have")
	errCount   = errors.New("a count of items that cannot be")
	errDepth   = errors.New("nested too deeply")
	errText    = errors.New("a string is not valid UTF-8")
	errTooLong = errors.New("bytes are left over")
)

const (
	headerSize = 5
	// maxNesting bounds how deep a body may nest: hostile bytes of a recursive type must not exhaust the stack.
	maxNesting = 512
	// maxEmptyItems bounds, over a whole body, items that take no bytes: a list of 2^60 nulls is three bytes long.
	maxEmptyItems = 1 << 12
)

// Frame appends the five bytes that open every message in Confluent's wire format: 0, then the schema id, big-endian.
func Frame(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}

// Unframe splits a message in Confluent's wire format. The body is part of b.
func Unframe(b []byte) (id int, body []byte, err error) {
	if len(b) < headerSize {
		return 0, nil, fmt.Errorf("unframe message: %d bytes are too short for Confluent's wire format (byte 0, 4-byte schema id, Avro)", len(b))
	}
	if b[0] != 0 {
		return 0, nil, fmt.Errorf("unframe message: it begins with byte %#02x, not with 0: this is not Confluent's wire format", b[0])
	}
	return int(binary.BigEndian.Uint32(b[1:])), b[headerSize:], nil
}

// appendLong appends an int or a long: Avro's are Go's signed varints.
func appendLong(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

func appendString(dst []byte, s string) []byte {
	return append(appendLong(dst, int64(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendLong(dst, int64(len(b))), b...)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// reader walks a body. It never reads past the end; every method returns an error instead.
type reader struct {
	b     []byte
	i     int
	empty int    // items without bytes seen so far
	text  []byte // the last number, as text
}

// long reads an int or a long. Most are one byte, which is read where long is called.
func (r *reader) long() (int64, error) {
	if r.i < len(r.b) && r.b[r.i] < 0x80 {
		z := r.b[r.i]
		r.i++
		return int64(z>>1) ^ -int64(z&1), nil
	}
	return r.wide()
}

// wide reads a number of more than one byte.
func (r *reader) wide() (int64, error) {
	z, n := binary.Uvarint(r.b[r.i:])
	if n <= 0 {
		if n < 0 {
			return 0, errVarint
		}
		return 0, errShort
	}
	r.i += n
	return int64(z>>1) ^ -int64(z&1), nil
}

// int reads a number that must fit 32 bits.
func (r *reader) int() (int64, error) {
	n, err := r.long()
	if err == nil && n != int64(int32(n)) {
		return 0, errVarint
	}
	return n, err
}

func (r *reader) bool() (bool, error) {
	if r.i >= len(r.b) {
		return false, errShort
	}
	b := r.b[r.i]
	if b > 1 {
		return false, errBool
	}
	r.i++
	return b == 1, nil
}

// bytes reads a string or bytes. The result is part of the body.
func (r *reader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// string reads a string: it must be UTF-8, or no other reader could read what it is copied into. The result is part of the
// body.
func (r *reader) string() ([]byte, error) {
	b, err := r.bytes()
	if err == nil && !utf8.Valid(b) {
		return nil, errText
	}
	return b, err
}

func (r *reader) take(n int64) ([]byte, error) {
	if n < 0 {
		return nil, errCount
	}
	if n > int64(len(r.b)-r.i) {
		return nil, errShort
	}
	b := r.b[r.i : r.i+int(n)]
	r.i += int(n)
	return b, nil
}

// index reads the number of a union branch or of an enum symbol.
func (r *reader) index(count int, wrong error) (int, error) {
	n, err := r.long()
	if err != nil {
		return 0, err
	}
	if n < 0 || n >= int64(count) {
		return 0, wrong
	}
	return int(n), nil
}

// block reads the head of a block of an array or a map: how many items follow (0 ends the list), and where the block must end
// when the writer said so, else -1. Items that take no bytes are charged to the body's allowance.
func (r *reader) block(emptyItems bool) (count int64, end int, err error) {
	if count, err = r.long(); err != nil {
		return 0, 0, err
	}
	end = -1
	if count < 0 {
		count = -count
		size, err := r.long()
		if err != nil {
			return 0, 0, err
		}
		if size < 0 || size > int64(len(r.b)-r.i) {
			return 0, 0, errShort
		}
		end = r.i + int(size)
	}
	if emptyItems {
		if count < 0 || count > int64(maxEmptyItems-r.empty) {
			return 0, 0, errCount
		}
		r.empty += int(count)
	} else if count < 0 || count > int64(len(r.b)-r.i) {
		return 0, 0, errCount
	}
	return count, end, nil
}

// done checks that a block ended where its writer said.
func (r *reader) done(end int) error {
	if end >= 0 && r.i != end {
		return errCount
	}
	return nil
}

// maxDecimalBytes bounds a decimal: 1,024 bytes are 2,466 digits, more than any identifier may have.
const maxDecimalBytes = 1024

// raw reads bytes or a fixed. The result is part of the body.
func (r *reader) raw(s *step) ([]byte, error) {
	if s.kind == schema.Fixed {
		return r.take(int64(s.size))
	}
	return r.bytes()
}

// unscaled reads the two's complement of a decimal.
func (r *reader) unscaled(s *step) ([]byte, error) {
	b, err := r.raw(s)
	if err == nil && len(b) > maxDecimalBytes {
		return nil, errCount
	}
	return b, err
}

// decimal reads a decimal as canonical text, which is valid until the next one is read.
func (r *reader) decimal(s *step) ([]byte, error) {
	b, err := r.unscaled(s)
	if err != nil {
		return nil, err
	}
	r.text = appendDecimalText(r.text[:0], b, s.scale)
	return r.text, nil
}

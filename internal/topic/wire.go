package topic

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// exchange is one request whose bytes we write and whose answer's bytes we read. kafka-go's Transport supplies the
// connection (address, TLS, SASL, reuse) and hands it over through its RawExchanger interface, so that batches go out
// and come in without being copied into its own structures.
type exchange struct {
	protocol.Message // any request of that kind: only for its number in the protocol

	version  int16
	flexible bool   // the request has the header with tags
	clientID string // what the broker logs
	body     [][]byte
	max      int    // the longest answer that is read
	reply    []byte // in: memory to use; out: the answer behind its header

	done chan struct{} // closed when nothing touches body and reply any more
}

// correlation is sent with each request. A connection carries one request at a time, so it needs no counting.
const correlation = 1

// Required implements protocol.RawExchanger: always.
func (e *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (e *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	defer close(e.done)
	if err := e.write(rw); err != nil {
		return nil, err
	}
	return e, e.read(rw)
}

func (e *exchange) write(w io.Writer) error {
	header := make([]byte, 4, 64)
	header = binary.BigEndian.AppendUint16(header, uint16(e.ApiKey()))
	header = binary.BigEndian.AppendUint16(header, uint16(e.version))
	header = binary.BigEndian.AppendUint32(header, correlation)
	header = appendString(header, e.clientID)
	if e.flexible {
		header = append(header, 0)
	}
	size := len(header) - 4
	for _, part := range e.body {
		size += len(part)
	}
	binary.BigEndian.PutUint32(header, uint32(size))
	out := bufio.NewWriterSize(w, min(size+4, 64<<10)) // longer parts go past the buffer
	if _, err := out.Write(header); err != nil {
		return err
	}
	for _, part := range e.body {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (e *exchange) read(r io.Reader) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size, id := int(int32(binary.BigEndian.Uint32(head[:]))), binary.BigEndian.Uint32(head[4:])
	if id != correlation {
		return fmt.Errorf("answer %d to request %d", id, correlation)
	}
	if size -= 4; size < 0 || size > e.max {
		return fmt.Errorf("answer of %d bytes where at most %d were expected", size, e.max)
	}
	if cap(e.reply) < size {
		e.reply = make([]byte, size)
	}
	e.reply = e.reply[:size]
	_, err := io.ReadFull(r, e.reply)
	return err
}

// toBroker is an exchange with the broker of that number, with any broker when it is negative.
type toBroker struct {
	exchange
	node int32
}

// Broker implements protocol.BrokerMessage.
func (b *toBroker) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: b.node}, nil
}

// toGroup is an exchange with the coordinator of a group.
type toGroup struct {
	exchange
	group string
}

// Group implements protocol.GroupMessage.
func (g *toGroup) Group() string { return g.group }

// --- writing ---

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendNullString(b []byte) []byte { return append(b, 0xff, 0xff) }

func appendBytes(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

func appendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// --- reading ---

var errShort = errors.New("the broker's answer ends too early")

// decoder reads an answer from front to back. After an error it yields zeros; the error is looked at once, at the end.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.b, d.err = nil, errShort
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) int8() int8 {
	if v := d.take(1); v != nil {
		return int8(v[0])
	}
	return 0
}

func (d *decoder) int16() int16 {
	if v := d.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if v := d.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if v := d.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	if len(d.b) > 0 && d.b[0] < 0x80 { // as most are
		z := d.b[0]
		d.b = d.b[1:]
		return int64(z>>1) ^ -int64(z&1)
	}
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

// string reads a string that may be null; null is the empty string.
func (d *decoder) string() string {
	if n := d.int16(); n >= 0 {
		return string(d.take(int(n)))
	}
	return ""
}

// bytes reads bytes that may be null.
func (d *decoder) bytes() []byte {
	if n := d.int32(); n >= 0 {
		return d.take(int(n))
	}
	return nil
}

// compactString reads a string of a flexible answer; null is the empty string.
func (d *decoder) compactString() string {
	if n := d.uvarint(); n > 0 {
		return string(d.take(int(min(n, 1<<31)) - 1))
	}
	return ""
}

// length reads the length of an array; each element takes at least one byte.
func (d *decoder) length() int { return d.bounded(int64(d.int32())) }

// compactLength reads the length of an array of a flexible answer.
func (d *decoder) compactLength() int { return d.bounded(int64(min(d.uvarint(), 1<<31)) - 1) }

func (d *decoder) bounded(n int64) int {
	if n > int64(len(d.b)) {
		d.b, d.err = nil, errShort
		return 0
	}
	return int(max(n, 0))
}

// tags skips the tags of a flexible answer.
func (d *decoder) tags() {
	for range d.bounded(int64(min(d.uvarint(), 1<<31))) {
		d.uvarint()
		d.take(int(min(d.uvarint(), 1<<31)))
	}
}

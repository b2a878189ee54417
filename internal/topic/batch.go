package topic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// Kafka's record batch, version 2: a header of 61 bytes, then the records, which may be compressed together.
//
//	 0 base offset      8 length          12 leader epoch   16 magic        17 CRC-32C of all behind it
//	21 attributes      23 last delta      27 first time     35 max time     43 producer id
//	51 producer epoch  53 base sequence   57 record count   61 records
const (
	batchHeader  = 61
	batchMagic   = 16
	batchCRC     = 17
	batchSealed  = 21 // the CRC covers what is from here on
	compressMask = 0x07
	logAppend    = 0x08
	transaction  = 0x10
	control      = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sequence is who writes a batch and which number its first record has; together with the partition it is what the
// broker knows a repeated batch by.
type sequence struct {
	pid   int64
	epoch int16
	first int32
}

// encoding is a batch that grows by records and is sealed once.
type encoding struct {
	buf       []byte // room for the header, then the records
	count     int32
	firstTime int64
	maxTime   int64
}

// reset makes the encoding empty and keeps its memory.
func (e *encoding) reset() {
	if cap(e.buf) < batchHeader {
		e.buf = make([]byte, 0, 4<<10)
	}
	e.buf = e.buf[:batchHeader]
	e.count, e.firstTime, e.maxTime = 0, 0, 0
}

func varintLen(v int64) int {
	return (bits.Len64(uint64(v<<1)^uint64(v>>63)|1) + 6) / 7
}

func appendVarint(b []byte, v int64) []byte {
	if u := uint64(v<<1) ^ uint64(v>>63); u < 0x80 {
		return append(b, byte(u))
	}
	return binary.AppendVarint(b, v)
}

func fieldLen(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(int64(len(b))) + len(b)
}

func appendField(b, v []byte) []byte {
	if v == nil {
		return append(b, 1) // -1: null
	}
	return append(appendVarint(b, int64(len(v))), v...)
}

// recordBound is at least what a record takes in a batch.
func recordBound(r *Record) int {
	n := 32 + fieldLen(r.Key) + fieldLen(r.Value)
	for i := range r.Headers {
		n += varintLen(int64(len(r.Headers[i].Key))) + len(r.Headers[i].Key) + fieldLen(r.Headers[i].Value)
	}
	return n
}

// add appends a record; at is its time in milliseconds.
func (e *encoding) add(r *Record, at int64) {
	if e.count == 0 {
		e.firstTime, e.maxTime = at, at
	}
	e.maxTime = max(e.maxTime, at)
	since, index := at-e.firstTime, int64(e.count)
	size := 1 + varintLen(since) + varintLen(index) + fieldLen(r.Key) + fieldLen(r.Value) + varintLen(int64(len(r.Headers)))
	for i := range r.Headers {
		size += varintLen(int64(len(r.Headers[i].Key))) + len(r.Headers[i].Key) + fieldLen(r.Headers[i].Value)
	}
	b := append(appendVarint(e.buf, int64(size)), 0)
	b = appendVarint(appendVarint(b, since), index)
	b = appendField(appendField(b, r.Key), r.Value)
	b = appendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		b = append(appendVarint(b, int64(len(r.Headers[i].Key))), r.Headers[i].Key...)
		b = appendField(b, r.Headers[i].Value)
	}
	e.buf = b
	e.count++
}

// seal writes the header and returns the batch as it goes over the wire: buf itself, or, compressed, in scratch.
func (e *encoding) seal(s sequence, codec compress.Compression, scratch []byte) ([]byte, error) {
	out := e.buf
	if codec != compress.None {
		packed, err := pack(codec, e.buf[batchHeader:], scratch)
		if err != nil {
			return nil, err
		}
		out = packed
	}
	h := binary.BigEndian
	h.PutUint64(out, 0)
	h.PutUint32(out[8:], uint32(len(out)-12))
	h.PutUint32(out[12:], 0xffffffff)
	out[batchMagic] = 2
	h.PutUint16(out[21:], uint16(codec))
	h.PutUint32(out[23:], uint32(e.count-1))
	h.PutUint64(out[27:], uint64(e.firstTime))
	h.PutUint64(out[35:], uint64(e.maxTime))
	h.PutUint64(out[43:], uint64(s.pid))
	h.PutUint16(out[51:], uint16(s.epoch))
	h.PutUint32(out[53:], uint32(s.first))
	h.PutUint32(out[57:], uint32(e.count))
	h.PutUint32(out[batchCRC:], crc32.Checksum(out[batchSealed:], castagnoli))
	return out, nil
}

func pack(codec compress.Compression, records, scratch []byte) ([]byte, error) {
	if cap(scratch) < batchHeader {
		scratch = make([]byte, 0, batchHeader+len(records)/2)
	}
	out := bytes.NewBuffer(scratch[:batchHeader])
	w := codec.Codec().NewWriter(out)
	if _, err := w.Write(records); err != nil {
		return nil, fmt.Errorf("compress records: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress records: %w", err)
	}
	return out.Bytes(), nil
}

// batchView is a batch that came from a broker.
type batchView struct {
	base, last int64 // offsets; between them there may be fewer records after compaction
	attributes int16
	firstTime  int64
	maxTime    int64
	pid        int64
	count      int32
	records    []byte // as they came
}

// nextBatch cuts the first batch off b. A batch that is not there whole, as the last one of an answer may be, is ok
// false.
func nextBatch(b []byte) (v batchView, rest []byte, ok bool, err error) {
	if len(b) < batchHeader {
		return v, nil, false, nil
	}
	h := binary.BigEndian
	size := int64(int32(h.Uint32(b[8:]))) + 12
	if b[batchMagic] != 2 {
		return v, nil, false, fmt.Errorf("record batch has format %d; the topic was written before Kafka 0.11 and must be rewritten", b[batchMagic])
	}
	if size < batchHeader {
		return v, nil, false, fmt.Errorf("record batch of %d bytes", size)
	}
	if size > int64(len(b)) {
		return v, nil, false, nil
	}
	body := b[:size]
	if sum := crc32.Checksum(body[batchSealed:], castagnoli); sum != h.Uint32(body[batchCRC:]) {
		return v, nil, false, fmt.Errorf("record batch at offset %d is damaged: its checksum is wrong", int64(h.Uint64(body)))
	}
	v = batchView{
		base: int64(h.Uint64(body)), attributes: int16(h.Uint16(body[21:])),
		firstTime: int64(h.Uint64(body[27:])), maxTime: int64(h.Uint64(body[35:])),
		pid: int64(h.Uint64(body[43:])), count: int32(h.Uint32(body[57:])), records: body[batchHeader:],
	}
	v.last = v.base + int64(int32(h.Uint32(body[23:])))
	return v, b[size:], true, nil
}

// unpack appends the uncompressed records to into, which it returns together with them; records that are not
// compressed stay where they are.
func (v *batchView) unpack(into []byte, most int) (records, grown []byte, err error) {
	codec := compress.Compression(v.attributes & compressMask)
	if codec == compress.None {
		return v.records, into, nil
	}
	if codec.Codec() == nil {
		return nil, into, fmt.Errorf("record batch at offset %d has the unknown compression %d", v.base, codec)
	}
	r := codec.Codec().NewReader(bytes.NewReader(v.records))
	start := len(into)
	for {
		if len(into) == cap(into) {
			into = append(into, 0)[:len(into)]
		}
		n, rerr := r.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		if len(into)-start > most {
			rerr = fmt.Errorf("more than %d bytes", most)
		}
		if rerr == nil {
			continue
		}
		if cerr := r.Close(); errors.Is(rerr, io.EOF) && cerr == nil {
			return into[start:], into, nil
		}
		return nil, into, fmt.Errorf("decompress record batch at offset %d: %w", v.base, rerr)
	}
}

// recordReader yields the records of a batch. What it yields shares the memory of the batch.
type recordReader struct {
	batch   *batchView
	d       decoder
	left    int32
	headers []Header // arena: records take slices of it
	before  int      // where in it those of the last record begin
	names   names
}

// next fills r with the next record; false at the end and after an error, which d.err then holds.
func (x *recordReader) next(r *Record) bool {
	if x.left <= 0 {
		return false
	}
	x.left--
	d := decoder{b: x.d.take(int(min(x.d.varint(), 1<<31)))}
	d.int8() // attributes: none are defined
	since := d.varint()
	r.Offset = x.batch.base + d.varint()
	r.Key = d.field()
	r.Value = d.field()
	at := x.batch.firstTime + since
	if x.batch.attributes&logAppend != 0 {
		at = x.batch.maxTime
	}
	r.Time = time.UnixMilli(at)
	n := d.bounded(d.varint())
	start := len(x.headers)
	for i := range n {
		key := x.name(d.take(int(min(d.varint(), 1<<31))), x.before+i)
		x.headers = append(x.headers, Header{Key: key, Value: d.field()})
	}
	x.before = start
	r.Headers = x.headers[start:len(x.headers):len(x.headers)]
	if x.d.err == nil {
		x.d.err = d.err
	}
	return x.d.err == nil
}

// name makes a string of a header's name. It is mostly that of the header at the same place of the record before.
func (x *recordReader) name(b []byte, likely int) string {
	if likely < len(x.headers) && x.headers[likely].Key == string(b) {
		return x.headers[likely].Key
	}
	return x.names.intern(b)
}

// field reads a key or value; null is nil, empty is not.
func (d *decoder) field() []byte {
	n := d.varint()
	if n < 0 || d.err != nil {
		return nil
	}
	return d.take(int(min(n, 1<<31)))
}

// names makes one string of each header name, of which there are few.
type names map[string]string

func (n names) intern(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n) < 1<<10 {
		n[s] = s
	}
	return s
}

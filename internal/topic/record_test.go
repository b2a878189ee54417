package topic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestPartitionIsThatOfJava(t *testing.T) {
	t.Parallel()
	partitions := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 1000 {
		key := make([]byte, n%40)
		for i := range key {
			key[i] = byte(rng.Uint32())
		}
		if len(key) == 0 {
			continue // kafka-go takes any partition for an empty key
		}
		want := kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: key}, partitions...)
		if got := partitionOf(key, len(partitions)); int(got) != want {
			t.Fatalf("partition of %x is %d, kafka-go says %d", key, got, want)
		}
	}
	// From the tests of Java's client: Utils.murmur2 of these keys.
	for key, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func randomRecords(rng *rand.Rand, n int) []Record {
	field := func() []byte {
		switch rng.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		return bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(300))
	}
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{Key: field(), Value: field(), Time: time.UnixMilli(1_700_000_000_000 + rng.Int64N(1e6) - 5e5)}
		for range rng.IntN(4) {
			records[i].Headers = append(records[i].Headers, Header{Key: fmt.Sprint("h", rng.IntN(3)), Value: field()})
		}
	}
	return records
}

func sealed(t *testing.T, records []Record, codec Compression) []byte {
	t.Helper()
	var e encoding
	e.reset()
	for i := range records {
		before := len(e.buf)
		e.add(&records[i], records[i].Time.UnixMilli())
		if grown := len(e.buf) - before; grown > recordBound(&records[i]) {
			t.Fatalf("record takes %d bytes, more than its bound of %d", grown, recordBound(&records[i]))
		}
	}
	b, err := e.seal(sequence{pid: 7, epoch: 3, first: 11}, codec, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func sameRecord(a, b *Record) bool {
	if !equal(a.Key, b.Key) || !equal(a.Value, b.Value) || !a.Time.Equal(b.Time) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !equal(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

// TestBatchIsReadByKafkaGo has kafka-go read what we write.
func TestBatchIsReadByKafkaGo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, codec := range []Compression{None, Gzip, Snappy, Lz4, Zstd} {
		want := randomRecords(rng, 50)
		b := sealed(t, want, codec)
		var set protocol.RecordSet
		framed := appendBytes(nil, b)
		if _, err := set.ReadFrom(bytes.NewReader(framed)); err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		for i := range want {
			r, err := set.Records.ReadRecord()
			if err != nil {
				t.Fatalf("%s: record %d: %v", codec, i, err)
			}
			got := Record{Time: r.Time}
			if got.Key, err = protocol.ReadAll(r.Key); err != nil {
				t.Fatal(err)
			}
			if got.Value, err = protocol.ReadAll(r.Value); err != nil {
				t.Fatal(err)
			}
			for _, h := range r.Headers {
				got.Headers = append(got.Headers, Header(h))
			}
			if !sameRecord(&got, &want[i]) {
				t.Fatalf("%s: record %d is %v, want %v", codec, i, got, want[i])
			}
		}
	}
}

func TestBatchComesBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, codec := range []Compression{None, Gzip, Snappy, Lz4, Zstd} {
		want := randomRecords(rng, 200)
		b := sealed(t, want, codec)
		v, rest, ok, err := nextBatch(append(bytes.Clone(b), b[:70]...))
		if err != nil || !ok || len(rest) != 70 {
			t.Fatalf("%s: %v %v, %d bytes left", codec, ok, err, len(rest))
		}
		if v.pid != 7 || v.last != 199 {
			t.Errorf("%s: batch is of producer %d up to %d", codec, v.pid, v.last)
		}
		records, _, err := v.unpack(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		x := recordReader{batch: &v, d: decoder{b: records}, left: v.count, names: names{}}
		var r Record
		for i := range want {
			if !x.next(&r) || r.Offset != int64(i) || !sameRecord(&r, &want[i]) {
				t.Fatalf("%s: record %d is %v, want %v (%v)", codec, i, r, want[i], x.d.err)
			}
		}
		if x.next(&r) || len(x.d.b) != 0 {
			t.Errorf("%s: there is more than was written", codec)
		}
		if _, _, ok, err := nextBatch(b[:len(b)-1]); ok || err != nil {
			t.Errorf("%s: a batch that is cut off is ok=%v, %v", codec, ok, err)
		}
		b[len(b)-1] ^= 1
		if _, _, _, err := nextBatch(b); err == nil {
			t.Errorf("%s: a damaged batch is no error", codec)
		}
		if codec != None {
			if _, _, err := v.unpack(nil, 100); err == nil {
				t.Errorf("%s: unpacked without bound", codec)
			}
		}
	}
}

// FuzzFetch feeds answers that no broker sends.
func FuzzFetch(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	t := &testing.T{}
	f.Add(sealed(t, randomRecords(rng, 3), None))
	f.Add(sealed(t, randomRecords(rng, 3), Snappy))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			if len(b) >= batchHeader { // let it pass the checksum, or little else would be tried
				size := min(int64(len(b)), int64(int32(uint32(b[8])<<24|uint32(b[9])<<16|uint32(b[10])<<8|uint32(b[11])))+12)
				if size >= batchHeader {
					fix(b[:size])
				}
			}
			v, rest, ok, err := nextBatch(b)
			if !ok || err != nil {
				return
			}
			b = rest
			records, _, err := v.unpack(nil, 1<<20)
			if err != nil {
				return
			}
			x := recordReader{batch: &v, d: decoder{b: records}, left: v.count, names: names{}}
			var r Record
			for n := 0; x.next(&r); n++ {
				if n > len(records) {
					t.Fatal("more records than bytes")
				}
			}
		}
	})
}

// fix writes the checksum that the rest of the batch wants.
func fix(b []byte) {
	sum := crc32.Checksum(b[batchSealed:], castagnoli)
	binary.BigEndian.PutUint32(b[batchCRC:], sum)
}

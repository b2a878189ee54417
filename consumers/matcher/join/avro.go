package join

import (
	"encoding/binary"
	"math/bits"
)

// Avro's int and long are Go's signed varint: zigzag, seven bits a byte.
func appendVarint(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

func varintLen(n int64) int { return uvarintLen(uint64(n)<<1 ^ uint64(n>>63)) }

func uvarintLen(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }

// appendBytes appends Avro bytes, or a string.
func appendBytes(b, s []byte) []byte { return append(binary.AppendVarint(b, int64(len(s))), s...) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// arrayLen is what an array of n items takes beside the items themselves.
func arrayLen(n int) int {
	if n == 0 {
		return 1
	}
	return varintLen(int64(n)) + 1
}

// appendCount opens an array of n items, which is closed by a zero; an empty one is the zero alone.
func appendCount(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	return appendVarint(b, int64(n))
}

func firstOf[T any](list []T, n int) []T { return list[:min(n, len(list))] }

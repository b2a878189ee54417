package avro

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Every decimal of 38 digits fits a signed number of 128 bits, so the codecs need no big.Int: digits go through uint128.

var (
	errNumber = errors.New("is not a decimal number")
	errScale  = errors.New("has more digits after the point than the schema keeps")
	errDigits = errors.New("has more digits before the point than the schema keeps")
)

// maxPrecision is what 128 bits hold.
const maxPrecision = 38

// uint128 is the size of a number, without its sign.
type uint128 struct{ hi, lo uint64 }

// mulAdd returns u*m + a, and whether that fits.
func (u uint128) mulAdd(m, a uint64) (uint128, bool) {
	h1, lo := bits.Mul64(u.lo, m)
	h2, hi := bits.Mul64(u.hi, m)
	lo, c1 := bits.Add64(lo, a, 0)
	hi, c2 := bits.Add64(hi, h1, c1)
	return uint128{hi, lo}, h2 == 0 && c2 == 0
}

var pow10 = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// digits appends the digits of s, in pieces that fit 64 bits.
func (u uint128) digits(s string) (uint128, error) {
	for s != "" {
		n := min(len(s), 19)
		var piece uint64
		for i := range n {
			d := s[i] - '0'
			if d > 9 {
				return u, errNumber
			}
			piece = piece*10 + uint64(d)
		}
		var ok bool
		if u, ok = u.mulAdd(pow10[n], piece); !ok {
			return u, errDigits
		}
		s = s[n:]
	}
	return u, nil
}

// shift multiplies by 10^n.
func (u uint128) shift(n int) (uint128, error) {
	for n > 0 {
		step := min(n, 19)
		var ok bool
		if u, ok = u.mulAdd(pow10[step], 0); !ok {
			return u, errDigits
		}
		n -= step
	}
	return u, nil
}

// bound38 is 10^38, the first size with 39 digits.
var bound38 = uint128{0x4b3b4ca85a86c47a, 0x098a224000000000}

func (u uint128) less(v uint128) bool { return u.hi < v.hi || u.hi == v.hi && u.lo < v.lo }

// parseDecimal reads plain decimal text ("-12.5", no exponent) as a whole number of 10^-scale.
func parseDecimal(text string, scale int) (neg bool, size uint128, err error) {
	if text != "" && text[0] == '-' {
		neg, text = true, text[1:]
	}
	whole, frac, _ := strings.Cut(text, ".")
	if whole == "" {
		return false, uint128{}, errNumber
	}
	if len(frac) > scale {
		frac = strings.TrimRight(frac, "0")
		if len(frac) > scale {
			return false, uint128{}, errScale
		}
	}
	if size, err = size.digits(whole); err == nil {
		if size, err = size.digits(frac); err == nil {
			size, err = size.shift(scale - len(frac))
		}
	}
	if err == nil && !size.less(bound38) {
		err = errDigits
	}
	return neg, size, err
}

// appendDecimal appends text as Avro bytes: the length, then two's complement, big-endian, as short as it can be. The
// number must fit 38 digits at the scale.
func appendDecimal(dst []byte, text string, scale int) ([]byte, error) {
	neg, size, err := parseDecimal(text, scale)
	if err != nil {
		return dst, err
	}
	return appendUnscaled(dst, neg, size), nil
}

func appendUnscaled(dst []byte, neg bool, u uint128) []byte {
	if neg { // two's complement
		var borrow uint64
		u.lo, borrow = bits.Sub64(0, u.lo, 0)
		u.hi, _ = bits.Sub64(0, u.hi, borrow)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], u.hi)
	binary.BigEndian.PutUint64(b[8:], u.lo)
	skip := 0
	for skip < 15 && (b[skip] == 0 && b[skip+1] < 0x80 || b[skip] == 0xff && b[skip+1] >= 0x80) {
		skip++
	}
	return appendBytes(dst, b[skip:])
}

// unscaled reads two's complement of at most 16 bytes.
func unscaled(b []byte) (neg bool, u uint128) {
	if len(b) == 0 {
		return false, u
	}
	neg = b[0] >= 0x80
	if neg {
		u = uint128{^uint64(0), ^uint64(0)}
	}
	for _, c := range b {
		u.hi = u.hi<<8 | u.lo>>56
		u.lo = u.lo<<8 | uint64(c)
	}
	if neg {
		var borrow uint64
		u.lo, borrow = bits.Sub64(0, u.lo, 0)
		u.hi, _ = bits.Sub64(0, u.hi, borrow)
	}
	return neg, u
}

// appendDecimalText appends the number in its canonical form: no exponent, no leading zeros, no trailing zeros after the
// point, no "-0". unscaledBytes are what Avro holds.
func appendDecimalText(dst, unscaledBytes []byte, scale int) []byte {
	var digits [64]byte
	if len(unscaledBytes) > 16 {
		return appendBigDecimalText(dst, unscaledBytes, scale)
	}
	neg, u := unscaled(unscaledBytes)
	return appendPoint(dst, neg, u.appendDigits(digits[:0]), scale)
}

func (u uint128) appendDigits(dst []byte) []byte {
	if u.hi == 0 {
		return strconv.AppendUint(dst, u.lo, 10)
	}
	// Division by 10^19 leaves at most 20 digits above, which in turn may exceed 64 bits.
	hi, rest := bits.Div64(0, u.hi, pow10[19])
	lo, low := bits.Div64(rest, u.lo, pow10[19])
	dst = uint128{hi, lo}.appendDigits(dst)
	return appendPadded(dst, low)
}

// appendPadded appends n with leading zeros to 19 digits.
func appendPadded(dst []byte, n uint64) []byte {
	var b [20]byte
	text := strconv.AppendUint(b[:0], n, 10)
	for range 19 - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// appendBigDecimalText is for decimals that other programs write with a precision beyond 38.
func appendBigDecimalText(dst, b []byte, scale int) []byte {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	neg := n.Sign() < 0
	return appendPoint(dst, neg, n.Abs(n).Append(nil, 10), scale)
}

// appendPoint writes digits with the point scale places from the right.
func appendPoint(dst []byte, neg bool, digits []byte, scale int) []byte {
	if len(digits) == 1 && digits[0] == '0' {
		return append(dst, '0')
	}
	if neg {
		dst = append(dst, '-')
	}
	whole := max(len(digits)-scale, 0)
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, digits[:whole]...)
	frac := digits[whole:]
	for len(frac) > 0 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if len(frac) == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale - (len(digits) - whole) {
		dst = append(dst, '0')
	}
	return append(dst, frac...)
}

package avro

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// bigDecimal is the slow way: text to two's complement by math/big.
func bigDecimal(t testing.TB, text string, scale int) []byte {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	n := r.Num()
	for size := 1; ; size++ {
		limit := new(big.Int).Lsh(big.NewInt(1), uint(8*size-1))
		if n.Cmp(limit) < 0 && n.Cmp(new(big.Int).Neg(limit)) >= 0 {
			if n.Sign() < 0 {
				n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
			}
			return n.FillBytes(make([]byte, size))
		}
	}
}

func checkDecimal(t *testing.T, text string, scale int) {
	t.Helper()
	got, err := appendDecimal(nil, text, scale)
	want := appendBytes(nil, bigDecimal(t, text, scale))
	if err != nil || string(got) != string(want) {
		t.Errorf("appendDecimal(%s, %d) = %x, %v; want %x", text, scale, got, err, want)
		return
	}
	if back := appendDecimalText(nil, got[1:], scale); string(back) != text {
		t.Errorf("appendDecimalText(%x, %d) = %s, want %s", got[1:], scale, back, text)
	}
	long := append(make([]byte, 8), got[1:]...) // not as short as it can be: the way of big.Int
	if strings.HasPrefix(text, "-") {
		for i := range 8 {
			long[i] = 0xff
		}
	}
	for len(long) <= 16 {
		long = append(long[:1:1], long...)
	}
	if back := appendDecimalText(nil, long, scale); string(back) != text {
		t.Errorf("appendDecimalText(%x, %d) = %s, want %s", long, scale, back, text)
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "12.5", "-0.000000000000000001", "0.1", "99999999999999999999",
		"99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999", "10000000000000000000", "18446744073709551616",
		"340282366920938463.463374607431768211", "170141183460469231.731687303715884105", "-170141183460469231.731687303715884105",
	} {
		checkDecimal(t, text, 18)
	}
	checkDecimal(t, "-9999999999999999999999999999.9999999999", 10)
	checkDecimal(t, "12345678901234567890123456789012345678", 0)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var b strings.Builder
		if rnd.IntN(2) == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(byte('1' + rnd.IntN(9)))
		for range rnd.IntN(20) {
			b.WriteByte(byte('0' + rnd.IntN(10)))
		}
		if n := rnd.IntN(18); n > 0 {
			b.WriteByte('.')
			for range n {
				b.WriteByte(byte('0' + rnd.IntN(10)))
			}
			b.WriteByte(byte('1' + rnd.IntN(9)))
		}
		if text := b.String(); len(strings.Trim(strings.SplitN(text, ".", 2)[0], "-")) <= 20 {
			checkDecimal(t, text, 18)
		}
	}
}

func TestDecimalRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"": errNumber, "-": errNumber, ".5": errNumber, "1e5": errNumber, "1.2.3": errNumber, "x": errNumber, "NaN": errNumber,
		"0.1234567890123456789": errScale, "100000000000000000000": errDigits, strings.Repeat("9", 60): errDigits,
	} {
		if got, err := appendDecimal(nil, text, 18); err != want {
			t.Errorf("appendDecimal(%q) = %x, %v; want %v", text, got, err, want)
		}
	}
	if got, err := appendDecimal(nil, "1.5000000000000000000000", 18); err != nil {
		t.Errorf("zeros after the last digit are refused: %x, %v", got, err)
	}
}

package change

import (
	"fmt"
	"strconv"
	"strings"
)

// maxExponent bounds what an exponent may write out: a hostile "1E999999999" must not become a gigabyte of zeros.
const maxExponent = 400

// canonicalDecimal brings a decimal number to one form without passing through a binary float (R9).
func canonicalDecimal(text string) (string, error) {
	mantissa, exp, err := splitExponent(text)
	if err != nil {
		return "", err
	}
	neg := false
	if rest, ok := strings.CutPrefix(mantissa, "-"); ok {
		neg, mantissa = true, rest
	} else {
		mantissa = strings.TrimPrefix(mantissa, "+")
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	if whole == "" && frac == "" || !digits(whole) || !digits(frac) {
		return "", fmt.Errorf("%q is not a decimal number", text)
	}
	whole, frac = shiftPoint(whole, frac, exp)
	whole = strings.TrimLeft(whole, "0")
	frac = strings.TrimRight(frac, "0")
	if whole == "" {
		whole = "0"
	}
	out := whole
	if frac != "" {
		out += "." + frac
	}
	if neg && out != "0" {
		out = "-" + out
	}
	return out, nil
}

func splitExponent(text string) (mantissa string, exp int, err error) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, 0, nil
	}
	exp, err = strconv.Atoi(text[i+1:])
	if err != nil || exp > maxExponent || exp < -maxExponent {
		return "", 0, fmt.Errorf("%q is not a decimal number with an exponent within ±%d", text, maxExponent)
	}
	return text[:i], exp, nil
}

// shiftPoint moves the decimal point exp places to the right (left when negative).
func shiftPoint(whole, frac string, exp int) (newWhole, newFrac string) {
	if exp >= 0 {
		if missing := exp - len(frac); missing > 0 {
			frac += strings.Repeat("0", missing)
		}
		return whole + frac[:exp], frac[exp:]
	}
	if missing := -exp - len(whole); missing > 0 {
		whole = strings.Repeat("0", missing) + whole
	}
	cut := len(whole) + exp
	return whole[:cut], whole[cut:] + frac
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

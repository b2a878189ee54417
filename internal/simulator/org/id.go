package org

// digits62 are the characters of an id in the order of their value.
const digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const checksum32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// EmptyID is the id that stands for no record (facts 2.9).
const EmptyID = "000000000000000AAA"

// instanceCode stands behind the key prefix of every id that the simulator assigns, as an instance's code does.
const instanceCode = "Qk"

// appendChecksum adds the three characters that turn the 15-character id at the end of dst into one of 18 (facts 2.9).
func appendChecksum(dst []byte) []byte {
	id := dst[len(dst)-15:]
	for block := 0; block < 15; block += 5 {
		bits := 0
		for j := range 5 {
			if c := id[block+j]; c >= 'A' && c <= 'Z' {
				bits |= 1 << j
			}
		}
		dst = append(dst, checksum32[bits])
	}
	return dst
}

// appendID writes the 18-character id of row n of the object with the given 3-character key prefix.
func appendID(dst []byte, prefix string, n uint64) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, instanceCode...)
	at := len(dst)
	dst = append(dst, "0000000000"...)
	for i := at + 9; n > 0 && i >= at; i-- {
		dst[i] = digits62[n%62]
		n /= 62
	}
	return appendChecksum(dst)
}

// MakeID returns the 18-character id number n with the given key prefix; jobs and cursors take their ids from it too.
func MakeID(prefix string, n uint64) string { return string(appendID(nil, prefix, n)) }

// rowNumber reads the n of an 18-character id that MakeID could have made.
func rowNumber(id, prefix string) (uint64, bool) {
	if len(id) != 18 || id[:3] != prefix || id[3:5] != instanceCode {
		return 0, false
	}
	var n uint64
	for i := 5; i < 15; i++ {
		d := digit62(id[i])
		if d < 0 {
			return 0, false
		}
		n = n*62 + uint64(d)
	}
	return n, true
}

func digit62(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 36
	}
	return -1
}

// NormalizeID returns the 18-character form of an id of 15 or 18 characters. It refuses other texts and an
// 18-character id whose letters changed case, since its last three characters no longer fit.
func NormalizeID(id string) (string, bool) {
	if len(id) != 15 && len(id) != 18 {
		return "", false
	}
	for i := range len(id) {
		if digit62(id[i]) < 0 {
			return "", false
		}
	}
	full := appendChecksum(append(make([]byte, 0, 18), id[:15]...))
	if len(id) == 18 && string(full) != id {
		return "", false
	}
	return string(full), true
}

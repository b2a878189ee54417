package org

// digits62 are the characters of an id in the order of their value.
const digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const checksum32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// EmptyID is the id that stands for no record (facts 2.9).
const EmptyID = "000000000000000AAA"

// instanceCode stands behind the key prefix of every id that the simulator assigns, as an instance's code does.
const instanceCode = "Qk"

// upperBit is 1 for A to Z.
var upperBit = func() (t [256]byte) {
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = 1
	}
	return t
}()

// checksum computes the last three characters of an 18-character id from the first fifteen (facts 2.9).
func checksum(id *[18]byte) {
	for block := range 3 {
		part := id[block*5 : block*5+5]
		bits := upperBit[part[0]] | upperBit[part[1]]<<1 | upperBit[part[2]]<<2 | upperBit[part[3]]<<3 | upperBit[part[4]]<<4
		id[15+block] = checksum32[bits]
	}
}

// appendID writes the 18-character id of row n of the object with the given 3-character key prefix.
func appendID(dst []byte, prefix string, n uint64) []byte {
	id := [18]byte{5: '0', 6: '0', 7: '0', 8: '0', 9: '0', 10: '0', 11: '0', 12: '0', 13: '0', 14: '0'}
	copy(id[:], prefix)
	copy(id[3:], instanceCode)
	for i := 14; n > 0 && i >= 5; i-- {
		id[i] = digits62[n%62]
		n /= 62
	}
	checksum(&id)
	return append(dst, id[:]...)
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
	var full [18]byte
	copy(full[:15], id)
	checksum(&full)
	if len(id) == 18 && string(full[:]) != id {
		return "", false
	}
	return string(full[:]), true
}

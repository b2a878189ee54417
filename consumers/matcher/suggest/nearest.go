package suggest

import (
	"cmp"
	"slices"
	"strings"
)

// maxNearest is how many names Nearest offers.
const maxNearest = 3

// Nearest returns the names that a person may have meant by one that is not among them, nearest first, three at most: by
// the number of bytes to change, in whatever case, also when only what follows the last dot is compared; one that contains
// the other, or begins alike, counts as near.
func Nearest(name string, among []string) []string {
	type near struct {
		name     string
		distance int
	}
	var found []near
	wanted := strings.ToLower(name)
	for _, n := range among {
		have := strings.ToLower(n)
		d := min(distance(wanted, have), distance(wanted, last(have))+1)
		if len(wanted) > 3 && strings.Contains(have, wanted) || len(have) > 3 && strings.Contains(wanted, have) {
			d = min(d, 2)
		}
		if len(wanted) > 3 && strings.HasPrefix(have, wanted[:4]) {
			d = min(d, 2)
		}
		if d <= max(2, len(wanted)/3) {
			found = append(found, near{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, n := range found[:min(len(found), maxNearest)] {
		out = append(out, n.name)
	}
	return out
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// distance is how many bytes have to be changed, put in or taken out to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Package nearest finds what a person meant by a misspelt name. A name goes through Of once: every candidate is compared
// with it edit by edit, without regard to case, and the closest is offered.
package nearest

import "strings"

// Of returns the candidate that is the fewest edits away from word, at most so many, or the empty string. Of two that are
// equally near it is the first in the alphabet. Case makes no difference.
func Of(word string, candidates []string, most int) string {
	best, fewest := "", most+1
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d < fewest || d == fewest && d <= most && c < best {
			best, fewest = c, d
		}
	}
	return best
}

// distance counts the edits (insert, delete, replace, swap of neighbours) between a and b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

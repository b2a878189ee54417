package suggest

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// spaced is the bit of a digest that says that the identifier holds white space.
const spaced uint64 = 1

// run is one identifier of a field, by its digest, and how many records have it.
type run struct {
	digest uint64
	count  uint32
}

// column is the multiset of one field's identifiers. Its memory is bounded by the number of different ones.
type column struct {
	filled  int
	runs    []run    // ascending, each digest once
	pending []uint64 // added since the runs were merged
}

// least is how many digests wait at least before they are merged.
const least = 1024

func (c *column) add(digest uint64) {
	c.filled++
	c.pending = append(c.pending, digest)
	if len(c.pending) >= max(least, len(c.runs)) {
		c.merge()
	}
}

// merge brings what was added into the runs.
func (c *column) merge() {
	if len(c.pending) == 0 {
		return
	}
	slices.Sort(c.pending)
	out := make([]run, 0, len(c.runs)+len(c.pending))
	old := c.runs
	for i := 0; i < len(c.pending); {
		r := run{digest: c.pending[i]}
		for ; i < len(c.pending) && c.pending[i] == r.digest; i++ {
			r.count++
		}
		for len(old) > 0 && old[0].digest < r.digest {
			out, old = append(out, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].digest == r.digest {
			r.count += old[0].count
			old = old[1:]
		}
		out = append(out, r)
	}
	c.runs, c.pending = slices.Clip(append(out, old...)), c.pending[:0]
}

// duplicates counts the records that share their identifier with another one.
func (c *column) duplicates() int {
	n := 0
	for _, r := range c.runs {
		if r.count > 1 {
			n += int(r.count)
		}
	}
	return n
}

// uniqueness is the share of different identifiers among all: 1 when each record has its own.
func (c *column) uniqueness() float64 { return ratio(len(c.runs), c.filled) }

func (c *column) has(digest uint64) bool {
	_, ok := find(c.runs, digest)
	return ok
}

func find(runs []run, digest uint64) (int, bool) {
	return slices.BinarySearchFunc(runs, digest, func(r run, d uint64) int { return cmp.Compare(r.digest, d) })
}

// common calls fn for each identifier that stands in both.
func common(a, b []run, fn func(a, b run)) {
	if len(a) > len(b) {
		common(b, a, func(x, y run) { fn(y, x) })
		return
	}
	rest := b
	for _, r := range a {
		// A few steps are enough when the columns are of one size; when they are not, the next run is sought in steps that double.
		i, near := 0, min(len(rest), 8)
		for i < near && rest[i].digest < r.digest {
			i++
		}
		if i == near && i < len(rest) {
			width := near
			for width < len(rest) && rest[width].digest < r.digest {
				width *= 2
			}
			i, _ = find(rest[:min(width+1, len(rest))], r.digest)
		}
		rest = rest[i:]
		if len(rest) > 0 && rest[0].digest == r.digest {
			fn(r, rest[0])
		}
	}
}

func hasSpace(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.White_Space, r) }) >= 0
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

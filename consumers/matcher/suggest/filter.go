package suggest

import "math/bits"

// filter tells quickly which digests can be on the ERP side at all: most values of most Account fields are not, so that the
// comparison of each field with each is left with few. It may say yes to a digest that is not there, never no to one that is.
type filter struct {
	set   []uint64
	shift int // of a digest, to the number of its bit
}

// newFilter has 16 bits or more for each digest: it is wrong about one in sixteen at most.
func newFilter(side *Side) filter {
	n := 1
	for _, f := range side.fields {
		n += len(f.identifiers.runs) + len(f.asID.runs)
	}
	width := max(6, bits.Len(uint(n))+4)
	out := filter{set: make([]uint64, 1<<(width-6)), shift: 64 - width}
	for _, f := range side.fields {
		for _, runs := range [][]run{f.identifiers.runs, f.asID.runs} {
			for _, r := range runs {
				bit := r.digest >> out.shift
				out.set[bit/64] |= 1 << (bit % 64)
			}
		}
	}
	return out
}

// keep returns the runs that can be on the ERP side.
func (f filter) keep(runs []run) []run {
	var out []run
	for _, r := range runs {
		if bit := r.digest >> f.shift; f.set[bit/64]&(1<<(bit%64)) != 0 {
			out = append(out, r)
		}
	}
	return out
}

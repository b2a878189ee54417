package salesforce

import "testing"

// TestMarksCountEachPageOnce reads pages in any order, breaks off and begins again at the locator: what people are shown never
// passes what there is, and what is stored counts only what will not come again.
func TestMarksCountEachPageOnce(t *testing.T) {
	t.Parallel()
	type step struct {
		add     map[int]int64 // rows by page
		page    int           // that is published, -1: none
		follows string
		again   bool // a crash or a broken page: reading begins again at the locator
		locator string
		rows    int64 // stored
		applied int64 // shown
	}
	for name, steps := range map[string][]step{
		"in order": {
			{add: map[int]int64{0: 10}, page: 0, follows: "B", locator: "B", rows: 10, applied: 10},
			{add: map[int]int64{1: 5}, page: 1, locator: "B", rows: 10, applied: 15},
		},
		"the second page first": {
			{add: map[int]int64{0: 4, 1: 10}, page: 1, follows: "C", locator: "", rows: 0, applied: 14},
			{add: map[int]int64{0: 6}, page: 0, follows: "B", locator: "C", rows: 20, applied: 20},
		},
		"broken in the middle of a page": {
			{add: map[int]int64{0: 10, 1: 7}, page: 0, follows: "B", locator: "B", rows: 10, applied: 17},
			{page: -1, again: true, locator: "B", rows: 10, applied: 10},
			{add: map[int]int64{0: 10}, page: 0, follows: "C", locator: "C", rows: 20, applied: 20},
		},
		"the last page comes again": {
			{add: map[int]int64{0: 10, 1: 3}, page: 1, locator: "", rows: 0, applied: 13},
			{page: -1, again: true, locator: "", rows: 0, applied: 0},
			{add: map[int]int64{0: 10, 1: 3}, page: 0, follows: "B", locator: "B", rows: 10, applied: 13},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := &job{}
			m := newMarks(j)
			for i, s := range steps {
				if s.again {
					m = newMarks(j)
				}
				for index, n := range s.add {
					m.add(index, n)
				}
				if s.page >= 0 {
					m.page(s.page, s.follows)
				}
				if j.Locator != s.locator || j.Rows != s.rows || j.applied() != s.applied {
					t.Fatalf("step %d: locator %q with %d rows, %d shown; want %q, %d, %d", i, j.Locator, j.Rows, j.applied(), s.locator, s.rows, s.applied)
				}
			}
			shown := j.applied()
			if j.counted(); j.Rows != shown || j.applied() != shown {
				t.Errorf("at the end %d of %d rows are counted", j.Rows, shown)
			}
		})
	}
}

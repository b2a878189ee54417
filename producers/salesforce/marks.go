package salesforce

// marks finds the first page that is not wholly published: pages that are read in parallel end in any order. The job's
// Locator and Rows move together, so that what is read again after a crash or a broken page is not counted twice.
type marks struct {
	job  *job
	next int            // index of the page that job.Locator names
	rows map[int]int64  // rows applied so far of pages that are not counted yet
	done map[int]string // pages from next on that are published: the locator that follows each
}

// newMarks begins at the job's Locator: what was applied behind it comes again.
func newMarks(j *job) *marks {
	j.ahead = 0
	return &marks{job: j, rows: map[int]int64{}, done: map[int]string{}}
}

// add notes that n rows of a page were applied.
func (m *marks) add(index int, n int64) {
	m.rows[index] += n
	m.job.ahead += n
}

// page notes that all rows of a page are published, and which locator follows it; the last page has none.
func (m *marks) page(index int, following string) {
	m.done[index] = following
	for {
		following, ok := m.done[m.next]
		if !ok || following == "" {
			return
		}
		m.job.Rows += m.rows[m.next]
		m.job.ahead -= m.rows[m.next]
		delete(m.done, m.next)
		delete(m.rows, m.next)
		m.job.Locator = following
		m.next++
	}
}

// applied is how many of the snapshot's rows are applied, for people; of these, Rows will not be read again.
func (j *job) applied() int64 { return j.Rows + j.ahead }

// counted takes in what is behind the last locator: all pages are published.
func (j *job) counted() { j.Rows, j.ahead = j.applied(), 0 }

package simulator

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// The states of a query job (facts 3.2).
const (
	uploadComplete = "UploadComplete"
	inProgress     = "InProgress"
	jobComplete    = "JobComplete"
	failed         = "Failed"
	aborted        = "Aborted"
)

// jobLife is how long a terminal job and its results are kept (facts 3.6).
const jobLife = 7 * 24 * time.Hour

// job is one Bulk query. Its rows are found chunk by chunk, each chunk as of its own moment; pages are written from
// the org as it was then, so that a page is the same however often it is asked for.
type job struct {
	mu        sync.Mutex
	id        string
	operation string
	text      string
	version   string
	crlf      bool
	delimiter string // COMMA
	plan      *soql.Plan
	scope     soql.Scope
	settings  Bulk
	created   time.Time

	state    string
	ended    time.Time
	modified time.Time
	release  func() // unpins the org; nil when it is unpinned
	chunks   []chunk
	done     int          // chunks that were read
	rows     atomic.Int64 // of the chunks that were read; /limits asks for it without the job's lock
	steps    int          // of a manual job: how often it was advanced
	retries  int
	message  string
}

// chunk is a part of the object's rows, read at one moment.
type chunk struct {
	first, last uint32 // slots [first, last); the last chunk goes on to the end
	seq         uint64 // commit that it was read at
	slots       []uint32
	before      int // rows in the chunks before it, in the order of delivery
}

// jobs are the query jobs by id.
type jobs struct {
	mu      sync.Mutex
	byID    map[string]*job
	order   []*job
	serial  uint64
	created []time.Time // in the last 24 h
}

// today is how many jobs were created in the last 24 hours. It drops what is older.
func (js *jobs) today(now time.Time) int {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.created = slices.DeleteFunc(js.created, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	return len(js.created)
}

// stored is the size of all results, in megabytes, as the quota counts it; roughly 300 bytes a row.
func (js *jobs) stored() int {
	js.mu.Lock()
	defer js.mu.Unlock()
	rows := int64(0)
	for _, j := range js.order {
		rows += j.rows.Load()
	}
	return int(rows * 300 >> 20)
}

func (js *jobs) add(s *Simulator, j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.serial++
	j.id = org.MakeID("750", js.serial)
	if js.byID == nil {
		js.byID = make(map[string]*job)
	}
	js.byID[j.id] = j
	js.order = append(js.order, j)
	js.created = append(js.created, s.now())
	js.order = slices.DeleteFunc(js.order, func(old *job) bool {
		if !old.mu.TryLock() { // it is in use: perhaps it is being deleted, and waits for the list
			return false
		}
		defer old.mu.Unlock()
		if old.ended.IsZero() || s.now().Sub(old.ended) < jobLife {
			return false
		}
		old.unpin()
		delete(js.byID, old.id)
		return true
	})
}

func (js *jobs) find(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	return js.byID[id]
}

func (js *jobs) remove(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	delete(js.byID, j.id)
	js.order = slices.DeleteFunc(js.order, func(k *job) bool { return k == j })
}

func (j *job) unpin() {
	if j.release != nil {
		j.release()
		j.release = nil
	}
}

// start pins the org and cuts the object's rows into chunks.
func (j *job) start(s *Simulator) {
	j.state, j.created, j.modified = uploadComplete, s.now(), s.now()
	_, j.release = s.org.Pin()
	n := max(1, j.settings.Chunks)
	if j.plan.Ordered || j.plan.Limit >= 0 {
		n = 1 // ORDER BY and LIMIT switch chunking off (facts 3.4)
	}
	s.org.View(func(v org.View) {
		size := v.Size(j.plan.Object)
		for i := range n {
			j.chunks = append(j.chunks, chunk{first: uint32(uint64(size) * uint64(i) / uint64(n)), last: uint32(uint64(size) * uint64(i+1) / uint64(n))})
		}
	})
	j.chunks[n-1].last = ^uint32(0)
}

// advance brings a job to the state that it has at the time, reading the chunks whose moment has passed. Chunk i of n
// is read at (i+1)/n of ReadTime after the queue. The caller holds j.mu.
func (j *job) advance(s *Simulator) {
	if j.state != uploadComplete && j.state != inProgress {
		return
	}
	now := s.now()
	queue, read := time.Duration(j.settings.QueueDelay), time.Duration(j.settings.ReadTime)
	at := func(i int) time.Time {
		return j.created.Add(queue + read*time.Duration(i+1)/time.Duration(len(j.chunks)))
	}
	if j.settings.Manual {
		if j.steps == 0 {
			return
		}
		j.enter(inProgress, now)
		for j.done < min(j.steps-1, len(j.chunks)) {
			j.read(s, s.org.SeqAt(now))
		}
		if j.steps > len(j.chunks)+1 {
			j.complete(now)
		}
		return
	}
	if now.Sub(j.created) < queue {
		return
	}
	j.enter(inProgress, j.created.Add(queue))
	for j.done < len(j.chunks) && !at(j.done).After(now) {
		j.read(s, s.org.SeqAt(at(j.done)))
	}
	if j.done == len(j.chunks) {
		j.complete(at(j.done - 1))
	}
}

func (j *job) enter(state string, at time.Time) {
	if j.state != state {
		j.state, j.modified = state, at
	}
}

// read finds the rows of the next chunk as of a commit.
func (j *job) read(s *Simulator, seq uint64) {
	c := &j.chunks[j.done]
	c.seq = seq
	f := j.plan.Find(j.scope)
	f.Between(c.first, c.last)
	for done := false; !done && !j.plan.Enough(len(c.slots)); {
		s.org.ViewAt(seq, func(v org.View) { c.slots, done = f.Step(v, c.slots, scanBudget) })
	}
	if j.plan.Ordered {
		s.org.ViewAt(seq, func(v org.View) { j.plan.Sort(v, c.slots) })
	}
	c.slots = j.plan.Window(c.slots)
	j.rows.Add(int64(len(c.slots)))
	j.done++
}

// complete ends the job, well or as the settings say.
func (j *job) complete(at time.Time) {
	j.ended = at
	if j.settings.Fail {
		j.enter(failed, at)
		j.message, j.retries = j.settings.FailMessage, maxRetries
		j.unpin()
		return
	}
	if j.settings.Shuffle {
		rand.New(rand.NewPCG(uint64(len(j.chunks)), uint64(j.created.UnixNano()))).Shuffle(len(j.chunks), func(a, b int) { j.chunks[a], j.chunks[b] = j.chunks[b], j.chunks[a] })
	}
	rows := 0
	for i := range j.chunks {
		j.chunks[i].before = rows
		rows += len(j.chunks[i].slots)
	}
	j.enter(jobComplete, at)
}

// maxRetries is how often the server tries a query before it gives up (facts 3.6).
const maxRetries = 15

// AdvanceJob moves a job on that waits because Settings.Bulk.Manual was set when it was created: the first call starts
// it, each further one reads a chunk, one more completes it. It returns the state, "" when there is no such job.
func (s *Simulator) AdvanceJob(id string) string {
	full, _ := org.NormalizeID(id)
	j := s.jobs.find(full)
	if j == nil {
		return ""
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps++
	j.advance(s)
	return j.state
}

// Jobs lists the ids of the query jobs, oldest first.
func (s *Simulator) Jobs() []string {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	ids := make([]string, len(s.jobs.order))
	for i, j := range s.jobs.order {
		ids[i] = j.id
	}
	return ids
}

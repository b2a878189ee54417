package simulator

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// scanBudget is how many rows a search looks at before it lets writers in.
const scanBudget = 8192

// cursorLife is how long a query can be continued (facts 2.6).
const cursorLife = 48 * time.Hour

// maxCursors bounds what open queries cost; the oldest go first.
const maxCursors = 1000

// result is the rows of a query as of one commit.
type result struct {
	plan    *soql.Plan
	seq     uint64
	release func()
	slots   []uint32
}

// cursor is a query with pages that were not fetched yet.
type cursor struct {
	result
	made  time.Time
	batch int
}

// cursors are the open queries by id.
type cursors struct {
	mu     sync.Mutex
	open   map[string]*cursor
	order  []string
	serial uint64
}

// search runs a plan against the org as it is now. The result pins the org: its release must be called.
func (s *Simulator) search(plan *soql.Plan, scope soql.Scope) *result {
	res := &result{plan: plan}
	res.seq, res.release = s.org.Pin()
	f := plan.Find(scope)
	for done := false; !done && !plan.Enough(len(res.slots)); {
		s.org.ViewAt(res.seq, func(v org.View) { res.slots, done = f.Step(v, res.slots, scanBudget) })
	}
	if plan.Ordered {
		s.org.ViewAt(res.seq, func(v org.View) { plan.Sort(v, res.slots) })
	}
	res.slots = plan.Window(res.slots)
	return res
}

// compile parses and checks a query; false when it answered with the error.
func (c *call) compile(text string) (*soql.Plan, soql.Scope, bool) {
	cat := c.s.catalog()
	q, err := soql.Parse(text)
	var plan *soql.Plan
	if err == nil {
		plan, err = soql.Compile(q, cat, c.s.now())
	}
	var refused *soql.Error
	var unsupported *soql.Unsupported
	switch {
	case errors.As(err, &refused):
		c.fail(http.StatusBadRequest, refused.Code, refused.Message)
		return nil, soql.Scope{}, false
	case errors.As(err, &unsupported):
		c.unsupported(unsupported.Error())
		return nil, soql.Scope{}, false
	}
	return plan, soql.Scope{May: cat.may(plan.Object)}, true
}

// query serves query and queryAll.
func (c *call) query() {
	text := c.r.URL.Query().Get("q")
	if text == "" {
		c.fail(http.StatusBadRequest, "MALFORMED_QUERY", "SOQL statement cannot be empty")
		return
	}
	plan, scope, ok := c.compile(text)
	if !ok {
		return
	}
	scope.Deleted = strings.HasSuffix(strings.TrimSuffix(c.r.URL.Path, "/"), "/queryAll")
	res := c.s.search(plan, scope)
	if plan.Count {
		res.release()
		c.json(http.StatusOK, map[string]any{"totalSize": len(res.slots), "done": true, "records": []any{}})
		return
	}
	c.page(&cursor{result: *res, made: c.s.now(), batch: c.batch(plan)}, "", 0)
}

// batch is the page size: what the client asks for within bounds, less for many long texts (facts 2.6).
func (c *call) batch(plan *soql.Plan) int {
	size := orInt(c.s.settings.Load().QueryBatch, 2000)
	for option := range strings.SplitSeq(c.r.Header.Get("Sforce-Query-Options"), ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(option), "="); ok && strings.EqualFold(name, "batchSize") {
			if n, err := strconv.Atoi(value); err == nil {
				size = min(size, max(n, min(200, size)))
			}
		}
	}
	long := 0
	for _, col := range plan.Columns {
		if col.Field.Custom && col.Field.Type == "textarea" && col.Field.Length > 255 {
			long++
		}
	}
	if long >= 2 {
		size = min(size, 200)
	}
	return size
}

// page answers with the rows from offset on, and keeps the cursor while rows are left.
func (c *call) page(cur *cursor, id string, offset int) {
	end := min(offset+cur.batch, len(cur.slots))
	done := end == len(cur.slots)
	if !done && id == "" {
		id = c.s.cursors.keep(c.s, cur)
	}
	if done && id == "" {
		defer cur.release()
	}
	out := append(make([]byte, 0, 256*(end-offset)+256), `{"totalSize":`...)
	out = strconv.AppendInt(out, int64(len(cur.slots)), 10)
	out = append(out, `,"done":`...)
	out = strconv.AppendBool(out, done)
	if !done {
		out = append(out, `,"nextRecordsUrl":"/services/data/v`...)
		out = append(out, c.version+"/query/"+id+"-"+strconv.Itoa(end)+`"`...)
	}
	out = append(out, `,"records":[`...)
	w := renderer{base: "/services/data/v" + c.version, catalog: c.s.catalog()}
	c.s.org.ViewAt(cur.seq, func(v org.View) {
		for i, slot := range cur.slots[offset:end] {
			if i > 0 {
				out = append(out, ',')
			}
			if r, ok := v.Row(cur.plan.Object, slot); ok {
				out = w.record(out, r, cur.plan.Columns)
			}
		}
	})
	out = append(out, "]}\n"...)
	c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = c.w.Write(out) // the client may be gone
}

// keep makes room and returns the cursor's id.
func (cs *cursors) keep(s *Simulator, cur *cursor) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[string]*cursor)
	}
	for len(cs.order) > 0 {
		old := cs.open[cs.order[0]]
		if old != nil && len(cs.order) < maxCursors && s.now().Sub(old.made) < cursorLife {
			break
		}
		if old != nil {
			old.release()
		}
		delete(cs.open, cs.order[0])
		cs.order = cs.order[1:]
	}
	cs.serial++
	id := org.MakeID("01g", cs.serial)
	cs.open[id] = cur
	cs.order = append(cs.order, id)
	return id
}

// ExpireCursors makes every open query impossible to continue: INVALID_QUERY_LOCATOR.
func (s *Simulator) ExpireCursors() {
	cs := &s.cursors
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, cur := range cs.open {
		cur.release()
	}
	cs.open, cs.order = nil, nil
}

// queryMore serves nextRecordsUrl: {cursorId}-{offset}, any page as often as asked for.
func (c *call) queryMore() {
	id, at, _ := strings.Cut(c.path[0], "-")
	c.s.cursors.mu.Lock()
	cur := c.s.cursors.open[id]
	c.s.cursors.mu.Unlock()
	offset, err := strconv.Atoi(at)
	if cur == nil || err != nil || offset < 0 || offset > len(cur.slots) || c.s.now().Sub(cur.made) >= cursorLife {
		c.fail(http.StatusBadRequest, "INVALID_QUERY_LOCATOR", "invalid query locator")
		return
	}
	c.page(cur, id, offset)
}

package simulator

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// blockRows is how many rows are written while the org is read-locked; writers get their turn between blocks.
const blockRows = 256

// flushBytes is how much is gathered before it is written to the client.
const flushBytes = 64 << 10

// pageBuffers are kept between pages.
var pageBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4*flushBytes); return &b }}

// maxPageRows is the default size of a result page.
const maxPageRows = 100_000

// locate makes an opaque locator that needs no escaping in a URL (facts 3.3).
func locate(row int) string { return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(row))) }

// unlocate returns the text behind a locator; "" when there is none.
func unlocate(locator string) string {
	b, err := base64.RawURLEncoding.DecodeString(locator)
	if err != nil {
		return ""
	}
	return string(b)
}

// finished finds a completed job of this API version; nil when it answered.
func (c *call) finished() *job {
	j := c.job()
	if j == nil {
		return nil
	}
	defer j.mu.Unlock()
	switch {
	case j.version != c.version:
		c.fail(http.StatusConflict, "API_ERROR", "The API version of the request differs from the one that the job was created with")
		return nil
	case j.state == aborted || j.state == failed:
		c.fail(http.StatusBadRequest, "INVALIDJOBSTATE", "The job is in state "+j.state+" and has no results")
		return nil
	case j.state != jobComplete:
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return j
}

// bounds are the rows of the page that a locator names; false when it answered.
func (c *call) bounds(j *job) (from, to int, ok bool) {
	q := c.r.URL.Query()
	if text := q.Get("locator"); text != "" {
		row, err := strconv.Atoi(unlocate(text))
		if err != nil || row < 0 || row > int(j.rows.Load()) {
			c.fail(http.StatusBadRequest, "INVALIDJOB", "Invalid locator: "+text)
			return 0, 0, false
		}
		from = row
	}
	size := orInt(j.settings.PageRows, maxPageRows)
	if text := q.Get("maxRecords"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			c.fail(http.StatusBadRequest, "INVALIDJOB", "Invalid maxRecords: "+text)
			return 0, 0, false
		}
		size = min(size, n)
	}
	return from, min(from+size, int(j.rows.Load())), true
}

// jobResults serves one page of rows as CSV.
func (c *call) jobResults() {
	j := c.finished()
	if j == nil {
		return
	}
	from, to, ok := c.bounds(j)
	if !ok {
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/csv; charset=UTF-8")
	h["Sforce-NumberOfRecords"] = []string{strconv.Itoa(to - from)} // spelt as Salesforce spells it
	h.Set("Sforce-Locator", "null")
	if to < int(j.rows.Load()) {
		h.Set("Sforce-Locator", locate(to))
	}
	if int(j.rows.Load()) == 0 && j.settings.EmptyBody {
		c.w.WriteHeader(http.StatusOK)
		return
	}
	w := newSheetWriter(j)
	buffer := pageBuffers.Get().(*[]byte)
	defer pageBuffers.Put(buffer)
	out := w.header((*buffer)[:0])
	for at := from; at < to; {
		ck := sort.Search(len(j.chunks), func(i int) bool { return i+1 == len(j.chunks) || j.chunks[i+1].before > at })
		part := &j.chunks[ck]
		slots := part.slots[at-part.before:]
		slots = slots[:min(len(slots), to-at, blockRows)]
		c.s.org.ViewAt(part.seq, func(v org.View) {
			for _, slot := range slots {
				if r, ok := v.Row(j.plan.Object, slot); ok {
					out = w.row(out, r)
				}
			}
		})
		at += len(slots)
		*buffer = out
		if len(out) >= flushBytes {
			if _, err := c.w.Write(out); err != nil {
				return // the client is gone
			}
			out = out[:0]
		}
	}
	_, _ = c.w.Write(out) // the client may be gone
}

// pagesPerList is how many result URLs resultPages names at once (facts 3.1).
const pagesPerList = 5

func (c *call) resultPages() {
	if c.versionNumber() < 58 {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	j := c.finished()
	if j == nil {
		return
	}
	from, _, ok := c.bounds(j)
	if !ok {
		return
	}
	base := "/services/data/v" + c.version + "/jobs/query/" + j.id
	size := orInt(j.settings.PageRows, maxPageRows)
	type page struct {
		URL string `json:"resultUrl"`
	}
	pages := []page{}
	for len(pages) < pagesPerList && (from < int(j.rows.Load()) || from == 0 && len(pages) == 0) {
		pages = append(pages, page{base + "/results?locator=" + locate(from)})
		from += size
	}
	out := map[string]any{"resultPages": pages, "done": from >= int(j.rows.Load())}
	if from < int(j.rows.Load()) {
		out["nextRecordsUrl"] = base + "/resultpages?locator=" + locate(from)
	}
	c.json(http.StatusOK, out)
}

// sheetWriter writes rows as Bulk's CSV: every value quoted, null as "" (facts 3.3).
type sheetWriter struct {
	columns    []soql.Column
	delimiter  byte
	end        []byte // quote and line end
	scientific bool
	cells      org.Cells
}

func newSheetWriter(j *job) *sheetWriter {
	w := &sheetWriter{columns: j.plan.Columns, delimiter: delimiters[j.delimiter], scientific: j.settings.Scientific}
	w.end = []byte("\"\n")
	if j.crlf {
		w.end = []byte("\"\r\n")
	}
	return w
}

func (w *sheetWriter) header(dst []byte) []byte {
	dst = append(dst, '"')
	for i, col := range w.columns {
		if i > 0 {
			dst = append(dst, '"', w.delimiter, '"')
		}
		dst = append(dst, col.Name()...)
	}
	return append(dst, w.end...)
}

func (w *sheetWriter) row(dst []byte, r org.Row) []byte {
	dst = append(dst, '"')
	w.cells.Load(r)
	for i := range w.columns {
		if i > 0 {
			dst = append(dst, '"', w.delimiter, '"')
		}
		n := len(dst)
		col := &w.columns[i]
		if len(col.Path) == 0 {
			dst = w.cells.Append(dst, col.Field)
		} else {
			dst = col.Append(dst, r)
		}
		switch kind := col.Field.Kind; {
		case kind == org.Text && bytes.IndexByte(dst[n:], '"') >= 0:
			dst = doubleQuotes(dst, n)
		case kind == org.Number && w.scientific:
			dst = scientific(dst, n)
		}
	}
	return append(dst, w.end...)
}

// doubleQuotes doubles the quotes in dst[from:], from the end so that nothing is overwritten.
func doubleQuotes(dst []byte, from int) []byte {
	read := len(dst) - 1
	dst = append(dst, make([]byte, bytes.Count(dst[from:], []byte{'"'}))...)
	for write := len(dst) - 1; write > read; read-- {
		dst[write] = dst[read]
		write--
		if dst[read] == '"' {
			dst[write] = '"'
			write--
		}
	}
	return dst
}

// scientific rewrites a number of ten million or more as Java prints a double: 1.25E7.
func scientific(dst []byte, from int) []byte {
	f, err := strconv.ParseFloat(string(dst[from:]), 64)
	if err != nil || f < 1e7 && f > -1e7 {
		return dst
	}
	text := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return append(append(append(dst[:from], mantissa...), 'E'), strings.TrimLeft(exponent, "+0")...)
}

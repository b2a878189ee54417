package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
)

// steering is one request to the control address.
type steering struct {
	s    *Simulator
	w    http.ResponseWriter
	r    *http.Request
	path []string
}

// controls are the requests of the control address, as methods and paths; {} matches one segment.
var controls []struct {
	method, path string
	handle       func(*steering) error
}

func init() {
	add := func(method, path string, handle func(*steering) error) {
		controls = append(controls, struct {
			method, path string
			handle       func(*steering) error
		}{method, path, handle})
	}
	add("POST", "/emit", (*steering).emit)
	add("POST", "/expire-sessions", simple(func(s *Simulator) { s.stream.ExpireSessions() }))
	add("POST", "/disconnect", simple(func(s *Simulator) { s.stream.Disconnect() }))
	add("POST", "/purge-events", simple(func(s *Simulator) { s.events.Purge() }))
	add("POST", "/revoke-tokens", simple((*Simulator).RevokeTokens))
	add("POST", "/revoke-grants", simple((*Simulator).RevokeGrants))
	add("POST", "/expire-cursors", simple((*Simulator).ExpireCursors))
	add("POST", "/fault", (*steering).fault)
	add("DELETE", "/fault", simple((*Simulator).ClearFaults))
	add("POST", "/schedule", (*steering).schedule)
	add("POST", "/records/{}", (*steering).create)
	add("PATCH", "/records/{}/{}", (*steering).update)
	add("DELETE", "/records/{}/{}", (*steering).remove)
	add("POST", "/records/{}/{}/undelete", (*steering).undelete)
	add("POST", "/records/{}/{}/merge", (*steering).merge)
	add("POST", "/transaction", (*steering).transaction)
	add("POST", "/transaction/{}/commit", (*steering).endTransaction)
	add("POST", "/transaction/{}/rollback", (*steering).endTransaction)
	add("GET", "/org/{}", (*steering).truth)
	add("GET", "/log", (*steering).showLog)
	add("GET", "/stats", (*steering).stats)
	add("POST", "/select", (*steering).selectEntities)
	add("POST", "/fields/{}", (*steering).addField)
	add("PUT", "/fields/{}", (*steering).retypeField)
	add("DELETE", "/fields/{}/{}", (*steering).removeField)
	add("GET", "/jobs", (*steering).listJobs)
	add("POST", "/jobs/{}/advance", (*steering).advance)
	for path, target := range map[string]func(*steering) adjustable{
		"/settings": func(c *steering) adjustable { return adjust[Settings]{&c.s.settings} },
		"/profile":  func(c *steering) adjustable { return adjust[Profile]{&c.s.profile} },
		"/app":      func(c *steering) adjustable { return adjust[App]{&c.s.app} },
	} {
		add("GET", path, func(c *steering) error { return c.answer(target(c).value()) })
		add("PATCH", path, func(c *steering) error { return c.adjust(target(c)) })
	}
}

// misuse is a control request that cannot be followed.
type misuse struct {
	status int
	text   string
}

func (m *misuse) Error() string { return m.text }

// serveControl answers one request to the control address.
func (s *Simulator) serveControl(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for _, rt := range controls {
		free, ok := route{path: rt.path}.match(path)
		if !ok || rt.method != r.Method {
			continue
		}
		c := &steering{s: s, w: w, r: r, path: free}
		if err := rt.handle(c); err != nil {
			c.fail(err)
		}
		return
	}
	s.requests.unknown.Add(1)
	s.log.Warn("simulator does not know this control request", "method", r.Method, "path", r.URL.Path)
	(&steering{s: s, w: w, r: r}).fail(&misuse{http.StatusNotFound, "the control address does not know " + r.Method + " " + r.URL.Path})
}

// fail answers {"error": …}, with Salesforce's errorCode when the org refused the change.
func (c *steering) fail(err error) {
	status, body := http.StatusBadRequest, map[string]any{"error": err.Error()}
	var m *misuse
	var e *org.Error
	switch {
	case errors.As(err, &m):
		status = m.status
	case errors.As(err, &e):
		body["errorCode"], body["error"] = e.Code, e.Message
		if e.Code == "NOT_FOUND" || e.Code == "ENTITY_IS_DELETED" {
			status = http.StatusNotFound
		}
		if e.Code == "UNABLE_TO_LOCK_ROW" {
			status = http.StatusConflict
		}
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_ = json.NewEncoder(c.w).Encode(body) // the client may be gone
}

func (c *steering) answer(v any) error {
	c.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(c.w).Encode(v)
}

// read decodes the body exactly; an empty body leaves into as it is.
func (c *steering) read(into any) error {
	dec := json.NewDecoder(c.r.Body)
	dec.UseNumber()
	if err := dec.Decode(into); err != nil && err != io.EOF {
		return &misuse{http.StatusBadRequest, "the body is not the JSON that is expected here: " + err.Error()}
	}
	return nil
}

func simple(do func(*Simulator)) func(*steering) error {
	return func(c *steering) error {
		do(c.s)
		return c.answer(map[string]bool{"ok": true})
	}
}

// adjustable is a configuration value that GET shows and PATCH changes member by member.
type adjustable interface {
	value() any
	patch(dec *json.Decoder) error
}

type adjust[T any] struct{ p *atomic.Pointer[T] }

func (a adjust[T]) value() any { return a.p.Load() }

func (a adjust[T]) patch(dec *json.Decoder) error {
	next := *a.p.Load()
	if err := dec.Decode(&next); err != nil {
		return err
	}
	a.p.Store(&next)
	return nil
}

func (c *steering) adjust(a adjustable) error {
	dec := json.NewDecoder(c.r.Body)
	dec.DisallowUnknownFields()
	if err := a.patch(dec); err != nil {
		return &misuse{http.StatusBadRequest, "the body does not fit: " + err.Error()}
	}
	c.s.permitted.Store(c.s.now().UnixNano())
	c.s.stream.Reauthenticate()
	return c.answer(a.value())
}

func (c *steering) fault() error {
	raw, err := io.ReadAll(c.r.Body)
	if err != nil {
		return err
	}
	var rules []Rule
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return &misuse{http.StatusBadRequest, "the body is empty: give a fault or a list of faults"}
	}
	if raw[0] != '[' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // a misspelt path would strike every request
	if err := d.Decode(&rules); err != nil {
		return &misuse{http.StatusBadRequest, "the body is neither a fault nor a list of faults: " + err.Error()}
	}
	for _, r := range rules {
		if !c.s.Inject(r) {
			known := slices.Sorted(maps.Keys(Kinds))
			return &misuse{http.StatusBadRequest, "there is no fault of the kind " + r.Kind + "; there are " + strings.Join(known, ", ")}
		}
	}
	return c.answer(map[string]int{"faults": len(rules)})
}

func (c *steering) schedule() error {
	var schedule Schedule
	if err := c.read(&schedule); err != nil {
		return err
	}
	for _, k := range schedule.Kinds {
		if _, ok := Kinds[k]; !ok {
			return &misuse{http.StatusBadRequest, "there is no fault of the kind " + k}
		}
	}
	c.s.SetSchedule(schedule)
	return c.answer(schedule)
}

// truth writes the live records of an object as JSON lines, all readable fields of each, nulls included; with
// ?deleted=true those in the recycle bin too.
func (c *steering) truth() error {
	cat := c.s.catalog()
	ob, ok := c.s.org.Object(c.path[0])
	if !ok {
		return &misuse{http.StatusNotFound, "there is no object " + c.path[0]}
	}
	var fields []*org.Field
	for _, f := range cat.fields(ob) {
		if f.Selectable() && (!ob.IsCompound(f) || ob.Name == "Account") {
			fields = append(fields, f)
		}
	}
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(c.w, 64<<10)
	w := renderer{catalog: cat}
	deleted := c.r.URL.Query().Get("deleted") == "true"
	seq, release := c.s.org.Pin()
	defer release()
	line := make([]byte, 0, 4096)
	for next, done := uint32(0), false; !done; {
		c.s.org.ViewAt(seq, func(v org.View) {
			size := v.Size(ob)
			stop := min(size, next+blockRows)
			for ; next < stop; next++ {
				if r, ok := v.Row(ob, next); ok && (deleted || !r.Deleted()) {
					line = append(w.appendFlat(line, r, fields), '\n')
				}
			}
			done = next >= size
		})
		if _, err := out.Write(line); err != nil {
			return nil // the client is gone
		}
		line = line[:0]
	}
	_ = out.Flush() // the client may be gone
	return nil
}

func (c *steering) showLog() error {
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(c.w)
	for _, r := range c.s.Requests() {
		if enc.Encode(r) != nil {
			return nil // the client is gone
		}
	}
	return nil
}

func (c *steering) stats() error {
	c.s.requests.mu.Lock()
	total := c.s.requests.total
	c.s.requests.mu.Unlock()
	return c.answer(map[string]any{"requests": total, "unknown": c.s.Unknown(), "api_calls": c.s.usage.used(c.s.now()), "streaming": c.s.stream.Stats(), "last_replay_id": c.s.events.Last()})
}

// selectEntities chooses what has change events; a null list is every entity.
func (c *steering) selectEntities() error {
	var body struct {
		Entities []string `json:"entities"`
	}
	if err := c.read(&body); err != nil {
		return err
	}
	c.s.events.Select(body.Entities)
	return c.answer(map[string]any{"entities": c.s.selected()})
}

func (c *steering) addField() error {
	var spec org.FieldSpec
	if err := c.read(&spec); err != nil {
		return err
	}
	if err := c.s.AddField(c.path[0], spec); err != nil {
		return err
	}
	return c.answer(spec)
}

func (c *steering) retypeField() error {
	var spec org.FieldSpec
	if err := c.read(&spec); err != nil {
		return err
	}
	if err := c.s.RetypeField(c.path[0], spec); err != nil {
		return err
	}
	return c.answer(spec)
}

func (c *steering) removeField() error {
	if err := c.s.RemoveField(c.path[0], c.path[1]); err != nil {
		return err
	}
	return c.answer(map[string]bool{"ok": true})
}

// AddField adds a custom field; the schema id of the object's change events changes with it.
func (s *Simulator) AddField(object string, spec org.FieldSpec) error {
	if err := s.org.AddField(object, spec); err != nil {
		return err
	}
	s.events.Redefine(object)
	return nil
}

// RetypeField gives a custom field another type. Of a change that may lose values one event tells, which names every record
// of the object and no field; of a compatible one none does (facts 5.4).
func (s *Simulator) RetypeField(object string, spec org.FieldSpec) error {
	lossy, err := s.org.RetypeField(object, spec)
	if err != nil {
		return err
	}
	s.events.Redefine(object)
	if ob, ok := s.org.Object(object); ok && lossy {
		s.events.Commit(cdc.Commit{User: s.org.User(), Changes: []cdc.Change{{Entity: ob.Name, ID: ob.Prefix + "*", Kind: cdc.Update}}})
	}
	return nil
}

// RemoveField removes a custom field.
func (s *Simulator) RemoveField(object, field string) error {
	if err := s.org.RemoveField(object, field); err != nil {
		return err
	}
	s.events.Redefine(object)
	return nil
}

func (c *steering) listJobs() error { return c.answer(c.s.Jobs()) }

func (c *steering) advance() error {
	state := c.s.AdvanceJob(c.path[0])
	if state == "" {
		return &misuse{http.StatusNotFound, "there is no job " + c.path[0]}
	}
	return c.answer(map[string]string{"state": state})
}

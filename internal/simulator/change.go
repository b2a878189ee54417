package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/org"
)

// Changed is the answer to a change made on the control address, and what Emit returns.
type Changed struct {
	ID           string `json:"id,omitempty"`
	CommitNumber int64  `json:"commit_number,omitempty"` // 0 while the transaction is held
	ReplayID     int64  `json:"replay_id,omitempty"`     // of the last change event; 0 when there is none
	Events       int    `json:"changes"`                 // records changed, as change events see it
}

// Operation is one step of a transaction.
type Operation struct {
	Op     string     `json:"op"` // create update delete undelete purge merge archive
	Object string     `json:"object"`
	ID     string     `json:"id"`
	Losers []string   `json:"losers"` // of merge
	Fields org.Fields `json:"fields"`
	// As names the record for later operations, which write @name for its id.
	As string `json:"as"`
}

// Transaction is the body of POST /transaction.
type Transaction struct {
	Operations []Operation `json:"operations"`
	User       string      `json:"user"`
	Origin     string      `json:"origin"`
	Direct     bool        `json:"direct"` // behind the application's back: gap events
	// Hold saves the changes and leaves them invisible until /transaction/{id}/commit; CommitAfter commits by itself.
	Hold        bool     `json:"hold"`
	CommitAfter Duration `json:"commit_after"`
}

// held are transactions that are saved and not committed.
type held struct {
	mu     sync.Mutex
	serial int
	open   map[string]*org.Tx
}

// do carries out one operation and returns the record's id.
func do(tx *org.Tx, o *org.Org, op Operation, names map[string]string) (string, error) {
	resolve := func(text string) string {
		if id, ok := names[strings.TrimPrefix(text, "@")]; ok && strings.HasPrefix(text, "@") {
			return id
		}
		return text
	}
	id := resolve(op.ID)
	fields := make(org.Fields, len(op.Fields))
	for name, v := range op.Fields {
		if text, ok := v.(string); ok {
			v = resolve(text)
		}
		fields[name] = v
	}
	if ob, ok := o.Object(op.Object); ok {
		var err error
		if fields, err = prepare(ob, fields); err != nil {
			return "", err
		}
	}
	var err error
	switch op.Op {
	case "create":
		id, err = tx.Create(op.Object, fields)
	case "update":
		err = tx.Update(op.Object, id, fields)
	case "delete":
		err = tx.Delete(op.Object, id)
	case "undelete":
		err = tx.Undelete(op.Object, id)
	case "purge":
		err = tx.Purge(op.Object, id)
	case "archive":
		err = tx.Archive(op.Object, id)
	case "merge":
		losers := make([]string, len(op.Losers))
		for i, l := range op.Losers {
			losers[i] = resolve(l)
		}
		err = tx.Merge(op.Object, id, losers, fields)
	default:
		err = &misuse{http.StatusBadRequest, "there is no operation " + strconv.Quote(op.Op) + "; create, update, delete, undelete, purge, merge and archive are known"}
	}
	if op.As != "" {
		names[op.As] = id
	}
	return id, err
}

// single carries out one operation as a transaction and answers.
func (c *steering) single(op Operation) error {
	tx := c.s.org.Begin(org.Actor{})
	id, err := do(tx, c.s.org, op, nil)
	if err != nil {
		tx.Rollback()
		return err
	}
	return c.answer(changed(id, tx.Commit()))
}

func changed(id string, commit org.Commit) Changed {
	return Changed{ID: id, CommitNumber: commit.Number, ReplayID: commit.ReplayID, Events: len(commit.Changes)}
}

func (c *steering) create() error {
	op := Operation{Op: "create", Object: c.path[0]}
	if err := c.read(&op.Fields); err != nil {
		return err
	}
	return c.single(op)
}

func (c *steering) update() error {
	op := Operation{Op: "update", Object: c.path[0], ID: c.path[1]}
	if err := c.read(&op.Fields); err != nil {
		return err
	}
	return c.single(op)
}

// remove deletes into the recycle bin, or for good with ?hard=true.
func (c *steering) remove() error {
	op := Operation{Op: "delete", Object: c.path[0], ID: c.path[1]}
	if c.r.URL.Query().Get("hard") == "true" {
		op.Op = "purge"
	}
	return c.single(op)
}

func (c *steering) undelete() error {
	return c.single(Operation{Op: "undelete", Object: c.path[0], ID: c.path[1]})
}

func (c *steering) merge() error {
	op := Operation{Op: "merge", Object: c.path[0], ID: c.path[1]}
	if err := c.read(&op); err != nil {
		return err
	}
	return c.single(Operation{Op: "merge", Object: c.path[0], ID: c.path[1], Losers: op.Losers, Fields: op.Fields})
}

// transaction carries out several operations in one transaction, held or not.
func (c *steering) transaction() error {
	var body Transaction
	if err := c.read(&body); err != nil {
		return err
	}
	tx := c.s.org.Begin(org.Actor{User: body.User, Origin: body.Origin, Direct: body.Direct})
	names := make(map[string]string)
	ids := make([]string, len(body.Operations))
	for i, op := range body.Operations {
		id, err := do(tx, c.s.org, op, names)
		if err != nil {
			tx.Rollback()
			return fmt.Errorf("operation %d: %w", i+1, err)
		}
		ids[i] = id
	}
	if !body.Hold && body.CommitAfter == 0 {
		return c.answer(struct {
			IDs []string `json:"ids"`
			Changed
		}{ids, changed("", tx.Commit())})
	}
	key := c.s.held.keep(tx)
	if body.CommitAfter > 0 {
		time.AfterFunc(time.Duration(body.CommitAfter), func() {
			if tx := c.s.held.take(key); tx != nil {
				tx.Commit()
			}
		})
	}
	return c.answer(map[string]any{"ids": ids, "transaction": key})
}

func (h *held) keep(tx *org.Tx) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		h.open = make(map[string]*org.Tx)
	}
	h.serial++
	key := strconv.Itoa(h.serial)
	h.open[key] = tx
	return key
}

func (h *held) take(key string) *org.Tx {
	h.mu.Lock()
	defer h.mu.Unlock()
	tx := h.open[key]
	delete(h.open, key)
	return tx
}

// endTransaction commits or rolls back a held transaction.
func (c *steering) endTransaction() error {
	tx := c.s.held.take(c.path[0])
	if tx == nil {
		return &misuse{http.StatusNotFound, "no transaction " + c.path[0] + " is held"}
	}
	if path.Base(c.r.URL.Path) == "rollback" {
		tx.Rollback()
		return c.answer(map[string]bool{"ok": true})
	}
	return c.answer(changed("", tx.Commit()))
}

// emitAtOnce is how many changes one request may ask for.
const emitAtOnce = 10_000

// emit makes ?count= changes (default 1) of ?field= (default one of emitFields), of records in turn or ?scattered=true, and
// answers with the last.
func (c *steering) emit() error {
	ask := c.r.URL.Query()
	object, count := cmp.Or(ask.Get("object"), "Account"), 1
	if text := ask.Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > emitAtOnce {
			return &misuse{http.StatusBadRequest, "count is a number from 1 to " + strconv.Itoa(emitAtOnce)}
		}
		count = n
	}
	var done Changed
	for range count {
		var err error
		if done, err = c.s.emit(object, ask.Get("field"), ask.Get("scattered") == "true"); err != nil {
			return &misuse{http.StatusConflict, err.Error()}
		}
	}
	return c.answer(done)
}

// emitFields are the fields that Emit writes, the first that the object has.
var emitFields = []string{"Description", "Subject", "Title", "Department", "Name"}

// Emit makes exactly one new change event: an update of one text field of some live record, of a new record when
// there is none. Records are taken in turn.
func (s *Simulator) Emit(object string) (Changed, error) { return s.emit(object, "", false) }

// scatter takes numbers that follow each other all over 32 bits, as by chance, but the same each time: MurmurHash3's last step.
func scatter(n uint32) uint32 {
	n = (n ^ n>>16) * 0x85ebca6b
	n = (n ^ n>>13) * 0xc2b2ae35
	return n ^ n>>16
}

func (s *Simulator) emit(object, field string, scattered bool) (Changed, error) {
	ob, ok := s.org.Object(object)
	if !ok || !s.events.Published(ob.Name) {
		return Changed{}, fmt.Errorf("emit a change of %s: it is not selected for change events", object)
	}
	if field == "" {
		field = textField(ob)
	} else if _, ok := ob.Field(field); !ok {
		return Changed{}, fmt.Errorf("emit a change of %s: it has no field %s", object, field)
	}
	n := s.emitted.Add(1)
	value := "change " + strconv.FormatInt(n, 10) + " emitted at " + s.now().UTC().Format(time.RFC3339Nano)
	found, slot := false, uint32(n)
	if scattered {
		slot = scatter(slot)
	}
	for _, tries := range []int{1, emitTries} {
		for _, id := range s.liveRecords(ob, slot, tries) {
			found = true
			tx := s.org.Begin(org.Actor{})
			if err := tx.Update(ob.Name, id, org.Fields{field: value}); err != nil {
				tx.Rollback() // locked by a transaction: the next one
				continue
			}
			return changed(id, tx.Commit()), nil
		}
	}
	if found {
		return Changed{}, fmt.Errorf("emit a change of %s: its records are locked by transactions that are held; commit them", object)
	}
	fields := org.Fields{field: value}
	for _, f := range ob.Fields() {
		if f.Required && f.Kind == org.Text && f.Default == "" {
			fields[f.Name] = value
		}
	}
	tx := s.org.Begin(org.Actor{})
	id, err := tx.Create(ob.Name, fields)
	if err != nil {
		tx.Rollback()
		return Changed{}, fmt.Errorf("emit a change of %s: there is no record, and none can be made: %w", object, err)
	}
	return changed(id, tx.Commit()), nil
}

// textField returns the first of emitFields that the object has.
func textField(ob *org.Object) string {
	for _, name := range emitFields {
		if f, ok := ob.Field(name); ok && f.Updateable && f.Kind == org.Text {
			return name
		}
	}
	return ""
}

// emitTries is how many records Emit tries before it gives up.
const emitTries = 50

// liveRecords lists up to limit live records from the n-th slot on, around the end.
func (s *Simulator) liveRecords(ob *org.Object, n uint32, limit int) []string {
	var ids []string
	s.org.View(func(v org.View) {
		size := v.Size(ob)
		for i := uint32(0); i < size && len(ids) < limit; i++ {
			if r, ok := v.Row(ob, (n+i)%size); ok && !r.Deleted() {
				ids = append(ids, r.ID())
			}
		}
	})
	return ids
}

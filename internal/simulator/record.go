package simulator

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

// columnsFor resolves a list of field names, or all visible ones when it is empty; false when it answered.
func (c *call) columnsFor(ob *org.Object, names []string) ([]soql.Column, bool) {
	cat := c.s.catalog()
	var out []soql.Column
	if len(names) == 0 {
		for _, f := range cat.fields(ob) {
			out = append(out, soql.Column{Names: []string{f.Name}, Field: f, Object: ob})
		}
		return out, true
	}
	for _, name := range names {
		f, ok := ob.Field(strings.TrimSpace(name))
		if !ok || !cat.Visible(ob, f) {
			c.fail(http.StatusBadRequest, "INVALID_FIELD", fmt.Sprintf("No such column '%s' on sobject of type %s", strings.TrimSpace(name), ob.Name))
			return nil, false
		}
		out = append(out, soql.Column{Names: []string{f.Name}, Field: f, Object: ob})
	}
	return out, true
}

// shown finds a live record that the user may see.
func (c *call) shown(v org.View, ob *org.Object, id string) (org.Row, bool) {
	full, ok := org.NormalizeID(id)
	if !ok {
		return org.Row{}, false
	}
	r, ok := v.Find(ob, full)
	if !ok || r.Deleted() {
		return org.Row{}, false
	}
	may := c.s.catalog().may(ob)
	return r, may == nil || may(r)
}

func (c *call) getRecord() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	if _, ok := org.NormalizeID(c.path[1]); !ok {
		c.fail(http.StatusBadRequest, "MALFORMED_ID", ob.Name+" ID: id value of incorrect type: "+c.path[1], "Id")
		return
	}
	var names []string
	if list := c.r.URL.Query().Get("fields"); list != "" {
		names = strings.Split(list, ",")
	}
	columns, ok := c.columnsFor(ob, names)
	if !ok {
		return
	}
	var out []byte
	var modified time.Time
	found, gone := false, false
	w := renderer{base: "/services/data/v" + c.version, catalog: c.s.catalog()}
	c.s.org.View(func(v org.View) {
		r, ok := c.shown(v, ob, c.path[1])
		if found = ok; found {
			out = append(w.record(out, r, columns), '\n')
			if f, ok := ob.Field("LastModifiedDate"); ok {
				text, _ := r.Text(f)
				modified, _ = org.ParseDatetime(text)
			}
			return
		}
		full, _ := org.NormalizeID(c.path[1])
		deleted, there := v.Find(ob, full)
		gone = there && deleted.Deleted()
	})
	switch {
	case gone:
		c.fail(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
	case !found:
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
	case !c.unchanged(ob, out, modified):
		c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = c.w.Write(out) // the client may be gone
	}
}

// unchanged answers 304 when the client has this very record: by ETag, on Account only, or by date (facts 2.1).
func (c *call) unchanged(ob *org.Object, body []byte, modified time.Time) bool {
	if !modified.IsZero() {
		c.w.Header().Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
		if c.notModified(modified) {
			return true
		}
	}
	if ob.Name != "Account" {
		return false
	}
	h := fnv.New64a()
	_, _ = h.Write(body)
	tag := fmt.Sprintf("%q", strconv.FormatUint(h.Sum64(), 16))
	c.w.Header()["ETag"] = []string{tag} // spelt as Salesforce spells it
	if c.r.Header.Get("If-None-Match") != tag {
		return false
	}
	c.w.WriteHeader(http.StatusNotModified)
	return true
}

// blobOrExternal serves /sobjects/X/{id}/{blobField} and /sobjects/X/{externalIdField}/{value}.
func (c *call) blobOrExternal() {
	if _, ok := org.NormalizeID(c.path[1]); ok {
		c.blob()
		return
	}
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	f, ok := ob.Field(c.path[1])
	if !ok || !f.ExternalID || !c.s.catalog().Visible(ob, f) {
		c.fail(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+c.path[1])
		return
	}
	value := c.path[2]
	quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
	if f.Kind == org.Number || f.Kind == org.Int {
		quoted = value
	}
	plan, scope, ok := c.compile("SELECT Id FROM " + ob.Name + " WHERE " + f.Name + " = " + quoted)
	if !ok {
		return
	}
	res := c.s.search(plan, scope)
	defer res.release()
	var ids []string
	c.s.org.ViewAt(res.seq, func(v org.View) {
		for _, slot := range res.slots {
			if r, ok := v.Row(ob, slot); ok {
				ids = append(ids, r.ID())
			}
		}
	})
	if len(ids) > 1 { // 300: the client must choose
		urls := make([]string, len(ids))
		for i, id := range ids {
			urls[i] = "/services/data/v" + c.version + "/sobjects/" + ob.Name + "/" + id
		}
		c.json(http.StatusMultipleChoices, urls)
		return
	}
	if len(ids) == 0 {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	c.path = []string{c.path[0], ids[0]}
	c.getRecord()
}

// actor says how change events are to name the origin of a REST call (facts 5.2).
func (c *call) actor() org.Actor {
	origin := "com/salesforce/api/rest/" + c.version
	for option := range strings.SplitSeq(c.r.Header.Get("Sforce-Call-Options"), ",") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(option), "client="); ok {
			origin += ";client=" + id
		}
	}
	return org.Actor{Origin: origin}
}

// readFields reads a record's JSON: attributes are dropped, base64 fields decoded.
func (c *call) readFields(ob *org.Object) (org.Fields, bool) {
	var raw org.Fields
	if !c.decode(&raw) {
		return nil, false
	}
	fields, err := prepare(ob, raw)
	if err != nil {
		c.refuse(err)
	}
	return fields, err == nil
}

// prepare turns what came as JSON into values for the org.
func prepare(ob *org.Object, raw org.Fields) (org.Fields, error) {
	fields := make(org.Fields, len(raw))
	for name, v := range raw {
		if name == "attributes" {
			continue
		}
		if f, ok := ob.Field(name); ok && f.Kind == org.Blob {
			text, _ := v.(string)
			body, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, &org.Error{Code: "JSON_PARSER_ERROR", Message: "the value of " + f.Name + " is not base64", Fields: []string{f.Name}}
			}
			v = string(body)
		}
		fields[name] = v
	}
	return fields, nil
}

// written is the object that the path names, and the fields that the body gives it; it has answered when not ok.
func (c *call) written() (ob *org.Object, fields org.Fields, ok bool) {
	if ob, ok = c.object(c.path[0]); ok {
		fields, ok = c.readFields(ob)
	}
	return ob, fields, ok
}

func (c *call) createRecord() {
	ob, fields, ok := c.written()
	if !ok {
		return
	}
	tx := c.s.org.Begin(c.actor())
	id, err := tx.Create(ob.Name, fields)
	if err != nil {
		tx.Rollback()
		c.refuse(err)
		return
	}
	tx.Commit()
	c.json(http.StatusCreated, map[string]any{"id": id, "success": true, "errors": []any{}})
}

func (c *call) updateRecord() {
	ob, fields, ok := c.written()
	if !ok {
		return
	}
	tx := c.s.org.Begin(c.actor())
	c.end(tx, tx.Update(ob.Name, c.path[1], fields))
}

func (c *call) deleteRecord() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	tx := c.s.org.Begin(c.actor())
	c.end(tx, tx.Delete(ob.Name, c.path[1]))
}

// end commits or rolls back, and answers.
func (c *call) end(tx *org.Tx, err error) {
	if err != nil {
		tx.Rollback()
		c.refuse(err)
		return
	}
	tx.Commit()
	c.w.WriteHeader(http.StatusNoContent)
}

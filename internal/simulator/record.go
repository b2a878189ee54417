package simulator

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

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
	found, gone := false, false
	w := renderer{base: "/services/data/v" + c.version, catalog: c.s.catalog()}
	c.s.org.View(func(v org.View) {
		r, ok := c.shown(v, ob, c.path[1])
		if found = ok; found {
			out = append(w.record(out, r, columns), '\n')
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
	default:
		c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = c.w.Write(out) // the client may be gone
	}
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

func (c *call) createRecord() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	fields, ok := c.readFields(ob)
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
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	fields, ok := c.readFields(ob)
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

// maxCollection is how many records one POST may ask for (facts 2.7).
const maxCollection = 2000

// collection serves several records of one object in the order asked for; null for what is not there.
func (c *call) collection() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	var body struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if c.r.Method == http.MethodPost {
		if !c.decode(&body) {
			return
		}
	} else {
		q := c.r.URL.Query()
		body.IDs, body.Fields = strings.Split(q.Get("ids"), ","), strings.Split(q.Get("fields"), ",")
	}
	if len(body.IDs) > maxCollection {
		c.fail(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", "The number of ids exceeds the limit of 2000")
		return
	}
	if len(body.Fields) == 0 || body.Fields[0] == "" || len(body.IDs) == 0 || body.IDs[0] == "" {
		c.fail(http.StatusBadRequest, "INVALID_FIELD", "ids and fields are required")
		return
	}
	columns, ok := c.columnsFor(ob, body.Fields)
	if !ok {
		return
	}
	if !slices.ContainsFunc(columns, func(col soql.Column) bool { return col.Field.Name == "Id" }) {
		id, _ := ob.Field("Id")
		columns = append([]soql.Column{{Names: []string{"Id"}, Field: id, Object: ob}}, columns...)
	}
	out := []byte{'['}
	w := renderer{base: "/services/data/v" + c.version, catalog: c.s.catalog()}
	c.s.org.View(func(v org.View) {
		for i, id := range body.IDs {
			if i > 0 {
				out = append(out, ',')
			}
			if r, ok := c.shown(v, ob, strings.TrimSpace(id)); ok {
				out = w.record(out, r, columns)
			} else {
				out = append(out, "null"...)
			}
		}
	})
	c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = c.w.Write(append(out, "]\n"...)) // the client may be gone
}

// blob serves the bytes of a base64 field, and a note's plain body.
func (c *call) blob() {
	ob, ok := c.object(c.path[0])
	if !ok {
		return
	}
	f, ok := ob.Field(c.path[2])
	if !ok || f.Kind != org.Blob && (ob.Name != "Note" || f.Name != "Body") || !c.s.catalog().Visible(ob, f) {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	var body []byte
	found := false
	c.s.org.View(func(v org.View) {
		var r org.Row
		if r, found = c.shown(v, ob, c.path[1]); found {
			body, _ = r.Append(nil, f)
		}
	})
	if !found {
		c.fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	c.w.Header().Set("Content-Type", "application/octetstream")
	_, _ = bytes.NewReader(body).WriteTo(c.w) // the client may be gone
}

package simulator

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"crosswalk/internal/simulator/org"
	"crosswalk/internal/simulator/soql"
)

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

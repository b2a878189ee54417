// Package judge says what Crosswalk must have published, past everything that is under test: it reads the simulated org's
// records from the simulator's control address, takes the ERP customers as they were given, and computes views and reports
// directly (the naive computation of the matching rules). The demo and the trials compare the topics with it.
package judge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
	"crosswalk/internal/sfapi"
)

// Judge knows where the org's records can be asked for, and the other inputs of the join. Types come from the org's
// describe; without an org only Compare is of use.
type Judge struct {
	Control   string                  // the simulator's control URL
	Link      customer.Link           //
	Customers map[string]naive.Record // ERP customers by key, their fields as views have them
	schemas   map[string]*change.Schema
}

// New asks the org for the types of its fields.
func New(ctx context.Context, control string, client *sfapi.Client, link customer.Link, customers map[string]naive.Record) (*Judge, error) {
	j := &Judge{Control: control, Link: link, Customers: customers, schemas: map[string]*change.Schema{}}
	for _, object := range []string{"Account", "Contact"} {
		d, err := client.Describe(ctx, object)
		if err != nil {
			return nil, err
		}
		j.schemas[object] = sfapi.Schema(d, sfapi.Selection{})
	}
	return j, nil
}

// Inputs are the live records of the org and the ERP now. Fields that events cannot carry are left out (I1).
func (j *Judge) Inputs(ctx context.Context) (naive.Inputs, error) {
	in := naive.Inputs{Link: &j.Link, Notes: map[string]naive.Record{}, Customers: j.Customers}
	for object, target := range map[string]*map[string]naive.Record{"Account": &in.Accounts, "Contact": &in.Contacts} {
		rows, err := j.rows(ctx, object)
		if err != nil {
			return in, err
		}
		*target = make(map[string]naive.Record, len(rows))
		for _, row := range rows {
			id, _ := row["Id"].(string)
			(*target)[id] = naive.Record{Fields: carried(row, j.schemas[object])}
		}
	}
	for _, kind := range []string{"Note", "Task"} {
		rows, err := j.rows(ctx, kind)
		if err != nil {
			return in, err
		}
		for _, row := range rows {
			id, _ := row["Id"].(string)
			in.Notes[id] = note(kind, row)
		}
	}
	return in, nil
}

// rows are the live records of an object, by the control address.
func (j *Judge) rows(ctx context.Context, object string) ([]map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.Control+"/org/"+object, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the simulated org: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the simulated org: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the simulated org for %s: it answered %s", object, reply.Status)
	}
	var rows []map[string]any
	in := bufio.NewReader(reply.Body)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			var row map[string]any
			if err := d.Decode(&row); err != nil {
				return nil, fmt.Errorf("read %s of the simulated org: %w", object, err)
			}
			if deleted, _ := row["IsDeleted"].(bool); !deleted {
				rows = append(rows, row)
			}
		}
		if err != nil {
			return rows, nil // the end of the body
		}
	}
}

// carried are the fields that events can carry (I1), in the form that views have them.
func carried(row map[string]any, s *change.Schema) customer.Fields {
	f := customer.Fields{}
	for _, field := range s.Fields {
		if !field.ReadOnly {
			f[field.Name] = Value(row[field.Name], field.Type)
		}
	}
	return f
}

// Value is a JSON value of the org as a view shows it.
func Value(v any, t change.Type) any {
	switch x := v.(type) {
	case json.Number:
		if t == change.TypeInt {
			n, err := x.Int64()
			if err == nil {
				return n
			}
		}
		d, err := change.DecimalValue(x.String())
		if err != nil {
			return x.String()
		}
		return customer.Decimal(d.Str())
	case string:
		if t == change.TypeDatetime {
			return strings.Replace(x, "+0000", "Z", 1)
		}
	}
	return v
}

// note is a Note or Task in the form of salesforce.note.
func note(kind string, row map[string]any) naive.Record {
	members := map[string][2]string{"Note": {"Title", "Body"}, "Task": {"Subject", "Description"}}[kind]
	parents := map[string][]string{"Note": {"ParentId"}, "Task": {"WhatId", "WhoId"}}[kind]
	r := naive.Record{Fields: customer.Fields{
		"kind": kind, "title": row[members[0]], "text": row[members[1]], "owner": row["OwnerId"],
		"created_at": Value(row["CreatedDate"], change.TypeDatetime), "modified_at": Value(row["LastModifiedDate"], change.TypeDatetime),
	}}
	for _, p := range parents {
		if id, ok := row[p].(string); ok {
			r.Links = append(r.Links, id)
		}
	}
	slices.Sort(r.Links)
	r.Links = slices.Compact(r.Links)
	return r
}

// Difference is one key at which a topic and the truth disagree.
type Difference struct {
	Topic, Key      string
	Published, Want string // JSON; empty when there is none
}

// Compare lists the keys at which what is published differs from what must be, by topic and key.
func (j *Judge) Compare(want naive.State, views []customer.View, ambiguous []customer.Ambiguous, unmatched []customer.Unmatched) []Difference {
	published := map[string]map[string]string{"customer.view": {}, "match.ambiguous": {}, "match.unmatched": {}}
	for _, v := range views {
		published["customer.view"][v.Customer.Key] = asJSON(j.withoutReadOnly(v))
	}
	for _, a := range ambiguous {
		published["match.ambiguous"][a.Identifier] = asJSON(a)
	}
	for _, u := range unmatched {
		published["match.unmatched"][u.Key()] = asJSON(u)
	}
	wanted := map[string]map[string]string{
		"customer.view": jsonOf(want.Views), "match.ambiguous": jsonOf(want.Ambiguous), "match.unmatched": jsonOf(want.Unmatched),
	}
	var out []Difference
	for topic := range published {
		out = append(out, differences(topic, published[topic], wanted[topic])...)
	}
	return sorted(out)
}

// CompareRows does the same for the rows of salesforce.account or salesforce.contact (I1, I7): published are the live records
// by key, as views show their fields.
func (j *Judge) CompareRows(object string, want map[string]naive.Record, published map[string]customer.Fields) []Difference {
	have, wanted := map[string]string{}, map[string]string{}
	for key, f := range published {
		have[key] = asJSON(j.strip(f, object))
	}
	for key, r := range want {
		wanted[key] = asJSON(r.Fields)
	}
	return sorted(differences("salesforce."+strings.ToLower(object), have, wanted))
}

func differences(topic string, published, wanted map[string]string) []Difference {
	var out []Difference
	keys := maps.Clone(published)
	maps.Copy(keys, wanted)
	for key := range keys {
		if p, w := published[key], wanted[key]; p != w {
			out = append(out, Difference{Topic: topic, Key: key, Published: p, Want: w})
		}
	}
	return out
}

func sorted(d []Difference) []Difference {
	slices.SortFunc(d, func(a, b Difference) int { return strings.Compare(a.Topic+a.Key, b.Topic+b.Key) })
	return d
}

func (j *Judge) withoutReadOnly(v customer.View) customer.View {
	v.Accounts = slices.Clone(v.Accounts)
	for i := range v.Accounts {
		a := &v.Accounts[i]
		a.Fields = j.strip(a.Fields, "Account")
		a.Contacts = slices.Clone(a.Contacts)
		for k := range a.Contacts {
			a.Contacts[k].Fields = j.strip(a.Contacts[k].Fields, "Contact")
		}
	}
	return v
}

func (j *Judge) strip(f customer.Fields, object string) customer.Fields {
	f = maps.Clone(f)
	if j.schemas[object] == nil { // a Judge without an org
		return f
	}
	for _, field := range j.schemas[object].Fields {
		if field.ReadOnly {
			delete(f, field.Name)
		}
	}
	return f
}

func jsonOf[T any](values map[string]T) map[string]string {
	out := make(map[string]string, len(values))
	for k, v := range values {
		out[k] = asJSON(v)
	}
	return out
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "not JSON: " + err.Error()
	}
	return string(b)
}

// Where says in a line where the two values part: the path of the first member that differs, and both of its values.
func (d Difference) Where() string {
	var published, want any
	if d.Published == "" || d.Want == "" || json.Unmarshal([]byte(d.Published), &published) != nil || json.Unmarshal([]byte(d.Want), &want) != nil {
		return fmt.Sprintf("published %s, must be %s", short(d.Published), short(d.Want))
	}
	path, p, w := part("", published, want)
	return fmt.Sprintf("at %s: published %s, must be %s", path, short(asJSON(p)), short(asJSON(w)))
}

// part descends to the first place where a and b differ.
func part(path string, a, b any) (string, any, any) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return path, a, b
		}
		names := maps.Clone(x)
		maps.Copy(names, y)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if asJSON(x[name]) != asJSON(y[name]) {
				return part(path+"."+name, x[name], y[name])
			}
		}
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return path, a, b
		}
		for i := range x {
			if asJSON(x[i]) != asJSON(y[i]) {
				return part(fmt.Sprintf("%s[%d]", path, i), x[i], y[i])
			}
		}
	}
	return path, a, b
}

func short(s string) string {
	const most = 160
	if s == "" {
		return "nothing"
	}
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

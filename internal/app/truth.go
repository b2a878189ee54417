package app

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
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/demo"
	"crosswalk/internal/sfapi"
)

// truth reads what the simulated org and the ERP data hold now, past everything that is under test: the org's records from
// the simulator's control address, the customers from the dataset. Types come from the org's describe.
type truth struct {
	control string
	schemas map[string]*change.Schema // Account, Contact
	link    config.Link
	erp     demo.Table

	accounts, contacts int // live records at the last look
}

func newTruth(ctx context.Context, control string, client *sfapi.Client, link config.Link, table demo.Table) (*truth, error) {
	t := &truth{control: control, schemas: map[string]*change.Schema{}, link: link, erp: table}
	for _, object := range []string{"Account", "Contact"} {
		d, err := client.Describe(ctx, object)
		if err != nil {
			return nil, err
		}
		t.schemas[object] = sfapi.Schema(d, sfapi.Selection{})
	}
	return t, nil
}

// state is what the three output topics must hold, computed directly from the records (Part A of the matching rules).
func (t *truth) state(ctx context.Context) (naive.State, error) {
	l := linkOf(t.link)
	in := naive.Inputs{Link: &l, Notes: map[string]naive.Record{}, Customers: t.customers()}
	for object, target := range map[string]*map[string]naive.Record{"Account": &in.Accounts, "Contact": &in.Contacts} {
		rows, err := t.rows(ctx, object)
		if err != nil {
			return naive.State{}, err
		}
		*target = make(map[string]naive.Record, len(rows))
		for _, row := range rows {
			id, _ := row["Id"].(string)
			(*target)[id] = naive.Record{Fields: carried(row, t.schemas[object])}
		}
	}
	for _, kind := range []string{"Note", "Task"} {
		rows, err := t.rows(ctx, kind)
		if err != nil {
			return naive.State{}, err
		}
		for _, row := range rows {
			id, _ := row["Id"].(string)
			in.Notes[id] = note(kind, row)
		}
	}
	t.accounts, t.contacts = len(in.Accounts), len(in.Contacts)
	return naive.Compute(in), nil
}

// rows are the live records of an object, by the control address.
func (t *truth) rows(ctx context.Context, object string) ([]map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.control+"/org/"+object, nil)
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
			if row["IsDeleted"] != true {
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
			f[field.Name] = viewValue(row[field.Name], field.Type)
		}
	}
	return f
}

// viewValue is a JSON value of the org as a view shows it.
func viewValue(v any, t change.Type) any {
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
		"created_at": viewValue(row["CreatedDate"], change.TypeDatetime), "modified_at": viewValue(row["LastModifiedDate"], change.TypeDatetime),
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

// customers are the rows of the ERP file in the form that views have them.
func (t *truth) customers() map[string]naive.Record {
	out := map[string]naive.Record{}
	for _, row := range t.erp.Rows {
		f := customer.Fields{"company": nil, "currency": nil, "terms": nil, "email": nil, "updated_at": nil}
		attributes := map[string]any{}
		for i, column := range t.erp.Header {
			var v any
			if row[i] != "" {
				v = row[i]
			}
			switch member := demoColumns[column]; member {
			case "":
				attributes[column] = v
			case "balance":
				f[member] = viewValue(jsonNumber(v), change.TypeDecimal)
			default:
				f[member] = v
			}
		}
		f["attributes"] = attributes
		out[row[0]] = naive.Record{Fields: f}
	}
	return out
}

func jsonNumber(v any) any {
	if s, ok := v.(string); ok {
		return json.Number(s)
	}
	return v
}

// linkOf is the configured link as the matcher has it.
func linkOf(l config.Link) customer.Link {
	return customer.Link{SalesforceField: l.SalesforceField, ERPField: l.ERPField, Cardinality: customer.Cardinality(l.Cardinality), NearMiss: l.NearMiss != "off"}
}

// difference is one key at which a topic and the truth disagree.
type difference struct{ Topic, Key, Published, Want string }

// compare lists the keys at which what is published differs from what must be. Fields that events cannot carry are left
// out of both (I1).
func (t *truth) compare(want naive.State, views []customer.View, found Issues) []difference {
	published := map[string]map[string]string{"customer.view": {}, "match.ambiguous": {}, "match.unmatched": {}}
	for _, v := range views {
		published["customer.view"][v.Customer.Key] = asJSON(t.withoutReadOnly(v))
	}
	for _, a := range found.Ambiguous {
		published["match.ambiguous"][a.Identifier] = asJSON(a)
	}
	for _, u := range found.Unmatched {
		published["match.unmatched"][u.Key()] = asJSON(u)
	}
	wanted := map[string]map[string]string{
		"customer.view": jsonOf(want.Views), "match.ambiguous": jsonOf(want.Ambiguous), "match.unmatched": jsonOf(want.Unmatched),
	}
	var out []difference
	for topic := range published {
		keys := maps.Clone(published[topic])
		maps.Copy(keys, wanted[topic])
		for key := range keys {
			if p, w := published[topic][key], wanted[topic][key]; p != w {
				out = append(out, difference{Topic: topic, Key: key, Published: p, Want: w})
			}
		}
	}
	slices.SortFunc(out, func(a, b difference) int { return strings.Compare(a.Topic+a.Key, b.Topic+b.Key) })
	return out
}

func (t *truth) withoutReadOnly(v customer.View) customer.View {
	v.Accounts = slices.Clone(v.Accounts)
	for i := range v.Accounts {
		a := &v.Accounts[i]
		a.Fields = t.strip(a.Fields, "Account")
		a.Contacts = slices.Clone(a.Contacts)
		for j := range a.Contacts {
			a.Contacts[j].Fields = t.strip(a.Contacts[j].Fields, "Contact")
		}
	}
	return v
}

func (t *truth) strip(f customer.Fields, object string) customer.Fields {
	f = maps.Clone(f)
	for _, field := range t.schemas[object].Fields {
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

// demoColumns maps the columns of the demo's ERP file to the members of a customer.
var demoColumns = map[string]string{
	"CustomerNo": "number", "CustomerName": "name", "Reference": "identifier", "Balance": "balance", "Telephone": "phone",
}

// demoSource is the ERP source of the demo.
func demoSource() config.ERPSource {
	columns := map[string]string{}
	for column, member := range demoColumns {
		columns[member] = column
	}
	return config.ERPSource{Name: "erp", Mode: "full", Attributes: "all", MaxDeleteShare: 0.2, Columns: columns}
}

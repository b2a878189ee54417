package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func setup(t *testing.T, log Log) *httptest.Server {
	t.Helper()
	s, err := NewServer(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h
}

func record(fields ...string) string {
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

const (
	fieldA        = `{"name":"a","type":"int"}`
	fieldB        = `{"name":"b","type":"int"}`
	fieldBDefault = `{"name":"b","type":"int","default":1}`
	fieldALong    = `{"name":"a","type":"long"}`
)

// with is the body of a request that brings a schema.
func with(schema string, more ...string) string {
	b, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	return `{"schema":` + string(b) + strings.Join(more, "") + `}`
}

// step is one request and what must come back: the status and, unless empty, a part of the body.
type step struct {
	method, path, body string
	status             int
	want               string
}

func run(t *testing.T, address string, steps []step) {
	t.Helper()
	for i, s := range steps {
		req, err := http.NewRequestWithContext(t.Context(), s.method, address+s.path, strings.NewReader(s.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != s.status || !strings.Contains(string(body), s.want) || resp.Header.Get("Content-Type") != contentType {
			t.Errorf("step %d: %s %s %s\n got %d %s %s\nwant %d %s", i+1, s.method, s.path, s.body, resp.StatusCode, resp.Header.Get("Content-Type"), body, s.status, s.want)
		}
	}
}

func TestServerRegistersAndReads(t *testing.T) {
	t.Parallel()
	log := &MemoryLog{}
	steps := []step{
		{"GET", "/", "", 200, "{}"},
		{"GET", "/schemas/types", "", 200, `["AVRO"]`},
		{"GET", "/subjects", "", 200, "[]"},
		{"POST", "/subjects/s/versions", with(record(fieldA)), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", with(`{ "name":"R", "type":"record", "fields":[` + fieldA + `]}`), 200, `{"id":1}`}, // spelt otherwise
		{"POST", "/subjects/t%2Fu/versions", with(record(fieldA)), 200, `{"id":1}`},                                          // the same id elsewhere
		{"POST", "/subjects/s/versions", with(record(fieldA, fieldBDefault)), 200, `{"id":2}`},
		{"POST", "/subjects/s/versions", with(record(fieldA)), 200, `{"id":1}`}, // an old one again is no new version
		{"GET", "/schemas/ids/2?fetchMaxId=true", "", 200, `"maxId":2`},
		{"GET", "/subjects/s/versions", "", 200, "[1,2]"},
		{"GET", "/subjects", "", 200, `["s","t/u"]`},
		{"GET", "/subjects?subjectPrefix=t", "", 200, `["t/u"]`},
		{"GET", "/subjects/s/versions/latest", "", 200, `{"subject":"s","version":2,"id":2,"schema":"{\"type\":\"record\"`},
		{"GET", "/subjects/s/versions/-1", "", 200, `"version":2`},
		{"GET", "/subjects/s/versions/1/schema", "", 200, record(fieldA)},
		{"GET", "/schemas/ids/2", "", 200, `{"schema":"{\"type\":\"record\",\"name\":\"R\"`},
		{"GET", "/schemas/ids/1/schema", "", 200, record(fieldA)},
		{"GET", "/schemas/ids/1/subjects", "", 200, `["s","t/u"]`},
		{"GET", "/schemas/ids/1/versions", "", 200, `[{"subject":"s","version":1},{"subject":"t/u","version":1}]`},
		{"GET", "/schemas?latestOnly=true&subjectPrefix=s", "", 200, `[{"subject":"s","version":2`},
		{"POST", "/subjects/s", with(record(fieldA, fieldBDefault)), 200, `"version":2,"id":2`},
		{"POST", "/subjects/s/versions?normalize=true", with(`{"type":"record","name":"N","namespace":"x","fields":[],"b":1,"a":2}`), 409, `"error_code":409`},
		{"POST", "/subjects/n/versions?normalize=true", with(`{"type":"record","name":"N","namespace":"x","fields":[],"b":1,"a":2}`), 200, `{"id":3}`},
		{"GET", "/schemas/ids/3/schema", "", 200, `{"type":"record","name":"N","namespace":"x","fields":[],"a":2,"b":1}`},
		{"GET", "/contexts", "", 200, `["."]`},
	}
	run(t, setup(t, log).URL, steps)
	// What was said is still there for the next one, who goes on counting.
	run(t, setup(t, log).URL, append([]step{{"POST", "/subjects/later/versions", with(`"int"`), 200, `{"id":4}`}}, steps[11:]...))
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	run(t, setup(t, &MemoryLog{}).URL, []step{
		{"POST", "/subjects/s/versions", with(record(fieldA)), 200, `{"id":1}`},
		{"GET", "/subjects/x/versions", "", 404, `{"error_code":40401,"message":"Subject 'x' not found."}`},
		{"GET", "/subjects/x/versions/1", "", 404, `"error_code":40401`},
		{"POST", "/subjects/x", with(record(fieldA)), 404, `"error_code":40401`},
		{"DELETE", "/subjects/x", "", 404, `"error_code":40401`},
		{"DELETE", "/subjects/x/versions/1", "", 404, `"error_code":40401`},
		{"GET", "/subjects/s/versions/9", "", 404, `{"error_code":40402,"message":"Version 9 not found."}`},
		{"DELETE", "/subjects/s/versions/9", "", 404, `"error_code":40402`},
		{"POST", "/compatibility/subjects/s/versions/9", with(`"int"`), 404, `"error_code":40402`},
		{"POST", "/subjects/s", with(`"int"`), 404, `{"error_code":40403,"message":"Schema not found"}`},
		{"GET", "/schemas/ids/9", "", 404, `{"error_code":40403,"message":"Schema 9 not found"}`},
		{"GET", "/config/s", "", 404, `"error_code":40408`},
		{"DELETE", "/config/s", "", 404, `"error_code":40408`},
		{"GET", "/mode/s", "", 404, `"error_code":40409`},
		{"POST", "/subjects/s/versions", with(record(fieldA, fieldB)), 409, `{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"s\", details: ` +
			`[{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new schema has no default value and is missing in the old schema'`},
		{"POST", "/subjects/s/versions", with(`{"type":"nope"}`), 422, `"error_code":42201`},
		{"POST", "/subjects/s/versions", with(``), 422, `"error_code":42201`},
		{"POST", "/subjects/s/versions", `{}`, 422, `"error_code":42201`},
		{"POST", "/subjects/s/versions", with(`{}`, `,"schemaType":"JSON"`), 422, `keeps Avro only`},
		{"POST", "/subjects/s/versions", with(`"int"`, `,"ruleSet":{"domainRules":[]}`), 422, `no rules`},
		{"POST", "/subjects/s/versions", with(`"int"`, `,"id":7`), 422, `"error_code":42205`},
		{"GET", "/subjects/s/versions/0", "", 422, `{"error_code":42202,"message":"The specified version '0' is not a valid version id.`},
		{"GET", "/subjects/s/versions/abc", "", 422, `"error_code":42202`},
		{"PUT", "/config", `{"compatibility":"MAYBE"}`, 422, `"error_code":42203`},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 422, `"error_code":42204`},
		{"POST", "/subjects/s/versions", `{`, 400, `"error_code":400`},
		{"GET", "/nowhere", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET", "/schemas/ids/x", "", 404, `"error_code":404`},
		{"PUT", "/subjects", "", 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
		{"POST", "/subjects/s/versions", with(strings.Repeat(" ", maxRequest)), 413, `"error_code":413`},
	})
}

func TestServerRefusesOtherContentTypes(t *testing.T) {
	t.Parallel()
	h := setup(t, &MemoryLog{})
	for sent, status := range map[string]int{"text/xml": 415, "application/json; charset=utf-8": 200, "application/vnd.schemaregistry+json": 200} {
		resp, err := http.Post(h.URL+"/subjects/s/versions", sent, strings.NewReader(with(`"int"`)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", sent, resp.StatusCode, status)
		}
	}
}

func TestServerDeletes(t *testing.T) {
	t.Parallel()
	log := &MemoryLog{}
	run(t, setup(t, log).URL, []step{
		{"POST", "/subjects/s/versions", with(record(fieldA)), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", with(record(fieldA, fieldBDefault)), 200, `{"id":2}`},
		{"DELETE", "/subjects/s/versions/2?permanent=true", "", 404, `"error_code":40407`},
		{"DELETE", "/subjects/s/versions/latest", "", 200, "2"},
		{"DELETE", "/subjects/s/versions/2", "", 404, `"error_code":40406`},
		{"GET", "/subjects/s/versions/2", "", 404, `"error_code":40402`},
		{"GET", "/subjects/s/versions/2?deleted=true", "", 200, `"id":2`},
		{"GET", "/subjects/s/versions/latest", "", 200, `"version":1`},
		{"POST", "/subjects/s", with(record(fieldA, fieldBDefault)), 404, `"error_code":40403`},
		{"POST", "/subjects/s?deleted=true", with(record(fieldA, fieldBDefault)), 200, `"version":2`},
		{"GET", "/schemas/ids/2", "", 200, `schema`}, // who has its id can still read
		{"GET", "/schemas/ids/2/subjects", "", 200, `[]`},
		{"GET", "/schemas/ids/2/subjects?deleted=true", "", 200, `["s"]`},
		{"POST", "/subjects/s/versions", with(record(fieldA, fieldBDefault)), 200, `{"id":2}`}, // again: same id, next version
		{"GET", "/subjects/s/versions", "", 200, "[1,3]"},
		{"GET", "/subjects/s/versions?deleted=true", "", 200, "[1,2,3]"},
		{"PUT", "/config/s", `{"compatibility":"full"}`, 200, `{"compatibility":"FULL"}`},
		{"DELETE", "/subjects/s?permanent=true", "", 404, `"error_code":40405`},
		{"DELETE", "/subjects/s", "", 200, "[1,3]"},
		{"DELETE", "/subjects/s", "", 404, `"error_code":40404`},
		{"GET", "/config/s", "", 404, `"error_code":40408`},
		{"GET", "/subjects/s/versions", "", 404, `"error_code":40401`},
		{"GET", "/subjects", "", 200, "[]"},
		{"GET", "/subjects?deleted=true", "", 200, `["s"]`},
		{"GET", "/subjects?deletedOnly=true", "", 200, `["s"]`},
		{"GET", "/subjects/s/versions?deletedOnly=true", "", 200, "[1,2,3]"},
		{"POST", "/subjects/s/versions", with(`"string"`), 200, `{"id":3}`}, // what is deleted forbids nothing
		{"GET", "/subjects/s/versions", "", 200, "[4]"},
		{"DELETE", "/subjects/s/versions/4", "", 200, "4"},
		{"DELETE", "/subjects/s?permanent=true", "", 200, "[1,2,3,4]"},
		{"GET", "/subjects?deleted=true", "", 200, "[]"},
		{"GET", "/schemas/ids/2", "", 404, `"error_code":40403`},
		{"POST", "/subjects/s/versions", with(`"int"`), 200, `{"id":4}`},
		{"GET", "/subjects/s/versions", "", 200, "[1]"},
	})
	run(t, setup(t, log).URL, []step{{"GET", "/schemas", "", 200, `[{"subject":"s","version":1,"id":4,"schema":"\"int\""}]`}})
}

func TestServerLevels(t *testing.T) {
	t.Parallel()
	// a, then a+b: what the next schema may be, by level.
	for level, may := range map[string]map[string]bool{
		"NONE":                {`"int"`: true},
		"BACKWARD":            {record(fieldALong): true, record(): true, record(fieldB): true, record(fieldA, fieldB, `{"name":"c","type":"int"}`): false},
		"BACKWARD_TRANSITIVE": {record(fieldALong): true, record(): true, record(fieldB): false},
		"FORWARD":             {record(fieldA, fieldB, `{"name":"c","type":"int"}`): true, record(fieldALong, fieldB): false, record(fieldA): true, record(fieldB): false},
		"FORWARD_TRANSITIVE":  {record(fieldA): true, record(fieldB): false, record(fieldA, fieldB): true},
		"FULL":                {record(fieldA): true, record(fieldALong): false, record(fieldA, fieldBDefault, `{"name":"c","type":"int","default":1}`): true, record(): false},
		"FULL_TRANSITIVE":     {record(fieldA): true, record(fieldA, fieldBDefault, `{"name":"c","type":"int"}`): false},
	} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			h := setup(t, &MemoryLog{})
			run(t, h.URL, []step{
				{"POST", "/subjects/s/versions", with(record(fieldA)), 200, ""},
				{"POST", "/subjects/s/versions", with(record(fieldA, fieldBDefault)), 200, ""},
				{"PUT", "/config/s", fmt.Sprintf(`{"compatibility":%q}`, level), 200, ""},
				{"GET", "/config/s", "", 200, fmt.Sprintf(`{"compatibilityLevel":%q}`, level)},
			})
			for schema, yes := range may {
				answer := fmt.Sprintf(`{"is_compatible":%v}`, yes)
				run(t, h.URL, []step{{"POST", "/compatibility/subjects/s/versions", with(schema), 200, answer}})
			}
		})
	}
}

func TestServerSettings(t *testing.T) {
	t.Parallel()
	log := &MemoryLog{}
	run(t, setup(t, log).URL, []step{
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"PUT", "/config", `{"compatibility":"NONE"}`, 200, `{"compatibility":"NONE"}`},
		{"PUT", "/config/s", `{"compatibility":"FULL"}`, 200, ``},
		{"GET", "/config/x?defaultToGlobal=true", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"PUT", "/mode/s", `{"mode":"READONLY"}`, 200, `{"mode":"READONLY"}`},
		{"POST", "/subjects/s/versions", with(`"int"`), 422, `{"error_code":42205,"message":"Subject s is in read-only mode"}`},
	})
	run(t, setup(t, log).URL, []step{
		{"GET", "/config", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"DELETE", "/config/s", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"DELETE", "/config", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"GET", "/mode/x?defaultToGlobal=true", "", 200, `{"mode":"READWRITE"}`},
		{"DELETE", "/mode/s", "", 200, `{"mode":"READONLY"}`},
		{"DELETE", "/mode/s", "", 404, `"error_code":40409`},
		{"POST", "/subjects/s/versions", with(`"int"`), 200, `{"id":1}`},
		{"PUT", "/mode", `{"mode":"READONLY_OVERRIDE"}`, 200, ``},
		{"PUT", "/mode/s", `{"mode":"READWRITE"}`, 200, ``},
		{"DELETE", "/subjects/s", "", 422, `"error_code":42205`},
		{"POST", "/compatibility/subjects/s/versions/latest?verbose=true", with(`"string"`), 200, `{"is_compatible":false,"messages":["{errorType:'TYPE_MISMATCH', description:'The type (path '/') of a field in the new schema`},
		{"POST", "/compatibility/subjects/new/versions/latest", with(`"string"`), 200, `{"is_compatible":true}`},
	})
}

func TestServerReferences(t *testing.T) {
	t.Parallel()
	h := setup(t, &MemoryLog{})
	refs := `,"references":[{"name":"n.F","subject":"f","version":1}]`
	run(t, h.URL, []step{
		{"POST", "/subjects/f/versions", with(`{"type":"fixed","name":"n.F","size":2}`), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", with(record(`{"name":"x","type":"n.F"}`)), 422, `"error_code":42201`},
		{"POST", "/subjects/s/versions", with(record(`{"name":"x","type":"n.F"}`), strings.Replace(refs, ":1}", ":9}", 1)), 422, `No schema reference found for subject \"f\" and version 9`},
		{"POST", "/subjects/s/versions", with(record(`{"name":"x","type":"n.F"}`), refs), 200, `{"id":2}`},
		{"GET", "/schemas/ids/2", "", 200, `{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"n.F\"}]}","references":[{"name":"n.F","subject":"f","version":1}]}`},
		{"GET", "/schemas/ids/2?format=resolved", "", 200, `\"type\":\"fixed\"`},
		{"GET", "/subjects/f/versions/1/referencedby", "", 200, `[2]`},
		{"DELETE", "/subjects/f/versions/1", "", 422, `"error_code":42206`},
		{"DELETE", "/subjects/f", "", 422, `"error_code":42206`},
		{"POST", "/subjects/s/versions", with(record(`{"name":"x","type":"n.F"}`, fieldBDefault), refs), 200, `{"id":3}`},
	})
	text, err := NewClient(h.URL, fast).Schema(t.Context(), 2)
	if want := record(`{"name":"x","type":{"type":"fixed","name":"F","namespace":"n","size":2}}`); err != nil || text != want {
		t.Errorf("Schema = %s, %v; want %s", text, err, want)
	}
}

// failing is a log whose disk is full.
type failing struct{ MemoryLog }

func (*failing) Append(context.Context, []byte, []byte) error { return errors.New("no space left") }

func TestServerForgetsWhatIsNotDurable(t *testing.T) {
	t.Parallel()
	run(t, setup(t, &failing{}).URL, []step{
		{"POST", "/subjects/s/versions", with(`"int"`), 500, `{"error_code":50001,"message":"Error in the backend data store: no space left"}`},
		{"GET", "/subjects", "", 200, "[]"},
		{"PUT", "/config", `{"compatibility":"NONE"}`, 500, `"error_code":50001`},
		{"GET", "/config", "", 200, `BACKWARD`},
	})
}

func TestNewServerNamesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, rec := range [][2]string{{"{", "{}"}, {`{"keytype":"SCHEMA","subject":"s","version":1}`, "["}} {
		log := &MemoryLog{}
		if err := log.Append(t.Context(), []byte(rec[0]), []byte(rec[1])); err != nil {
			t.Fatal(err)
		}
		if _, err := NewServer(t.Context(), log); err == nil || !strings.Contains(err.Error(), rec[0][:1]) {
			t.Errorf("NewServer = %v", err)
		}
	}
	log := &MemoryLog{}
	if err := log.Append(t.Context(), []byte(`{"keytype":"NOOP","magic":0}`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := NewServer(t.Context(), log); err != nil {
		t.Errorf("a record of a kind that we do not know: %v", err)
	}
}

func TestClientAndServer(t *testing.T) {
	t.Parallel()
	c := NewClient(setup(t, &MemoryLog{}).URL, fast)
	if _, _, _, err := c.Latest(t.Context(), "s"); !IsNotFound(err) || IsIncompatible(err) {
		t.Errorf("Latest of nothing: %v", err)
	}
	for i, schema := range []string{record(fieldA), record(fieldA, fieldBDefault)} {
		if id, err := c.Register(t.Context(), "s", schema); id != i+1 || err != nil {
			t.Fatalf("Register = %d, %v", id, err)
		}
	}
	if id, version, text, err := c.Latest(t.Context(), "s"); id != 2 || version != 2 || text != record(fieldA, fieldBDefault) || err != nil {
		t.Errorf("Latest = %d, %d, %s, %v", id, version, text, err)
	}
	if texts, err := c.Versions(t.Context(), "s"); len(texts) != 2 || texts[0] != record(fieldA) || texts[1] != record(fieldA, fieldBDefault) || err != nil {
		t.Errorf("Versions = %q, %v", texts, err)
	}
	if texts, err := c.Versions(t.Context(), "other"); len(texts) != 0 || err != nil {
		t.Errorf("Versions of nothing = %q, %v", texts, err)
	}
	if _, err := c.Register(t.Context(), "s", `"int"`); !IsIncompatible(err) {
		t.Errorf("Register of what does not go: %v", err)
	}
}

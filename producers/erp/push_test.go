package erp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/config"
	"crosswalk/internal/secret"
)

const token = "a-token-of-this-test"

// pushed is a server to which customers are pushed.
type pushed struct {
	*bench
	p   *Producer
	url string
}

func (b *bench) serve(edit func(*config.ERP)) pushed {
	b.t.Helper()
	erp := config.ERP{Sources: []config.ERPSource{{Name: "crm", Token: secret.String(token)}, {Name: "mapped", Token: token + "2"}}}
	erp.Sources[1].Columns = map[string]string{"company": "client", "number": "no", "name": "title"}
	if edit != nil {
		edit(&erp)
	}
	if erp.Push.MaxBodyBytes == 0 {
		erp.Push.MaxBodyBytes = 1 << 20
	}
	for i := range erp.Sources {
		erp.Sources[i].Fill()
	}
	p, err := New(b.config, erp)
	b.must(err)
	server := httptest.NewServer(p.feeds[0].(*push).handler())
	b.t.Cleanup(func() { server.Close(); p.publisher.close() })
	return pushed{b, p, server.URL}
}

// ask sends a request and returns the status and the body. header is name: value, or nothing.
func (p pushed) ask(method, path, body string, header ...string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.ctx, method, p.url+path, strings.NewReader(body))
	p.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := http.DefaultClient.Do(r)
	p.must(err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	p.must(err)
	if !json.Valid(text) && reply.StatusCode != http.StatusNotFound && reply.StatusCode != http.StatusMethodNotAllowed {
		p.t.Errorf("%s %s is answered by %q, which is not JSON", method, path, text)
	}
	return reply.StatusCode, strings.TrimSpace(string(text))
}

// wants checks an answer.
func (p pushed) wants(status int, part string) func(int, string) {
	p.t.Helper()
	return func(got int, text string) {
		p.t.Helper()
		if got != status || !strings.Contains(text, part) {
			p.t.Errorf("answer %d %s, want %d with %q", got, text, status, part)
		}
	}
}

func TestPushOneCustomer(t *testing.T) {
	t.Parallel()
	p := newBench(t).serve(nil)
	p.wants(200, `{"key":"C1","published":true}`)(p.ask("PUT", "/erp/crm/customers/C1", `{"name":"Acme","balance":12.50,"attributes":{"vip":true},"since":{"year":1999}}`))
	p.wants(200, `{"key":"C1","published":false}`)(p.ask("PUT", "/erp/crm/customers/C1", `{"since":{"year":1999},"name":"Acme","balance":12.5,"attributes":{"vip":true}}`))
	p.wants(200, `"published":true`)(p.ask("PUT", "/erp/crm/customers/DE01/7", `{"company":"DE01","name":"Beta"}`))
	p.wants(200, `{"key":"DE01/8%","published":true}`)(p.ask("PUT", "/erp/crm/customers/DE01%2F8%25", `{"company":"DE01","number":"8%","name":"Gamma"}`))
	if live := p.live(); live != "C1=Acme DE01/7=Beta DE01/8%=Gamma" {
		t.Errorf("the topic holds %s", live)
	}
	c := p.records()[0]
	for _, r := range p.records() {
		if r.key == "C1" {
			c = r
		}
	}
	if got := fmt.Sprint(c.customer.Balance, len(c.customer.Attributes), c.customer.Attributes[0].Name, c.customer.Attributes[1].Value.Scalar); got != "12.5 2sincetrue" {
		t.Errorf("got %s", got)
	}
	p.wants(200, `{"key":"C1","deleted":true}`)(p.ask("DELETE", "/erp/crm/customers/C1", ""))
	p.wants(200, `{"key":"C1","deleted":false}`)(p.ask("DELETE", "/erp/crm/customers/C1", ""))
	p.wants(200, `{"key":"no such","deleted":false}`)(p.ask("DELETE", "/erp/crm/customers/no%20such", ""))
	p.wants(200, `"deleted":false`)(p.ask("DELETE", "/erp/mapped/customers/DE01/7", "", "Authorization", "Bearer "+token+"2"))
	if live := p.live(); live != "DE01/7=Beta DE01/8%=Gamma" {
		t.Errorf("the topic holds %s: a source deletes its own customers only", live)
	}
	p.wants(200, `"published":true`)(p.ask("PUT", "/erp/mapped/customers/A/1", `{"client":"A","no":1,"title":"Mapped"}`, "Authorization", "bearer "+token+"2"))
	if s := p.p.Status()["crm"]; s.Kind != "push" || s.Last.IsZero() {
		t.Errorf("status %+v", s)
	}
}

func TestPushRefusals(t *testing.T) {
	t.Parallel()
	p := newBench(t).serve(func(c *config.ERP) { c.Push.MaxBodyBytes = 2048 })
	const path = "/erp/crm/customers/C1"
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		"no token":         {"PUT", path, `{}`, []string{"Authorization", ""}, 401, "Authorization: Bearer TOKEN"},
		"wrong token":      {"PUT", path, `{}`, []string{"Authorization", "Bearer nonsense"}, 401, ""},
		"another scheme":   {"PUT", path, `{}`, []string{"Authorization", "Basic " + token}, 401, ""},
		"another's token":  {"PUT", "/erp/mapped/customers/1", `{}`, nil, 401, ""},
		"no source":        {"PUT", "/erp/none/customers/1", `{}`, nil, 401, ""},
		"no such page":     {"PUT", "/erp/crm", `{}`, nil, 404, ""},
		"no such method":   {"PATCH", path, `{}`, nil, 405, ""},
		"no JSON":          {"PUT", path, `{"name":}`, nil, 400, "character 9: this is no JSON value"},
		"no object":        {"PUT", path, `[{}]`, nil, 400, "send a JSON object"},
		"not UTF-8":        {"PUT", path, "{\"name\":\"\xff\"}", nil, 400, "not UTF-8"},
		"another key":      {"PUT", path, `{"number":"C2"}`, nil, 422, `the customer is \"C2\", but the address says \"C1\"`},
		"a wrong balance":  {"PUT", path, `{"balance":"1,5x"}`, nil, 422, `"column":"balance"`},
		"too large":        {"PUT", path, `{"name":"` + strings.Repeat("x", 4096) + `"}`, nil, 413, "more than 2048 bytes"},
		"unknown type":     {"POST", "/erp/crm/customers", `x`, []string{"Content-Type", "image/png"}, 415, "application/x-ndjson"},
		"a bad batch":      {"POST", "/erp/crm/customers", "{\"number\":\"1\"}\n{\"name\":\"x\"}\n", nil, 207, `"rejects":[{"line":2,"column":"number","reason":"the customer number is empty"}]`},
		"only bad rows":    {"POST", "/erp/crm/customers", "nonsense", nil, 422, `"rejected":1`},
		"an array cut off": {"POST", "/erp/crm/customers", `[{"number":"9"},`, nil, 422, "is cut off"},
	} {
		got, text := p.ask(c.method, c.path, c.body, c.header...)
		if got != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: answer %d %s, want %d with %s", name, got, text, c.status, c.want)
		}
		if strings.Contains(text, token) {
			t.Errorf("%s: the answer shows a token", name)
		}
	}
	if live := p.live(); live != "1=null" {
		t.Errorf("the topic holds %s", live)
	}
	if n := testutil.ToFloat64(p.config.Metrics.requests.WithLabelValues("4xx")); n < 10 {
		t.Errorf("%v requests counted as 4xx", n)
	}
}

func TestPushManyCustomers(t *testing.T) {
	t.Parallel()
	p := newBench(t).serve(nil)
	p.wants(200, `{"rows":2,"published":2,"unchanged":0,"deleted":0,"rejected":0}`)(
		p.ask("POST", "/erp/crm/customers", "{\"number\":\"1\",\"name\":\"Acme\"}\n{\"number\":2,\"name\":\"Beta\"}\n", "Content-Type", "application/x-ndjson"))
	p.wants(200, `{"rows":2,"published":1,"unchanged":1,"deleted":0,"rejected":0}`)(
		p.ask("POST", "/erp/crm/customers", `[{"number":"1","name":"Acme"}, {"number":"2","name":"Beta Ltd"}]`, "Content-Type", "application/json; charset=utf-8"))
	p.wants(200, `"published":1`)(
		p.ask("POST", "/erp/mapped/customers", "client;no;title\nDE;3;Gamma\n", "Content-Type", "text/csv", "Authorization", "Bearer "+token+"2"))
	p.wants(200, `"rows":0`)(p.ask("POST", "/erp/crm/customers", ""))
	if live := p.live(); live != "1=Acme 2=Beta Ltd DE/3=Gamma" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestPushIsAskedAgainWhenKafkaIsAway(t *testing.T) {
	t.Parallel()
	p := newBench(t).serve(nil)
	p.wants(200, "")(p.ask("PUT", "/erp/crm/customers/C1", `{"name":"Acme"}`))
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	r := httptest.NewRequestWithContext(ctx, "PUT", "/erp/crm/customers/C2", strings.NewReader(`{}`))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	p.p.feeds[0].(*push).handler().ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "send it again") {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	// Nothing is left of it that would be in the way.
	p.wants(200, `"published":true`)(p.ask("PUT", "/erp/crm/customers/C2", `{"name":"Beta"}`))
}

func TestPushListens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := config.ERPSource{Name: "crm", Token: secret.String(token)}
	s.Fill()
	erp := config.ERP{Push: config.Push{Listen: "127.0.0.1:0", MaxBodyBytes: 1024}, Sources: []config.ERPSource{s}}
	p, err := New(b.config, erp)
	b.must(err)
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	b.must(p.Await(b.ctx, func(s map[string]State) bool { return s["crm"].Address != "" }))
	server := pushed{b, p, "http://" + p.Status()["crm"].Address}
	server.wants(200, `"published":true`)(server.ask("PUT", "/erp/crm/customers/C1", `{"name":"Acme"}`))
	reply, err := http.Get(server.url + "/healthz")
	b.must(err)
	b.must(reply.Body.Close())
	if reply.StatusCode != 200 {
		t.Errorf("healthz answers %s", reply.Status)
	}
	// A second process cannot have the address.
	erp.Push.Listen = p.Status()["crm"].Address
	again, err := New(b.config, erp)
	b.must(err)
	if err := again.Run(b.ctx); err == nil || !strings.Contains(err.Error(), "erp.push.listen") {
		t.Errorf("error %v, want one that names the key", err)
	}
	erp.Push.CertFile, erp.Push.KeyFile = "none.pem", "none.key"
	again, err = New(b.config, erp)
	b.must(err)
	if err := again.Run(b.ctx); err == nil || !strings.Contains(err.Error(), "cert_file") {
		t.Errorf("error %v, want one that names the key", err)
	}
	cancel()
	b.must(<-done)
}

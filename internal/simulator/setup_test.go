package simulator

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"crosswalk/internal/simulator/org"
)

// bench is a simulator and a client that is logged in.
type bench struct {
	*Simulator
	t     *testing.T
	token string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func setup(t *testing.T, config Config) *bench {
	t.Helper()
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	sim, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Simulator: sim, t: t}
	b.login()
	return b
}

// login takes a new session without going through OAuth.
func (b *bench) login() {
	b.tokens.mu.Lock()
	defer b.tokens.mu.Unlock()
	b.token = b.tokens.open(b.Simulator, "api refresh_token", nil).token
}

// send makes a request to the org; edits change it before it leaves.
func (b *bench) send(method, target, body string, edits ...func(*http.Request)) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+b.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, edit := range edits {
		edit(r)
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// form posts a form to an OAuth endpoint without a session.
func (b *bench) form(path string, values ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return b.send("POST", path, form.Encode(), func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
}

// control makes a request to the control address.
func (b *bench) control(method, target, body string) answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.Control().ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body)))
	return answer{w.Code, w.Header(), w.Body.String()}
}

// must fails the test unless the status is the one wanted.
func (a answer) must(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %.500s", a.status, status, a.body)
	}
	return a
}

// has fails the test unless the body contains each text.
func (a answer) has(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s is missing in %.900s", text, a.body)
		}
	}
	return a
}

// lacks fails the test when the body contains a text.
func (a answer) lacks(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s should not be in %.900s", text, a.body)
		}
	}
	return a
}

// read decodes the body.
func (a answer) read(t *testing.T) map[string]any {
	t.Helper()
	out := make(map[string]any)
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	return out
}

// text is one member of a JSON object.
func (a answer) text(t *testing.T, member string) string {
	t.Helper()
	s, _ := a.read(t)[member].(string)
	return s
}

const rest = "/services/data/v66.0"

// query is the address of a REST query.
func query(soql string) string { return rest + "/query?q=" + url.QueryEscape(soql) }

// account makes a record.
func (b *bench) account(fields org.Fields) string {
	b.t.Helper()
	id, err := b.Org().Create("Account", fields)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

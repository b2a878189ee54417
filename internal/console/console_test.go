package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func setup(t *testing.T) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "crosswalk_test_total", Help: "A test."}))
	s, err := Listen(Config{
		Listen: "127.0.0.1:0", Gatherer: reg, Logger: slog.New(slog.DiscardHandler),
		Status:   func() any { return map[string]any{"salesforce": map[string]int{"rows": 7}} },
		Registry: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "registry "+r.URL.Path) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func TestServes(t *testing.T) {
	t.Parallel()
	url := setup(t)
	for path, want := range map[string]string{
		"/metrics": "crosswalk_test_total 0", "/healthz": "ok", "/api/status": `{"salesforce":{"rows":7}}`,
		"/": "<h1>Crosswalk</h1>", "/subjects": "registry /subjects", "/schemas/ids/1": "registry /schemas/ids/1",
		"/compatibility/subjects/x/versions/latest": "registry /compat",
	} {
		reply, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || reply.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %d %q %v, want %q", path, reply.StatusCode, body, err, want)
		}
	}
	if reply, err := http.Get(url + "/nowhere"); err != nil || reply.StatusCode != 404 {
		t.Errorf("an unknown path must be 404, got %v %v", reply, err)
	}
}

func TestTakenAddressNamesTheKey(t *testing.T) {
	t.Parallel()
	taken := strings.TrimPrefix(setup(t), "http://")
	if _, err := Listen(Config{Listen: taken, Gatherer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "console.listen") || !strings.Contains(err.Error(), taken) {
		t.Fatalf("error %v must name the address and the key", err)
	}
}

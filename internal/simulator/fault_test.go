package simulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/org"
)

func TestFaultRules(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.control("POST", "/fault", `[{"kind":"unavailable","path":"/services/data/v*/sobjects/*","method":"GET","after":1,"count":2},{"path":"/services/oauth2/token","status":500,"body":"<html>","content_type":"text/html"}]`).must(t, http.StatusOK)
	statuses := func() (out []int) {
		for range 4 {
			out = append(out, b.send("GET", rest+"/sobjects/Account/describe", "").status)
		}
		return out
	}
	if got := statuses(); got[0] != 200 || got[1] != 503 || got[2] != 503 || got[3] != 200 {
		t.Errorf("statuses %v", got)
	}
	if a := b.refresh("x"); a.status != 500 || a.body != "<html>" {
		t.Errorf("%d %q", a.status, a.body)
	}
	b.refresh("x").must(t, http.StatusBadRequest)
	b.control("POST", "/fault", `{"kind":"session","count":-1}`).must(t, http.StatusOK)
	b.send("GET", rest, "").must(t, http.StatusUnauthorized).has(t, "INVALID_SESSION_ID")
	b.control("GET", "/log", "").has(t, `"fault":"session"`)
	b.control("DELETE", "/fault", "").must(t, http.StatusOK)
	b.send("GET", rest, "").must(t, http.StatusOK)
	b.control("POST", "/fault", `{"kind":"nope"}`).must(t, http.StatusBadRequest)
	b.control("POST", "/fault", `{"kind":"session","pth":"/services/data/*"}`).must(t, http.StatusBadRequest)
	b.control("POST", "/fault", ``).must(t, http.StatusBadRequest)
}

func TestFaultHookSeesEveryRequest(t *testing.T) {
	t.Parallel()
	var seen []string
	b := setup(t, Config{Fault: func(r *http.Request) *Fault {
		seen = append(seen, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/limits") {
			return &Fault{Status: http.StatusTeapot, Body: "tea", ContentType: "text/plain"}
		}
		return nil
	}})
	b.send("GET", rest, "").must(t, http.StatusOK)
	b.send("GET", rest+"/limits", "").must(t, http.StatusTeapot)
	b.send("POST", "/cometd/66.0", "[]")
	if strings.Join(seen, " ") != rest+" "+rest+"/limits /cometd/66.0" {
		t.Errorf("seen %v", seen)
	}
}

func TestSlowFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.Inject(Rule{Fault: Fault{Delay: Duration(5 * time.Second)}})
		start := time.Now()
		b.send("GET", rest, "").must(t, http.StatusOK)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestClearedFaultsDelayNobody: who waits when the faults end goes on at once, as if there had been none.
func TestClearedFaultsDelayNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.Inject(Rule{Fault: Fault{Delay: Duration(time.Hour), Status: http.StatusTeapot, Body: "no"}, Path: rest})
		b.Inject(Rule{Fault: Fault{Delay: Duration(time.Hour)}, Error: "401::no", Channel: "/meta/handshake"})
		start, done := time.Now(), make(chan time.Duration)
		go func() {
			if r := b.send("GET", rest, ""); r.status != http.StatusOK {
				t.Errorf("answered %d", r.status)
			}
			done <- time.Since(start)
		}()
		go func() {
			if r := b.send("POST", "/cometd/66.0", `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`); !strings.Contains(r.body, `"successful":true`) {
				t.Errorf("handshake: %s", r.body)
			}
			done <- time.Since(start)
		}()
		synctest.Wait() // both are delayed
		b.ClearFaults()
		for range 2 {
			if took := <-done; took != 0 {
				t.Errorf("took %v", took)
			}
		}
	})
}

func TestDroppedAndCutConnections(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Accounts: 500}})
	srv := httptest.NewServer(b.Handler())
	defer srv.Close()
	get := func() (int, error) {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+query("SELECT Id, Name FROM Account"), nil)
		r.Header.Set("Authorization", "Bearer "+b.token)
		r.Header.Set("Accept-Encoding", "identity")
		resp, err := srv.Client().Do(r)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return len(body), err
	}
	b.Inject(Rule{Kind: "drop", Count: 5}) // the transport itself tries an idempotent request again
	if n, err := get(); err == nil {
		t.Errorf("a dropped connection gave %d bytes and no error", n)
	}
	b.ClearFaults()
	b.Inject(Rule{Kind: "cut"})
	if n, err := get(); err == nil || n != 100 {
		t.Errorf("a cut connection gave %d bytes, %v", n, err)
	}
	if _, err := get(); err != nil {
		t.Error(err)
	}
}

func TestScheduleIsRepeatable(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (out []int) {
		b := setup(t, Config{Schedule: Schedule{Seed: seed, Rate: 0.3, Kinds: []string{"unavailable", "html", "limit"}, Path: "/services/data/*"}})
		for range 100 {
			out = append(out, b.send("GET", rest, "").status)
		}
		return out
	}
	first, again, other := run(1), run(1), run(2)
	struck, same, differs := 0, true, false
	for i := range first {
		if first[i] != 200 {
			struck++
		}
		same = same && first[i] == again[i]
		differs = differs || first[i] != other[i]
	}
	if !same || !differs || struck < 15 || struck > 45 {
		t.Errorf("same %v, differs %v, %d of 100 struck", same, differs, struck)
	}
	b := setup(t, Config{})
	b.control("POST", "/schedule", `{"seed":1,"rate":1,"kinds":["limit"]}`).must(t, http.StatusOK)
	b.send("GET", rest, "").must(t, http.StatusForbidden).has(t, "TotalRequests Limit exceeded.")
	b.control("POST", "/schedule", `{"rate":1,"kinds":["x"]}`).must(t, http.StatusBadRequest)
}

func TestPathPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "/x", true},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a/b/d", false},
		{"/a/*", "/b", false},
		{"/services/data/v*/query*", "/services/data/v66.0/queryAll", true},
	} {
		if matches(c.pattern, c.path) != c.want {
			t.Errorf("%q, %q: want %v", c.pattern, c.path, c.want)
		}
	}
}

func TestMessageFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.Inject(Rule{Channel: "/meta/handshake", Error: "403::Handshake denied", Reason: "503::Server is too busy.  Please try your request again later.", Reconnect: "none"})
	shake := func() answer {
		return b.send("POST", "/cometd/66.0", `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"id":"1"}]`)
	}
	shake().must(t, http.StatusOK).has(t, `"successful":false`, "Server is too busy")
	b.Inject(Rule{Channel: "*", Kind: "gateway_html"})
	shake().must(t, http.StatusServiceUnavailable).has(t, "<html>")
	if b.Inject(Rule{Channel: "*", Kind: "unavailable"}) {
		t.Error("a kind of HTTP requests was taken for one of messages")
	}
	shake().must(t, http.StatusOK).has(t, `"successful":true`)
}

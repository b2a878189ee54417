package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// anOrg starts a simulated org and returns it with the environment that configures it.
func anOrg(t *testing.T, environ ...string) (*simulator.Simulator, []string) {
	t.Helper()
	sim, err := simulator.New(simulator.Config{
		Logger: slog.New(slog.DiscardHandler), Org: org.Config{Seed: 1, Accounts: 4, Contacts: 4}, Settings: simulator.Settings{AutoApprove: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ready := sim.Credentials()
	const s = "CROSSWALK_ORGS_0_SALESFORCE_"
	return sim, append([]string{
		"CROSSWALK_DATA_DIR=" + t.TempDir(), s + "LOGIN_URL=" + server.URL, s + "ALLOW_ANY_HOST=true",
		s + "AUTH_CLIENT_ID=" + ready.ClientID, s + "AUTH_CLIENT_SECRET=" + ready.ClientSecret, s + "AUTH_FLOW=client_credentials",
	}, environ...)
}

func TestConnect(t *testing.T) {
	t.Parallel()
	sim, environ := anOrg(t)
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"connect"}, nil, &out, &errOut, environ); status != exitDone {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	for _, want := range []string{"integration@crosswalk.example", "flow  client_credentials", "Next: crosswalk doctor"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}
	out.Reset()
	if status := run(t.Context(), []string{"connect", "--json"}, nil, &out, &errOut, environ); status != exitDone {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	var c struct {
		Username string `json:"username"`
	}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil || c.Username != "integration@crosswalk.example" {
		t.Errorf("JSON says %s, %v", out.String(), err)
	}
	sim.Permit(func(p *simulator.Profile) { p.NotApproved = true })
	sim.ConfigureApp(func(a *simulator.App) { a.AdminApprovedOnly = true })
	if status := run(t.Context(), []string{"connect"}, nil, &out, &errOut, environ); status != exitFailed || !strings.Contains(errOut.String(), "Edit Policies") {
		t.Errorf("status %d: %s", status, errOut.String())
	}
}

// approver is a terminal whose reader opens the printed address in a browser.
type approver struct {
	bytes.Buffer
	t    *testing.T
	done chan struct{}
	sent func(location string) // is told where the browser is sent; nil: it goes there
}

func (a *approver) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if address := strings.TrimSpace(line); strings.Contains(address, "/services/oauth2/authorize?") {
			go func() {
				defer close(a.done)
				browser := &http.Client{}
				if a.sent != nil {
					browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				}
				r, err := browser.Get(address)
				if err != nil {
					a.t.Error(err)
					return
				}
				_ = r.Body.Close()
				if a.sent != nil {
					a.sent(r.Header.Get("Location"))
				}
			}()
		}
	}
	return a.Buffer.Write(p)
}

func TestConnectPrintsTheAddress(t *testing.T) {
	t.Parallel()
	_, environ := anOrg(t, "CROSSWALK_ORGS_0_SALESFORCE_AUTH_FLOW=web_server")
	out := &approver{t: t, done: make(chan struct{})}
	var errOut bytes.Buffer
	status := run(t.Context(), []string{"connect", "--listen", "127.0.0.1:0", "--no-browser"}, nil, out, &errOut, environ)
	<-out.done
	if status != exitDone || !strings.Contains(out.String(), "stored, encrypted") {
		t.Errorf("status %d: %s %s", status, out.String(), errOut.String())
	}
}

func TestDesktop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		seen    bool
	}{
		"over SSH":          {[]string{"DISPLAY=:0", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22"}, false},
		"over SSH with tty": {[]string{"WAYLAND_DISPLAY=wayland-0", "SSH_TTY=/dev/pts/1"}, false},
		"X11":               {[]string{"DISPLAY=:0"}, true},
	} {
		if got := (&shell{environ: c.environ}).desktop(); got != c.seen {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestConnectTakesWhatIsPasted is SSH: the browser runs elsewhere, and a person types the address that it was sent to.
func TestConnectTakesWhatIsPasted(t *testing.T) {
	t.Parallel()
	const redirect = "https://console.example/callback"
	sim, environ := anOrg(t, "CROSSWALK_ORGS_0_SALESFORCE_AUTH_FLOW=web_server", "CROSSWALK_ORGS_0_SALESFORCE_AUTH_REDIRECT_URL="+redirect)
	sim.ConfigureApp(func(a *simulator.App) { a.Callbacks = []string{redirect} })
	typed, person := io.Pipe()
	out := &approver{t: t, done: make(chan struct{}), sent: func(location string) { fmt.Fprintln(person, location) }}
	var errOut bytes.Buffer
	status := run(t.Context(), []string{"connect", "--no-browser"}, typed, out, &errOut, environ)
	<-out.done
	if status != exitDone || !strings.Contains(out.String(), "stored, encrypted") {
		t.Errorf("status %d: %s %s", status, out.String(), errOut.String())
	}
}

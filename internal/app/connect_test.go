package app

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/simulator"
)

const webServer = "CROSSWALK_ORGS_0_SALESFORCE_AUTH_FLOW=web_server"

// visit is what a person's browser does with an address, redirects followed.
func visit(t *testing.T, client *http.Client, address string) (status int, page string, header http.Header) {
	t.Helper()
	r, err := client.Get(address)
	if err != nil {
		t.Error(err)
		return 0, "", nil
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(text), r.Header
}

// browse connects while a browser does something with the approval page's address.
func browse(t *testing.T, a *App, do func(address, waiting string)) (Connection, error) {
	t.Helper()
	done := make(chan struct{})
	c, err := a.Connect(t.Context(), ConnectOptions{Listen: "127.0.0.1:0", Approve: func(address, waiting string) {
		go func() {
			defer close(done)
			do(address, waiting)
		}()
	}})
	<-done
	return c, err
}

func TestConnectInTheBrowser(t *testing.T) {
	t.Parallel()
	a, sim, _ := simulated(t, webServer)
	sim.ConfigureApp(func(app *simulator.App) { app.RequirePKCE = true })
	c, err := browse(t, a, func(address, _ string) {
		status, page, header := visit(t, http.DefaultClient, address)
		if status != http.StatusOK || !strings.Contains(page, "<h1>Connected</h1>") {
			t.Errorf("the browser shows %d %s", status, page)
		}
		if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("the page may load things: %q", csp)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Username != "integration@crosswalk.example" || len(c.OrgID) != 18 || len(c.Warnings) != 0 {
		t.Errorf("connected as %+v", c)
	}
	info, err := os.Stat(c.TokenFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file is %v, %v", info, err)
	}
	if text, err := os.ReadFile(c.TokenFile); err != nil || strings.Contains(string(text), "refresh") {
		t.Errorf("the token file is not encrypted: %v", err)
	}
	client, _, err := New(a.cfg, a.log).client(&a.cfg.Orgs[0]) // another process
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Probe(t.Context()); err != nil {
		t.Errorf("the stored tokens do not work: %v", err)
	}
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		app     func(*simulator.App)
		profile func(*simulator.Profile)
		reads   []string
	}{
		"blocked":       {app: func(a *simulator.App) { a.Blocked = true }, reads: []string{"OAUTH_APP_BLOCKED", "Setup > Connected Apps OAuth Usage"}},
		"not installed": {app: func(a *simulator.App) { a.NotInstalled = true }, reads: []string{"OAUTH_EC_APP_NOT_FOUND", "My Domain"}},
		"not approved": {
			app: func(a *simulator.App) { a.AdminApprovedOnly = true }, profile: func(p *simulator.Profile) { p.NotApproved = true },
			reads: []string{"OAUTH_APP_ACCESS_DENIED", "External Client App Manager", "Edit Policies"},
		},
		"scope":    {app: func(a *simulator.App) { a.Scopes = []string{"id"} }, reads: []string{"invalid_scope", "OAuth Settings"}},
		"inactive": {profile: func(p *simulator.Profile) { p.Inactive = true }, reads: []string{"inactive_user", "Setup > Users"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, sim, ready := simulated(t, webServer)
			if c.app != nil {
				sim.ConfigureApp(c.app)
			}
			if c.profile != nil {
				sim.Permit(c.profile)
			}
			_, err := browse(t, a, func(address, _ string) {
				status, page, _ := visit(t, http.DefaultClient, address)
				if status != http.StatusBadRequest || !strings.Contains(page, "<h1>Not connected</h1>") || !strings.Contains(page, c.reads[0]) {
					t.Errorf("the browser shows %d %s", status, page)
				}
			})
			if err == nil {
				t.Fatal("connected")
			}
			for _, text := range c.reads {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
			if strings.Contains(err.Error(), ready.ClientSecret) {
				t.Errorf("%q shows the secret", err)
			}
		})
	}
}

func TestConnectDeclinedAndEscaped(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t, webServer)
	_, err := browse(t, a, func(address, waiting string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			return
		}
		state := u.Query().Get("state")
		_, other, _ := visit(t, stay, waiting+"?error=access_denied&state=another")
		if !strings.Contains(other, "another attempt") {
			t.Errorf("a refusal of another attempt shows %s", other)
		}
		if _, code, _ := visit(t, stay, waiting+"?code=aPrxStolen&state=another"); !strings.Contains(code, "another attempt") {
			t.Errorf("a code of another attempt shows %s", code)
		}
		if status, _, _ := visit(t, stay, strings.TrimSuffix(waiting, "callback")+"favicon.ico"); status != http.StatusNotFound {
			t.Errorf("another path answers %d", status)
		}
		_, page, _ := visit(t, stay, waiting+"?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state="+state)
		if strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("what Salesforce said is not escaped: %s", page)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "choose Allow") {
		t.Errorf("declined: %v", err)
	}
}

// TestConnectByPasting is SSH: nothing listens, and what the browser shows is pasted.
func TestConnectByPasting(t *testing.T) {
	t.Parallel()
	const redirect = "https://console.example/callback"
	for name, paste := range map[string]func(location string) string{
		"address": func(location string) string { return location },
		"code": func(location string) string {
			_, code, _ := strings.Cut(location, "code=")
			code, _, _ = strings.Cut(code, "&")
			return code
		},
		"after another attempt's": func(location string) string {
			return redirect + "?code=aPrxOld&state=another\n\n" + location
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, sim, _ := simulated(t, webServer, "CROSSWALK_ORGS_0_SALESFORCE_AUTH_REDIRECT_URL="+redirect)
			sim.ConfigureApp(func(app *simulator.App) { app.Callbacks = []string{redirect} })
			in, out := io.Pipe()
			again := 0
			c, err := a.Connect(t.Context(), ConnectOptions{Pasted: in, Again: func(error) { again++ }, Approve: func(address, waiting string) {
				if waiting != "" {
					t.Errorf("it waits at %s", waiting)
				}
				_, _, header := visit(t, stay, address)
				text := paste(header.Get("Location"))
				go func() { _, _ = io.WriteString(out, text+"\n") }() // the reader may have seen enough
			}})
			if err != nil {
				t.Fatal(err)
			}
			if c.Username == "" || again != strings.Count(paste(""), "another") {
				t.Errorf("connected as %+v after %d lines that were no answer", c, again)
			}
		})
	}
}

func TestConnectPastedError(t *testing.T) {
	t.Parallel()
	a, sim, _ := simulated(t, webServer, "CROSSWALK_ORGS_0_SALESFORCE_AUTH_REDIRECT_URL=https://console.example/callback")
	sim.ConfigureApp(func(app *simulator.App) { app.Callbacks = []string{"https://console.example/other"} })
	in, out := io.Pipe()
	_, err := a.Connect(t.Context(), ConnectOptions{Pasted: in, Approve: func(address, _ string) {
		_, page, _ := visit(t, stay, address)
		go func() { _, _ = io.WriteString(out, page+"\n") }() // the reader may have seen enough
	}})
	if err == nil || !strings.Contains(err.Error(), "redirect_uri_mismatch") || !strings.Contains(err.Error(), "character for character") {
		t.Errorf("a wrong callback: %v", err)
	}
	_, err = a.Connect(t.Context(), ConnectOptions{Pasted: strings.NewReader(""), Approve: func(string, string) {}})
	if err == nil || !strings.Contains(err.Error(), "input ended") {
		t.Errorf("nothing pasted: %v", err)
	}
}

func TestConnectTakesNoLongerThanItsTime(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t, webServer)
	_, err := a.Connect(t.Context(), ConnectOptions{Listen: "127.0.0.1:0", Timeout: time.Millisecond, Approve: func(string, string) {}})
	if !errors.Is(err, errNobody) {
		t.Errorf("nobody approved: %v", err)
	}
}

func TestConnectWithoutABrowser(t *testing.T) {
	t.Parallel()
	a, _, _ := simulated(t)
	c, err := a.Connect(t.Context(), ConnectOptions{})
	if err != nil || c.Username == "" || c.TokenFile != "" || len(c.Warnings) != 0 {
		t.Errorf("client credentials: %+v, %v", c, err)
	}
	_, _, ready := simulated(t)
	a, _, _ = simulated(t, "CROSSWALK_ORGS_0_SALESFORCE_AUTH_FLOW=password", "CROSSWALK_ORGS_0_SALESFORCE_AUTH_USERNAME="+ready.Username,
		"CROSSWALK_ORGS_0_SALESFORCE_AUTH_PASSWORD="+ready.Password) // of the same seed
	c, err = a.Connect(t.Context(), ConnectOptions{})
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "retiring") {
		t.Errorf("password: %+v, %v", c, err)
	}
	a.cfg.Orgs[0].Salesforce.Auth.Flow = ""
	if _, err = a.Connect(t.Context(), ConnectOptions{}); err == nil || !strings.Contains(err.Error(), "auth.flow") {
		t.Errorf("no login: %v", err)
	}
}

package sfapi_test

import (
	"strings"
	"testing"

	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// The tests in fact_*_test.go hold, row by row and in their order, the errors of facts 1.3, 1.4, 2.2 and 3.5 (4.5 stands in
// package bayeux, 8 in package app). Each row names its fact; the simulated org sends what the fact says on the wire; the
// test wants the very sentence that a person reads and what the program does next.

// orgHost stands for the org's address in the sentences of the tables.
const orgHost = "HOST"

// factOrg is a simulated org and a client that is logged in to it.
type factOrg struct {
	*simulator.Simulator
	ready  simulator.Ready
	tokens *sfapi.TokenSource
	client *sfapi.Client
}

func newFactOrg(t *testing.T, config simulator.Config) *factOrg {
	t.Helper()
	config.Org = org.Config{Seed: 1, Accounts: 201, Contacts: 1}
	config.Settings.AutoApprove, config.Settings.QueryBatch = true, 200
	sim, ready := simulate(t, config)
	o := &factOrg{Simulator: sim, ready: ready}
	o.tokens = tokens(t, auth(ready), nil)
	o.client = client(t, o.tokens)
	return o
}

// count is how many requests to a path the org has seen.
func (o *factOrg) count(match func(simulator.Request) bool) (n int) {
	for _, r := range o.Requests() {
		if match(r) {
			n++
		}
	}
	return n
}

// logins is how many tokens were asked for.
func (o *factOrg) logins() int {
	return o.count(func(r simulator.Request) bool { return r.Path == "/services/oauth2/token" })
}

// sentence is what a person reads, with the org's address left open, after a look for secrets in it.
func (o *factOrg) sentence(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for name, secret := range map[string]string{
		"client secret": o.ready.ClientSecret, "password": o.ready.Password, "refresh token": o.ready.RefreshToken, "session": "00D",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("it shows the %s: %s", name, text)
		}
	}
	text = strings.ReplaceAll(text, o.ready.LoginURL, orgHost)
	return strings.ReplaceAll(text, strings.TrimPrefix(o.ready.LoginURL, "http://"), orgHost)
}

// refuse makes the org answer every request to path so.
func (o *factOrg) refuse(method, path string, count int, f simulator.Fault) {
	f.Name = "fact"
	o.Inject(simulator.Rule{Fault: f, Method: method, Path: path, Count: count})
}

// struck counts the requests that were answered with the row's refusal.
func (o *factOrg) struck() int {
	return o.count(func(r simulator.Request) bool { return r.Fault == "fact" })
}

const tokenPath = "/services/oauth2/token"

// reads compares the sentence of a row.
func reads(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("a person reads\n  %s\nwant\n  %s", got, want)
	}
}

// plainPage is a fault that answers with a body of its own.
func plainPage(status int, media, body string) simulator.Fault {
	return simulator.Fault{Status: status, ContentType: media, Body: body}
}

func said(status int, code, message string) simulator.Fault {
	return simulator.Fault{Status: status, Code: code, Message: message}
}

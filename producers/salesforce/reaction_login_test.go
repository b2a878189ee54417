package salesforce_test

import (
	"log/slog"
	"net/http"
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// refusedLogin is a row of facts 1.3 or 1.4: what the token endpoint answers, and how a person is told what it means.
type refusedLogin struct{ code, description, reads string }

// facts13 are the rows of facts 1.3 that come from the token endpoint, in their order. The others come to a browser: package sfapi and
// crosswalk connect have them.
var facts13 = []refusedLogin{
	{"invalid_client_id", "client identifier invalid", "the consumer key is not known there"},
	{"invalid_client", "invalid client credentials", "the consumer secret is wrong"},
	{"invalid_client_credentials", "client secret invalid", "the consumer secret is wrong"},
	{"invalid_request", "HTTPS required", "Salesforce speaks https only"},
	{"invalid_request", "must use HTTP POST", "a proxy on the way turned the request into another method"},
	{"invalid_request", "out-of-band not supported", "the app's callback may not be out of band"},
	{"invalid_request", "missing required code challenge", "the app requires PKCE and the request had none"},
	{"redirect_uri_mismatch", "redirect_uri must match configuration", "the callback is not one of the app's"},
	{"unsupported_grant_type", "grant type not supported", "the app or host does not offer this flow"},
	{"inactive_user", "user is inactive", "the user is deactivated"},
	{"inactive_org", "org is locked, closed, or suspended", "the org is locked, closed or suspended"},
	{"rate_limit_exceeded", "number of logins exceeded", "this user logged in too often within the hour"},
	{"invalid_app_access", "user is not admin approved to access this app", "an administrator must admit the user to this app"},
	{"app_not_found", "External client app is not installed in this org", "the External Client App is not in this org or is used at the wrong host"},
}

// facts14 are the rows of facts 1.4, in their order.
var facts14 = []refusedLogin{
	{"invalid_grant", "expired access/refresh token", "the stored approval is no longer valid"},
	{"invalid_grant", "authentication failure", "user name, password or security token is wrong, or the org blocks this flow, as new orgs do"},
	{"invalid_grant", "authentication failure - Invalid Password", "user name, password or security token is wrong"},
	{"invalid_grant", "invalid user credentials", "user name, password or security token is wrong"},
	{"invalid_grant", "IP restricted or invalid login hours", "the user may not log in from this address or at this hour"},
	{"invalid_grant", "ip restricted", "the user may not log in from this address or at this hour"},
	{"invalid_grant", "user hasn't approved this consumer", "the user was never allowed to use this app"},
	{"invalid_grant", "invalid assertion", "the signature does not fit the app's certificate"},
	{"invalid_grant", "Audience validation failed", "the assertion names the wrong host"},
	{"invalid_grant", "expired authorization code", "the approval code is late, was used before or belongs to another app"},
	{"invalid_grant", "invalid authorization code", "the approval code is late, was used before or belongs to another app"},
	{"invalid_grant", "request not supported on this domain", "client credentials are served by My Domain only"},
	{"invalid_grant", "no client credentials user enabled", "the app has no user to run as"},
	{"invalid_grant", "inactive user", "the user is deactivated"},
	{"invalid_grant", "user is inactive", "the user is deactivated"},
}

const tokenPath = "/services/oauth2/token"

// refuseLogin has the token endpoint refuse everybody so.
func (b *patient) refuseLogin(row refusedLogin) {
	f := answers(http.StatusBadRequest, row.code, row.description)
	f.Name = "refused login"
	b.refuse(http.MethodPost, tokenPath, f)
}

// refusedLogins counts those since the org has seen so many requests.
func (b *patient) refusedLogins(from int) (n int) {
	for _, r := range b.sim.Requests()[from:] {
		if r.Fault == "refused login" {
			n++
		}
	}
	return n
}

// begins starts a process that is refused at once: it asks once, says why, and ends.
func (b *patient) begins(parts ...string) {
	b.t.Helper()
	b.login(nil)
	b.p = b.start()
	b.ended(parts...)
}

func TestReactionsToFacts13(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{}, nil)
	for _, row := range facts13 {
		b.row(t, row.code+" "+row.description, func() {
			b.refuseLogin(row)
			from := len(b.sim.Requests())
			b.begins("produce from org default: ", "log in at ", " refused: "+row.code+" ("+row.description+"): "+row.reads)
			if n := b.refusedLogins(from); n != 1 {
				b.t.Errorf("it asked for a token %d times, want once: a refusal is final", n)
			}
		})
	}
	b.shown(b.changeOnceMore())
	b.discreet()
}

// changeOnceMore has the next process begin, and makes a change.
func (b *patient) changeOnceMore() (id, city string) {
	b.t.Helper()
	b.alive()
	return b.change(false)
}

// TestReactionsToFacts14 has a session end while a producer streams, and the login that would follow be refused: Run ends, and the next
// process, once a person has mended it, misses nothing.
func TestReactionsToFacts14(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{}, nil)
	for _, row := range facts14 {
		b.row(t, row.description, func() {
			b.alive()
			b.refuseLogin(row)
			from := len(b.sim.Requests())
			b.sim.RevokeTokens()
			b.sim.Stream().ExpireSessions()
			b.ended("produce from org default: ", "log in at ", " refused: "+row.code+" ("+row.description+"): "+row.reads)
			if n := b.refusedLogins(from); n != 1 {
				b.t.Errorf("it asked for a token %d times, want once: a refusal is final", n)
			}
			id, city := b.change(false) // that nobody hears
			b.sim.ClearFaults()
			b.alive()
			b.shown(id, city)
		})
	}
	b.discreet()
}

// TestReactionsToALoginThatPasses has the token endpoint fail in passing: 5xx and 429 are no refusals.
func TestReactionsToALoginThatPasses(t *testing.T) {
	t.Parallel()
	b := newPatient(t, simulator.Config{Org: org.Config{Seed: 151, Accounts: 6}}, nil)
	const passing = "Salesforce could not answer just now (status.salesforce.com); this passes by itself"
	for name, f := range map[string]simulator.Fault{
		"503": answersPage(http.StatusServiceUnavailable, "text/html", "<html><head><title>We are down for maintenance</title></head></html>"),
		"500": answers(http.StatusInternalServerError, "unknown_error", "retry your request"),
		"429": answersPage(http.StatusTooManyRequests, "text/plain", "Too Many Requests"),
	} {
		b.row(t, name, func() {
			p, from := b.alive(), b.diary.mark()
			b.refuse(http.MethodPost, tokenPath, f)
			b.sim.RevokeTokens()
			b.sim.Stream().ExpireSessions()
			b.reads(from, slog.LevelWarn, "streaming session lost", "cause=login", passing)
			b.await(p, func(s salesforce.Status) bool {
				return s.Interrupted != nil && containsAll(s.Interrupted.Text, "log in at ", passing)
			})
			id, city := b.change(false)
			b.sim.ClearFaults()
			b.shown(id, city)
			b.await(p, func(s salesforce.Status) bool { return s.Interrupted == nil })
		})
	}
}

package app

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/approval"
	"crosswalk/internal/config"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce"
)

// Approval is what /api/status says, under connect, of an org whose login a person approves.
type Approval struct {
	approval.Status
	// Elsewhere says that this process does not run the org's task: who approves here gives the login to a process that does not use it.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// Advice is what a person should do before.
	Advice []string `json:"advice,omitempty"`
}

// erpFirst is what a person reads who connects Salesforce before there are customers, and none can come.
const erpFirst = "connect the ERP first, for without customers nothing can match: add orgs[].erp.sources[] with the columns of its file, then crosswalk erp import FILE --full"

// connecting names the Approval among what the components of an org say.
const connecting = "connect"

// awaitingApproval is the phase of a Salesforce task that waits for a person.
const awaitingApproval = "awaiting approval"

// askApproval opens a place at the console's desk for an org whose login a person approves; nil when this process has no console, or
// the org's login needs nobody.
func (a *App) askApproval(p *platform, org *config.Org, tokens *sfapi.TokenSource) (*approval.Org, error) {
	if p.desk == nil || sfapi.Flow(org.Salesforce.Auth.Flow) != sfapi.WebServer {
		return nil, nil
	}
	place, err := p.desk.Open(approval.OrgConfig{
		Name: orgName(org), Tokens: tokens, Redirect: cmp.Or(org.Salesforce.Auth.RedirectURL, a.callback), Console: p.endpoints.Console, Logger: a.log, Metrics: a.orgMetrics(org).approval,
	})
	if err != nil {
		return nil, UsageError{err}
	}
	callback := a.callbackAdvice(p.endpoints.Console, org.Salesforce.Auth.RedirectURL)
	a.reports(org, connecting, func() any { return a.approval(org, place.Status(), callback) })
	return place, nil
}

// approval is asked for while the statuses are: a.mu is held.
func (a *App) approval(org *config.Org, s approval.Status, callback string) Approval {
	_, here := a.running[salesforce.TaskName(org.Alias)]
	out := Approval{Status: s, Elsewhere: !here}
	if s.First && len(org.ERP.Sources) == 0 && a.customers(org) == 0 {
		out.Advice = append(out.Advice, erpFirst)
	}
	if s.Awaited && callback != "" {
		out.Advice = append(out.Advice, callback)
	}
	return out
}

// callbackAdvice says why the answer may not find back to a console: empty when nothing is known to stand in its way.
func (a *App) callbackAdvice(console, redirect string) string {
	_, port, _ := net.SplitHostPort(a.cfg.Console.Listen)
	if redirect == "" && port == "0" {
		return "set console.listen to a port of its own, for now it is another at each start, and register the callback at that port with the app"
	}
	listens, err := url.Parse(console)
	if err != nil {
		return ""
	}
	if host, _, err := callbackAddress(redirect); redirect != "" && err == nil && host != "" && !strings.HasSuffix(host, ":"+listens.Port()) {
		return "let orgs[].salesforce.auth.redirect_url name the port of this console (console.listen), unless a tunnel leads from the one to the other"
	}
	return ""
}

// customers is how many customers the matcher of this process knows of an org. a.mu is held.
func (a *App) customers(org *config.Org) int {
	if of := a.statuses[orgName(org)][Matcher]; of != nil {
		if m, ok := of().(matcher.Status); ok {
			return m.Customers
		}
	}
	return 0
}

// runApproved runs the producer of an org, and waits at the desk whenever its login needs a person. Without a desk the refusal ends
// the task, and its sentence says what to do.
func runApproved(ctx context.Context, place *approval.Org, tokens *sfapi.TokenSource, run func(context.Context) error) error {
	if place == nil {
		return run(ctx)
	}
	for {
		refused, err := tokens.Refusal(ctx)
		if refused == nil && err == nil {
			if err = run(ctx); !errors.As(err, &refused) {
				return err
			}
		}
		if err == nil || refused != nil && refused.NeedsApproval() {
			err = place.Await(ctx, refused)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// consoleCallback is where a console takes callbacks when no redirect URL is configured.
func consoleCallback(console string) (string, error) {
	u, err := url.Parse(console)
	if err != nil {
		return "", err
	}
	return localCallback(u.Host)
}

package e2e

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/app"
	"crosswalk/internal/customer"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

// TestAHiddenLinkIsAbsentNotNull hides the link's field from the integration user while everything runs: a record that changes
// then has no identifier because it lacks the field, which is told apart from one whose field is null (R8, H13), what did not
// change stays joined, and the status says what is wrong.
func TestAHiddenLinkIsAbsentNotNull(t *testing.T) {
	t.Parallel()
	p := world(t)
	ask := app.New(p.cfg, slog.New(slog.DiscardHandler))
	detail := func(id string) customer.Detail {
		issues, err := ask.Issues(p.ctx, "")
		p.must(err)
		for _, u := range issues.Unmatched {
			if u.ID == id && u.Side == customer.SideAccount && u.Detail != nil {
				return *u.Detail
			}
		}
		return ""
	}
	p.during(func(e app.Endpoints) {
		p.settle()
		ids := p.accounts()
		p.must(p.sim.Org().Update("Account", ids[2], org.Fields{linkField: nil}))
		p.until("an account without a number is told to have null", func() bool { return detail(ids[2]) == customer.DetailNull })

		p.sim.Permit(func(profile *simulator.Profile) { profile.Hidden = []string{"Account." + linkField} })
		direct := p.sim.Org().Begin(org.Actor{Direct: true}) // its records have to be read, which the hidden field fails
		p.must(direct.Update("Account", ids[0], org.Fields{"Phone": "1"}))
		direct.Commit()
		p.until("an account that lacks the field is told so", func() bool { return detail(ids[0]) == customer.DetailFieldAbsent })
		p.quiet(e)
		if d := detail(ids[2]); d != customer.DetailNull {
			t.Errorf("an account that did not change is told %q", d)
		}
		views, err := ask.Views(p.ctx, "", "")
		p.must(err)
		if len(views) == 0 {
			t.Error("no customer is published any more")
		}
		for _, v := range views {
			if v.Identifier == "K000" && len(v.Accounts) > 0 {
				t.Error("K000 is joined to an account of which nobody knows the number")
			}
		}
		if text := p.status(e).Salesforce.LinkUnreadable; !strings.HasPrefix(text, linkField+" of Account links accounts to customers and cannot be read") {
			t.Errorf("the status says %q of the link", text)
		}

		p.sim.Permit(func(profile *simulator.Profile) { profile.Hidden = nil })
		direct = p.sim.Org().Begin(org.Actor{Direct: true})
		p.must(direct.Update("Account", ids[4], org.Fields{"Phone": "2"}))
		direct.Commit()
	})
	p.during(func(app.Endpoints) { p.settle() }) // a start looks at the fields, and reads what it could not see
}

// until waits for something.
func (p *pipeline) until(what string, done func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.t.Fatalf("it never came that %s", what)
		}
	}
}

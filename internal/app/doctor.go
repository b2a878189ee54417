package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/config"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// Verdict is how a check of the doctor ended.
type Verdict string

// The verdicts. Only Wrong makes the doctor's work end with an error.
const (
	Good       Verdict = "ok"
	Note       Verdict = "note"        // works, and is worth knowing
	Wrong      Verdict = "wrong"       // has to be mended
	NotChecked Verdict = "not_checked" // could not be looked at; Seen says why
)

// Finding is one line of the doctor. It holds no secret.
type Finding struct {
	Org     string  `json:"org,omitempty"` // empty for what all orgs share
	Check   string  `json:"check"`         // stable name, such as api_enabled or read_account
	Title   string  `json:"title"`         // what was checked
	Verdict Verdict `json:"verdict"`
	Seen    string  `json:"seen"`
	Advice  string  `json:"advice,omitempty"` // what it means and where to click
}

// DoctorOptions say what is looked at.
type DoctorOptions struct {
	Org    string        // alias; default: every org
	Report func(Finding) // told of each finding as soon as it stands
}

// stepTime bounds one check, its repetitions included.
const stepTime = time.Minute

// patience is how often the doctor asks again what may pass: a person waits for the answer.
var patience = retry.Backoff{First: 200 * time.Millisecond, Attempts: 2}

// Doctor walks the preconditions in the order in which they depend on each other (facts 8) and reports a finding each. What
// cannot be looked at because an earlier step failed is reported as such. The error says how many are wrong.
func (a *App) Doctor(ctx context.Context, opts DoctorOptions) error {
	orgs := make([]*config.Org, 0, len(a.cfg.Orgs))
	if opts.Org != "" || len(a.cfg.Orgs) < 2 {
		org, err := a.org(opts.Org)
		if err != nil {
			return err
		}
		orgs = append(orgs, org)
	} else {
		for i := range a.cfg.Orgs {
			orgs = append(orgs, &a.cfg.Orgs[i])
		}
	}
	ground := &ground{app: a}
	defer ground.close()
	wrong, checks := 0, 0
	report := func(f Finding) {
		checks++
		if f.Verdict == Wrong {
			wrong++
		}
		opts.Report(f)
	}
	for _, org := range orgs {
		e := &examination{app: a, org: org, ground: ground, describes: map[string]*sfapi.Describe{}, streams: map[string]error{}}
		run(ctx, orgName(org), e.steps(), report, func() string { return e.blocked })
		if e.tokens != nil {
			e.tokens.Settle()
		}
	}
	run(ctx, "", ground.steps(), report, func() string { return "" })
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case wrong > 0:
		return fmt.Errorf("%d of %d checks found something wrong; mend the first, then run crosswalk doctor again", wrong, checks)
	}
	return nil
}

// step is one check.
type step struct {
	check, title string
	look         func(context.Context) result
	always       bool // even when Salesforce cannot be asked any more
}

// result is what a step found.
type result struct {
	verdict Verdict
	seen    string
	advice  string
}

// run does the steps in order; blocked says why those that are not for always cannot be done.
func run(ctx context.Context, org string, steps []step, report func(Finding), blocked func() string) {
	for _, s := range steps {
		if ctx.Err() != nil {
			return
		}
		var r result
		if why := blocked(); why != "" && !s.always {
			r = unchecked(why)
		} else {
			limited, cancel := context.WithTimeout(ctx, stepTime)
			r = s.look(limited)
			cancel()
		}
		report(Finding{Org: org, Check: s.check, Title: s.title, Verdict: r.verdict, Seen: r.seen, Advice: r.advice})
	}
}

// examination is the state of one org's checks.
type examination struct {
	app    *App
	org    *config.Org
	ground *ground

	blocked string // why Salesforce cannot be asked any more; empty while it can
	auth    sfapi.Auth
	tokens  *sfapi.TokenSource
	client  *sfapi.Client
	token   sfapi.Token
	refused *sfapi.AuthError // of the login

	describes map[string]*sfapi.Describe // of the objects that may be read
	selection *selection                 // of Change Data Capture; nil until asked
	streams   map[string]error           // what subscribing to an object's changes brought
}

// objects are what is read and streamed.
var objects = []string{"Account", "Contact"}

func (e *examination) steps() []step {
	all := []step{
		{"configuration", "Configuration", e.configuration, false},
		{"host", "Host", e.host, false},
		{"login", "Login", e.login, false},
		{"scopes", "Scopes", e.scopes, false},
		{"api_enabled", "API Enabled", e.apiEnabled, false},
		{"app_allowed", "App allowed for the user", e.appAllowed, true},
	}
	each := func(check, title string, look func(context.Context, string) result) {
		for _, object := range objects {
			all = append(all, step{check + "_" + strings.ToLower(object), fmt.Sprintf(title, object), func(ctx context.Context) result {
				return look(ctx, object)
			}, false})
		}
	}
	each("read", "Read on %s", e.read)
	each("fields", "Hidden fields of %s", e.fields)
	for _, object := range objects {
		if sel := chosen(e.org.Salesforce.Fields)[object]; len(sel.Include)+len(sel.Exclude) > 0 {
			all = append(all, step{"chosen_" + strings.ToLower(object), "Chosen fields of " + object, func(context.Context) result { return e.choice(object) }, false})
		}
	}
	each("view_all", "View All on %s", e.viewAll)
	all = append(all, step{"identifier", "Identifier field", e.identifier, false})
	each("cdc", "Change events of %s", e.changes)
	all = append(all, step{"enrichment", "Enrichment of events", e.enrichment, false})
	for _, kind := range e.org.Salesforce.Notes.Objects {
		all = append(all, step{"notes_" + strings.ToLower(kind), "Notes: " + kind, func(ctx context.Context) result { return e.notes(ctx, kind) }, false})
	}
	return append(
		all,
		step{"limits", "Limits", e.limits, false},
		step{"erp", "ERP connected", func(ctx context.Context) result { return e.ground.erp(ctx, e.org) }, true},
	)
}

// block makes a wrong result one after which nothing of Salesforce can be asked.
func (e *examination) block(why string, r result) result {
	e.blocked = why
	return r
}

func good(format string, args ...any) result {
	return result{verdict: Good, seen: fmt.Sprintf(format, args...)}
}

func noted(advice, format string, args ...any) result {
	return result{verdict: Note, seen: fmt.Sprintf(format, args...), advice: advice}
}

func wrong(advice, format string, args ...any) result {
	return result{verdict: Wrong, seen: fmt.Sprintf(format, args...), advice: advice}
}

func unchecked(why string) result {
	return result{verdict: NotChecked, seen: why}
}

// failed is a wrong result of an error: what was seen, and what the error itself advises.
func failed(err error) result {
	var hinted interface {
		error
		Hint() string
	}
	var channel *bayeux.SubscribeError
	switch {
	case errors.As(err, &hinted):
		return wrong(hinted.Hint(), "%s", strings.TrimSuffix(hinted.Error(), ": "+hinted.Hint()))
	case errors.As(err, &channel):
		return wrong(channel.Hint, "%s", strings.TrimSuffix(channel.Error(), ": "+channel.Hint))
	}
	return wrong("run it again with --log-level debug, which shows every call", "%s", err.Error())
}

// code is Salesforce's errorCode, or the empty string.
func code(err error) string {
	var answered *sfapi.Error
	if errors.As(err, &answered) {
		return answered.Code
	}
	return ""
}

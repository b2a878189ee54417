package approval

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/sfapi"
)

// OrgConfig is an org whose login is approved at a Desk.
type OrgConfig struct {
	Name     string
	Tokens   *sfapi.TokenSource // made with Redirect
	Redirect string             // the callback: registered with the app, and served by the console, maybe behind a proxy
	Console  string             // the console's own address, for the log
	Logger   *slog.Logger
	Metrics  *Metrics
}

// Org is the place of one org at a Desk: its task waits there, and a person approves there.
type Org struct {
	cfg      OrgConfig
	redirect *url.URL
	approved chan struct{} // holds one element after an approval that nobody has seen yet

	mu     sync.Mutex
	status Status
	told   string    // the reason that was logged last
	ended  time.Time // when a waiting ended last
}

// Status is what a person reads of an org's approval.
type Status struct {
	Awaited  bool      `json:"awaited"`        // the task waits for an approval; otherwise it has a login
	Why      string    `json:"why,omitempty"`  // what Salesforce refused, or that nothing is stored, and what to do
	First    bool      `json:"first"`          // nothing is stored yet: no approval was refused
	Since    time.Time `json:"since,omitzero"` // when the waiting began
	Last     string    `json:"last,omitempty"` // why the last attempt failed; empty when none has since the waiting began
	Begin    string    `json:"begin"`          // path to which the button is posted
	Callback string    `json:"callback"`       // the address that must be registered with the app
}

// Metrics of this package, for one org.
type Metrics struct{ awaited prometheus.Gauge }

// NewMetrics makes the metrics and registers them; a nil Registerer registers them nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{awaited: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "crosswalk", Subsystem: "approval", Name: "awaited",
		Help: "1 while the org's task waits for a person to approve its login in Salesforce.",
	})}
	if reg != nil {
		reg.MustRegister(m.awaited)
	}
	return m
}

func newOrg(cfg OrgConfig) (*Org, error) {
	redirect, err := url.Parse(cfg.Redirect)
	if err != nil || redirect.Host == "" {
		return nil, fmt.Errorf("orgs[].salesforce.auth.redirect_url is no address: write a callback of the app, such as http://localhost:8080/callback")
	}
	if redirect.Path == "" {
		redirect.Path = "/"
	}
	return &Org{
		cfg: cfg, redirect: redirect, approved: make(chan struct{}, 1),
		status: Status{Begin: beginPath + url.PathEscape(cfg.Name), Callback: cfg.Redirect},
	}, nil
}

// Status is safe to call at any time.
func (o *Org) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.status
}

// look is how often the token store is looked at while an approval is awaited: crosswalk connect may have stored one there.
const look = 2 * time.Second

// Await waits, because of a refusal, until a login may be tried again: an approval was given here or by another process on the same
// token store, or the refusal is so old that a person may have mended it in Setup. It returns the error of ctx or of the store.
func (o *Org) Await(ctx context.Context, refused *sfapi.AuthError) error {
	o.begin(refused)
	defer o.end()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-o.approved:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if still, err := o.cfg.Tokens.Refusal(ctx); err != nil || still == nil {
			return err
		}
	}
}

func (o *Org) begin(refused *sfapi.AuthError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	why := refused.Error()
	o.status.Awaited, o.status.Why, o.status.First = true, why, refused.NotConnected()
	if o.status.Since.IsZero() || time.Since(o.ended) > sameWaiting {
		o.status.Since, o.status.Last, o.told = time.Now().UTC(), "", ""
	}
	o.cfg.Metrics.awaited.Set(1)
	if o.told != why {
		o.told = why
		o.cfg.Logger.Warn("an org awaits approval in Salesforce: open the console and click Connect", "org", o.cfg.Name, "console", o.cfg.Console, "reason", why)
	}
}

// sameWaiting is how soon after a waiting another one is the same: a login was tried once more and refused once more.
const sameWaiting = time.Minute

func (o *Org) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status.Awaited, o.status.Why, o.status.First, o.ended = false, "", false, time.Now()
	o.cfg.Metrics.awaited.Set(0)
}

// concluded takes what became of an attempt.
func (o *Org) concluded(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.status.Last = err.Error()
		return
	}
	o.status.Last, o.status.Since = "", time.Time{}
	select {
	case o.approved <- struct{}{}:
	default: // it is to be seen still
	}
}

// origin is where the callback is, and so where the browser must be when an attempt begins.
func (o *Org) origin() string { return o.redirect.Scheme + "://" + o.redirect.Host }

// local reports whether the callback is this machine's own, by any of its names.
func (o *Org) local() bool { return o.redirect.Scheme == "http" && Loopback(o.redirect.Hostname()) }

// Loopback reports whether a host name or address is this machine itself.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

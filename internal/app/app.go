// Package app wires Crosswalk together: it is the only place that knows every package.
//
// From a configuration it opens the platform (a real Kafka and registry, or the embedded ones), builds the components
// that are configured (Salesforce producer and matcher per org, ERP import, console) and runs them until the context ends.
// The questions that people ask (customers, issues, status) are answered from the topics or from the process that runs.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"crosswalk/internal/config"
	"crosswalk/producers/erp"
)

// The components that `run` can be told to run.
const (
	Salesforce = "salesforce"
	ERP        = "erp"
	Matcher    = "matcher"
	Console    = "console"
)

var components = []string{Salesforce, ERP, Matcher, Console}

// ErrRejects says that the work is done but some of the input was rejected (exit status 3).
var ErrRejects = errors.New("done with rejects")

// UsageError says that nothing was done because the configuration or the command line asks for what cannot be (exit status 2).
type UsageError struct{ error }

// Unwrap returns what is wrong.
func (e UsageError) Unwrap() error { return e.error }

// CheckComponents reports a name that is no component.
func CheckComponents(names []string) error {
	for _, n := range names {
		if !slices.Contains(components, n) {
			return fmt.Errorf("unknown component %q; give any of %s", n, strings.Join(components, ", "))
		}
	}
	return nil
}

// configured refuses a component that was asked for by name and has no org to work on.
func (a *App) configured(names []string) error {
	for _, c := range []struct {
		name, key string
		has       func(*config.Org) bool
	}{
		{Salesforce, "orgs[].salesforce.auth", func(o *config.Org) bool { return o.Salesforce.Auth.Flow != "" }},
		{ERP, "orgs[].erp.sources[] with a path, folder, token, postgres or topic", func(o *config.Org) bool { return erp.Runs(o.ERP) }},
		{Matcher, "orgs[]", func(*config.Org) bool { return true }},
	} {
		there := slices.ContainsFunc(a.cfg.Orgs, func(o config.Org) bool { return c.has(&o) })
		if slices.Contains(names, c.name) && !there {
			return UsageError{fmt.Errorf("there is nothing to run %s for: configure %s (see deploy/example/crosswalk.yaml)", c.name, c.key)}
		}
	}
	return nil
}

// App is one configured Crosswalk.
type App struct {
	cfg     *config.Config
	log     *slog.Logger
	metrics *prometheus.Registry
	parts   *metrics

	callback string // where the console of this process takes approvals; empty when it has none

	mu       sync.Mutex
	perOrg   map[string]*orgMetrics
	statuses map[string]map[string]func() any // org -> component -> what it says of itself
	running  map[string]time.Time             // tasks that this process runs, and since when
}

// New makes an App of a validated configuration. It starts nothing.
func New(cfg *config.Config, log *slog.Logger) *App {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &App{cfg: cfg, log: log, metrics: reg, parts: newMetrics(reg), perOrg: map[string]*orgMetrics{}, running: map[string]time.Time{}}
}

// collectAt is by how many percent memory may grow before garbage is collected. What a matcher or a Salesforce producer holds is
// long-lived and nearly free of pointers: collecting more often saves a quarter of the memory. A matcher's garbage is so little that it
// costs nothing; a producer would pay a twentieth of its CPU for the last 20 MiB.
func collectAt(names []string) int {
	switch {
	case slices.Contains(names, Matcher):
		return 25
	case slices.Contains(names, Salesforce):
		return 50
	}
	return 100
}

// Run runs the named components (all that are configured when none is named) until ctx ends or one fails. ready is
// called once, when the platform listens.
func (a *App) Run(ctx context.Context, names []string, ready func(Endpoints)) error {
	if err := a.configured(names); err != nil {
		return err
	}
	if len(names) == 0 {
		names = components
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt(names))
	}
	p, err := a.open(ctx, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.serve(a, slices.Contains(names, Console)); err != nil {
		return err
	}
	var all []task
	for i := range a.cfg.Orgs {
		made, err := a.tasks(p, &a.cfg.Orgs[i], names)
		if err != nil {
			return err
		}
		all = append(all, made...)
	}
	if len(all) == 0 {
		a.log.Warn("the configuration has nothing that a component could work on; only the console runs", "example", "deploy/example/crosswalk.yaml")
	}
	if ready != nil {
		ready(p.endpoints)
	}
	return a.runTasks(ctx, p, all)
}

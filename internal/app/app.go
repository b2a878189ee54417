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
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"crosswalk/internal/config"
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

// CheckComponents reports a name that is no component.
func CheckComponents(names []string) error {
	for _, n := range names {
		if !slices.Contains(components, n) {
			return fmt.Errorf("unknown component %q; give any of %s", n, strings.Join(components, ", "))
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

	mu       sync.Mutex
	statuses map[string]map[string]func() any // org -> component -> what it says of itself
}

// New makes an App of a validated configuration. It starts nothing.
func New(cfg *config.Config, log *slog.Logger) *App {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &App{cfg: cfg, log: log, metrics: reg, parts: newMetrics(reg)}
}

// runner is anything that lives: Run blocks and returns nil when ctx ended it.
type runner interface {
	Run(ctx context.Context) error
}

// Run runs the named components (all that are configured when none is named) until ctx ends or one fails. ready is
// called once, when the platform listens.
func (a *App) Run(ctx context.Context, names []string, ready func(Endpoints)) error {
	if len(names) == 0 {
		names = components
	}
	p, err := a.open(ctx, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.serve(a, slices.Contains(names, Console)); err != nil {
		return err
	}
	var lives []runner
	for i := range a.cfg.Orgs {
		org := &a.cfg.Orgs[i]
		made, err := a.components(ctx, p, org, names)
		if err != nil {
			return err
		}
		lives = append(lives, made...)
	}
	if len(lives) == 0 && !slices.Contains(names, Console) {
		return fmt.Errorf("nothing to run: the configuration has no org with %s; see deploy/example/crosswalk.yaml", strings.Join(names, " or "))
	}
	if ready != nil {
		ready(p.endpoints)
	}
	return runAll(ctx, lives)
}

// runAll runs the components; the first that fails ends all.
func runAll(ctx context.Context, lives []runner) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range lives {
		group.Go(func() error { return l.Run(ctx) })
	}
	group.Go(func() error { <-ctx.Done(); return nil }) // the console alone is a component too
	return group.Wait()
}

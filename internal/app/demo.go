package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/config"
	"crosswalk/internal/demo"
	"crosswalk/internal/judge"
	"crosswalk/internal/secret"
	"crosswalk/internal/simulator"
	"crosswalk/producers/erp"
)

// DemoOptions say how the demo runs.
type DemoOptions struct {
	Once bool      // end after the snapshot and a burst of changes are in the views
	Out  io.Writer // what a person reads
	// Tamper is called when all is right, before a last comparison. It exists so that a test can show that a wrong view is found.
	Tamper func(ctx context.Context, e Endpoints) error
}

// DemoReport is what the demo found.
type DemoReport struct {
	Endpoints   Endpoints `json:"endpoints"`
	Customers   int       `json:"customers"`   // of the ERP
	Accounts    int       `json:"accounts"`    // of the org
	Contacts    int       `json:"contacts"`    //
	Matched     int       `json:"matched"`     // customers with a view
	Unmatched   int       `json:"unmatched"`   // records in match.unmatched
	Ambiguous   int       `json:"ambiguous"`   // groups in match.ambiguous
	NearMisses  int       `json:"near_misses"` // unmatched records that have near misses
	Changes     int       `json:"changes"`     // made after the snapshot
	Compared    int       `json:"compared"`    // published values compared with the truth
	Different   int       `json:"different"`   //
	SnapshotMS  int64     `json:"snapshot_ms"` // from the start until every view was right
	ChangesMS   int64     `json:"changes_ms"`  // from the last change until every view was right
	Differences []string  `json:"differences,omitempty"`
}

// ErrDifferent says that a published view is not the one computed directly.
var ErrDifferent = errors.New("a published value differs from the one computed directly from the org and the ERP data")

// demonstration is a running demo.
type demonstration struct {
	DemoOptions
	app     *App
	dir     string
	data    *demo.Dataset
	sim     *simulator.Simulator
	ready   simulator.Ready
	org     *config.Org
	report  DemoReport
	started time.Time
}

// Demo runs everything in one process on public data: a simulated org, ERP customers, embedded Kafka and registry (or the
// configured ones), producers and matcher. It compares every published value with one computed directly.
func Demo(ctx context.Context, cfg *config.Config, log *slog.Logger, opts DemoOptions) (DemoReport, error) {
	d := &demonstration{DemoOptions: opts, started: time.Now()}
	dir, err := os.MkdirTemp("", "crosswalk-demo-")
	if err != nil {
		return d.report, fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // left behind at worst
	d.dir = dir
	if d.data, err = demo.Load(); err != nil {
		return d.report, err
	}
	if err := d.simulate(log); err != nil {
		return d.report, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	simCtx, stopSim := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSim()
	group.Go(func() error { return d.sim.Run(simCtx) })
	group.Go(func() error {
		defer stopSim()
		if d.ready, err = d.sim.AwaitReady(groupCtx); err != nil {
			return err
		}
		return d.pipeline(groupCtx, cfg, log)
	})
	err = group.Wait()
	return d.report, err
}

// simulate loads the org.
func (d *demonstration) simulate(log *slog.Logger) error {
	salesforce := filepath.Join(d.dir, "salesforce")
	if err := os.MkdirAll(salesforce, 0o700); err != nil {
		return fmt.Errorf("make the demo's org: %w", err)
	}
	for object, table := range d.data.Salesforce {
		if err := writeCSV(filepath.Join(salesforce, object+".csv"), table); err != nil {
			return err
		}
	}
	if err := writeCSV(filepath.Join(d.dir, "erp-customers.csv"), d.data.ERP); err != nil {
		return err
	}
	sim, err := simulator.New(simulator.Config{Logger: log, Settings: simulator.Settings{Bulk: simulator.Bulk{PageRows: 200}}})
	if err != nil {
		return err
	}
	d.sim = sim
	return sim.Org().Load(os.DirFS(salesforce))
}

// pipeline configures everything for the simulated org and runs it until the demo is over.
func (d *demonstration) pipeline(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	own := *cfg
	if len(cfg.Kafka.Brokers) == 0 {
		own.DataDir = filepath.Join(d.dir, "data")
	}
	grace := time.Duration(0)
	own.Orgs = []config.Org{{
		OrphanGrace: &grace, ViewMaxBytes: 900_000,
		Salesforce: config.Salesforce{
			LoginURL: d.ready.LoginURL, APIVersion: "66.0", AllowAnyHost: true, SilenceLimit: 5 * time.Minute,
			Auth:  config.Auth{Flow: "web_server", ClientID: d.ready.ClientID, ClientSecret: secret.String(d.ready.ClientSecret), RefreshToken: secret.String(d.ready.RefreshToken)},
			Notes: config.Notes{Objects: []string{"Note", "Task"}, PollInterval: 500 * time.Millisecond},
		},
		Link: config.Link{SalesforceField: demo.LinkField, ERPField: "identifier", Cardinality: "one_to_one", NearMiss: "on"},
		ERP:  config.ERP{Sources: []config.ERPSource{demoSource()}},
	}}
	d.app = New(&own, log)
	d.org = &own.Orgs[0]
	p, err := d.app.open(ctx, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.serve(d.app, true); err != nil {
		return err
	}
	d.report.Endpoints = p.endpoints
	d.say("Simulated org     %s (control %s)\nKafka             %s\nSchema registry   %s\nConsole           %s\n",
		d.ready.InstanceURL, d.ready.ControlURL, p.endpoints.Kafka, p.endpoints.Registry, p.endpoints.Console)
	result, err := d.app.importFile(ctx, p, d.org, erp.Import{Path: filepath.Join(d.dir, "erp-customers.csv"), Source: demoSource()})
	if err != nil {
		return err
	}
	d.report.Customers = result.Rows
	tasks, err := d.app.tasks(p, d.org, []string{Salesforce, Matcher})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	group, groupCtx := errgroup.WithContext(running)
	group.Go(func() error { return d.app.runTasks(groupCtx, p, tasks) })
	group.Go(func() error {
		defer stop()
		return d.show(groupCtx, p)
	})
	return group.Wait()
}

// show waits for the snapshot, makes changes, waits for them and compares.
func (d *demonstration) show(ctx context.Context, p *platform) error {
	client, _, err := d.app.client(d.org)
	if err != nil {
		return err
	}
	t, err := judge.New(ctx, d.ready.ControlURL, client, linkOf(d.org.Link), demoCustomers(d.data.ERP))
	if err != nil {
		return err
	}
	if err := d.settle(ctx, p, t, demoPatience); err != nil {
		return err
	}
	d.report.SnapshotMS = time.Since(d.started).Milliseconds()
	d.say("\nSnapshot: %d accounts, %d contacts and %d ERP customers are in the views after %.1f s.\n",
		d.report.Accounts, d.report.Contacts, d.report.Customers, float64(d.report.SnapshotMS)/1000)
	changes, err := demo.Change(orgWriter{d.sim.Org()}, 1)
	if err != nil {
		return err
	}
	d.report.Changes = changes
	changed := time.Now()
	if err := d.settle(ctx, p, t, demoPatience); err != nil {
		return err
	}
	d.report.ChangesMS = time.Since(changed).Milliseconds()
	d.say("Changes:  %d changes in Salesforce were in the views %.1f s after the last of them.\n", changes, float64(d.report.ChangesMS)/1000)
	if d.Tamper != nil {
		if err := d.Tamper(ctx, p.endpoints); err != nil {
			return err
		}
		if err := d.settle(ctx, p, t, 0); err != nil { // nothing is on its way that could mend it
			return err
		}
	}
	d.summary()
	if d.Once {
		return nil
	}
	d.say("\nThe org keeps changing until you press Ctrl-C. In another terminal:\n  crosswalk customers --data-dir %[1]s\n  crosswalk issues    --data-dir %[1]s\n", d.app.cfg.DataDir)
	return d.keepChanging(ctx)
}

// demoPatience is how long nothing may be published before what is there counts as final: long, for a busy machine.
const demoPatience = 2 * time.Minute

// settle waits until what is published equals the truth. It gives up when nothing was published for as long as patience.
func (d *demonstration) settle(ctx context.Context, p *platform, t *judge.Judge, patience time.Duration) error {
	lastEnds, lastMoved := "", time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		in, err := t.Inputs(ctx)
		if err != nil {
			return err
		}
		want := naive.Compute(in)
		d.report.Accounts, d.report.Contacts = len(in.Accounts), len(in.Contacts)
		views, err := p.views(ctx, d.org)
		if err != nil {
			return err
		}
		found, err := p.issues(ctx, d.org)
		if err != nil {
			return err
		}
		different := t.Compare(want, views, found.Ambiguous, found.Unmatched)
		d.count(want, found, len(views), different)
		if len(different) == 0 {
			return nil
		}
		ends, err := p.ends(ctx, d.org)
		if err != nil {
			return err
		}
		if ends != lastEnds {
			lastEnds, lastMoved = ends, time.Now()
		}
		if time.Since(lastMoved) >= patience {
			d.summary()
			for i, diff := range different {
				if i == 3 {
					d.say("  … and %d more\n", len(different)-i)
					break
				}
				d.say("  %s %s %s\n", diff.Topic, diff.Key, diff.Where())
			}
			return ErrDifferent
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// count notes what the latest comparison found.
func (d *demonstration) count(want naive.State, found Issues, views int, different []judge.Difference) {
	r := &d.report
	r.Matched, r.Unmatched, r.Ambiguous = views, len(found.Unmatched), len(found.Ambiguous)
	r.NearMisses = 0
	for _, u := range found.Unmatched {
		if len(u.NearMisses) > 0 {
			r.NearMisses++
		}
	}
	r.Compared, r.Different, r.Differences = len(want.Views)+len(want.Ambiguous)+len(want.Unmatched), len(different), nil
	for _, diff := range different {
		r.Differences = append(r.Differences, diff.Topic+" "+diff.Key)
	}
}

// say prints for people; what cannot be printed is not worth ending the demo for.
func (d *demonstration) say(format string, args ...any) {
	if d.Out != nil {
		_, _ = fmt.Fprintf(d.Out, format, args...)
	}
}

func (d *demonstration) summary() {
	r := d.report
	d.say(`
Matched     %4d customers have a view with their contacts and notes
Unmatched   %4d accounts, customers, contacts or notes have no counterpart
Near misses %4d of these are alike to one on the other side (crosswalk issues says how)
Ambiguous   %4d identifiers stand on several records
Compared    %4d published values with those computed directly from the org and the ERP data: %d differ
`, r.Matched, r.Unmatched, r.NearMisses, r.Ambiguous, r.Compared, r.Different)
}

// keepChanging makes a round of changes every few seconds until ctx ends.
func (d *demonstration) keepChanging(ctx context.Context) error {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for round := 2; ; round++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := demo.Change(orgWriter{d.sim.Org()}, round); err != nil {
			return err
		}
	}
}

func writeCSV(path string, t demo.Table) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write demo file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	if err := w.Write(t.Header); err != nil {
		return fmt.Errorf("write demo file: %w", err)
	}
	if err := w.WriteAll(t.Rows); err != nil {
		return fmt.Errorf("write demo file: %w", err)
	}
	return nil
}

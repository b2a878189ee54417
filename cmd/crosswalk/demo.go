package main

import (
	"errors"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/config"
)

// demo runs everything in one process on public data.
func (s *shell) demo() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything in one process on public data: an org, ERP customers, Kafka, matching",
		Long: `Run everything in one process: a simulated Salesforce org and ERP customers made from public data (Northwind, S&P 500), an
embedded Kafka and schema registry, the snapshot, live changes and the matching. It prints where to look and what it found,
and keeps changing the org until you press Ctrl-C.

With --once it ends after the snapshot and a burst of changes are in the views: exit status 0 when every published value
equals the one computed directly from the org and the ERP data, 1 when one differs.

With kafka.brokers and schema_registry.url configured it uses those instead of the embedded ones.` + exitHelp,
		Example: "  crosswalk demo\n  crosswalk demo --once --json --data-dir /tmp/demo",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			if s.logLevel == "" && s.config == "" {
				log = s.logger(config.Log{Level: "warn"}) // the demo's own lines are what a person wants to read
			}
			opts := app.DemoOptions{Once: once}
			if !s.json {
				opts.Out = s.out
			}
			report, err := app.Demo(c.Context(), cfg, log, opts)
			if s.json && (err == nil || errors.Is(err, app.ErrDifferent)) {
				if e := s.emit(report); e != nil {
					return e
				}
			}
			return err
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end after the snapshot and a burst of changes, having compared every view")
	return c
}

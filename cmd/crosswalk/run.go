package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
)

// run runs the named components until stopped.
func (s *shell) run() *cobra.Command {
	return &cobra.Command{
		Use:   "run [salesforce] [erp] [matcher] [console]",
		Short: "Run the named components until stopped (default: all that are configured)",
		Long: `Run the named components until stopped with Ctrl-C or SIGTERM. Without names, all that are configured run.

  salesforce  snapshot and change stream of each org → salesforce.account, salesforce.contact, salesforce.note
  erp         follows the erp.sources: files and folders, HTTP push, PostgreSQL, topics → erp.customer
  matcher     joins both on the link → customer.view, match.unmatched, match.ambiguous
  console     the page, /metrics, /api/status, and the embedded schema registry

An org with auth.flow web_server that nobody has approved yet, or whose approval Salesforce no longer accepts, waits: the console's page
has a button that leads to Salesforce, and the import begins by itself after the approval. Without the console it ends with an error.

Without kafka.brokers an embedded Kafka and registry run in this process; their addresses are printed.` + exitHelp,
		Example: "  crosswalk run --config crosswalk.yaml\n  crosswalk run matcher console --config crosswalk.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			return app.CheckComponents(args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancelCause(c.Context())
			defer stop(nil)
			var unsaid error // who waits for the endpoints cannot be told them
			err = app.New(cfg, log).Run(ctx, args, func(e app.Endpoints) {
				if unsaid = s.printEndpoints(e); unsaid != nil {
					stop(unsaid)
				}
			})
			return cmp.Or(unsaid, err)
		},
	}
}

// printEndpoints says where the parts of this process listen, once they do.
func (s *shell) printEndpoints(e app.Endpoints) error {
	if s.json {
		return s.emit(e)
	}
	fmt.Fprintf(s.out, "Kafka            %s\n", e.Kafka)
	fmt.Fprintf(s.out, "Schema registry  %s\n", e.Registry)
	if e.Console != "" {
		fmt.Fprintf(s.out, "Console          %s\n", e.Console)
	}
	return nil
}

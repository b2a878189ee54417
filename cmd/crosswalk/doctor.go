package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
)

// doctor walks the preconditions and says where to click.
func (s *shell) doctor() *cobra.Command {
	var opts app.DoctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check every precondition on the wire, a line each, with the click path that mends it",
		Long: `Check, in the order in which they depend on each other, a line each: the configuration, the host, the login, its scopes,
API Enabled, the app allowed for the user, Read on Account and Contact, hidden fields, View All, the identifier field (is it
readable, how many accounts have it, how many share it), Change Data Capture and its enrichment, notes, limits, the ERP
connected, Kafka, the schema registry. Each line says what was seen; below it stands what that means and where to click, for
External Client Apps and for classic connected apps. What cannot be looked at because an earlier step failed says so.

It reads only: some twenty API calls, and ten more for the identifier of a large org. Secrets are never shown.

  ok           as it should be
  note         works, and is worth knowing
  wrong        has to be mended
  not checked  could not be looked at

Exit status: 0 nothing is wrong, 1 something is wrong, 2 wrong usage or configuration.`,
		Example: "  crosswalk doctor --config crosswalk.yaml\n  crosswalk doctor --org emea\n  crosswalk doctor --json | jq 'select(.verdict == \"wrong\")'",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancelCause(c.Context())
			defer stop(nil)
			org := ""
			opts.Report = func(f app.Finding) {
				if s.json {
					if err := s.emit(f); err != nil {
						stop(err) // the doctor ends with it
					}
					return
				}
				if f.Org != org && len(cfg.Orgs) > 1 {
					fmt.Fprintf(s.out, "\n%s\n", headline(f.Org))
				}
				org = f.Org
				printFinding(s.out, f)
			}
			return app.New(cfg, log).Doctor(ctx, opts)
		},
	}
	c.Flags().StringVar(&opts.Org, "org", "", "`ALIAS` of the org (default: every org)")
	return c
}

func headline(org string) string {
	if org == "" {
		return "Shared by all orgs"
	}
	return "Org " + printable(org)
}

func printFinding(out io.Writer, f app.Finding) {
	fmt.Fprintf(out, "%-11s  %-25s  %s\n", strings.ReplaceAll(string(f.Verdict), "_", " "), f.Title, printable(f.Seen))
	if f.Advice != "" {
		fmt.Fprintf(out, "%-11s  %-25s  → %s\n", "", "", printable(f.Advice))
	}
}

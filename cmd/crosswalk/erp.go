package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/config"
)

// erp groups the commands of the ERP side.
func (s *shell) erp() *cobra.Command {
	c := &cobra.Command{
		Use: "erp import", Short: "Work with ERP customers", Long: "Work with ERP customers." + exitHelp,
		Example: "  crosswalk erp import customers.csv --full --config crosswalk.yaml",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return usageError{fmt.Errorf("unknown command %q; give import", args[0])}
		},
	}
	c.AddCommand(s.erpImport())
	return c
}

// erpImport publishes the customers of one file.
func (s *shell) erpImport() *cobra.Command {
	var opts app.ImportOptions
	var full, delta bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Publish the ERP customers of a file",
		Long: `Publish the ERP customers of a CSV or JSON file to erp.customer, mapped by a source of the configuration
(orgs[].erp.sources[]), or by a mapping that comes with Crosswalk (--preset ` + strings.Join(config.Presets, ", ") + `).
Customers that did not change are not published again.

CSV: delimiter , ; tab or |, title lines before the header are passed over; SAP's printed lists. JSON: an object a line, or one
array. UTF-8, UTF-16, Windows-1252.

With --full the file is the whole list: customers of this source that it does not name are deleted, unless that would be
more than the safety share (max_delete_share, default 0.2): then nothing is published. With --delta it only adds and changes.

A row that cannot be taken goes to FILE's .rejects.csv with line, column and reason; the rest goes on.

While crosswalk run serves the same org, the import takes the topic over, and the running process takes it back afterwards;
nothing is lost on either side.` + exitHelp,
		Example: "  crosswalk erp import customers.csv --full --config crosswalk.yaml\n  crosswalk erp import KNA1.csv --preset sap --config crosswalk.yaml",
		Args:    usage(one("the file to import")),
		RunE: func(c *cobra.Command, args []string) error {
			if full && delta {
				return usageError{errors.New("--full and --delta exclude each other; give one")}
			}
			if opts.Preset != "" && !slices.Contains(config.Presets, opts.Preset) {
				return usageError{fmt.Errorf("there is no preset %q; give --preset with one of: %s", opts.Preset, strings.Join(config.Presets, ", "))}
			}
			switch {
			case full:
				opts.Mode = "full"
			case delta:
				opts.Mode = "delta"
			}
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			opts.File = args[0]
			bar := s.progress("import")
			opts.Progress = bar.set
			result, err := app.New(cfg, log).Import(c.Context(), opts)
			bar.done()
			if err != nil && !errors.Is(err, app.ErrRejects) {
				return err
			}
			if s.json {
				if e := s.emit(result); e != nil {
					return e
				}
				return err
			}
			fmt.Fprintf(s.out, "%s: %d rows, %d published, %d unchanged, %d deleted, %d rejected\n",
				printable(args[0]), result.Rows, result.Published, result.Unchanged, result.Deleted, result.Rejected)
			if result.Skipped > 0 {
				fmt.Fprintf(s.out, "skipped as no customers (skip_rows): %d rows\n", result.Skipped)
			}
			if result.Rejected > 0 {
				fmt.Fprintf(s.out, "rejected rows, each with line, column and reason: %s\n", printable(result.RejectsFile))
			}
			if result.Guessed {
				fmt.Fprintln(s.out, "the file was read as Windows-1252, by the look of its bytes; set encoding in the source to be sure")
			}
			if result.DeletesWithheld != "" {
				fmt.Fprintf(s.out, "nothing was deleted: %s\n", result.DeletesWithheld)
			}
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&full, "full", false, "the file is the whole list: delete what it does not name")
	f.BoolVar(&delta, "delta", false, "the file adds and changes only")
	f.StringVar(&opts.Source, "source", "", "`NAME` of the source in the configuration (needed only with several)")
	f.StringVar(&opts.Preset, "preset", "", "`NAME` of a mapping that comes with Crosswalk: "+strings.Join(config.Presets, ", "))
	f.StringVar(&opts.Org, "org", "", "`ALIAS` of the org (needed only with several)")
	f.StringVar(&opts.RejectsFile, "rejects", "", "`FILE` for rejected rows (default: beside the file)")
	f.Float64Var(&opts.MaxDeleteShare, "max-delete-share", -1, "refuse a full import that deletes more than this `SHARE` (0 to 1)")
	return c
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/config"
)

// simulator runs the simulated org alone.
func (s *shell) simulator() *cobra.Command {
	var opts app.SimulatorOptions
	c := &cobra.Command{
		Use:   "simulator",
		Short: "Run the simulated Salesforce org alone, for any Salesforce client",
		Long: `Run a simulated Salesforce org: OAuth, REST, Bulk API 2.0, Change Data Capture over CometD. When it is ready it prints
one line of JSON with its addresses and credentials; it runs until stopped.

The org is read from a folder of CSV files (Account.csv, Contact.csv, …; the header holds API names) or made up from a seed.
The control address changes data and injects faults: POST /emit?object=Account&count=1, POST /records/{object},
PATCH and DELETE /records/{object}/{id}, GET /org/{object}, GET /log, POST /expire-sessions, POST /revoke-tokens, POST /fault.

A fault is JSON: what happens (kind, or status with code and message or body, delay, drop, truncate) and to which requests
(method, path, after, count; count -1 is always). DELETE /fault ends all of them, also for requests
that are being delayed.` + exitHelp,
		Example: `  crosswalk simulator --listen 127.0.0.1:8443 --control 127.0.0.1:8444 --seed 1 --accounts 1000 --contacts 3000
  curl -X POST '127.0.0.1:8444/emit?object=Account'
  curl -X POST 127.0.0.1:8444/fault -d '{"kind": "unavailable", "path": "/services/data/v*/query", "count": 2}'`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case opts.Data != "" && (opts.Accounts != 0 || opts.Contacts != 0):
				return usageError{errors.New("--data reads an org from files, --accounts and --contacts make one up; give one or the other")}
			case opts.Accounts < 0 || opts.Contacts < 0:
				return usageError{errors.New("--accounts and --contacts cannot be negative; give 0 or more")}
			}
			log := s.logger(config.Log{Level: s.logLevel})
			opts.KeyDir = os.TempDir()
			return app.Simulate(c.Context(), opts, log, func(ready any) {
				line, err := json.Marshal(ready)
				if err != nil {
					log.Error("print the simulator's addresses", "error", err)
					return
				}
				fmt.Fprintf(s.out, "%s\n", line)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&opts.Listen, "listen", "127.0.0.1:0", "`ADDR` of the org")
	f.StringVar(&opts.Control, "control", "127.0.0.1:0", "`ADDR` of the control")
	f.StringVar(&opts.Data, "data", "", "`DIR` of CSV files to load")
	f.Uint64Var(&opts.Seed, "seed", 1, "`N` from which the org is made up")
	f.IntVar(&opts.Accounts, "accounts", 0, "make up `N` accounts")
	f.IntVar(&opts.Contacts, "contacts", 0, "make up `N` contacts")
	f.BoolVar(&opts.AutoApprove, "auto-approve", false, "approve authorization requests without a person")
	f.BoolVar(&opts.TLS, "tls", false, "serve https with a self-signed certificate")
	return c
}

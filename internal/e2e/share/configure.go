package main

import (
	"fmt"
	"strings"
)

// configure writes the configurations: the same for all but for the folder.
func (t *trial) configure() error {
	var orgs strings.Builder
	for _, o := range t.orgs {
		orgs.WriteString(o.YAML(o.alias))
		fmt.Fprintf(&orgs, `    erp:
      sources:
        - name: ledger
          mode: full
          folder: {path: %q, settle: 200ms, interval: 200ms}
          columns: {number: No, name: Name, identifier: Reference, balance: Balance}
`, o.folder)
	}
	for _, p := range t.processes {
		if err := p.Configure(&t.Setting, 2, orgs.String()); err != nil {
			return err
		}
	}
	return nil
}

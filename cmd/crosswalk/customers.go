package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/customer"
)

// customers lists the matched customers, or shows one with its contacts and notes.
func (s *shell) customers() *cobra.Command {
	var org string
	c := &cobra.Command{
		Use:   "customers [KEY]",
		Short: "List the matched ERP customers, or show one with its contacts and notes",
		Long: `List the ERP customers that are matched, with what Salesforce knows of each. With a KEY (the customer's key in the
ERP, company/number where it has companies) show that customer: its accounts, contacts and notes.` + exitHelp,
		Example: "  crosswalk customers\n  crosswalk customers ALFKI\n  crosswalk customers --json | jq .customer.key",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("give the key of one customer, not %d keys; quote a key that has spaces", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			key := ""
			if len(args) == 1 {
				key = args[0]
			}
			views, err := app.New(cfg, log).Views(c.Context(), org, key)
			if err != nil {
				return err
			}
			if s.json {
				return jsonLines(s.out, views)
			}
			if key != "" {
				return printView(s.out, views[0])
			}
			return printViews(s.out, views)
		},
	}
	c.Flags().StringVar(&org, "org", "", "`ALIAS` of the org (needed only with several)")
	return c
}

func jsonLines[T any](out io.Writer, values []T) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}

func printViews(out io.Writer, views []customer.View) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CUSTOMER\tNAME\tBALANCE\tIDENTIFIER\tACCOUNT\tCONTACTS\tNOTES")
	for _, v := range views {
		contacts, notes := 0, 0
		var names []string
		for _, a := range v.Accounts {
			contacts += a.ContactsTotal
			notes += a.NotesTotal
			names = append(names, text(a.Fields, "Name"))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", printable(v.Customer.Key), text(v.Customer.Fields, "name"), money(v.Customer.Fields),
			printable(v.Identifier), strings.Join(names, ", "), contacts, notes)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Fprintf(out, "\n%s matched. One in detail: crosswalk customers KEY. Not matched: crosswalk issues.\n", plural(len(views), "customer"))
	return nil
}

func printView(out io.Writer, v customer.View) error {
	fmt.Fprintf(out, "%s  %s\n", printable(v.Customer.Key), text(v.Customer.Fields, "name"))
	fmt.Fprintf(out, "matched by %s = %s: %q\n", v.Link.SalesforceField, v.Link.ERPField, printable(v.Identifier))
	if len(v.SharedWith) > 0 {
		fmt.Fprintf(out, "shares its accounts with %s\n", printable(strings.Join(v.SharedWith, ", ")))
	}
	printFields(out, "  ", v.Customer.Fields, "key", "name")
	for _, a := range v.Accounts {
		fmt.Fprintf(out, "\nAccount %s  %s\n", a.ID, text(a.Fields, "Name"))
		printFields(out, "  ", a.Fields, "Id", "Name")
		for _, c := range a.Contacts {
			fmt.Fprintf(out, "\n  Contact %s  %s\n", c.ID, strings.TrimSpace(text(c.Fields, "FirstName")+" "+text(c.Fields, "LastName")))
			printFields(out, "    ", c.Fields, "Id", "AccountId", "FirstName", "LastName", "Name")
		}
		if more := a.ContactsTotal - len(a.Contacts); more > 0 {
			fmt.Fprintf(out, "\n  and %s more, which this view has no room for\n", plural(more, "contact"))
		}
		for _, n := range a.Notes {
			fmt.Fprintf(out, "\n  %s %s  %s\n", text(n.Fields, "kind"), n.ID, text(n.Fields, "title"))
			for line := range strings.Lines(textOf(n.Fields["text"])) {
				fmt.Fprintf(out, "    %s\n", printable(strings.TrimRight(line, "\r\n")))
			}
			if n.TextTruncated {
				fmt.Fprintln(out, "    … (the text goes on in Salesforce)")
			}
		}
		if more := a.NotesTotal - len(a.Notes); more > 0 {
			fmt.Fprintf(out, "\n  and %s more, which this view has no room for\n", plural(more, "note"))
		}
	}
	return nil
}

// printFields shows the fields that say something, by name; the audit fields of Salesforce are left to --json.
func printFields(out io.Writer, indent string, fields customer.Fields, except ...string) {
	silent := []string{"CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate", "OwnerId", "SystemModstamp", "IsDeleted"}
	names := make([]string, 0, len(fields))
	for name, v := range fields {
		if set, isBool := v.(bool); v != nil && (set || !isBool) && !slices.Contains(except, name) && !slices.Contains(silent, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if nested, ok := fields[name].(map[string]any); ok {
			fmt.Fprintf(out, "%s%s:\n", indent, printable(name))
			printFields(out, indent+"  ", nested)
			continue
		}
		fmt.Fprintf(out, "%s%s: %s\n", indent, printable(name), printable(textOf(fields[name])))
	}
}

func money(f customer.Fields) string {
	if f["balance"] == nil {
		return ""
	}
	return strings.TrimSpace(textOf(f["balance"]) + " " + textOf(f["currency"]))
}

func text(f customer.Fields, name string) string { return printable(textOf(f[name])) }

func textOf(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case customer.Decimal:
		return string(x)
	case []any, map[string]any:
		b, err := json.Marshal(x)
		if err != nil {
			return fmt.Sprint(x)
		}
		return string(b)
	}
	return fmt.Sprint(v)
}

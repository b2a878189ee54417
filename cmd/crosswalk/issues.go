package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/customer"
)

// issues lists what needs a person, with what would solve each.
func (s *shell) issues() *cobra.Command {
	var org, reason string
	c := &cobra.Command{
		Use:   "issues",
		Short: "List what needs a person: ambiguous groups and unmatched records, with what would solve each",
		Long: `List the ambiguous groups (match.ambiguous) and the unmatched records (match.unmatched), near misses first, each with
what would solve it. Solved ones vanish from the list by themselves.` + exitHelp,
		Example: "  crosswalk issues\n  crosswalk issues --reason NO_COUNTERPART\n  crosswalk issues --json",
		RunE: func(c *cobra.Command, _ []string) error {
			reason = strings.ToUpper(reason)
			if reason != "" && !slices.Contains(customer.Reasons, customer.Reason(reason)) {
				return usageError{fmt.Errorf("--reason %q is none; give one of %s", reason, strings.Join(names(customer.Reasons), ", "))}
			}
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			found, err := app.New(cfg, log).Issues(c.Context(), org)
			if err != nil {
				return err
			}
			found = found.Only(reason)
			if s.json {
				if err := jsonLines(s.out, found.Ambiguous); err != nil {
					return err
				}
				return jsonLines(s.out, found.Unmatched)
			}
			return printIssues(s.out, found)
		},
	}
	c.Flags().StringVar(&org, "org", "", "`ALIAS` of the org (needed only with several)")
	c.Flags().StringVar(&reason, "reason", "", "only issues with this `REASON`, e.g. MANY_ACCOUNTS or NO_COUNTERPART")
	return c
}

// names are reasons as text.
func names(reasons []customer.Reason) []string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = string(r)
	}
	return out
}

func printIssues(out io.Writer, found app.Issues) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHAT\tNAME\tIDENTIFIER\tREASON\tWHAT WOULD SOLVE IT")
	for _, a := range found.Ambiguous {
		fmt.Fprintf(t, "%s, %s\t\t%s\t%s\t%s\n", plural(a.AccountCount, "account"), plural(a.ERPCustomerCount, "customer"),
			printable(a.Identifier), a.Reason, ambiguousAdvice(a, found.Names))
	}
	nearMisses := 0
	for _, u := range found.Unmatched {
		if len(u.NearMisses) > 0 || u.NearMissGroupTooLarge {
			nearMisses++
		}
		identifier := ""
		if u.Identifier != nil {
			identifier = printable(*u.Identifier)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", printable(u.Key()), printable(found.Names[u.Key()]), identifier, reasonText(u), unmatchedAdvice(u, found.Names))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Fprintf(out, "\n%s ambiguous, %s unmatched, %d of these with near misses.\n", plural(len(found.Ambiguous), "group"), plural(len(found.Unmatched), "record"), nearMisses)
	return nil
}

func reasonText(u customer.Unmatched) string {
	if u.Detail != nil {
		return string(u.Reason) + "/" + string(*u.Detail)
	}
	return string(u.Reason)
}

func ambiguousAdvice(a customer.Ambiguous, called map[string]string) string {
	accounts := listed(customer.SideAccount, a.Accounts, a.AccountCount, called)
	customers := listed(customer.SideERP, a.ERPCustomers, a.ERPCustomerCount, called)
	switch a.Reason {
	case customer.ManyAccounts:
		return "accounts " + accounts + " carry the identifier of customer " + customers + ": keep it on one, or allow link.cardinality many_accounts"
	case customer.ManyCustomers:
		return "customers " + customers + " carry the identifier of account " + accounts + ": keep it on one, or allow link.cardinality many_customers"
	case customer.ManyBoth:
		return "accounts " + accounts + " and customers " + customers + " share it: give each pair its own, or allow link.cardinality many_to_many"
	}
	return "more than 100 records share it, it is probably a placeholder: correct it at the source"
}

// listed names some of a group's records.
func listed(side customer.Side, ids []string, count int, called map[string]string) string {
	const most = 3
	out := make([]string, min(len(ids), most))
	for i := range out {
		out[i] = record(side, ids[i], called)
	}
	text := strings.Join(out, ", ")
	if count > len(out) {
		text += fmt.Sprintf(" and %d more", count-len(out))
	}
	return text
}

// record is a record's id with what people call it.
func record(side customer.Side, id string, called map[string]string) string {
	if name := called[side.Prefix()+id]; name != "" {
		return printable(id) + " (" + printable(name) + ")"
	}
	return printable(id)
}

func unmatchedAdvice(u customer.Unmatched, called map[string]string) string {
	switch u.Reason {
	case customer.NoCounterpart:
		return counterpartAdvice(u, called)
	case customer.NoIdentifier:
		if u.Detail != nil && *u.Detail == customer.DetailFieldAbsent {
			return "the link's field is not in the record: check its name, and that the integration user may read it"
		}
		return "fill in the link's field"
	case customer.BlankIdentifier:
		return "the link's field is blank: fill it in"
	case customer.IdentifierTooLong:
		return "the identifier has more than 1,024 bytes: correct it"
	case customer.IdentifierType:
		return "the link's field is no text and no number: choose another field for the link"
	case customer.NoAccount:
		return "give the contact an account in Salesforce"
	case customer.AccountMissing:
		return "its account is not visible: check that the integration user may see it"
	case customer.NoParent:
		return "the note is attached to no account or contact: relate it to one in Salesforce"
	case customer.ParentMissing:
		return "what the note is attached to is not visible: check that the integration user may see it"
	}
	return ""
}

func counterpartAdvice(u customer.Unmatched, called map[string]string) string {
	other, remedy := "customer", "correct it on the account, or import the customer"
	if u.Side == customer.SideERP {
		other, remedy = "account", "set it on the customer's account in Salesforce"
	}
	if u.NearMissGroupTooLarge {
		return "more than 1,000 records are alike, it is probably a placeholder: correct it at the source"
	}
	if len(u.NearMisses) == 0 {
		return "no " + other + " has this identifier: " + remedy
	}
	n := u.NearMisses[0]
	classes := make([]string, len(n.Classes))
	for i, c := range n.Classes {
		classes[i] = strings.ToLower(strings.ReplaceAll(string(c), "_", " "))
	}
	advice := fmt.Sprintf("nearly: %s %s has %q, which differs in %s; make both equal", other, record(u.Side.Other(), n.ID, called), printable(n.Identifier), strings.Join(classes, ", "))
	if more := len(u.NearMisses) - 1; more > 0 {
		advice += fmt.Sprintf(" (and %d more alike)", more)
	}
	return advice
}

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"crosswalk/consumers/matcher/suggest"
	"crosswalk/internal/app"
	"crosswalk/internal/customer"
)

// identifier finds, tries and sets the pair of fields that both sides are matched by.
func (s *shell) identifier() *cobra.Command {
	c := &cobra.Command{
		Use:   "identifier suggest|preview|activate|reset|deactivate",
		Short: "Find, try and set the pair of fields that both sides are matched by",
		Long: `Find, try and set the pair of fields, one of the Account and one of the ERP customer, whose values must be equal, byte
for byte, for the two to be matched. Nothing of Salesforce is shown before such a pair is set, by the configuration
(orgs[].link) or by activate, which wins.` + exitHelp,
		Example: "  crosswalk identifier suggest\n  crosswalk identifier preview ERP_Customer_No__c identifier\n  crosswalk identifier activate ERP_Customer_No__c identifier",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return usageError{fmt.Errorf("unknown command %q; give suggest, preview, activate, reset or deactivate", args[0])}
		},
	}
	c.AddCommand(s.identifierSuggest(), s.identifierPreview(), s.identifierActivate(), s.identifierReset(), s.identifierDeactivate())
	for _, sub := range c.Commands() {
		sub.Args = usage(sub.Args)
	}
	return c
}

// shownPairs is how many pairs suggest shows unless told otherwise.
const shownPairs = 10

func (s *shell) identifierSuggest() *cobra.Command {
	var org string
	var limit int
	c := &cobra.Command{
		Use:   "suggest",
		Short: "Rank all pairs of fields by how many ERP customers they match exactly",
		Long: `Read the Accounts and the ERP customers from their topics, compare every field of one side with every field of the
other, and rank the pairs that have values in common. Nothing is changed.` + exitHelp,
		Example: "  crosswalk identifier suggest\n  crosswalk identifier suggest --json | head -1",
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return usageError{fmt.Errorf("--limit is %d; give how many pairs are shown, or 0 for all", limit)}
			}
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			bar := s.progress("read")
			found, err := app.New(cfg, log).Suggest(c.Context(), org, bar.set)
			bar.done()
			if err != nil {
				return err
			}
			if s.json {
				return jsonLines(s.out, found.Pairs)
			}
			return printSuggestion(s.out, found, limit)
		},
	}
	c.Flags().StringVar(&org, "org", "", "`ALIAS` of the org (needed only with several)")
	c.Flags().IntVar(&limit, "limit", shownPairs, "how many pairs are shown; 0 shows all (--json always does)")
	return c
}

func printSuggestion(out io.Writer, found app.Suggestion, limit int) error {
	pairs := found.Pairs
	if limit > 0 {
		pairs = pairs[:min(len(pairs), limit)]
	}
	fmt.Fprintf(out, "%s and %s were compared%s.\n\n", plural(found.Accounts, "Account"), plural(found.Customers, "ERP customer"), leftOut(found.Broken))
	if len(pairs) == 0 {
		fmt.Fprintln(out, "No field of one side has a value in common with a field of the other. Put the ERP's number into a field of the Account\n(or the Account's Id into the ERP), then ask again.")
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SALESFORCE FIELD\tERP FIELD\tMATCHED\tSHARE\tAMBIGUOUS\tFILLED (SF / ERP)\tDUPLICATES (SF / ERP)\tEXAMPLES")
	for _, p := range pairs {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%s / %s\t%d / %d\t%s\n", printable(p.SalesforceField), printable(p.ERPField), p.Matched, percent(p.Share),
			p.Ambiguous, percent(p.AccountFill), percent(p.CustomerFill), p.AccountDuplicates, p.CustomerDuplicates, examples(p))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if more := len(found.Pairs) - len(pairs); more > 0 {
		fmt.Fprintf(out, "… and %s that match less; --limit 0 shows all.\n", plural(more, "pair"))
	}
	fmt.Fprintf(out, `
Matched: ERP customers with exactly one Account of the same value. Ambiguous: those whose value stands on several records.
%s

Next: crosswalk identifier preview %s %s
`, found.Order, printable(pairs[0].SalesforceField), printable(pairs[0].ERPField))
	return nil
}

// leftOut tells of records that could not be decoded.
func leftOut(broken int) string {
	if broken == 0 {
		return ""
	}
	return fmt.Sprintf("; %s could not be decoded and took no part (the matcher puts them into crosswalk.deadletter)", plural(broken, "record"))
}

// examples shows the values short enough for a table.
func examples(p suggest.Pair) string {
	const longest = 24
	var out []string
	for _, e := range p.Examples {
		if r := []rune(e); len(r) > longest {
			e = string(r[:longest-1]) + "…"
		}
		out = append(out, printable(e))
	}
	return strings.Join(out, ", ")
}

// percent shows a share so that only all is 100 % and only none is 0 %.
func percent(share float64) string {
	p := min(max(share*100, 0.1), 99.9)
	switch {
	case share == 0 || share == 1:
		return fmt.Sprintf("%.0f%%", share*100)
	case p < 1 || p > 99:
		return fmt.Sprintf("%.1f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}

// linkFlags are the flags of a link beside its two fields.
type linkFlags struct {
	org, cardinality, nearMiss string
}

func (f *linkFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.org, "org", "", "`ALIAS` of the org (needed only with several)")
	c.Flags().StringVar(&f.cardinality, "cardinality", string(customer.CardinalityOneToOne), "one_to_one, many_accounts, many_customers or many_to_many")
	c.Flags().StringVar(&f.nearMiss, "near-miss", "on", "on or off: whether values that are alike are reported")
}

// twoFields asks for the fields of a link.
func twoFields(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("give the Account's field and the ERP customer's field, not %s; 'crosswalk identifier suggest' names those that fit", plural(len(args), "name"))
	}
	return nil
}

// link is what the arguments and flags of a command say.
func (f *linkFlags) link(args []string) (customer.Link, error) {
	l := customer.Link{SalesforceField: args[0], ERPField: args[1], Cardinality: customer.Cardinality(f.cardinality), NearMiss: f.nearMiss == "on"}
	if f.nearMiss != "on" && f.nearMiss != "off" {
		return l, usageError{fmt.Errorf("--near-miss is %q; give on or off", f.nearMiss)}
	}
	if err := l.Validate(); err != nil {
		return l, usageError{err}
	}
	return l, nil
}

func (s *shell) identifierPreview() *cobra.Command {
	var flags linkFlags
	c := &cobra.Command{
		Use:   "preview SALESFORCE_FIELD ERP_FIELD",
		Short: "Show what an activation would do: counts before and after, with examples",
		Long: `Compute what would be matched, ambiguous and unmatched by a pair of fields, beside what is so now. Nothing is published
and nothing is changed. An ERP_FIELD inside another one has dots: attributes.crmId.

All records' keys and values of the fields are held in memory: about 1.5 kB for each Account and ERP customer.` + exitHelp,
		Example: "  crosswalk identifier preview ERP_Customer_No__c identifier\n  crosswalk identifier preview Id attributes.salesforceId --cardinality many_customers",
		Args:    twoFields,
		RunE: func(c *cobra.Command, args []string) error {
			link, err := flags.link(args)
			if err != nil {
				return err
			}
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			bar := s.progress("read")
			found, err := app.New(cfg, log).Preview(c.Context(), flags.org, link, bar.set)
			bar.done()
			if err != nil {
				return err
			}
			if s.json {
				return jsonLines(s.out, []app.Preview{found})
			}
			return printPreview(s.out, &found)
		},
	}
	flags.add(c)
	return c
}

func printPreview(out io.Writer, p *app.Preview) error {
	fmt.Fprintf(out, "Now:    %s\nThen:   %s\nLooked at %s and %s%s.\n\n", printable(p.Current.String()), printable(p.Link.String()),
		plural(p.Accounts, "Account"), plural(p.Customers, "ERP customer"), leftOut(p.Broken))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tNOW\tTHEN\t")
	for _, row := range []struct {
		what         string
		before, then int
	}{
		{"ERP customers matched", p.Before.Matched, p.After.Matched},
		{"ambiguous values", p.Before.Ambiguous, p.After.Ambiguous},
		{"Accounts unmatched", p.Before.UnmatchedAccounts, p.After.UnmatchedAccounts},
		{"ERP customers unmatched", p.Before.UnmatchedCustomers, p.After.UnmatchedCustomers},
		{"of these with near misses", p.Before.NearMisses, p.After.NearMisses},
	} {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", row.what, row.before, row.then)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Fprintln(out)
	changed(out, "would become matched", p.Gained, p.GainedAll)
	changed(out, "would no longer be matched", p.Lost, p.LostAll)
	printOutcome(out, p.After)
	fmt.Fprintf(out, "\nNothing was changed. To do it: crosswalk identifier activate %s %s%s\n", printable(p.Link.SalesforceField), printable(p.Link.ERPField), moreFlags(p.Link))
	return nil
}

// moreFlags repeats what was not left at its default.
func moreFlags(l customer.Link) string {
	out := ""
	if l.Cardinality != customer.CardinalityOneToOne {
		out += " --cardinality " + string(l.Cardinality)
	}
	if !l.NearMiss {
		out += " --near-miss off"
	}
	return out
}

func changed(out io.Writer, what string, keys []string, count int) {
	if count > 0 {
		fmt.Fprintf(out, "%s %s: %s\n", plural(count, "ERP customer"), what, listed(customer.SideERP, keys, count, nil))
	}
}

func printOutcome(out io.Writer, o app.Outcome) {
	fmt.Fprintln(out, "\nExamples of what it would lead to:")
	for _, e := range o.Examples {
		fmt.Fprintf(out, "  matched    %s: customer %s and account %s\n", printable(e.Identifier), printable(e.Customer), listed(customer.SideAccount, e.Accounts, len(e.Accounts), nil))
	}
	for _, a := range o.AmbiguousExamples {
		fmt.Fprintf(out, "  ambiguous  %s: %s\n", printable(a.Identifier), ambiguousAdvice(a, nil))
	}
	for _, u := range o.NearMissExamples {
		fmt.Fprintf(out, "  near miss  %s: %s\n", printable(u.Key()), unmatchedAdvice(u, nil))
	}
	for _, u := range o.UnmatchedExamples {
		fmt.Fprintf(out, "  unmatched  %s: %s, %s\n", printable(u.Key()), reasonText(u), unmatchedAdvice(u, nil))
	}
}

// defaultWait is how long an activation is waited for.
const defaultWait = time.Minute

func (s *shell) identifierActivate() *cobra.Command {
	var flags linkFlags
	var wait time.Duration
	c := &cobra.Command{
		Use:   "activate SALESFORCE_FIELD ERP_FIELD",
		Short: "Match by this pair of fields from now on",
		Long: `Ask the running matcher to match by this pair of fields from now on, and wait until all views follow. It needs no restart
and no new snapshot, and wins over orgs[].link of the configuration. See what it would do with preview.` + exitHelp,
		Example: "  crosswalk identifier activate ERP_Customer_No__c identifier\n  crosswalk identifier activate Id attributes.salesforceId --cardinality many_customers",
		Args:    twoFields,
		RunE: func(c *cobra.Command, args []string) error {
			link, err := flags.link(args)
			if err != nil {
				return err
			}
			return s.activate(c, app.ActivateOptions{Org: flags.org, Link: &link, Wait: wait})
		},
	}
	flags.add(c)
	c.Flags().DurationVar(&wait, "wait", defaultWait, "how long to wait for the matcher")
	return c
}

func (s *shell) identifierReset() *cobra.Command {
	return s.identifierWithout(app.ActivateOptions{Reset: true}, &cobra.Command{
		Use:   "reset",
		Short: "Match by the configured pair again: what was activated is forgotten",
		Long: `Ask the running matcher to match by orgs[].link of the configuration again, as if nothing had been activated or
deactivated, and wait until all views follow.` + exitHelp,
		Example: "  crosswalk identifier reset --config crosswalk.yaml",
	})
}

func (s *shell) identifierDeactivate() *cobra.Command {
	return s.identifierWithout(app.ActivateOptions{}, &cobra.Command{
		Use:   "deactivate",
		Short: "Match by nothing from now on: every view is withdrawn",
		Long: `Ask the running matcher to match by nothing from now on, and wait until all views, ambiguous groups and unmatched records
are withdrawn. It wins over orgs[].link of the configuration until the next activate or reset.` + exitHelp,
		Example: "  crosswalk identifier deactivate --config crosswalk.yaml",
	})
}

// identifierWithout is an activation that names no fields.
func (s *shell) identifierWithout(opts app.ActivateOptions, c *cobra.Command) *cobra.Command {
	c.RunE = func(c *cobra.Command, _ []string) error { return s.activate(c, opts) }
	c.Flags().StringVar(&opts.Org, "org", "", "`ALIAS` of the org (needed only with several)")
	c.Flags().DurationVar(&opts.Wait, "wait", defaultWait, "how long to wait for the matcher")
	return c
}

func (s *shell) activate(c *cobra.Command, opts app.ActivateOptions) error {
	cfg, log, err := s.load()
	if err != nil {
		return err
	}
	done, err := app.New(cfg, log).Activate(c.Context(), opts)
	if err != nil {
		return err
	}
	if s.json {
		return s.emit(done)
	}
	printActivation(s.out, done, opts.Wait)
	return nil
}

func printActivation(out io.Writer, a app.Activation, wait time.Duration) {
	fmt.Fprintf(out, "Before: %s\nNow:    %s\n\n", printable(a.Previous.String()), printable(a.Link.String()))
	switch a.Outcome {
	case app.OutcomeDone:
		if a.Link == nil {
			fmt.Fprintln(out, "Done: every view and report is withdrawn.")
			break
		}
		fmt.Fprintf(out, "Done: %s matched, %s ambiguous, %s and %s unmatched, %d of these with near misses.\nSee 'crosswalk customers' and 'crosswalk issues'.\n",
			plural(a.Matched, "ERP customer"), plural(a.Ambiguous, "value"), plural(a.UnmatchedAccounts, "Account"), plural(a.UnmatchedCustomers, "ERP customer"), a.NearMisses)
	case app.OutcomePublished:
		fmt.Fprintln(out, "A matcher elsewhere has published what changes. See 'crosswalk customers' and 'crosswalk issues'.")
	case app.OutcomeRecorded:
		fmt.Fprintln(out, "It is recorded. No matcher runs on this data_dir: the next one follows it as soon as it starts ('crosswalk run matcher').")
	case app.OutcomePending:
		fmt.Fprintf(out, "It is recorded, but the matcher has not worked it through within %s. It goes on by itself: 'crosswalk status' says how far it is;\nif no matcher runs, start one with 'crosswalk run matcher'.\n", wait)
	}
}

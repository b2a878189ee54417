package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
	"crosswalk/internal/avro"
	producer "crosswalk/producers/salesforce"
)

// backfillFlags are what a backfill is restricted by.
type backfillFlags struct {
	org, since, until, ids, where string
	dryRun, noWait                bool
}

// backfill reads records again from Salesforce.
func (s *shell) backfill() *cobra.Command {
	var f backfillFlags
	c := &cobra.Command{
		Use:   "backfill OBJECT…",
		Short: "Read records again from Salesforce, while the stream goes on",
		Long: `Read records again from Salesforce (Account, Contact, Note, Task, ContentNote), while the stream goes on: what differs from
the topics is published, what is gone becomes a tombstone. All restrictions that are given must hold; without any, the
whole object is read. The running producer does it; when none runs, this command does it by itself.

Ctrl-C leaves a running producer at work. Without one, the backfill stays recorded, and the next crosswalk run goes on with
it where it was, as it does after a crash; backfill list says how far each is.

Exit status: 0 done, 1 failed, cancelled or stopped before it was done, 2 wrong usage or configuration, 3 done, but rows were
rejected (they are in crosswalk.deadletter) or its notes say what could not be covered.`,
		Example: `  crosswalk backfill Account Contact --since 24h --dry-run
  crosswalk backfill Account --since 2026-11-01 --until 2026-11-02T12:00:00Z
  crosswalk backfill Contact --where "MailingCountry = 'CH'"
  crosswalk backfill Account --ids @ids.txt
  crosswalk backfill pause 20261122-101500-abcd`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			ask, err := f.ask(args, time.Now(), s.in)
			if err != nil {
				return usageError{err}
			}
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			opts := app.BackfillOptions{Org: f.org, Ask: ask, Wait: !f.noWait}
			if f.dryRun {
				bill, err := app.New(cfg, log).EstimateBackfill(c.Context(), opts)
				if err != nil {
					return err
				}
				return s.printBill(&bill)
			}
			return s.doBackfill(c.Context(), app.New(cfg, log), opts)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.org, "org", "", "`ALIAS` of the org (needed only with several)")
	flags.StringVar(&f.since, "since", "", "only records modified at or after this `TIME`: a date, a date and time with zone, or so long ago (24h)")
	flags.StringVar(&f.until, "until", "", "only records modified before this `TIME`")
	flags.StringVar(&f.ids, "ids", "", "only these records: `IDS` separated by commas, @FILE, or - for standard input")
	flags.StringVar(&f.where, "where", "", "only records that fulfil this SOQL `CONDITION`")
	flags.BoolVar(&f.dryRun, "dry-run", false, "count, and print what it would cost; nothing is changed")
	flags.BoolVar(&f.noWait, "no-wait", false, "do not wait until it is done; when no producer runs, only record it")
	c.AddCommand(s.backfillList(), s.backfillSteer(producer.AskPause, "Hold a backfill"),
		s.backfillSteer(producer.AskResume, "Go on with a paused backfill"), s.backfillSteer(producer.AskCancel, "Give a backfill up"))
	for _, sub := range c.Commands() {
		sub.Args = usage(sub.Args)
	}
	return c
}

// ask is what the command line asks for.
func (f *backfillFlags) ask(objects []string, now time.Time, in io.Reader) (avro.Backfill, error) {
	var a avro.Backfill
	for _, object := range objects {
		for _, known := range producer.BackfillObjects {
			if strings.EqualFold(object, known) {
				object = known
			}
		}
		a.Objects = append(a.Objects, object)
	}
	var err error
	if a.Since, err = moment("--since", f.since, now); err != nil {
		return a, err
	}
	if a.Until, err = moment("--until", f.until, now); err != nil {
		return a, err
	}
	if a.IDs, err = named(f.ids, in); err != nil {
		return a, err
	}
	if f.where != "" {
		a.Where = &f.where
	}
	ids, err := producer.CheckBackfill(&a)
	a.IDs = ids
	return a, err
}

// moment reads a time: a day in UTC, an instant with its zone, or how long ago.
func moment(flag, text string, now time.Time) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse("2006-01-02", text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil && d >= 0 {
			at = now.Add(-d)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q is no time; write a date (2026-11-21), a date and time with zone (2026-11-21T10:00:00Z), or so long ago (24h)", flag, text)
	}
	ms := at.UnixMilli()
	return &ms, nil
}

// named reads ids: separated by commas, white space or lines.
func named(text string, in io.Reader) ([]string, error) {
	file, isFile := strings.CutPrefix(text, "@")
	var data []byte
	var err error
	switch {
	case text == "":
		return nil, nil
	case isFile:
		data, err = os.ReadFile(file)
	case text == "-" && in == nil:
	case text == "-":
		data, err = io.ReadAll(in)
	default:
		data = []byte(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read --ids: %w; give ids, @FILE, or - for standard input", err)
	}
	ids := strings.FieldsFunc(string(data), func(r rune) bool { return strings.ContainsRune(", \t\r\n;\"", r) })
	if len(ids) == 0 {
		return nil, errors.New("--ids names no record; give ids, @FILE, or - for standard input")
	}
	return ids, nil
}

func (s *shell) doBackfill(ctx context.Context, a *app.App, opts app.BackfillOptions) error {
	bar := s.progress("read")
	opts.Seen = func(b producer.Backfill) {
		read, expected := b.Progress()
		bar.set(expected, read)
	}
	b, err := a.Backfill(ctx, opts)
	bar.done()
	if err != nil && !errors.Is(err, app.ErrRejects) {
		return err
	}
	if b.Recorded {
		fmt.Fprintln(s.err, "No producer of this org runs: the backfill is only recorded, and begins with the next 'crosswalk run'.")
	}
	if printed := s.printBackfills([]producer.Backfill{b.Backfill}); printed != nil {
		return printed
	}
	return err
}

func (s *shell) backfillList() *cobra.Command {
	var org string
	c := &cobra.Command{
		Use: "list", Short: "List backfills and how far each is",
		Long:    "List the backfills that were asked for, how far each is, and what became of it. Old ones are forgotten." + exitHelp,
		Example: "  crosswalk backfill list\n  crosswalk backfill list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			all, err := app.New(cfg, log).Backfills(c.Context(), org)
			if err != nil {
				return err
			}
			return s.printBackfills(all)
		},
	}
	c.Flags().StringVar(&org, "org", "", "`ALIAS` of the org (needed only with several)")
	return c
}

func (s *shell) backfillSteer(kind, short string) *cobra.Command {
	var org string
	c := &cobra.Command{
		Use: kind + " ID", Short: short,
		Long:    short + " that was asked for with crosswalk backfill; crosswalk backfill list names their IDs. Without a running producer\nit is recorded, and followed when the next one starts." + exitHelp,
		Example: "  crosswalk backfill " + kind + " 20261122-101500-abcd",
		Args:    one("the ID of a backfill (crosswalk backfill list names them)"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			b, err := app.New(cfg, log).SteerBackfill(c.Context(), org, kind, args[0])
			if err != nil {
				return err
			}
			if b.Recorded {
				fmt.Fprintf(s.err, "No producer of this org follows now: the %s is only recorded, and takes effect when the next 'crosswalk run' starts.\n", kind)
			}
			return s.printBackfills([]producer.Backfill{b.Backfill})
		},
	}
	c.Flags().StringVar(&org, "org", "", "`ALIAS` of the org (needed only with several)")
	return c
}

func (s *shell) printBackfills(all []producer.Backfill) error {
	if s.json {
		return jsonLines(s.out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(s.out, "No backfill was asked for.")
		return nil
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tOBJECTS\tREAD\tOF\tCHANGED\tREASON")
	for i := range all {
		b := &all[i]
		read, expected := b.Progress()
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", printable(b.ID), b.State, printable(strings.Join(b.Objects, ", ")), read, expected, b.Changed(), printable(b.Reason))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for _, b := range all {
		for _, note := range b.Notes {
			fmt.Fprintf(s.out, "%s: %s\n", printable(b.ID), printable(note))
		}
	}
	return nil
}

func (s *shell) printBill(b *producer.Bill) error {
	if s.json {
		if err := json.NewEncoder(s.out).Encode(b); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		return nil
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OBJECT\tWAY\tROWS\tAPI CALLS\tBULK JOBS\tABOUT")
	for _, l := range b.Objects {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\n", l.Object, l.Way, l.Rows, l.Calls, l.Jobs, megabytes(l.Bytes))
	}
	fmt.Fprintf(t, "all\t\t%d\t%d\t%d\t%s\n", b.Rows, b.Calls, b.Jobs, megabytes(b.Bytes))
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Fprintf(s.out, "\nIt would take about %s: %s. Sizes are from a sample of rows.\n", minutes(b.Minutes), reckoned(b.Objects))
	if b.Max > 0 {
		fmt.Fprintf(s.out, "The org has %d of %d API calls left today. %s of the %d stay for its other apps (api_reserve): %d are left, and this takes %d.\n",
			b.Remaining, b.Max, percent(b.Reserve), b.Max, b.Left, b.Calls)
	}
	if !b.Allowed {
		fmt.Fprintln(s.out, "That is too few: the backfill would wait until enough are free.")
	}
	fmt.Fprintln(s.out, "Nothing was changed.")
	return nil
}

// reckoned says at which rates, and how these are known.
func reckoned(lines []producer.BillLine) string {
	var said []string
	for _, l := range lines {
		text := fmt.Sprintf("%s at %.0f rows a second", l.Object, l.RowsPerSecond)
		if l.Measured == "" {
			text += fmt.Sprintf(" and %.1f s a call (assumed: no read of so many rows was measured here yet)", producer.BillSecondsPerCall)
		} else {
			text += fmt.Sprintf(", as %s took on %s", l.Measured, l.MeasuredAt.Format("2006-01-02"))
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ")
}

// megabytes says a size so that a person can compare it.
func megabytes(n int64) string {
	if n < 100_000 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// minutes says how long something takes.
func minutes(m float64) string {
	if m < 1 {
		return "a minute"
	}
	return fmt.Sprintf("%.0f minutes", m)
}

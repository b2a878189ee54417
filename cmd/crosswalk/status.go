package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
)

// status says how far and how fresh everything is.
func (s *shell) status() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say how far and how fresh each source and the matching are",
		Long: `Say how far and how fresh each source and the matching are: asked from the process that runs on this data_dir, or,
when none runs, read from the topics. What needs somebody has a ! before it. --all and --json say everything.` + exitHelp,
		Example: "  crosswalk status --config crosswalk.yaml\n  crosswalk status --all\n  crosswalk status --json | jq .orgs",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			status, err := app.New(cfg, log).Status(c.Context())
			switch {
			case err != nil:
				return err
			case s.json:
				_, err := fmt.Fprintf(s.out, "%s\n", status)
				return err
			case all:
				return printAll(s.out, status)
			}
			return printStatus(s.out, status)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything that the process says of itself")
	return c
}

// printStatus shows what people ask first. What the topics say, when no process runs, has no overview and is shown whole.
func printStatus(out io.Writer, status []byte) error {
	var told struct {
		Endpoints *app.Endpoints `json:"endpoints"`
		Orgs      map[string]struct {
			Overview []app.Line `json:"overview"`
		} `json:"orgs"`
	}
	if err := json.Unmarshal(status, &told); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	if told.Endpoints == nil {
		return printAll(out, status)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  Process\t%d, console %s, Kafka %s\n", told.Endpoints.PID, told.Endpoints.Console, told.Endpoints.Kafka)
	for _, org := range slices.Sorted(maps.Keys(told.Orgs)) {
		if len(told.Orgs) > 1 {
			fmt.Fprintf(w, "\n  Org\t%s\n", printable(org))
		}
		for _, line := range told.Orgs[org].Overview {
			mark := ' '
			if line.Urgent {
				mark = '!'
			}
			fmt.Fprintf(w, "%c %s\t%s\n", mark, printable(line.What), printable(line.Value))
		}
	}
	return w.Flush()
}

// printAll shows a JSON object whole.
func printAll(out io.Writer, status []byte) error {
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(status))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	printTree(out, "", tree)
	return nil
}

// printTree shows a JSON object as indented lines: plain members first, groups after them. The overview is left out: all that it
// says is there.
func printTree(out io.Writer, indent string, tree map[string]any) {
	keys := slices.Sorted(maps.Keys(tree))
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "overview" })
	for _, k := range keys {
		switch v := tree[k].(type) {
		case map[string]any, []any:
		case nil:
			fmt.Fprintf(out, "%s%s: –\n", indent, words(k))
		default:
			fmt.Fprintf(out, "%s%s: %s\n", indent, words(k), printable(fmt.Sprint(v)))
		}
	}
	for _, k := range keys {
		switch v := tree[k].(type) {
		case map[string]any:
			fmt.Fprintf(out, "%s%s\n", indent, words(k))
			printTree(out, indent+"  ", v)
		case []any:
			printList(out, indent, words(k), v)
		}
	}
}

// printList shows groups one below the other and plain values in one line.
func printList(out io.Writer, indent, name string, list []any) {
	var plain []string
	for _, item := range list {
		if group, ok := item.(map[string]any); ok {
			fmt.Fprintf(out, "%s%s\n", indent, name)
			printTree(out, indent+"  ", group)
			continue
		}
		plain = append(plain, printable(fmt.Sprint(item)))
	}
	if len(plain) > 0 {
		fmt.Fprintf(out, "%s%s: %s\n", indent, name, strings.Join(plain, ", "))
	}
}

func words(key string) string { return printable(strings.ReplaceAll(key, "_", " ")) }

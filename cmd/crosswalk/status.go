package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"crosswalk/internal/app"
)

// status says how far and how fresh everything is.
func (s *shell) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how far and how fresh each source and the matching are",
		Long: `Say how far and how fresh each source and the matching are: asked from the process that runs on this data_dir, or,
when none runs, read from the topics.` + exitHelp,
		Example: "  crosswalk status --config crosswalk.yaml\n  crosswalk status --json | jq .orgs",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := s.load()
			if err != nil {
				return err
			}
			status, err := app.New(cfg, log).Status(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				_, err := fmt.Fprintf(s.out, "%s\n", status)
				return err
			}
			var tree map[string]any
			d := json.NewDecoder(strings.NewReader(string(status)))
			d.UseNumber()
			if err := d.Decode(&tree); err != nil {
				return fmt.Errorf("read status: %w", err)
			}
			printTree(s.out, "", tree)
			return nil
		},
	}
}

// printTree shows a JSON object as indented lines: plain members first, groups after them.
func printTree(out io.Writer, indent string, tree map[string]any) {
	keys := slices.Sorted(maps.Keys(tree))
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

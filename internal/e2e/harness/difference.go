package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
)

// ByTopic says by topic what differs, each key in a few words.
func ByTopic(different []judge.Difference) map[string][]string {
	out := map[string][]string{}
	for _, d := range different {
		what := "differs"
		switch {
		case d.Published == "":
			what = "is missing"
		case d.Want == "":
			what = "is left over"
		}
		out[d.Topic] = append(out[d.Topic], d.Key+" "+what)
	}
	return out
}

// Keep writes the differences of an org, if there are any, to a file beside the logs.
func Keep(dir, org string, different []judge.Difference) error {
	if len(different) == 0 {
		return nil
	}
	var text strings.Builder
	for _, d := range different {
		fmt.Fprintf(&text, "%s %s\n  published %s\n  must be   %s\n", d.Topic, d.Key, d.Published, d.Want)
	}
	if err := os.WriteFile(filepath.Join(dir, "different-"+org+".txt"), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("keep differences: %w", err)
	}
	return nil
}

// compareNotes holds the notes to the org's, by the members that both have.
func compareNotes(want map[string]naive.Record, published map[string]customer.Fields) []judge.Difference {
	var out []judge.Difference
	keys := slices.Collect(maps.Keys(want))
	for key := range published {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		w, p := "", ""
		if r, ok := want[key]; ok {
			w = note(r.Fields, r.Links)
		}
		if fields, ok := published[key]; ok {
			p = note(fields, fields["links"])
		}
		if w != p {
			out = append(out, judge.Difference{Topic: "salesforce.note", Key: key, Published: p, Want: w})
		}
	}
	return out
}

func note(fields customer.Fields, links any) string {
	shown := map[string]any{"links": links}
	for _, name := range []string{"kind", "title", "text", "owner", "created_at", "modified_at"} {
		shown[name] = fields[name]
	}
	out, err := json.Marshal(shown)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

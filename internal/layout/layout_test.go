// Package layout holds the project's import table: who may import whom, and which one package uses which library.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "crosswalk/"

// leaves import nothing of ours.
var leaves = []string{"internal/change", "internal/customer", "internal/nearest", "internal/quota", "internal/retry", "internal/secret", "schemas"}

// clients each wrap one outside thing and import leaves and what is named beside them.
var clients = map[string][]string{
	"internal/config":   {"internal/sfapi"}, // which fields cannot be left out
	"internal/sfapi":    nil,
	"internal/approval": {"internal/sfapi"}, // a person's part in a login
	"internal/bayeux":   nil,
	"internal/avro":     nil,
	"internal/registry": {"internal/avro/schema"}, // what can read what is a question of schemas alone
	"internal/topic":    nil,
	"internal/broker":   nil,
	"internal/state":    nil,
	"internal/demo":     nil,
	"internal/console":  nil,
}

// sides meet each other only on a topic: they import leaves and clients, never each other.
var sides = []string{"producers/salesforce", "producers/erp", "consumers/matcher"}

// islands import nothing of ours outside themselves.
var islands = []string{"internal/simulator"}

// everyone's wiring: these may import all of the above and those that stand before them.
var wiring = []string{"internal/judge", "internal/app", "cmd/crosswalk"}

// trials run whole pipelines and may import everything, and nothing imports them.
var trials = []string{"internal/e2e", "internal/bench"}

// libraries that exactly one package (with its sub-packages and tests) uses. Tests of others may use them as witnesses.
var libraries = map[string]string{
	"golang.org/x/oauth2":                                     "internal/sfapi",
	"github.com/linkedin/goavro":                              "internal/avro",
	"github.com/twmb/avro":                                    "internal/avro",
	"github.com/segmentio/kafka-go":                           "internal/topic",
	"github.com/cockroachdb/pebble":                           "internal/state",
	"github.com/twmb/franz-go":                                "internal/broker",
	"go.yaml.in/yaml":                                         "internal/config",
	"github.com/jackc/pgx":                                    "producers/erp",
	"github.com/spf13/cobra":                                  "cmd/crosswalk",
	"github.com/vbauerster/mpb":                               "cmd/crosswalk",
	"github.com/prometheus/client_golang/prometheus/promhttp": "internal/console",
}

func TestImportTable(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checkFile(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files seen: the walk is wrong", files)
	}
}

func checkFile(t *testing.T, path, rel string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%s: %v", rel, err)
		return
	}
	from := filepath.ToSlash(filepath.Dir(rel))
	test := strings.HasSuffix(rel, "_test.go")
	for _, spec := range f.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if own, ok := strings.CutPrefix(to, module); ok {
			if !test && !mayImport(from, own) {
				t.Errorf("%s imports %s: the import table does not allow it", rel, own)
			}
			continue
		}
		for library, owner := range libraries {
			if under(to, library) && !under(from, owner) && !test && !slices.ContainsFunc(trials, func(x string) bool { return under(from, x) }) {
				t.Errorf("%s imports %s, which only %s uses", rel, library, owner)
			}
		}
	}
}

// mayImport is the table.
func mayImport(from, to string) bool {
	in := func(path string, list []string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return under(path, x) })
	}
	home := owner(from)
	if home != "" && home == owner(to) {
		return true
	}
	switch {
	case in(from, leaves), in(from, islands):
		return false
	case in(from, trials):
		return true
	case in(from, wiring):
		return !in(to, trials) && (!in(to, wiring) || slices.Index(wiring, owner(to)) < slices.Index(wiring, home))
	case in(from, sides):
		_, client := clients[owner(to)]
		return in(to, leaves) || client
	}
	allowed, client := clients[owner(from)]
	return client && (in(to, leaves) || in(to, allowed))
}

// owner is the entry of the table that path belongs to.
func owner(path string) string {
	for _, list := range [][]string{leaves, sides, islands, wiring, trials} {
		for _, x := range list {
			if under(path, x) {
				return x
			}
		}
	}
	for x := range clients {
		if under(path, x) {
			return x
		}
	}
	return ""
}

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// TestEveryPackageIsInTheTable keeps the table whole, and the top level what the README says it is.
func TestEveryPackageIsInTheTable(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join("..", "..", "internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if p := "internal/" + e.Name(); e.IsDir() && e.Name() != "layout" && owner(p) == "" {
			t.Errorf("%s is not in the import table: decide where it belongs", p)
		}
	}
	ignored, err := os.ReadFile(filepath.Join("..", "..", ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"LICENSE", "README.md", "cmd", "consumers", "deploy", "go.mod", "go.sum", "internal", "producers", "schemas"}
	top, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range top {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) && !slices.Contains(strings.Fields(string(ignored)), "/"+e.Name()) {
			t.Errorf("%s stands at the top level, which holds only %v", e.Name(), want)
		}
	}
}

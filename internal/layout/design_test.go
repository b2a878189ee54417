package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// each calls fn with the path, from the root of the project, of every file of ours.
func each(t *testing.T, fn func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() {
			fn(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var root = filepath.Join("..", "..")

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFileMapsAreTrue holds the file map of every DESIGN.md to the folder that it stands in: what it names is there, and no
// file is left out but tests and doc.go.
func TestFileMapsAreTrue(t *testing.T) {
	t.Parallel()
	maps := 0
	each(t, func(name string) {
		if path.Base(name) != "DESIGN.md" {
			return
		}
		maps++
		folder := path.Dir(name)
		named := map[string]bool{}
		words := fileMap(read(t, name))
		if len(words) == 0 {
			t.Errorf("%s has no table under ## File map", name)
		}
		for _, word := range words {
			found := match(t, folder, word)
			if len(found) == 0 {
				t.Errorf("%s names %s in its file map, which is not there", name, word)
			}
			for _, f := range found {
				named[f] = true
			}
		}
		for _, file := range match(t, folder, "*.go") {
			if !named[file] && !strings.HasSuffix(file, "_test.go") && path.Base(file) != "doc.go" {
				t.Errorf("%s does not name %s in its file map", name, path.Base(file))
			}
		}
	})
	if maps < 5 {
		t.Fatalf("only %d maps seen: the walk is wrong", maps)
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// fileMap returns the files and folders that a map's first column names. Words between one pair of backticks share the folder of
// the first; a word without an ending is a Go file.
func fileMap(text string) []string {
	_, text, _ = strings.Cut(text, "\n## File map\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, group := range quoted.FindAllStringSubmatch(cells[1], -1) {
			folder := ""
			for i, word := range strings.Fields(group[1]) {
				if i == 0 {
					folder = path.Dir(word)
				} else {
					word = path.Join(folder, word)
				}
				if path.Ext(word) == "" && !strings.HasSuffix(word, "/") {
					word += ".go"
				}
				out = append(out, word)
			}
		}
	}
	return out
}

// match returns the paths from the root that a word with * stands for, seen from a folder.
func match(t *testing.T, folder, word string) []string {
	t.Helper()
	found, err := fs.Glob(os.DirFS(root), path.Join(folder, word))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPackagesSayWhatTheyAre wants a comment before the package clause of one file of each package, tests aside.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	says := map[string]bool{}
	each(t, func(name string) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := path.Dir(name)
		says[folder] = says[folder] || f.Doc != nil
	})
	for folder, ok := range says {
		if !ok {
			t.Errorf("no file of %s says what the package is", folder)
		}
	}
	if len(says) < 20 {
		t.Fatalf("only %d packages seen: the walk is wrong", len(says))
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)\)`)

// TestLinksLead follows the links of every page to files of ours.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	pages := []string{}
	each(t, func(name string) {
		if strings.HasSuffix(name, ".md") {
			pages = append(pages, name)
		}
	})
	if !slices.Contains(pages, "README.md") {
		t.Fatalf("only %v seen: the walk is wrong", pages)
	}
	for _, page := range pages {
		for _, to := range link.FindAllStringSubmatch(read(t, page), -1) {
			if target := path.Join(path.Dir(page), to[1]); len(match(t, "", target)) == 0 {
				t.Errorf("%s links to %s, which is not there", page, to[1])
			}
		}
	}
}

package erp

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/config"
)

// watched is a folder whose rounds a test makes one by one.
type watched struct {
	*bench
	*folder
}

func (b *bench) watch(edit func(*config.ERPSource)) watched {
	b.t.Helper()
	s := source("ar", "delta")
	s.Folder = config.Folder{Path: b.t.TempDir(), Pattern: "*.csv", Settle: time.Nanosecond}
	if edit != nil {
		edit(&s)
	}
	s.Fill()
	p, err := New(b.config, config.ERP{Sources: []config.ERPSource{s}})
	b.must(err)
	b.t.Cleanup(p.publisher.close)
	return watched{b, &folder{p: p, source: s, seen: map[string]look{}}}
}

// drop writes a file.
func (w watched) drop(name, text string) {
	w.t.Helper()
	w.must(os.WriteFile(w.place(name), []byte(text), 0o600))
}

// rounds looks twice: a file must look the same for the settling time.
func (w watched) rounds() {
	w.t.Helper()
	w.must(w.round(w.ctx))
	w.must(w.round(w.ctx))
}

// files lists everything in the folder, but for empty places.
func (w watched) files() string {
	w.t.Helper()
	var out []string
	w.must(filepath.WalkDir(w.place(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(w.place(), path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	}))
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestFolderImportsWhatIsComplete(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	w.drop("b.csv", importHead+"C1,Acme,1,\n")
	w.drop("notes.txt", "no customers")
	w.drop("c.csv.part", importHead+"C9,No,1,\n")
	w.drop(".hidden.csv", importHead+"C9,No,1,\n")
	w.must(os.Chtimes(w.place("b.csv"), time.Time{}, time.Now().Add(-time.Hour)))
	w.drop("a.csv", importHead+"C1,Acme Ltd,1,\nC2,Beta,x,\n")
	w.must(w.round(w.ctx))
	if live := len(w.files()); live == 0 || strings.Contains(w.files(), "done") {
		t.Errorf("a file that was seen once may still be written to: %s", w.files())
	}
	w.rounds()
	if got := w.files(); got != ".hidden.csv c.csv.part done/b.csv notes.txt rejected/a.csv rejected/a.rejects.csv" {
		t.Errorf("the folder holds %s", got)
	}
	if live := w.live(); live != "C1=Acme Ltd" {
		t.Errorf("the topic holds %s: the older file goes first", live)
	}
	text, err := os.ReadFile(w.place("rejected", "a.rejects.csv"))
	if err != nil || !strings.Contains(string(text), "3,Balance,") {
		t.Errorf("rejects %q, %v", text, err)
	}
	if s := w.p.Status()["ar"]; s.Result.Rejected != 1 || s.Result.RejectsFile != w.place("rejected", "a.rejects.csv") || s.Error != "" {
		t.Errorf("status %+v", s)
	}
}

func TestFolderRejectsAFileAsAWholeAndSaysWhy(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	for range 2 {
		w.drop("a.csv", "Number,Name\nC1,Acme\n")
		w.rounds()
	}
	if got := w.files(); got != "rejected/a-2.csv rejected/a-2.csv.error.txt rejected/a.csv rejected/a.csv.error.txt" {
		t.Errorf("the folder holds %s", got)
	}
	text, err := os.ReadFile(w.place("rejected", "a.csv.error.txt"))
	if err != nil || !strings.Contains(string(text), `lacks 2 columns`) {
		t.Errorf("error file %q, %v", text, err)
	}
}

func TestFolderWithMarks(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(func(s *config.ERPSource) { s.Folder.Ready = ".ok"; s.Folder.Pattern = "*" })
	w.drop("a.csv", importHead+"C1,Acme,1,\n")
	w.rounds()
	if got := w.files(); got != "a.csv" {
		t.Errorf("without a mark it is not complete: %s", got)
	}
	w.drop("a.csv.ok", "")
	w.must(w.round(w.ctx))
	if got := w.files(); got != "done/a.csv" {
		t.Errorf("the folder holds %s", got)
	}
	// A mark that was left behind by a killed process says nothing about the next file of that name.
	w.drop("a.csv.ok", "")
	w.must(os.Chtimes(w.place("a.csv.ok"), time.Time{}, time.Now().Add(-time.Hour)))
	w.drop("a.csv", importHead+"C1,Ac")
	w.rounds()
	if got := w.files(); got != "a.csv a.csv.ok done/a.csv" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestFolderGoesOnWhereAKilledProcessStopped(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	w.rounds()
	// Killed after the file was claimed, and another of its name has come since.
	w.drop("importing/a.csv", importHead+"C1,Old,1,\nC2,Bad,x,\n")
	w.drop("importing/.a.csv.rejects", "what was written so far")
	w.drop("a.csv", importHead+"C1,New,1,\n")
	w.rounds()
	if got := w.files(); got != "done/a.csv rejected/a.csv rejected/a.rejects.csv" || w.live() != "C1=New" {
		t.Errorf("the folder holds %s, the topic %s", got, w.live())
	}
}

func TestFolderKeepsAFileThatCouldNotBePublished(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	w.drop("a.csv", importHead+"C1,Acme,1,\n")
	w.must(w.round(w.ctx))
	ctx, cancel := context.WithCancel(w.ctx)
	w.must(w.claim("a.csv"))
	cancel()
	if err := w.round(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if got := w.files(); got != "importing/a.csv" {
		t.Errorf("the folder holds %s", got)
	}
	w.must(w.round(w.ctx))
	if got := w.files(); got != "done/a.csv" || w.live() != "C1=Acme" {
		t.Errorf("the folder holds %s, the topic %s", got, w.live())
	}
}

func TestRunWatchesTheFolder(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(func(s *config.ERPSource) { s.Folder.Interval = time.Millisecond })
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.p.Run(ctx) }()
	w.drop("a.csv", importHead+"C1,Acme,1,\n")
	w.must(w.p.Await(w.ctx, func(s map[string]State) bool { return s["ar"].Result.Rows == 1 }))
	// An import by hand takes the topic over; the folder takes it back for the next file.
	_, err := w.imported("ar", "delta", importHead+"C2,By hand,1,\n")
	w.must(err)
	w.drop("b.csv", importHead+"C1,Acme Ltd,1,\nC3,Gamma,3,\n")
	w.must(w.p.Await(w.ctx, func(s map[string]State) bool { return s["ar"].Result.Rows == 2 }))
	if live := w.live(); live != "C1=Acme Ltd C2=By hand C3=Gamma" {
		t.Errorf("the topic holds %s", live)
	}
	cancel()
	w.must(<-done)
}

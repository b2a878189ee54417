package erp

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"crosswalk/internal/topic"
)

func (b *bench) imported(name, mode, text string) (Result, error) {
	b.t.Helper()
	return Run(b.ctx, b.config, Import{Path: b.file(text), Source: source(name, mode)})
}

// has checks the counts of a result: rows, published, unchanged, deleted, rejected.
func (b *bench) has(r Result, rows, published, unchanged, deleted, rejected int) {
	b.t.Helper()
	got := [5]int{r.Rows, r.Published, r.Unchanged, r.Deleted, r.Rejected}
	if want := [5]int{rows, published, unchanged, deleted, rejected}; got != want {
		b.t.Errorf("rows, published, unchanged, deleted, rejected = %v, want %v", got, want)
	}
}

const importHead = "No,Name,Balance,City\n"

func TestFullAndDeltaImports(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	steps := []struct {
		name, source, mode, text         string
		rows, published, unchanged, gone int
		live                             string
	}{
		{"first", "ar", "full", "C1,Acme,1\nC2,Beta,2\nC3,Gamma,3\n", 3, 3, 0, 0, "C1=Acme C2=Beta C3=Gamma"},
		{"the same again publishes nothing", "ar", "full", "C3,Gamma,3.00\nC2,Beta,2\nC1,Acme,1\n", 3, 0, 3, 0, "C1=Acme C2=Beta C3=Gamma"},
		{"a delta deletes nothing", "ar", "delta", "C2,Beta Ltd,2\nC4,Delta,4\n", 2, 2, 0, 0, "C1=Acme C2=Beta Ltd C3=Gamma C4=Delta"},
		{"a full file deletes what it does not name", "ar", "full", "C1,Acme,1\nC2,Beta Ltd,2\nC4,Delta,4\n", 3, 0, 3, 1, "C1=Acme C2=Beta Ltd C4=Delta"},
		{"another source's customers are not missing here", "eu", "full", "E1,Eins,1\n", 1, 1, 0, 0, "C1=Acme C2=Beta Ltd C4=Delta E1=Eins"},
		{"a deleted one comes back", "ar", "delta", "C3,Gamma,3\n", 1, 1, 0, 0, "C1=Acme C2=Beta Ltd C3=Gamma C4=Delta E1=Eins"},
	}
	for _, s := range steps {
		text := importHead + strings.ReplaceAll(s.text, "\n", ",Bonn\n")
		got, err := b.imported(s.source, s.mode, text)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		t.Log(s.name)
		b.has(got, s.rows, s.published, s.unchanged, s.gone, 0)
		if live := b.live(); live != s.live {
			t.Fatalf("%s: the topic holds %s, want %s", s.name, live, s.live)
		}
	}
	ops := ""
	for _, r := range b.records() {
		if r.key == "C3" {
			ops += r.op + " "
		}
	}
	if ops != "create delete create " {
		t.Errorf("the operations on C3 are %q", ops)
	}
}

func TestRefusedImportsPublishNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,2,\nC3,Gamma,3,\n"); err != nil {
		t.Fatal(err)
	}
	before := len(b.records())
	var tooMany *TooManyDeletesError
	if _, err := b.imported("ar", "full", importHead+"C9,New,9,\n"); !errors.As(err, &tooMany) || tooMany.Deletes != 3 || tooMany.Of != 3 {
		t.Errorf("error %v, want a refusal to delete 3 of 3", err)
	}
	if _, err := b.imported("ar", "full", "No,Nom,Balance\nC9,New,9\n"); err == nil || !strings.Contains(err.Error(), `no column "Name"`) {
		t.Errorf("error %v, want one that names the missing column", err)
	}
	if after := len(b.records()); after != before {
		t.Errorf("refused imports wrote %d records", after-before)
	}
}

func TestRejectedRowsKeepTheirCustomers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,2,\nC3,Gamma,3,\n"); err != nil {
		t.Fatal(err)
	}
	// The row of C2 is damaged, but it names C2: it is not missing.
	got, err := b.imported("ar", "full", importHead+"C1,Acme,1,\nC2,Beta,two,\n")
	if err != nil {
		t.Fatal(err)
	}
	b.has(got, 1, 0, 1, 1, 1)
	if live := b.live(); live != "C1=Acme C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
	text, err := os.ReadFile(got.RejectsFile)
	if err != nil || !strings.Contains(string(text), "3,Balance,") {
		t.Errorf("rejects file %q, %v: want line 3, column Balance", text, err)
	}
	// A row without a readable number may be anyone's: nothing is deleted.
	got, err = b.imported("ar", "full", importHead+"C1,Acme Ltd,1,\n,Beta,2,\n")
	if err != nil || got.DeletesWithheld == "" {
		t.Fatalf("deletes withheld: %q, %v", got.DeletesWithheld, err)
	}
	if live := b.live(); live != "C1=Acme Ltd C2=Beta" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestASecondImportFencesTheFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.config
	other := make(chan error, 1)
	var once bool
	first.Progress = func(int64, int64) {
		if !once { // while the first import reads its file, before it has taken over
			once = true
			_, err := b.imported("ar", "delta", importHead+"C1,Second,1,\n")
			other <- err
		}
	}
	if _, err := Run(b.ctx, first, Import{Path: b.file(importHead + "C2,First,1,\n"), Source: source("ar", "delta")}); err != nil {
		t.Fatal(err)
	}
	if err := <-other; err != nil {
		t.Fatal(err)
	}
	if live := b.live(); live != "C1=Second C2=First" {
		t.Errorf("the topic holds %s", live)
	}
	// Whoever has taken over since is the only one that the broker listens to.
	i := &importer{Config: b.config, Import: Import{Source: source("ar", "delta")}}
	b.must(i.takeOver(b.ctx))
	defer i.writer.Close()
	if _, err := b.imported("ar", "delta", importHead+"C3,Third,1,\n"); err != nil {
		t.Fatal(err)
	}
	b.must(i.send(b.ctx, "C3", nil, "DELETE"))
	if err := i.writer.Flush(b.ctx); !errors.Is(err, topic.ErrFenced) {
		t.Errorf("error %v, want ErrFenced", err)
	}
	if live := b.live(); live != "C1=Second C2=First C3=Third" {
		t.Errorf("the topic holds %s", live)
	}
}

func TestAnEndedContextEndsAnImport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := Run(ctx, b.config, Import{Path: b.file(importHead + "C1,Acme,1,\n"), Source: source("ar", "delta")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

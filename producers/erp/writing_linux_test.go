package erp

import (
	"errors"
	"os"
	"testing"
)

func TestFolderNeverTakesAHalfWrittenFile(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	out, err := os.Create(w.place("a.csv"))
	w.must(err)
	write := func(text string) {
		_, err := out.WriteString(text)
		w.must(err)
	}
	w.rounds() // empty
	write(importHead + "C1,Acme,1,\nC2,Be")
	w.must(w.round(w.ctx))
	write("ta,2,\n")
	w.must(w.round(w.ctx)) // it has grown
	w.rounds()             // it rests, but its writer has it open
	if got := w.files(); got != "a.csv" {
		t.Fatalf("the folder holds %s", got)
	}
	w.must(out.Close())
	w.rounds()
	if got := w.files(); got != "done/a.csv" || w.live() != "C1=Acme C2=Beta" {
		t.Errorf("the folder holds %s, the topic %s", got, w.live())
	}
}

func TestFolderLeavesAFileThatChangesWhileItIsImported(t *testing.T) {
	t.Parallel()
	w := newBench(t).watch(nil)
	w.rounds()
	w.drop("importing/a.csv", importHead+"C1,Acme,1,\n")
	out, err := os.OpenFile(w.place("importing", "a.csv"), os.O_WRONLY|os.O_APPEND, 0)
	w.must(err)
	if err := w.round(w.ctx); !errors.Is(err, errChanged) {
		t.Errorf("error %v, want that it is being written", err)
	}
	w.must(out.Close())
	w.rounds()
	if got := w.files(); got != "done/a.csv" {
		t.Errorf("the folder holds %s", got)
	}
}

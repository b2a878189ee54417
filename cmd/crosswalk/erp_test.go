package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"crosswalk/producers/erp"
	"crosswalk/producers/erp/export"
)

// exported writes a text as the system of an export would, and returns what imports it, and how.
func (b *bench) exported(e export.Export, text string) (args []string) {
	b.t.Helper()
	encoded, err := e.Encode(text)
	if err != nil {
		b.t.Fatal(err)
	}
	// What the preset does not say: a preset alone does when there is nothing.
	source := "{name: books, preset: " + e.Preset
	for member, column := range e.Columns {
		source += ", columns: {" + member + ": " + column + "}"
	}
	if e.Encoding == "windows-1252" {
		source += ", encoding: windows-1252"
	}
	sources := ""
	if e.Columns != nil || e.Encoding == "windows-1252" {
		sources = ", erp: {sources: [" + source + "}]}"
	}
	conf := b.config("orgs: [{alias: acme" + sources + "}]\n")
	return []string{"erp", "import", b.file(e.File, string(encoded)), "--preset", e.Preset, "--full", "--max-delete-share", "1", "--config", conf, "--json"}
}

// imported runs an import and returns its result.
func (b *bench) imported(args []string, want int) erp.Result {
	b.t.Helper()
	exit, out, said := b.run(args...)
	var r erp.Result
	if err := json.Unmarshal([]byte(out), &r); exit != want || err != nil {
		b.t.Fatalf("exit status %d, want %d; %v: %s %s", exit, want, err, out, said)
	}
	return r
}

func TestImportOfEachSystemsExport(t *testing.T) {
	t.Parallel()
	for _, e := range export.All {
		t.Run(e.File, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			text, err := e.Text()
			if err != nil {
				t.Fatal(err)
			}
			r := b.imported(b.exported(e, text), exitDone)
			if r.Published != len(e.Want) || r.Rejected != 0 || r.RejectsFile != "" {
				t.Errorf("%+v, want %d customers", r, len(e.Want))
			}
			d, err := e.Damage()
			if err != nil {
				t.Fatal(err)
			}
			args := b.exported(e, d.Text())
			r = b.imported(args, exitRejects)
			if r.Published != len(d.Good) || r.Rejected != d.Kinds || d.Kinds < 20 || r.Deleted != 0 || r.DeletesWithheld == "" {
				t.Errorf("%+v, want %d customers and %d rejects, and nothing deleted", r, len(d.Good), d.Kinds)
			}
			f, err := os.Open(r.RejectsFile)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rejects, err := csv.NewReader(f).ReadAll()
			if err != nil || len(rejects) == 0 {
				t.Fatalf("the rejects file: %v, %d rows", err, len(rejects))
			}
			if err := d.Check(rejects[1:]); err != nil {
				t.Error(err)
			}
			if again := b.imported(args, exitRejects); again.Unchanged != r.Published || again.Published != 0 {
				t.Errorf("the same again: %+v", again)
			}
		})
	}
}

func TestImportSaysHowItEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conf := b.config("orgs:\n" + ledger)
	good := b.file("good.csv", "No,Name,Balance\nC1,A,1\nC2,B,2\nC3,C,3\n")
	exit, out, _ := b.run("erp", "import", good, "--full", "--config", conf)
	if exit != exitDone || !strings.Contains(out, "3 rows, 3 published, 0 unchanged, 0 deleted, 0 rejected") {
		t.Errorf("exit status %d: %s", exit, out)
	}
	bad := b.file("bad.csv", "No,Name,Balance\nC1,A,1\n,B,2\n")
	exit, out, _ = b.run("erp", "import", bad, "--full", "--config", conf)
	if exit != exitRejects || !strings.Contains(out, "bad.rejects.csv") || !strings.Contains(out, "nothing was deleted: 1 rejected rows have no readable customer number") {
		t.Errorf("exit status %d: %s", exit, out)
	}
	western := b.file("western.csv", "No,Name,Balance\nC1,M\xfcller,1\n")
	exit, out, _ = b.run("erp", "import", western, "--delta", "--config", conf)
	if exit != exitDone || !strings.Contains(out, "read as Windows-1252") {
		t.Errorf("exit status %d: %s", exit, out)
	}
	short := b.file("short.csv", "No,Name,Balance\nC1,A,1\n")
	b.refused([]string{"erp", "import", short, "--full", "--config", conf}, exitFailed, "would delete 2 of 3 customers", "--max-delete-share 1")
	other := b.file("other.csv", "Number,Name,Balance\nC1,A,1\n")
	b.refused([]string{"erp", "import", other, "--config", conf}, exitFailed, `other.csv has no column "No"`, "its header is: Number, Name, Balance")
	b.refused([]string{"erp", "import", "none.csv", "--config", conf}, exitFailed, "none.csv", "give the path of an export")
	b.refused([]string{"erp", "import", t.TempDir(), "--config", conf}, exitFailed, "is a folder; give an export in it")
	b.refused([]string{"erp", "import", good, "--source", "x", "--config", conf}, exitUsage, `no ERP source "x"`)
	b.refused([]string{"erp", "import", good, "--preset", "oracle", "--config", conf}, exitUsage, `no preset "oracle"`, "netsuite")
	b.refused([]string{"erp", "import", good, "--max-delete-share", "7", "--config", conf}, exitUsage, "give a share from 0 to 1")
}

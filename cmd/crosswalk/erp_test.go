package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crosswalk/internal/config"
	"crosswalk/producers/erp"
)

// exportOf copies the export of a preset's system into the folder, with more lines behind its last one.
func (b *bench) exportOf(preset string, lines ...string) string {
	b.t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "producers", "erp", "testdata", preset+".*"))
	if err != nil || len(found) != 1 {
		b.t.Fatalf("exports of %s: %v, %v", preset, found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		b.t.Fatal(err)
	}
	return b.file(filepath.Base(found[0]), string(text)+strings.Join(lines, "\n"))
}

func TestImportByPreset(t *testing.T) {
	t.Parallel()
	for _, preset := range config.Presets {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			conf := b.config("orgs: [{alias: acme}]\n")
			args := []string{"erp", "import", b.exportOf(preset), "--preset", preset, "--config", conf, "--json"}
			exit, out, said := b.run(args...)
			var first, second erp.Result
			if err := json.Unmarshal([]byte(out), &first); exit != exitDone || err != nil || first.Published < 2 || first.Rejected != 0 {
				t.Fatalf("exit status %d, %s %s", exit, out, said)
			}
			b.exportOf(preset, "damage")
			exit, out, said = b.run(args...)
			if err := json.Unmarshal([]byte(out), &second); exit != exitRejects || err != nil || second.Unchanged != first.Published || second.Rejected != 1 {
				t.Fatalf("exit status %d, %s %s", exit, out, said)
			}
			text, err := os.ReadFile(second.RejectsFile)
			if err != nil || !strings.Contains(string(text), "the row has 1 cells") || !strings.Contains(string(text), "damage") {
				t.Errorf("rejects file: %s, %v", text, err)
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
	b.refused([]string{"erp", "import", "none.csv", "--config", conf}, exitFailed, "none.csv")
	b.refused([]string{"erp", "import", good, "--source", "x", "--config", conf}, exitUsage, `no ERP source "x"`)
	b.refused([]string{"erp", "import", good, "--preset", "oracle", "--config", conf}, exitUsage, `no preset "oracle"`, "netsuite")
	b.refused([]string{"erp", "import", good, "--max-delete-share", "7", "--config", conf}, exitUsage, "give a share from 0 to 1")
}

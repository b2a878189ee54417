package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// live is how many records of erp.customer live.
func (b *bench) live(config string) int {
	b.t.Helper()
	exit, out, said := b.run("status", "--json", "--config", config)
	var status struct {
		Orgs map[string]struct {
			Live map[string]int `json:"live_records"`
		} `json:"orgs"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || exit != exitDone {
		b.t.Fatalf("status: exit %d, %v, %q", exit, err, said)
	}
	return status.Orgs["default"].Live["erp.customer"]
}

func TestBadRowsAreRejectedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n" + ledger)
	rows := []string{
		"No,Name,Balance", "C1,Alpha,1.50", "C2,Beta", "C3,Gamma,12x", "C1,Delta,3", "C4,Ep\x00silon,4", "C5,Z\xffeta,5", "C6,Eta,6",
	}
	path := b.file("customers.csv", strings.Join(rows, "\n")+"\n")
	exit, out, said := b.run("erp", "import", path, "--config", config)
	if exit != exitRejects || !strings.Contains(out, "2 rows, 2 published, 0 unchanged, 0 deleted, 5 rejected") || strings.Contains(said, "crosswalk: ") {
		t.Errorf("exit status %d, %q, %q; want %d and two rows published", exit, out, said, exitRejects)
	}
	rejects, err := os.ReadFile(filepath.Join(b.dir, "customers.rejects.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`3,Balance,"the row has 2 cells`, `4,Balance,"""12x"" is not a number`, `5,No,"customer ""C1"" stood already in line 2`,
		"6,Name,the cell contains a NUL byte", "7,Name,\"the cell is not valid text in the file's encoding; save the file as UTF-8",
	} {
		if !strings.Contains(string(rejects), "\n"+want) {
			t.Errorf("the rejects file holds %q, want a line that begins with %q", rejects, want)
		}
	}
	if n := b.live(config); n != 2 {
		t.Errorf("%d customers are published, want 2", n)
	}
	// The same file, mended: what was there stays, the rest comes.
	path = b.file("customers.csv", "No,Name,Balance\nC1,Alpha,1.50\nC2,Beta,2\nC3,Gamma,12\nC4,Epsilon,4\nC5,Zeta,5\nC6,Eta,6\n")
	exit, out, said = b.run("erp", "import", path, "--config", config)
	if exit != exitDone || !strings.Contains(out, "6 rows, 4 published, 2 unchanged, 0 deleted, 0 rejected") {
		t.Errorf("exit status %d, %q, %q; want %d and four rows published", exit, out, said, exitDone)
	}
	if n := b.live(config); n != 6 {
		t.Errorf("%d customers are published, want 6", n)
	}
}

func TestBadFilesPublishNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n" + ledger)
	good := b.file("good.csv", "No,Name,Balance\nC1,A,1\nC2,B,2\nC3,C,3\n")
	if exit, out, said := b.run("erp", "import", good, "--config", config); exit != exitDone {
		t.Fatalf("exit status %d: %s%s", exit, out, said)
	}
	for name, c := range map[string]struct {
		text  string
		words []string
	}{
		"missing column":    {"No,Name\nC9,X\n", []string{"bad.csv", `no column "Balance"`, "columns.balance", "No, Name"}},
		"empty":             {"", []string{"bad.csv is empty", "first line must be the header"}},
		"too many deletes":  {"No,Name,Balance\nC1,A,1\n", []string{"2 of", "max-delete-share"}},
		"column twice":      {"No,No,Balance\n", []string{"bad.csv", `column "No"`, "stands twice", "rename one"}},
		"header not UTF-8":  {"No,N\xffame,Balance\n", []string{"bad.csv", "the name of column 2 is not valid text", "save the file as UTF-8"}},
		"no customers left": {"No,Name,Balance\n", []string{"3 of", "max-delete-share"}},
	} {
		b.t.Run(name, func(t *testing.T) {
			b := &bench{t: t, dir: b.dir}
			b.refused([]string{"erp", "import", b.file("bad.csv", c.text), "--config", config}, exitFailed, c.words...)
			if n := b.live(config); n != 3 {
				t.Errorf("%d customers are published, want the 3 that were there", n)
			}
		})
	}
	b.refused([]string{"erp", "import", filepath.Join(b.dir, "none.csv"), "--config", config}, exitFailed, "none.csv")
	b.refused([]string{"erp", "import", good, "--source", "other", "--config", config}, exitUsage, `no ERP source "other"`, "ledger")
}

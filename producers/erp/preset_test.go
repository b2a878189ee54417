package erp

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/config"
	"crosswalk/producers/erp/export"
)

// importExport imports a text in the export's shape.
func (b *bench) importExport(e export.Export, text string) (Result, error) {
	b.t.Helper()
	encoded, err := e.Encode(text)
	b.must(err)
	path := filepath.Join(b.t.TempDir(), e.File)
	b.must(os.WriteFile(path, encoded, 0o600))
	return ImportFile(b.ctx, b.config, Import{Path: path, Source: e.Source("erp")})
}

// summary lists the customers of the topic.
func (b *bench) summary() []string {
	b.t.Helper()
	latest := map[string]string{}
	for _, r := range b.records() {
		delete(latest, r.key)
		if c := r.customer; c != nil {
			latest[r.key] = fmt.Sprint(r.key, "|", c.Name, "|", c.Identifier, "|", c.Balance, "|", c.Currency, "|", c.Terms, "|", c.Email, "|", c.Phone, "|", c.UpdatedAt)
		}
	}
	var out []string
	for _, s := range latest {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func TestPresetsReadTheirSystemsExports(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, e := range export.All {
		tested[e.Preset] = true
		t.Run(e.File, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			text, err := e.Text()
			b.must(err)
			r, err := b.importExport(e, text)
			if err != nil || r.Rejected != 0 || r.Rows != len(e.Want) || r.Skipped != e.Footer() {
				t.Fatalf("error %v, result %+v", err, r)
			}
			if got := b.summary(); !slices.Equal(got, e.Want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(e.Want, "\n"))
			}
		})
	}
	for _, name := range config.Presets {
		if !tested[name] {
			t.Errorf("preset %s has no export", name)
		}
	}
}

func TestPresetsRejectTwentyKindsOfDamage(t *testing.T) {
	t.Parallel()
	for _, e := range export.All {
		t.Run(e.File, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d, err := e.Damage()
			b.must(err)
			if d.Kinds < 20 {
				t.Errorf("only %d kinds of damage", d.Kinds)
			}
			r, err := b.importExport(e, d.Text())
			b.must(err)
			if r.Rejected != d.Kinds || r.Rows != len(d.Good) || r.DeletesWithheld == "" || r.Skipped != e.Footer() {
				t.Errorf("result %+v, want %d rejects and %d rows", r, d.Kinds, len(d.Good))
			}
			if err := d.Check(rejectsOf(t, r.RejectsFile)); err != nil {
				t.Error(err)
			}
			arrived := map[string]bool{}
			for _, r := range b.records() {
				arrived[r.customer.Number] = true
			}
			for _, number := range d.Good {
				if !arrived[number] {
					t.Errorf("the good row of %s did not arrive", number)
				}
			}
			if len(arrived) != len(d.Good) {
				t.Errorf("%d customers arrived, want %d", len(arrived), len(d.Good))
			}
		})
	}
}

// rejectsOf reads a rejects file: line, column, reason, row.
func rejectsOf(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil || !slices.Equal(all[0], []string{"line", "column", "reason", "row"}) {
		t.Fatalf("rejects file: %v, header %v", err, all)
	}
	return all[1:]
}

func TestAPresetShowsWhatItNeedsAndWhatItFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.importExport(export.Export{File: "x.csv", Preset: "quickbooks"}, "Kunde,Saldo\nAcme,1\n")
	for _, want := range []string{`"Customer full name" (QuickBooks Online`, `"Customer", "Balance Total" (QuickBooks Desktop`, "its header is: Kunde, Saldo", "x.csv", "Set columns.number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
}

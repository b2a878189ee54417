package demo

import (
	"strings"
	"testing"
)

func column(t *testing.T, table Table, name string) []string {
	t.Helper()
	for i, h := range table.Header {
		if h == name {
			out := make([]string, len(table.Rows))
			for j, row := range table.Rows {
				out[j] = row[i]
			}
			return out
		}
	}
	t.Fatalf("no column %s in %v", name, table.Header)
	return nil
}

func TestDatasetIsTheDataItClaims(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.ERP.Rows); n != 89+503 {
		t.Errorf("%d ERP customers, want the 89 that ordered and 503 companies", n)
	}
	if n := len(d.Salesforce["Contact"].Rows); n != 91 {
		t.Errorf("%d contacts, want 91", n)
	}
	seen := map[string]bool{}
	for _, key := range column(t, d.ERP, "CustomerNo") {
		if seen[key] {
			t.Errorf("customer number %s stands twice", key)
		}
		seen[key] = true
	}
	zeros := 0
	for _, id := range column(t, d.Salesforce["Account"], LinkField) {
		if strings.HasPrefix(id, "0") {
			zeros++
		}
	}
	if zeros != 31 {
		t.Errorf("%d Accounts with leading zeros, want the 31 utilities", zeros)
	}
	if street := column(t, d.Salesforce["Account"], "BillingStreet")[6]; street != "24, place Kléber" {
		t.Errorf("BLONP's street is %q: the comma inside it was not kept", street)
	}
	// VINET's lines, summed with awk: unitPrice × quantity × (1 − discount).
	balances := map[string]string{}
	for i, key := range column(t, d.ERP, "CustomerNo") {
		balances[key] = column(t, d.ERP, "Balance")[i]
	}
	if balances["VINET"] != "1480.0000" {
		t.Errorf("VINET's balance is %s, want 1480.0000", balances["VINET"])
	}
}

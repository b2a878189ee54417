package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"crosswalk/consumers/matcher/suggest"
	"crosswalk/internal/app"
	"crosswalk/internal/customer"
)

func TestIdentifierRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		args  string
		words string
	}{
		{"identifier guess", "suggest, preview, activate, reset or deactivate"},
		{"identifier activate OneField", "identifier suggest"},
		{"identifier preview A b --near-miss maybe", "give on or off"},
		{"identifier preview A b --cardinality few", "many_to_many"},
		{"identifier preview Owner.Name b", "salesforce_field"},
		{"identifier deactivate A b", "takes no arguments"},
	} {
		b.refused(strings.Fields(c.args), exitUsage, c.words)
	}
}

func TestIdentifierSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n  - alias: acme\n")
	b.refused([]string{"identifier", "suggest", "-c", config}, exitFailed, "no Accounts in acme.salesforce.account")
	b.refused([]string{"identifier", "preview", "Id", "number", "-c", config}, exitFailed, "no ERP customer is in the topics yet")
	b.refused([]string{"identifier", "activate", "X__c", "number", "-c", config}, exitFailed, "no Account is in the topics yet")
	if exit, out, said := b.run("identifier", "deactivate", "-c", config); exit != exitDone || !strings.Contains(out, "crosswalk run matcher") {
		t.Errorf("deactivate without a matcher: exit status %d, %q, %q", exit, out, said)
	}
	if exit, out, _ := b.run("identifier", "deactivate", "-c", config, "--json"); exit != exitDone || !strings.Contains(out, `"outcome":"recorded"`) {
		t.Errorf("deactivate --json: exit status %d, %q", exit, out)
	}
	b.refused([]string{"identifier", "reset", "-c", config}, exitUsage, "no link is configured to go back to")
}

func TestResetGoesBackToTheConfiguredLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := b.config("orgs:\n  - alias: acme\n    link: {salesforce_field: No__c, erp_field: number}\n")
	if exit, out, said := b.run("identifier", "deactivate", "-c", config); exit != exitDone || !strings.Contains(out, "Before: No__c = number") {
		t.Fatalf("exit status %d, %q, %q", exit, out, said)
	}
	if exit, out, said := b.run("identifier", "reset", "-c", config); exit != exitDone || !strings.Contains(out, "Before: none\nNow:    No__c = number") {
		t.Fatalf("exit status %d, %q, %q", exit, out, said)
	}
	if exit, out, said := b.run("identifier", "deactivate", "-c", config, "--json"); exit != exitDone || !strings.Contains(out, `"previous":{"salesforce_field":"No__c","erp_field":"number"`) {
		t.Errorf("after a reset: exit status %d, %q, %q", exit, out, said)
	}
}

func TestSuggestionIsPrinted(t *testing.T) {
	t.Parallel()
	found := app.Suggestion{Accounts: 1, Customers: 1000, Order: suggest.Order, Pairs: []suggest.Pair{
		{SalesforceField: "No__c", ERPField: "number", Matched: 999, Share: 0.999, AccountFill: 1, Examples: []string{"\x1b[2J", strings.Repeat("x", 30)}},
		{SalesforceField: "Name", ERPField: "name", Matched: 1, Share: 0.001},
	}}
	var out bytes.Buffer
	if err := printSuggestion(&out, found, 1); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 Account and 1000 ERP customers", "99.9%", "100% / 0%", `\u001B[2J, ` + strings.Repeat("x", 23) + "…", "1 pair that", "preview No__c number"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	out.Reset()
	if err := printSuggestion(&out, app.Suggestion{}, 0); err != nil || !strings.Contains(out.String(), "No field of one side") {
		t.Errorf("nothing in common: %s, %v", &out, err)
	}
}

func TestPreviewIsPrinted(t *testing.T) {
	t.Parallel()
	id := "7"
	p := app.Preview{
		Link:   customer.Link{SalesforceField: "A", ERPField: "b", Cardinality: customer.CardinalityManyToMany},
		Gained: []string{"e1"}, GainedAll: 5,
		After: app.Outcome{
			Matched: 5, Examples: []app.MatchExample{{Identifier: "1", Customer: "e1", Accounts: []string{"a1"}}},
			AmbiguousExamples: []customer.Ambiguous{{Identifier: "2", Reason: customer.ManyAccounts, Accounts: []string{"a2", "a3"}, AccountCount: 2, ERPCustomers: []string{"e2"}, ERPCustomerCount: 1}},
			NearMissExamples: []customer.Unmatched{{Side: customer.SideERP, ID: "e7", Identifier: &id, Reason: customer.NoCounterpart, NearMisses: []customer.NearMiss{
				{ID: "a7", Identifier: "07", Classes: []customer.Class{customer.ClassLeadingZeros}},
			}}},
			UnmatchedExamples: []customer.Unmatched{{Side: customer.SideAccount, ID: "a9", Reason: customer.BlankIdentifier}},
		},
	}
	var out bytes.Buffer
	if err := printPreview(&out, &p); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Now:    none", "A = b (many_to_many, without near misses)", "5 ERP customers would become matched: e1 and 4 more", "customer e1 and account a1",
		"accounts a2, a3", "leading zeros", "account/a9: BLANK_IDENTIFIER", "activate A b --cardinality many_to_many --near-miss off",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestActivationIsPrinted(t *testing.T) {
	t.Parallel()
	l := &customer.Link{SalesforceField: "A", ERPField: "b", Cardinality: customer.CardinalityOneToOne, NearMiss: true}
	for _, c := range []struct {
		activation app.Activation
		want       string
	}{
		{app.Activation{Link: l, Outcome: app.OutcomeDone, Matched: 3}, "Done: 3 ERP customers matched"},
		{app.Activation{Previous: l, Outcome: app.OutcomeDone}, "every view and report is withdrawn"},
		{app.Activation{Link: l, Outcome: app.OutcomePublished}, "A matcher elsewhere"},
		{app.Activation{Link: l, Outcome: app.OutcomeRecorded}, "run matcher"},
		{app.Activation{Link: l, Outcome: app.OutcomePending}, "within 5s"},
	} {
		var out bytes.Buffer
		printActivation(&out, c.activation, 5*time.Second)
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s is printed as %q, want %q", c.activation.Outcome, &out, c.want)
		}
	}
}

package suggest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"crosswalk/consumers/matcher/rule"
)

// row is one record: values by path. A text that begins with # is a number.
type row map[string]string

func value(text string) rule.Value {
	if digits, ok := strings.CutPrefix(text, "#"); ok {
		return rule.Value{Kind: rule.Number, Text: digits}
	}
	if text == "" {
		return rule.Value{Kind: rule.Null}
	}
	return rule.Value{Kind: rule.Text, Text: text}
}

func survey(accounts, customers []row) *Survey {
	s := New()
	for side, rows := range map[*Side][]row{&s.Accounts: accounts, &s.Customers: customers} {
		for _, r := range rows {
			side.Record()
			for path, text := range r {
				side.Leaf([]byte(path), value(text))
			}
		}
	}
	return s
}

func ranked(accounts, customers []row) (pairs []Pair) {
	s := survey(accounts, customers)
	pairs = s.Rank()
	sampler := s.Sample(pairs)
	for _, r := range customers {
		for path, text := range r {
			sampler.Leaf([]byte(path), value(text))
		}
	}
	return pairs
}

func TestRank(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		accounts, customers []row
		want                []string // pairs in order, with matched/ambiguous
	}{
		{"nothing in common is left out", []row{{"A": "1"}}, []row{{"x": "2"}}, nil},
		{"a number and a text of the same digits", []row{{"A": "#1.50E1"}}, []row{{"x": "15"}}, []string{"A=x 1/0"}},
		{"no identifier: null, blank", []row{{"A": ""}, {"A": " "}}, []row{{"x": ""}, {"x": " "}}, nil},
		{
			"more matches come first",
			[]row{{"A": "1", "B": "p"}, {"A": "2", "B": "q"}},
			[]row{{"x": "1", "y": "p"}, {"x": "2", "y": "r"}},
			[]string{"A=x 2/0", "B=y 1/0"},
		},
		{
			"unique values before values that repeat",
			[]row{{"City": "Paris", "No": "1"}, {"City": "Paris", "No": "2"}, {"City": "Oslo", "No": "3"}},
			[]row{{"city": "Paris", "no": "1"}, {"city": "Paris", "no": "2"}, {"city": "Oslo", "no": "4"}},
			[]string{"No=no 2/0", "City=city 1/2"},
		},
		{
			"identifiers before names, though more names are equal",
			[]row{{"Name": "Blue Ox", "No": "1"}, {"Name": "Red Fox", "No": "2"}, {"Name": "Vinea", "No": "3"}},
			[]row{{"name": "Blue Ox", "no": "1"}, {"name": "Red Fox", "no": "2"}, {"name": "Vinea", "no": "03"}},
			[]string{"No=no 2/0", "Name=name 3/0"},
		},
		{
			"equal scores: the field that is filled more often",
			[]row{{"A": "1", "B": "1"}, {"B": "2"}},
			[]row{{"x": "1"}},
			[]string{"B=x 1/0", "A=x 1/0"},
		},
		{
			"an Id in the short notation matches only as Id (R10)",
			[]row{{"Id": "001D000000IqhSLIAZ", "Copy": "001D000000IqhSLIAZ"}},
			[]row{{"ref": "001D000000IqhSL"}, {"ref": "001D000000IqhSX"}},
			[]string{"Id=ref 1/0"},
		},
		{
			"both notations of one Id on two customers are ambiguous",
			[]row{{"Id": "001D000000IqhSLIAZ"}},
			[]row{{"ref": "001D000000IqhSL"}, {"ref": "001D000000IqhSLIAZ"}},
			[]string{"Id=ref 0/2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range ranked(c.accounts, c.customers) {
				got = append(got, fmt.Sprintf("%s=%s %d/%d", p.SalesforceField, p.ERPField, p.Matched, p.Ambiguous))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("ranked %v, want %v", got, c.want)
			}
		})
	}
}

func TestFiguresOfAPair(t *testing.T) {
	t.Parallel()
	pairs := ranked(
		[]row{{"A": "1"}, {"A": "2"}, {"A": "2"}, {"A": "9"}, {"A": ""}},
		[]row{{"x": "1"}, {"x": "2"}, {"x": "3"}, {"x": "3"}},
	)
	if len(pairs) != 1 {
		t.Fatalf("%d pairs", len(pairs))
	}
	p := pairs[0]
	if p.Matched != 1 || p.Ambiguous != 1 || p.Share != 0.25 || p.AccountFill != 0.8 || p.CustomerFill != 1 ||
		p.AccountDuplicates != 2 || p.CustomerDuplicates != 2 || !slices.Equal(p.Examples, []string{"1", "2"}) {
		t.Errorf("%+v", p)
	}
	if want := 0.5 * 0.75 * 0.75; p.Score != want {
		t.Errorf("score %v, want %v", p.Score, want)
	}
}

// What is counted on digests in merged runs is what is counted on the values themselves.
func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int{50, 3000, 1_000_000} {
		s := New()
		counts := [2]map[string]int{{}, {}}
		for i, side := range []*Side{&s.Accounts, &s.Customers} {
			for range 5000 * (i*9 + 1) {
				text := fmt.Sprint(r.IntN(spread))
				counts[i][text]++
				side.Record()
				side.Leaf([]byte("f"), value(text))
			}
		}
		matched, ambiguous := 0, 0
		for text, n := range counts[0] {
			switch m := counts[1][text]; {
			case m == 1 && n == 1:
				matched++
			case m > 0:
				ambiguous += m
			}
		}
		p := s.Rank()[0]
		if p.Matched != matched || p.Ambiguous != ambiguous {
			t.Errorf("spread %d: %d matched and %d ambiguous, want %d and %d", spread, p.Matched, p.Ambiguous, matched, ambiguous)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"Id", "Name", "ERP_Customer_No__c", "attributes.CustomerNo", "identifier", "phone"}
	for name, want := range map[string][]string{
		"identifer":       {"identifier"},
		"erp_customer_no": {"ERP_Customer_No__c"},
		"CustomerNo":      {"attributes.CustomerNo"},
		"NameX":           {"Name"},
		"phon_number":     {"phone"},
		"zzzzzzzz":        nil,
	} {
		if got := Nearest(name, names); !slices.Equal(got, want) {
			t.Errorf("nearest to %q: %v, want %v", name, got, want)
		}
	}
}

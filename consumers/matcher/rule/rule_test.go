package rule

import (
	"slices"
	"strings"
	"testing"

	"crosswalk/internal/customer"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   Value
		id   string
		miss Miss
	}{
		{"string unchanged", Value{Text, " Ab\u0301 "}, " Ab\u0301 ", Miss{}},
		{"fraction zeros", Value{Number, "10.50"}, "10.5", Miss{}},
		{"exponent", Value{Number, "1E3"}, "1000", Miss{}},
		{"negative", Value{Number, "-5.0"}, "-5", Miss{}},
		{"eighteen digits", Value{Number, "123456789012345678"}, "123456789012345678", Miss{}},
		{"absent", Value{}, "", Miss{customer.NoIdentifier, customer.DetailFieldAbsent}},
		{"null", Value{Kind: Null}, "", Miss{customer.NoIdentifier, customer.DetailNull}},
		{"empty", Value{Kind: Text}, "", Miss{Reason: customer.BlankIdentifier}},
		{"no-break and ideographic space", Value{Text, "\u00a0\u3000\u0085"}, "", Miss{Reason: customer.BlankIdentifier}},
		{"zero width space is no white space", Value{Text, "\u200b"}, "\u200b", Miss{}},
		{"long blank is blank first", Value{Text, strings.Repeat(" ", 2000)}, "", Miss{Reason: customer.BlankIdentifier}},
		{"1,024 bytes", Value{Text, strings.Repeat("é", 512)}, strings.Repeat("é", 512), Miss{}},
		{"1,025 bytes", Value{Text, strings.Repeat("é", 512) + "x"}, "", Miss{Reason: customer.IdentifierTooLong}},
		{"other type", Value{Kind: Other}, "", Miss{Reason: customer.IdentifierType}},
		{"NaN", Value{Number, "NaN"}, "", Miss{Reason: customer.IdentifierType}},
	} {
		if id, miss := Identify(c.in); id != c.id || miss != c.miss {
			t.Errorf("%s: Identify(%+v) = %q, %+v; want %q, %+v", c.name, c.in, id, miss, c.id, c.miss)
		}
	}
}

func TestLongID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"001D000000IqhSL":    "001D000000IqhSLIAZ",
		"001D000000IqhSLIAZ": "001D000000IqhSLIAZ",
		"001D000000Iqh-L":    "001D000000Iqh-L",
		"aaaaaaaaaaaaaaa":    "aaaaaaaaaaaaaaaAAA",
		"AAAAAAAAAAAAAAA":    "AAAAAAAAAAAAAAA555",
		"":                   "",
	} {
		if got := LongID(in); got != want {
			t.Errorf("LongID(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want string // classes joined by +, "" when not alike
	}{
		{"AC-1", "ac1", "CASE+PUNCTUATION"},
		{" C1", "C1", "WHITESPACE"},
		{"0012", "12", "LEADING_ZEROS"},
		{"00-12", "12", "PUNCTUATION+LEADING_ZEROS"},
		{"Ｃ1", "C1", "UNICODE"},
		{"é1", "e\u03011", "UNICODE"},
		{"DE 123.456", "DE123456", "WHITESPACE+PUNCTUATION"},
		{"---", "--", ""},
		{"000", "0", "LEADING_ZEROS"},
		{"C1", "D9", ""},
		{"Straße", "STRASSE", "CASE"},
		{"C\u200b1", "C1", "WHITESPACE"},
		{"\ufeffC1", "C1", "WHITESPACE"},
		{"C+1", "C1", ""},
		{"C_1", "C1", "PUNCTUATION"},
		{"\u212b1", "å1", "CASE"}, // Angstrom sign: the second NFKC does what the first one would
	} {
		alike := Fold(c.a) == Fold(c.b) && Fold(c.a) != ""
		if alike != (c.want != "") {
			t.Errorf("%q and %q: alike is %v", c.a, c.b, alike)
			continue
		}
		if !alike {
			continue
		}
		var got []string
		for _, class := range Classes(c.a, c.b) {
			got = append(got, string(class))
		}
		if strings.Join(got, "+") != c.want || !slices.Equal(Classes(c.a, c.b), Classes(c.b, c.a)) {
			t.Errorf("%q and %q: classes %v, want %s, the same both ways", c.a, c.b, got, c.want)
		}
	}
}

// The one-pass fold of ASCII must be the five steps.
func FuzzFoldASCII(f *testing.F) {
	for _, s := range []string{"AC-1", " 00 1_a", "000", "+=<>^`|~$", "\x00\x1f\x7f", "--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := foldASCII(s)
		if !ok {
			return
		}
		want := s
		for _, st := range steps {
			want = st.apply(want)
		}
		if got != want {
			t.Errorf("foldASCII(%q) = %q, the steps give %q", s, got, want)
		}
	})
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accounts, customers int
		card                customer.Cardinality
		outcome             Outcome
		reason              customer.Reason
	}{
		{1, 0, customer.CardinalityOneToOne, Alone, ""},
		{0, 200, customer.CardinalityManyToMany, Alone, ""},
		{1, 1, customer.CardinalityOneToOne, Matched, ""},
		{2, 1, customer.CardinalityOneToOne, Ambiguous, customer.ManyAccounts},
		{1, 2, customer.CardinalityOneToOne, Ambiguous, customer.ManyCustomers},
		{2, 2, customer.CardinalityOneToOne, Ambiguous, customer.ManyBoth},
		{2, 2, customer.CardinalityManyAccounts, Ambiguous, customer.ManyCustomers},
		{2, 2, customer.CardinalityManyCustomers, Ambiguous, customer.ManyAccounts},
		{100, 100, customer.CardinalityManyToMany, Matched, ""},
		{101, 2, customer.CardinalityOneToOne, Ambiguous, customer.TooManyMembers},
		{1, 101, customer.CardinalityManyToMany, Ambiguous, customer.TooManyMembers},
	} {
		o, r := Decide(c.accounts, c.customers, customer.Link{Cardinality: c.card})
		if o != c.outcome || r != c.reason {
			t.Errorf("Decide(%d, %d, %s) = %v %q, want %v %q", c.accounts, c.customers, c.card, o, r, c.outcome, c.reason)
		}
	}
}

func TestParent(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]ParentKind{"001x": AccountParent, "003": ContactParent, "005x": OtherParent, "00": OtherParent} {
		if got := Parent(id); got != want {
			t.Errorf("Parent(%q) = %v, want %v", id, got, want)
		}
	}
}

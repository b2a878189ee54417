package nearest

import "testing"

func TestOf(t *testing.T) {
	t.Parallel()
	names := []string{"Phone", "Fax", "Tier__c", "Tiers__c", "tier"}
	for _, c := range []struct {
		word string
		most int
		want string
	}{
		{"phnoe", 1, "Phone"}, // a swap is one edit
		{"fax", 0, "Fax"},
		{"Tierr__c", 1, "Tier__c"},
		{"Tier__c", 2, "Tier__c"},
		{"Tirs__c", 1, "Tiers__c"},
		{"Tixr__c", 1, "Tier__c"},
		{"Phones!", 1, ""},
		{"", 2, ""},
	} {
		if got := Of(c.word, names, c.most); got != c.want {
			t.Errorf("%q within %d edits is %q, want %q", c.word, c.most, got, c.want)
		}
	}
	if got := Of("ab", []string{"ac", "aa"}, 1); got != "aa" {
		t.Errorf("of two equally near it is %q", got)
	}
}

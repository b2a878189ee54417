package salesforce_test

import (
	"slices"
	"testing"

	"crosswalk/producers/salesforce"
)

// TestControlKeys: an org without an alias is called default.
func TestControlKeys(t *testing.T) {
	t.Parallel()
	for org, want := range map[string]string{"": "default/backfill/b1", "acme": "acme/backfill/b1"} {
		key := salesforce.ControlKey(org, salesforce.AskBackfill, "b1")
		if id, ok := salesforce.BackfillOf(org, []byte(key)); key != want || !ok || id != "b1" {
			t.Errorf("org %q: key %s is of %q, %v", org, key, id, ok)
		}
	}
	for org, key := range map[string]string{"acme": "default/backfill/b1", "": "acme/backfill/b1", "default": "default/pause/b1"} {
		if id, ok := salesforce.BackfillOf(org, []byte(key)); ok {
			t.Errorf("%s asks org %q for %s", key, org, id)
		}
	}
	if keys := salesforce.WithdrawnKeys("", "b1"); !slices.Contains(keys, "default/pause/b1") || len(keys) != 4 {
		t.Errorf("withdrawn: %q", keys)
	}
	if keys := salesforce.WithdrawnKeys("acme", "b1"); len(keys) != 4 {
		t.Errorf("withdrawn: %q", keys)
	}
}

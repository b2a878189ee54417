package topic

import "testing"

func TestNames(t *testing.T) {
	t.Parallel()
	for alias, want := range map[string][2]string{"": {"default", "customer.view"}, "acme": {"acme", "acme.customer.view"}} {
		if org, name := OrgName(alias), Name(alias, "customer.view"); org != want[0] || name != want[1] {
			t.Errorf("alias %q: org %s, topic %s; want %v", alias, org, name, want)
		}
	}
}

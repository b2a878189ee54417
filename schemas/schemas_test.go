package schemas_test

import (
	"strings"
	"testing"

	"crosswalk/internal/avro/schema"
	"crosswalk/schemas"
)

func TestSchemasAreDocumentedAndEvolve(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"note": schemas.Note, "erp_customer": schemas.ERPCustomer, "customer_view": schemas.CustomerView,
		"match_ambiguous": schemas.MatchAmbiguous, "match_unmatched": schemas.MatchUnmatched,
		"position": schemas.Position, "control": schemas.Control, "audit": schemas.Audit,
	}
	for name, text := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := schema.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			check(t, n, map[*schema.Node]bool{})
			again, err := schema.Parse(n.Text())
			if err != nil || again.Text() != n.Text() {
				t.Fatalf("the one-line form reads back as something else: %v\n%s", err, n.Text())
			}
		})
	}
}

// check wants a namespace of ours and a doc for every record and field, and a null default for every nullable one.
func check(t *testing.T, n *schema.Node, seen map[*schema.Node]bool) {
	t.Helper()
	if seen[n] {
		return
	}
	seen[n] = true
	if n.Kind.Named() && (n.Doc == "" || n.Namespace != "crosswalk" && !strings.HasPrefix(n.Namespace, "crosswalk.")) {
		t.Errorf("%s: no doc, or not under crosswalk", n.FullName())
	}
	for _, f := range n.Fields {
		if f.Doc == "" {
			t.Errorf("%s.%s has no doc", n.FullName(), f.Name)
		}
		if f.Type.Kind == schema.Union && f.Type.Branches[0].Kind == schema.Null && (!f.HasDefault || f.Default != nil) {
			t.Errorf("%s.%s is nullable and has not the default null", n.FullName(), f.Name)
		}
		check(t, f.Type, seen)
	}
	for _, b := range n.Branches {
		check(t, b, seen)
	}
	if n.Elem != nil {
		check(t, n.Elem, seen)
	}
}

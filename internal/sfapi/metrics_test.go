package sfapi

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestPackageCommentListsTheMetrics(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("sfapi.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "\npackage sfapi")
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	m.calls.WithLabelValues("query", "2xx")
	m.seconds.WithLabelValues("query")
	m.retries.WithLabelValues("query")
	m.refreshes.WithLabelValues("ok")
	families, err := reg.Gather()
	if err != nil || len(families) != strings.Count(comment, "crosswalk_sfapi_") {
		t.Errorf("%d metrics, the comment names %d, %v", len(families), strings.Count(comment, "crosswalk_sfapi_"), err)
	}
	for _, f := range families {
		name := f.GetName()
		if labels := f.GetMetric()[0].GetLabel(); len(labels) > 0 {
			names := make([]string, len(labels))
			for i, l := range labels {
				names[i] = l.GetName()
			}
			name += "{" + strings.Join(names, ",") + "}"
		}
		has(t, comment, name)
	}
}

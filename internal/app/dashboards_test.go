package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// names collects the metric names that are registered.
type names struct{ all map[string]bool }

var fullName = regexp.MustCompile(`fqName: "([^"]+)"`)

func (n names) Register(c prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 1000)
	c.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		n.all[fullName.FindStringSubmatch(d.String())[1]] = true
	}
	return nil
}

func (n names) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		_ = n.Register(c) // never fails
	}
}
func (n names) Unregister(prometheus.Collector) bool { return false }

// TestDashboardsUseMetricsThatExist holds the alert rules and the dashboard to the names that the packages register.
func TestDashboardsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	registered := names{map[string]bool{}}
	newMetrics(registered)
	newOrgMetrics(registered, "acme")
	deploy := filepath.Join("..", "..", "deploy")
	used := map[string]bool{}
	for _, file := range []string{"prometheus/rules.yml", "grafana/dashboards/crosswalk.json"} {
		text, err := os.ReadFile(filepath.Join(deploy, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bcrosswalk_[a-z_]+`).FindAllString(string(text), -1) {
			used[name] = true
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
			if !registered.all[name] && !registered.all[base] {
				t.Errorf("%s uses %s, which no package registers", file, name)
			}
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are used: the search is wrong", len(used))
	}
}

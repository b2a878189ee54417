package matcher

import (
	"testing"

	"crosswalk/consumers/matcher/conformance"
)

// Every row of the table through Kafka, registry and disk.
func TestTableOnKafka(t *testing.T) {
	t.Parallel()
	cases, err := conformance.ReadTable("testdata/matching-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			p.start()
			var produced []string
			for _, s := range c.Steps {
				p.put(s)
				produced = p.settled(false)
			}
			if err := c.CheckState(p.tracker.State()); err != nil {
				t.Error(err)
			}
			if err := c.CheckProduced(produced); err != nil {
				t.Error(err)
			}
			p.check()
		})
	}
}

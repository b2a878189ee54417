package join_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
)

const table = "../testdata/matching-rules.md"

func readTable(t *testing.T) []conformance.Case {
	t.Helper()
	cases, err := conformance.ReadTable(table)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 129 {
		t.Fatalf("the table has %d cases, want 129", len(cases))
	}
	return cases
}

// Every row as it stands: the published state and the records of the last step, exactly.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, c := range readTable(t) {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			run(t, c, c.Steps, variation{exact: true})
		})
	}
}

// Every row in its five variations, and with too little memory for the records, each of which must lead to the same published state.
func TestTableVariations(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		variation
		steps func(c conformance.Case, round uint64) []conformance.Step
		times uint64
	}{
		"a_given_before_start": {variation{before: true}, asGiven, 1},
		"b_other_order":        {variation{}, reordered, 4},
		"c_twice":              {variation{exact: true}, twice, 1},
		"d_restart":            {variation{restart: true, exact: true}, asGiven, 1},
		"e_state_deleted":      {variation{restart: true, loseState: true, exact: true}, asGiven, 1},
		"values_on_disk":       {variation{exact: true, small: true}, asGiven, 1},
		"on_disk_restart":      {variation{restart: true, exact: true, small: true}, asGiven, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range readTable(t) {
				t.Run(c.ID, func(t *testing.T) {
					t.Parallel()
					for round := range v.times {
						run(t, c, v.steps(c, round), v.variation)
					}
				})
			}
		})
	}
}

// variation is a way of giving a case's steps.
type variation struct {
	before    bool // all steps before the matcher settles for the first time
	restart   bool // after each step
	loseState bool // with each restart
	small     bool // every value is read from the log
	exact     bool // what the last step produces is checked, too
}

func run(t *testing.T, c conformance.Case, steps []conformance.Step, v variation) {
	t.Helper()
	m := newMatcher(t)
	if v.small {
		m = newSmallMatcher(t)
	}
	tracker, err := conformance.NewTracker()
	if err != nil {
		t.Fatal(err)
	}
	in := conformance.NewInputs(conformance.Step{Link: conformance.DefaultLink()})
	var produced []string
	for i, s := range steps {
		m.give(s)
		in.Give(s)
		if v.before && i < len(steps)-1 {
			continue
		}
		if produced, err = tracker.Step(m.settle(), false); err != nil {
			t.Fatal(err)
		}
		if v.restart {
			m.restart(v.loseState)
			if again := m.settle(); len(again) > 0 {
				t.Fatalf("R35: a restart publishes %+v", again)
			}
		}
		if err := conformance.CheckEqual(tracker.State(), in.Compute()); err != nil {
			t.Fatalf("after step %d: %v", i+1, err)
		}
	}
	if err := c.CheckState(tracker.State()); err != nil {
		t.Error(err)
	}
	if v.exact {
		if err := c.CheckProduced(produced); err != nil {
			t.Error(err)
		}
	}
	if v.before && slices.ContainsFunc(produced, func(line string) bool { return line[0] == 0xe2 }) {
		t.Errorf("a matcher that starts on full inputs publishes tombstones: %q", produced)
	}
}

func asGiven(c conformance.Case, _ uint64) []conformance.Step { return c.Steps }

// twice gives every record twice with the same version.
func twice(c conformance.Case, _ uint64) []conformance.Step {
	var out []conformance.Step
	for _, s := range c.Steps {
		s.Records = append(slices.Clone(s.Records), s.Records...)
		out = append(out, s)
	}
	return out
}

// reordered keeps the order of each key's own records, mixes everything else, and puts the link steps last.
func reordered(c conformance.Case, round uint64) []conformance.Step {
	rng := rand.New(rand.NewPCG(round, 7))
	type key struct {
		kind join.Kind
		key  string
	}
	queues := map[key][]conformance.Record{}
	var keys []key
	var links []conformance.Step
	for _, s := range c.Steps {
		if s.IsLink {
			links = append(links, s)
		}
		for _, r := range s.Records {
			k := key{r.Kind, r.Key}
			if queues[k] == nil {
				keys = append(keys, k)
			}
			queues[k] = append(queues[k], r)
		}
	}
	var out []conformance.Step
	for len(keys) > 0 {
		i := rng.IntN(len(keys))
		k := keys[i]
		out = append(out, conformance.Step{Records: queues[k][:1]})
		if queues[k] = queues[k][1:]; len(queues[k]) == 0 {
			keys = slices.Delete(keys, i, i+1)
		}
	}
	return append(out, links...)
}

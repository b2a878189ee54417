package topic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// group plays the processes of a group: in each generation all join, and stop what they are no longer given.
type playedGroup struct {
	members    map[string]*member
	generation int32
}

// rebalance returns how many tasks were given and how many taken.
func (g *playedGroup) rebalance(t *testing.T) (given, taken int) {
	t.Helper()
	var all []member
	for id, m := range g.members {
		m.ID = id
		all = append(all, *m)
	}
	plan := assign(all)
	g.generation++
	running := map[string]string{}
	for _, m := range all {
		for _, task := range m.Owned {
			running[task] = m.ID
		}
	}
	for id, a := range plan {
		for _, task := range a.Follow {
			if running[task] == id || slices.Contains(a.Tasks, task) {
				t.Fatalf("%s stands by for task %s, which it runs", id, task)
			}
		}
		for _, task := range a.Tasks {
			if other := running[task]; other != "" && other != id {
				t.Fatalf("task %s is given to %s while %s runs it", task, id, other)
			}
			if !slices.Contains(g.members[id].Owned, task) {
				given++
			}
		}
	}
	for id, m := range g.members {
		for _, task := range m.Owned {
			if !slices.Contains(plan[id].Tasks, task) {
				taken++
			}
		}
		m.Owned, m.Follows, m.Generation = plan[id].Tasks, plan[id].Follow, g.generation
	}
	return given, taken
}

// settle rebalances until nothing moves and returns how many tasks were taken from somebody.
func (g *playedGroup) settle(t *testing.T) (moved int) {
	t.Helper()
	for range 10 {
		given, taken := g.rebalance(t)
		if moved += taken; given+taken == 0 {
			return moved
		}
	}
	t.Fatal("the group does not come to rest")
	return 0
}

func (g *playedGroup) checkStandbys(t *testing.T, tasks []string, want int) {
	t.Helper()
	got := map[string]int{}
	for _, m := range g.members {
		for _, task := range m.Follows {
			got[task]++
		}
	}
	for _, task := range tasks {
		if got[task] != want {
			t.Fatalf("%d processes stand by for task %s, want %d", got[task], task, want)
		}
	}
}

func (g *playedGroup) check(t *testing.T, tasks int) {
	t.Helper()
	total, least, most := 0, tasks, 0
	for _, m := range g.members {
		total += len(m.Owned)
		least, most = min(least, len(m.Owned)), max(most, len(m.Owned))
	}
	if total != tasks || most-least > 1 {
		t.Fatalf("%d of %d tasks are given, between %d and %d to a member", total, tasks, least, most)
	}
}

func TestAssignmentsUnderComingAndGoing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var tasks []string
		for i := range 1 + rng.IntN(40) {
			tasks = append(tasks, fmt.Sprint("task", i))
		}
		standbys := rng.IntN(3)
		g := &playedGroup{members: map[string]*member{}}
		for round := range 20 {
			if len(g.members) == 0 || rng.IntN(2) == 0 {
				before := len(g.members)
				g.members[fmt.Sprint("p", round)] = &member{Tasks: tasks, Followable: tasks, Standbys: standbys}
				moved := g.settle(t)
				if fair := (len(tasks) + before) / (before + 1); before > 0 && moved > fair {
					t.Fatalf("seed %d: %d of %d tasks moved when process %d came", seed, moved, len(tasks), before+1)
				}
			} else if len(g.members) > 1 {
				for id := range g.members {
					delete(g.members, id)
					break
				}
				if moved := g.settle(t); moved > 0 {
					t.Fatalf("seed %d: %d tasks moved although a process only left", seed, moved)
				}
			}
			g.check(t, len(tasks))
			g.checkStandbys(t, tasks, min(standbys, len(g.members)-1))
		}
	}
}

func TestAssignKnowsWhoIsAble(t *testing.T) {
	t.Parallel()
	got := assign([]member{
		{ID: "a", Tasks: []string{"x", "y"}, Owned: []string{"x", "z"}, Generation: 3},
		{ID: "b", Tasks: []string{"x", "y", "z", "z"}, Owned: []string{"x"}, Generation: 2},
	})
	if want := map[string]assignment{"a": {Tasks: []string{"x"}}, "b": {Tasks: []string{"y"}}}; fmt.Sprint(got) != fmt.Sprint(want) {
		// a was given x last; z runs in a, which is not able to run it any more: it must stop there first.
		t.Errorf("assigned %v, want %v", got, want)
	}
}

// A task whose owner is gone goes to who stands by for it, as long as that has no more than its share.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	all := []string{"w", "x", "y"}
	got := assign([]member{
		{ID: "a", Tasks: all, Owned: []string{"w"}, Followable: all, Standbys: 1},
		{ID: "b", Tasks: all, Owned: []string{"x"}, Followable: all, Follows: []string{"y"}, Standbys: 1},
	})
	want := map[string]assignment{"a": {[]string{"w"}, []string{"x", "y"}}, "b": {[]string{"x", "y"}, []string{"w"}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("assigned %v, want %v", got, want)
	}
}

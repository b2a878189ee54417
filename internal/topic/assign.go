package topic

import (
	"cmp"
	"maps"
	"slices"
)

// member is a process in a task group, as it describes itself when it joins.
type member struct {
	ID         string   `json:"-"`
	Tasks      []string `json:"tasks"`      // that it is able to run
	Owned      []string `json:"owned"`      // that it runs or has not finished stopping
	Generation int32    `json:"generation"` // in which it was given those
}

// assign decides who runs what. It depends on nothing but its input, so that any member may be asked to decide.
//
// A task stays where it runs unless another member has at least two fewer. A task that has to move is given to nobody
// this time: its owner stops it and then joins again, and only then the task is free for another. So a task never runs
// in two places, and a change of the group does not disturb the tasks that stay.
func assign(members []member) map[string][]string {
	members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return cmp.Compare(a.ID, b.ID) })
	owner := owners(members)
	target := spread(members, owner)
	out := make(map[string][]string, len(members))
	for _, m := range members {
		out[m.ID] = []string{}
	}
	for _, task := range slices.Sorted(maps.Keys(target)) {
		if o := owner[task]; o == "" || o == target[task] {
			out[target[task]] = append(out[target[task]], task)
		}
	}
	return out
}

// owners returns who runs each task now: the member that was given it last, should two say so.
func owners(members []member) map[string]string {
	owner, generation := map[string]string{}, map[string]int32{}
	for _, m := range members {
		for _, task := range m.Owned {
			if _, claimed := owner[task]; !claimed || m.Generation > generation[task] {
				owner[task], generation[task] = m.ID, m.Generation
			}
		}
	}
	return owner
}

// spread returns who is to run each task.
func spread(members []member, owner map[string]string) map[string]string {
	able, load := map[string][]string{}, map[string]int{}
	for _, m := range members {
		for _, task := range slices.Compact(slices.Sorted(slices.Values(m.Tasks))) {
			able[task] = append(able[task], m.ID)
		}
	}
	tasks := slices.Sorted(maps.Keys(able))
	target := map[string]string{}
	for _, task := range tasks {
		if o := owner[task]; slices.Contains(able[task], o) {
			target[task] = o
			load[o]++
		}
	}
	for _, task := range tasks {
		if target[task] == "" {
			target[task] = least(able[task], load)
			load[target[task]]++
		}
	}
	for level(tasks, able, target, load) {
	}
	return target
}

func least(ids []string, load map[string]int) string {
	return slices.MinFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(load[a], load[b]), cmp.Compare(a, b)) })
}

// level moves one task from a member to one that has at least two fewer, and reports whether there was one. The most
// loaded member gives first, so that no task moves more than it has to. Each move makes the sum of the squares of the
// loads smaller, so it comes to an end.
func level(tasks []string, able map[string][]string, target map[string]string, load map[string]int) bool {
	best := ""
	for _, task := range tasks {
		from := load[target[task]]
		if from >= load[least(able[task], load)]+2 && (best == "" || from > load[target[best]]) {
			best = task
		}
	}
	if best == "" {
		return false
	}
	to := least(able[best], load)
	load[target[best]]--
	load[to]++
	target[best] = to
	return true
}

package topic

import (
	"cmp"
	"maps"
	"slices"
)

// member is a process in a task group, as it describes itself when it joins.
type member struct {
	ID         string   `json:"-"`
	Tasks      []string `json:"tasks"`                // that it is able to run
	Owned      []string `json:"owned"`                // that it runs or has not finished stopping
	Generation int32    `json:"generation"`           // in which it was given those
	Followable []string `json:"followable,omitempty"` // tasks for which it is able to stand by
	Follows    []string `json:"follows,omitempty"`    // tasks for which it stands by now
	Standbys   int      `json:"standbys,omitempty"`   // how many processes are to stand by for a task
}

// assignment is what a member is to do.
type assignment struct {
	Tasks  []string `json:"tasks"`
	Follow []string `json:"follow,omitempty"`
}

// assign decides who runs what. It depends on nothing but its input, so that any member may be asked to decide.
//
// A task stays where it runs unless another member has at least two fewer. A task that has to move is given to nobody
// this time: its owner stops it and then joins again, and only then the task is free for another. So a task never runs
// in two places, and a change of the group does not disturb the tasks that stay. A task without an owner goes to a member that
// stands by for it, if that has not its share of tasks already.
func assign(members []member) map[string]assignment {
	members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return cmp.Compare(a.ID, b.ID) })
	owner := owners(members)
	target := spread(members, owner)
	out := make(map[string]assignment, len(members))
	for _, m := range members {
		out[m.ID] = assignment{Tasks: []string{}}
	}
	for _, task := range slices.Sorted(maps.Keys(target)) {
		if o := owner[task]; o == "" || o == target[task] {
			a := out[target[task]]
			a.Tasks = append(a.Tasks, task)
			out[target[task]] = a
		}
	}
	standBy(members, owner, target, out)
	return out
}

// standBy chooses for each task the members that stand by: who is to run it when its owner has stopped, those that stand by
// already, then those that do for the fewest. Who runs the task does not stand by for it.
func standBy(members []member, owner, target map[string]string, out map[string]assignment) {
	load, able := map[string]int{}, map[string][]member{}
	standbys := 0
	for _, m := range members {
		standbys = max(standbys, m.Standbys)
		for _, task := range m.Followable {
			able[task] = append(able[task], m)
		}
	}
	for _, task := range slices.Sorted(maps.Keys(able)) {
		runs := cmp.Or(owner[task], target[task])
		candidates := slices.DeleteFunc(able[task], func(m member) bool { return m.ID == runs })
		rank := func(m member) int {
			if m.ID == target[task] {
				return -1
			}
			return cold(m, task)
		}
		slices.SortStableFunc(candidates, func(a, b member) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(load[a.ID], load[b.ID]), cmp.Compare(a.ID, b.ID))
		})
		for _, m := range candidates[:min(standbys, len(candidates))] {
			load[m.ID]++
			a := out[m.ID]
			a.Follow = append(a.Follow, task)
			out[m.ID] = a
		}
	}
}

// cold is 0 for a member that stands by for the task, else 1.
func cold(m member, task string) int {
	if slices.Contains(m.Follows, task) {
		return 0
	}
	return 1
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
	able, load, warm := map[string][]string{}, map[string]int{}, map[string][]string{}
	for _, m := range members {
		for _, task := range slices.Compact(slices.Sorted(slices.Values(m.Tasks))) {
			able[task] = append(able[task], m.ID)
			if cold(m, task) == 0 {
				warm[task] = append(warm[task], m.ID)
			}
		}
	}
	tasks := slices.Sorted(maps.Keys(able))
	fair := (len(tasks) + len(members) - 1) / max(1, len(members))
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
			if len(warm[task]) > 0 && load[least(warm[task], load)] < fair {
				target[task] = least(warm[task], load)
			}
			load[target[task]]++
		}
	}
	for level(tasks, able, owner, target, load) {
	}
	return target
}

func least(ids []string, load map[string]int) string {
	return slices.MinFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(load[a], load[b]), cmp.Compare(a, b)) })
}

// level moves one task from a member to one that has at least two fewer, and reports whether there was one. The most
// loaded member gives first, and of its tasks those that run nowhere, so that no task moves more than it has to. Each move makes the sum of the squares of the
// loads smaller, so it comes to an end.
func level(tasks []string, able map[string][]string, owner, target map[string]string, load map[string]int) bool {
	best := ""
	for _, task := range tasks {
		from := load[target[task]]
		if from < load[least(able[task], load)]+2 {
			continue
		}
		if best == "" || from > load[target[best]] || from == load[target[best]] && owner[best] != "" && owner[task] == "" {
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

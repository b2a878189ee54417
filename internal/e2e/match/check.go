package main

import (
	"context"
	"fmt"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/judge"
)

// checkEnd reports the comparison of one org's outputs with the truth.
func (t *trial) checkEnd(o *org, f *harness.Follower, different []judge.Difference) error {
	faults := harness.ByTopic(different)
	for _, name := range harness.Outputs {
		t.report.None(faults[name], fmt.Sprintf("%s.%s is what the join computed directly gives: %d records", o.name, name, f.Histories[name].Live()))
	}
	return harness.Keep(t.dir, o.name, different)
}

// checkHistory reports what the way there shows.
func (t *trial) checkHistory() {
	records, repeats := 0, 0
	var faults, dead []string
	for _, f := range t.followers {
		for _, name := range harness.Outputs {
			h := f.Histories[name]
			records, repeats = records+h.Records, repeats+h.Repeats
			faults = append(faults, h.Faults...)
		}
		dead = append(dead, f.Dead...)
	}
	t.report.None(faults, fmt.Sprintf("no older value after a newer one, key by key, in %d records of the outputs; %d of them repeat the bytes before (R33)", records, repeats))
	t.report.None(dead, "nothing went to the dead letter topic")
	if t.options.processes > 1 && t.kills+t.pauses > 0 {
		t.report.Check(t.count.moves > t.options.orgs, fmt.Sprintf("tasks moved %d times", t.count.moves-t.options.orgs), "they never did: the trial shows less than it says")
	}
}

// checkQuiet kills all processes and starts them again with nothing new: nothing is published but what two changes of one
// matched Account of each org lead to (R35).
func (t *trial) checkQuiet(ctx context.Context) error {
	for _, p := range t.processes {
		p.Kill()
	}
	before := make([]map[string]int, len(t.orgs))
	for i, f := range t.followers {
		if _, err := f.Read(ctx); err != nil {
			return err
		}
		before[i] = f.Counts()
	}
	began := time.Now()
	for _, p := range t.processes {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	if err := t.awaitOwners(ctx, live); err != nil {
		return err
	}
	took := time.Since(began)
	var more []string
	for i, o := range t.orgs {
		found, err := t.followers[i].Quiet(ctx, before[i], func(id string, n int) error { return o.touch(ctx, id, n) })
		if err != nil {
			return err
		}
		more = append(more, found...)
	}
	t.report.None(more, fmt.Sprintf("a restart after a kill of all publishes nothing (live after %.1f s; 2 changes of each org gave 2 views)", took.Seconds()))
	return nil
}

// touch changes an Account that is live.
func (o *org) touch(ctx context.Context, id string, n int) error {
	r := *o.live[account][id]
	r.fields["Phone"] = change.StringValue(fmt.Sprint("restarted ", n))
	if err := o.write(ctx, account, &r); err != nil {
		return err
	}
	return o.writer.Flush(ctx)
}

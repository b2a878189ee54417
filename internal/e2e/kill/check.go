package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/judge"
)

// checkEnd reports the comparison of what is published with the truth, topic by topic.
func (t *trial) checkEnd(different []judge.Difference) {
	faults := harness.ByTopic(different)
	for _, name := range harness.Inputs[:3] {
		h := t.follower.Histories[name]
		t.report.None(faults[name], fmt.Sprintf("%s equals the org: %d records live, %d deleted, none lost, none left over", name, h.Live(), h.Keys()-h.Live()))
	}
	erp := t.follower.Histories["erp.customer"]
	t.report.Check(erp.Live() == len(t.simulator.Ledger.Rows), fmt.Sprintf("erp.customer has the %d customers of the file", len(t.simulator.Ledger.Rows)),
		fmt.Sprintf("it has %d", erp.Live()))
	for _, name := range harness.Outputs {
		t.report.None(faults[name], fmt.Sprintf("%s is what the join computed directly gives: %d records", name, t.follower.Histories[name].Live()))
	}
}

// checkHistory reports what the way there shows.
func (t *trial) checkHistory() {
	records, repairs := 0, 0
	var faults []string
	for _, name := range harness.Inputs {
		h := t.follower.Histories[name]
		records += h.Records
		repairs += h.Repairs
		faults = append(faults, h.Faults...)
	}
	t.report.None(faults, fmt.Sprintf("(epoch, rev) rises and pos does not fall, key by key, in %d records of the input topics (I6)", records))
	records, faults = 0, nil
	for _, name := range harness.Outputs {
		h := t.follower.Histories[name]
		records += h.Records
		faults = append(faults, h.Faults...)
	}
	t.report.None(faults, fmt.Sprintf("no older value after a newer one, key by key, in %d records of the outputs (R33)", records))
	t.report.None(t.follower.Positions.Faults, fmt.Sprintf("no position went backwards in %d records of %s", t.follower.Positions.Records, harness.PositionTopic))
	faults, effects := t.follower.Positions.Ahead(t.follower.Histories["salesforce.account"], t.follower.Histories["salesforce.contact"])
	t.report.None(faults, fmt.Sprintf("no position was stored before all that it stands for was published: %d effects of events (I2)", effects))
	places, least := t.follower.Positions.Places, t.kills/4
	t.report.Check(places >= least, fmt.Sprintf("the snapshot's place was stored %d times while it went on", places),
		fmt.Sprintf("that is less than %d: after a crash too much is read again", least))
	t.report.Check(repairs == 0, "nothing had to be repaired (H15, W3)", fmt.Sprintf("%d records with op=repair", repairs))
	t.report.None(t.follower.Dead, "nothing went to the dead letter topic")
}

// checkQuiet restarts the pipeline with nothing new: after an orderly stop, after a kill, and after the loss of its local
// state. Each time one change of one matched account follows; its records must be the only ones (I8, R35).
func (t *trial) checkQuiet(ctx context.Context) error {
	for i, how := range []string{"an orderly stop", "a kill", "a kill and the loss of the local state"} {
		if i == 0 {
			if err := t.pipeline.Stop(); err != nil {
				return err
			}
		}
		t.pipeline.Kill()
		if i == 2 {
			if err := t.pipeline.LoseState(); err != nil {
				return err
			}
		}
		if _, err := t.follower.Read(ctx); err != nil {
			return err
		}
		if err := t.quiet(ctx, how); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) quiet(ctx context.Context, how string) error {
	before := t.follower.Counts()
	if err := t.pipeline.Start(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := t.pipeline.await(ctx, status.live); err != nil {
		return err
	}
	took := time.Since(began)
	more, err := t.follower.Quiet(ctx, before, func(account string, n int) error {
		fields := map[string]any{"Phone": fmt.Sprintf("%s %d", how, n)}
		return t.simulator.Do(ctx, http.MethodPatch, "/records/Account/"+account, fields, nil)
	})
	if err != nil {
		return err
	}
	t.report.None(more, fmt.Sprintf("a restart after %s publishes nothing (live after %.1f s; 2 changes made since gave 2 rows and 2 views)", how, took.Seconds()))
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"

	"crosswalk/internal/topic"
)

// whole checks a backfill that read every account, each once.
func (t *trial) whole(what string, b backfill, code int, told string) {
	t.seen[b.ID] = true
	t.report.Check(code == 0 && b.State == "done" && b.read() == t.accounts, what,
		fmt.Sprintf("exit status %d, state %q, %d of %d read, %s", code, b.State, b.read(), t.accounts, told))
}

// askTheProducer asks a process that runs elsewhere.
func (t *trial) askTheProducer(ctx context.Context) error {
	b, code, told, err := t.ask(ctx, t.asker, "Account", "--where", "Name != 'a'")
	if err != nil {
		return err
	}
	t.whole("the producer of another process does a backfill for a command that waits", b, code, told)
	s, _, err := t.producer.Status(ctx)
	if err != nil {
		return err
	}
	_, still := s.Tasks["crosswalk-"+t.alias+"-salesforce"]
	t.report.Check(still && told == "", "the task stays where it runs", told)
	return nil
}

// steer interrupts the command that waits, and pauses, resumes and looks.
func (t *trial) steer(ctx context.Context) error {
	if err := t.hold(ctx); err != nil {
		return err
	}
	c, err := t.backfillCommand(ctx, t.asker, "Account", "--where", "Name != 'b'")
	if err != nil {
		return err
	}
	b, err := t.halfway(ctx)
	if err != nil {
		return err
	}
	code, told := c.interrupt()
	t.report.Check(code == 1 && strings.Contains(told, "the process that runs goes on with it") && strings.Contains(told, "backfill cancel "+b.ID),
		"Ctrl-C ends the command that waits, which says that the producer goes on, and how to give the backfill up", fmt.Sprintf("exit status %d, %s", code, told))
	paused, code, told, err := t.ask(ctx, t.asker, "pause", b.ID)
	if err != nil {
		return err
	}
	t.report.Check(code == 0 && paused.State == "paused" && told == "", "a command pauses it", fmt.Sprintf("exit status %d, %q, %s", code, paused.State, told))
	if err := t.free(ctx); err != nil {
		return err
	}
	if _, code, told, err = t.ask(ctx, t.asker, "resume", b.ID); err != nil {
		return err
	}
	done, err := t.over(ctx, b.ID)
	if err != nil {
		return err
	}
	t.whole("a command resumes it, and it goes on where it was", done, code, told)
	return nil
}

// killTheProducer leaves a command that waits without anybody who works.
func (t *trial) killTheProducer(ctx context.Context) error {
	if err := t.hold(ctx); err != nil {
		return err
	}
	c, err := t.backfillCommand(ctx, t.asker, "Account", "--where", "Name != 'c'")
	if err != nil {
		return err
	}
	if _, err := t.halfway(ctx); err != nil {
		return err
	}
	t.producer.Kill()
	if err := t.free(ctx); err != nil {
		return err
	}
	out, code, told := c.result()
	if len(out) != 1 {
		out = make([]backfill, 1)
	}
	t.whole("a producer that is killed in the middle is replaced by the command that waits, which goes on where it was", out[0], code, told)
	return nil
}

// nobody records what nobody follows.
func (t *trial) nobody(ctx context.Context) error {
	b, code, told, err := t.ask(ctx, t.asker, "Account", "--no-wait")
	if err != nil {
		return err
	}
	t.seen[b.ID] = true
	t.report.Check(code == 0 && b.State == "waiting" && strings.Contains(told, "only recorded"), "without a producer a backfill is recorded, and the command says so",
		fmt.Sprintf("exit status %d, %q, %s", code, b.State, told))
	b, code, told, err = t.ask(ctx, t.asker, "cancel", b.ID)
	if err != nil {
		return err
	}
	t.report.Check(code == 0 && strings.Contains(told, "the cancel is only recorded"), "and so is giving it up", fmt.Sprintf("exit status %d, %q, %s", code, b.State, told))
	return nil
}

// two commands without a producer: the second finds the task held by the first, and waits for it.
func (t *trial) two(ctx context.Context) error {
	if err := t.hold(ctx); err != nil {
		return err
	}
	first, err := t.backfillCommand(ctx, t.asker, "Account", "--where", "Name != 'd'")
	if err != nil {
		return err
	}
	held, err := t.halfway(ctx)
	if err != nil {
		return err
	}
	recorded, code, told, err := t.ask(ctx, t.producer.Dir(), "Account", "--where", "Name != 'e'", "--no-wait")
	if err != nil {
		return err
	}
	t.report.Check(code == 0 && recorded.State == "waiting" && told == "", "a command that finds the task held by another leaves it the work",
		fmt.Sprintf("exit status %d, %q, %s", code, recorded.State, told))
	second, err := t.backfillCommand(ctx, t.producer.Dir(), "Account", "--where", "Name != 'f'")
	if err != nil {
		return err
	}
	if err := t.free(ctx); err != nil {
		return err
	}
	for _, kind := range []string{"pause", "resume"} { // so that what the org holds back already is asked for again
		if _, _, _, err := t.ask(ctx, t.producer.Dir(), kind, held.ID); err != nil {
			return err
		}
	}
	for name, c := range map[string]*command{"the one that does the work": first, "the one that waits for it": second} {
		out, code, told := c.result()
		if len(out) != 1 {
			out = make([]backfill, 1)
		}
		t.whole("two commands, "+name+", end with their own backfill done", out[0], code, told)
	}
	last, err := t.over(ctx, recorded.ID)
	if err != nil {
		return err
	}
	t.whole("and so is what a third has left to them", last, 0, "")
	return nil
}

// quiet checks that the topic has one record of each account: nothing differed, so nothing was published again.
func (t *trial) quiet(ctx context.Context) error {
	records := 0
	_, err := t.kafka.ReadAll(ctx, []string{t.alias + ".salesforce.account"}, func(topic.Record) error { records++; return nil })
	if err != nil {
		return err
	}
	t.report.Check(records == t.accounts, "reading again has published nothing, for nothing differed", fmt.Sprintf("%d records of %d accounts", records, t.accounts))
	return nil
}

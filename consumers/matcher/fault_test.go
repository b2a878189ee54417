package matcher

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

func record(k join.Kind, symbol string, rev int64, fields customer.Fields) conformance.Step {
	r := conformance.Record{Kind: k, Key: conformance.ID(symbol), Fields: fields, Version: change.Version{Epoch: 1, Rev: rev}}
	return conformance.Step{Records: []conformance.Record{r}}
}

// matched starts a matcher on a1 and e1, which are a match.
func matched(t *testing.T) *pipeline {
	t.Helper()
	p := setup(t)
	p.put(record(join.Account, "a1", 1, customer.Fields{"X": "C1"}))
	p.put(record(join.Customer, "e1", 1, customer.Fields{"Y": "C1"}))
	p.start()
	p.settled(false)
	p.check()
	return p
}

func (p *pipeline) wantProduced(got []string, want ...string) {
	p.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("produced %q, want %q", got, want)
	}
}

func TestF01KilledAndStarted(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(true)
	p.start()
	p.wantProduced(p.settled(false))
	p.check()
}

func TestF02StateDeleted(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(true)
	p.loseState()
	p.start()
	p.wantProduced(p.settled(false))
	p.check()
}

func TestF03ChangedWhileDown(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(true)
	p.put(record(join.Customer, "e1", 2, nil))
	p.start()
	p.wantProduced(p.settled(false), "U(a1)", "†V(C1)")
	p.check()
}

// F04: the deletion itself is not to be seen any more: the topic of the Accounts is one without the Account and without
// its tombstone, as compaction leaves it when the tombstone's time is over.
func TestF04DeletionCompactedAway(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(true)
	p.loseState()
	p.put(record(join.Account, "a1", 2, nil))
	p.deleteTopics(p.names.inputs[0])
	p.start()
	p.awaitLive()
	p.wantProduced(p.settled(false), "U(e1)", "†V(C1)")
	p.check()
}

// F13: the output topics are made anew and empty; the local state is there.
func TestF13OutputsMadeAnew(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.put(record(join.Account, "a2", 1, customer.Fields{"X": "C2"}))
	p.settled(false)
	p.end(false)
	p.deleteTopics(p.names.outputs[:]...)
	p.read = nil
	var err error
	p.tracker, err = conformance.NewTracker()
	p.must(err)
	p.start()
	p.awaitLive()
	p.wantProduced(p.settled(false), "V(C1)", "U(a2)")
	p.check()
}

// F05: the outputs are acknowledged, the state is not written: the same bytes at most, and nothing older.
func TestF05KilledBeforeCommit(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(false)
	p.start()
	p.settled(false)
	p.dead.Store(true)
	p.put(record(join.Account, "a1", 2, customer.Fields{"X": "C1", "Name": "two"}))
	p.put(record(join.Account, "a1", 3, customer.Fields{"X": "C1"}))
	p.settled(true)
	p.end(true)
	p.start()
	p.wantProduced(p.settled(false))
	p.check()
}

// F06: killed when the puts are acknowledged and no tombstone is sent.
func TestF06KilledBetweenPutsAndTombstones(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.end(false)
	var killed atomic.Bool
	killed.Store(true)
	p.config.faults.waited = func() error {
		if killed.Load() {
			return errKilled
		}
		return nil
	}
	p.put(record(join.Customer, "e1", 2, nil))
	p.start()
	if err := <-p.ended; !errors.Is(err, errKilled) {
		t.Fatalf("the matcher ends with %v", err)
	}
	p.ended <- nil
	p.wantProduced(p.published(false), "U(a1)")
	killed.Store(false)
	p.start()
	p.wantProduced(p.settled(false), "†V(C1)")
	p.check()
}

// F08: the task goes from one matcher to another and back in the middle of identifier changes.
func TestF08MovesDuringChanges(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.start()
	rev := int64(0)
	dirs := []string{t.TempDir(), t.TempDir()}
	for round := range 6 {
		for i := range 300 {
			rev++
			p.send(record(join.Account, fmt.Sprint("a", i%50), rev, customer.Fields{"X": fmt.Sprint("C", (i+round)%60)}))
			p.send(record(join.Customer, fmt.Sprint("e", i%50), rev, customer.Fields{"Y": fmt.Sprint("C", i%60)}))
		}
		p.end(round%2 == 1) // each on its own disk, which is stale by the time it is its turn again
		p.config.StateDir = dirs[round%2]
		p.start()
	}
	p.must(p.writer.Flush(p.ctx))
	p.settled(true)
	p.check()
}

// F10 and R4: one dead letter with its position, and everything else goes on.
func TestF10UndecodableRecord(t *testing.T) {
	t.Parallel()
	p := matched(t)
	bad := []topic.Record{
		{Topic: p.names.inputs[0], Key: []byte(conformance.ID("a1")), Value: []byte("no frame"), Headers: versionHeaders(1, 2)},
		{Topic: p.names.inputs[0], Key: []byte(conformance.ID("a1")), Value: []byte{0, 0x7f, 0, 0, 0, 1}, Headers: versionHeaders(1, 2)},
		{Topic: p.names.inputs[0], Key: []byte(conformance.ID("a1")), Headers: []topic.Header{{Key: "epoch", Value: []byte("one")}}},
		{Topic: p.names.inputs[0], Key: []byte("\xff\xfe"), Headers: versionHeaders(1, 2)},
		{Topic: p.names.control, Key: []byte(ControlKey(p.org)), Value: []byte{1}},
	}
	p.must(p.writer.Write(p.ctx, bad...))
	p.wantProduced(p.settled(false))
	p.put(record(join.Account, "a1", 2, customer.Fields{"X": "C1", "Name": "new"}))
	p.wantProduced(p.settled(false), "V(C1)")
	p.check()
	p.wantDeadLetters(len(bad))

	p.end(true)
	p.loseState()
	p.start()
	p.wantProduced(p.settled(false))
	p.wantDeadLetters(len(bad)) // those of the rebuild are there already
}

func (p *pipeline) wantDeadLetters(n int) {
	p.t.Helper()
	seen := 0
	_, err := p.kafka.ReadAll(p.ctx, []string{p.names.deadLetter}, func(r topic.Record) error {
		seen++
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if want := strings.Join([]string{headers["topic"], headers["partition"], headers["offset"]}, "/"); want != string(r.Key) || headers["reason"] == "" {
			p.t.Errorf("dead letter %q has the headers %v", r.Key, headers)
		}
		return nil
	})
	p.must(err)
	if seen != n {
		p.t.Errorf("%d dead letters, want %d", seen, n)
	}
}

// F11: an older version of a key that comes last is ignored.
func TestF11StaleWriteComesLast(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.put(record(join.Account, "a1", 3, customer.Fields{"X": "C1", "Name": "new"}))
	p.put(record(join.Account, "a1", 2, customer.Fields{"X": "C2"}))
	p.wantProduced(p.settled(true), "V(C1)")
	p.check()
}

// F12: killed in the middle of a change of the link.
func TestF12KilledDuringLinkChange(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for i := range 20 {
		p.send(record(join.Account, fmt.Sprint("a", i), 1, customer.Fields{"X": fmt.Sprint("C", i), "Z": fmt.Sprint("D", i)}))
		p.send(record(join.Customer, fmt.Sprint("e", i), 1, customer.Fields{"Y": fmt.Sprint("C", i), "W": fmt.Sprint("D", 19-i)}))
	}
	p.must(p.writer.Flush(p.ctx))
	p.start()
	p.settled(false)
	p.check()
	p.end(false)
	var killed atomic.Bool
	killed.Store(true)
	p.config.faults.waited = func() error {
		if killed.Load() {
			return errKilled
		}
		return nil
	}
	p.start()
	p.settled(false)
	link := conformance.Step{IsLink: true, Link: &customer.Link{SalesforceField: "Z", ERPField: "Y", Cardinality: customer.CardinalityOneToOne}}
	p.put(link)
	if err := <-p.ended; !errors.Is(err, errKilled) {
		t.Fatalf("the matcher ends with %v", err)
	}
	p.ended <- nil
	killed.Store(false)
	p.published(true)
	if err := conformance.CheckEqual(p.tracker.State(), p.in.Compute()); err == nil {
		t.Fatal("the change was finished before the kill: the test shows nothing")
	}
	p.start()
	p.settled(false)
	p.check()
}

// F14: the disk is full: the matcher says so and stops; when there is room again, nothing is published twice.
func TestF14DiskFull(t *testing.T) {
	t.Parallel()
	p := matched(t)
	p.dead.Store(true)
	p.put(record(join.Account, "a2", 1, customer.Fields{"X": "C2"}))
	err := <-p.ended
	p.ended <- nil
	if !errors.Is(err, errKilled) || !strings.Contains(err.Error(), "local state cannot be written") {
		t.Fatalf("the matcher ends with %v", err)
	}
	if m := p.matcher.Status(); m.Phase != Stopped {
		t.Errorf("its status says %s", m.Phase)
	}
	p.published(false)
	p.start()
	p.wantProduced(p.settled(false))
	p.check()
}

// A second matcher for the same task fences the first.
func TestSecondOwnerFencesTheFirst(t *testing.T) {
	t.Parallel()
	p := matched(t)
	first := p.ended
	p.config.StateDir = t.TempDir()
	p.start()
	p.settled(true) // the second one has taken over
	p.put(record(join.Account, "a1", 2, customer.Fields{"X": "C2"}))
	p.settled(true)
	p.check()
	if err := <-first; !errors.Is(err, topic.ErrFenced) {
		t.Errorf("the first owner ends with %v", err)
	}
	first <- nil
}

// An input without versions is ordered by its offsets (R1).
func TestInputWithoutVersions(t *testing.T) {
	t.Parallel()
	p := matched(t)
	r := record(join.Customer, "e9", 1, customer.Fields{"Y": "C9"}).Records[0]
	value, err := p.frame(p.ctx, r.Schema(), r.Body())
	p.must(err)
	p.must(p.writer.Write(p.ctx, topic.Record{Topic: p.names.inputs[3], Key: []byte("e9"), Value: value}))
	p.wantProduced(p.settled(false), "U(e9)")
	p.must(p.writer.Write(p.ctx, topic.Record{Topic: p.names.inputs[3], Key: []byte("e9")}))
	p.wantProduced(p.settled(false), "†U(e9)")
}

// A configuration that a later activation overrules, and its removal.
func TestActivationOverrulesConfiguration(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.config.Link = nil
	p.put(record(join.Account, "a1", 1, customer.Fields{"X": "C1"}))
	p.start()
	p.wantProduced(p.settled(false))
	p.put(conformance.Step{IsLink: true, Link: conformance.DefaultLink()})
	p.wantProduced(p.settled(false), "U(a1)")
	p.end(false)
	p.start()
	p.wantProduced(p.settled(false))
	p.must(p.writer.Write(p.ctx, topic.Record{Topic: p.names.control, Key: []byte(ControlKey(p.org))}))
	p.wantProduced(p.settled(false), "†U(a1)")
	if p.matcher.Status().Link != nil {
		t.Error("a link is said to be set")
	}
}

package matcher

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// child is what a matcher in a process of its own is told.
type child struct{ Broker, Registry, Org, StateDir string }

const childVariable = "CROSSWALK_TEST_MATCHER"

// TestMain lets the test's own program be the process that is killed.
func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		fmt.Fprintln(os.Stderr, runChild(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runChild matches until the process is killed. It says when it lives.
func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // not for ever, should the parent be gone
	defer cancel()
	k, err := topic.Dial(ctx, topic.Config{Brokers: []string{c.Broker}})
	if err != nil {
		return err
	}
	m, err := New(Config{
		Org: c.Org, Kafka: k, Registry: registry.NewClient(c.Registry), StateDir: c.StateDir, Link: conformance.DefaultLink(),
		ERPDeletedField: conformance.ERPDeletedField, Partitions: 2, CommitEvery: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	go func() {
		if m.Await(ctx, func(s Status) bool { return s.Phase == Live }) == nil {
			fmt.Println("live")
		}
	}()
	return m.Run(ctx)
}

// F01, F05, F08, F09: a process that matches is killed (SIGKILL) again and again at random moments of identifier changes,
// sometimes with the loss of its disk; in the end everything is as the rules have it.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	p := setup(t)
	rng := rand.New(rand.NewPCG(4, 4))
	dir := t.TempDir()
	rev := int64(0)
	for round := range 8 {
		if round%4 == 3 {
			dir = t.TempDir()
		}
		kill := p.spawn(dir)
		for range 60 + rng.IntN(300) {
			rev++
			p.send(churn(rng, rev))
		}
		kill()
	}
	p.must(p.writer.Flush(p.ctx))
	p.config.StateDir = dir
	p.start()
	p.settled(true)
	p.check()
}

// spawn starts a matcher in a process of its own and waits until it lives. It returns how to kill it.
func (p *pipeline) spawn(dir string) (kill func()) {
	p.t.Helper()
	text, err := json.Marshal(child{p.broker.Addr(), p.url, p.org, dir})
	p.must(err)
	cmd := exec.CommandContext(p.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	p.must(err)
	p.must(cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		p.t.Fatalf("the process says %q, %v", line, err)
	}
	return func() {
		p.must(cmd.Process.Kill())
		_ = cmd.Wait() // its status is that it was killed
	}
}

// churn is a random change of one of some dozen records.
func churn(rng *rand.Rand, rev int64) conformance.Step {
	identifier := fmt.Sprint("C", rng.IntN(12))
	r := conformance.Record{Version: change.Version{Epoch: 1, Rev: rev}}
	switch n := rng.IntN(10); rng.IntN(4) {
	case 0:
		r.Kind, r.Key, r.Fields = join.Account, conformance.ID(fmt.Sprint("a", n)), customer.Fields{"X": identifier}
	case 1:
		r.Kind, r.Key, r.Fields = join.Customer, fmt.Sprint("e", n), customer.Fields{"Y": identifier}
	case 2:
		r.Kind, r.Key, r.Fields = join.Contact, conformance.ID(fmt.Sprint("c", n)), customer.Fields{"AccountId": conformance.ID(fmt.Sprint("a", rng.IntN(10)))}
	default:
		r.Kind, r.Key, r.Fields = join.Note, conformance.ID(fmt.Sprint("n", n)), customer.Fields{"text": identifier}
		r.Links = []string{conformance.ID(fmt.Sprint("c", rng.IntN(10)))}
	}
	if rng.IntN(5) == 0 {
		r.Fields = nil
	}
	return conformance.Step{Records: []conformance.Record{r}}
}

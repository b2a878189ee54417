package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
)

// What a broker in a process of its own is told.
const (
	childDir    = "CROSSWALK_BROKER_TEST_DIR"
	childListen = "CROSSWALK_BROKER_TEST_LISTEN"
)

// TestMain is a broker on the folder that the variable names, until it is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	b, err := broker.Start(broker.Config{DataDir: dir, Listen: os.Getenv(childListen)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(b.Addr() + " is ready")
	select {}
}

// address is one at which nothing listens, below those that the system hands out by itself, so that nobody takes it while the
// broker that listens there is down.
func address(t *testing.T) string {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))); err == nil {
			addr := l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			awaitChildren()
			return addr
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// child starts a broker in a process of its own, which listens when child returns.
func child(t *testing.T, dir, addr string) (kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childListen+"="+addr)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != addr+" is ready\n" {
		t.Fatalf("the broker says %q, %v", line, err)
	}
	kill = func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}
	t.Cleanup(kill)
	return kill
}

func setup(t *testing.T) (context.Context, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	return ctx, filepath.Join(t.TempDir(), "kafka")
}

func dial(ctx context.Context, t *testing.T, addr string) *topic.Client {
	t.Helper()
	c, err := topic.Dial(ctx, topic.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func keys(ctx context.Context, t *testing.T, c *topic.Client, name string) map[string]int {
	t.Helper()
	ends, err := c.Offsets(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.NewReader(ctx, topic.ReaderConfig{Topics: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	seen := map[string]int{}
	for {
		f, err := r.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records {
			seen[string(r.Key)]++
		}
		if f.CaughtUp(ends) {
			return seen
		}
	}
}

// TestAcknowledgedRecordsSurviveAKill writes through one writer while the broker is killed and started again on the
// same port: what was acknowledged is there, once; what was on its way may be there twice, because kfake forgets on a
// kill which batches of a producer it has.
func TestAcknowledgedRecordsSurviveAKill(t *testing.T) {
	t.Parallel()
	ctx, dir := setup(t)
	addr := address(t)
	kill := child(t, dir, addr)
	c := dial(ctx, t, addr)
	if err := c.Ensure(ctx, topic.Spec{Name: "t", Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	identity, err := c.Identity(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: "task", Topics: []string{"t"}, MaxBatchBytes: 500})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var mu sync.Mutex
	onTheWay := map[string]bool{} // when the broker was killed, in any round
	pending := map[string]bool{}
	acked := func(r topic.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("record %s: %v", r.Key, err)
		}
		delete(pending, string(r.Key))
	}
	sent := 0
	for range 4 {
		for range 300 {
			key := strconv.Itoa(sent)
			mu.Lock()
			pending[key] = true
			mu.Unlock()
			if err := w.Send(ctx, topic.Record{Topic: "t", Key: []byte(key)}, acked); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		mu.Lock()
		maps.Copy(onTheWay, pending)
		mu.Unlock()
		kill()
		kill = child(t, dir, addr)
		if err := w.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	seen := keys(ctx, t, c, "t")
	if len(seen) != sent {
		t.Errorf("%d of %d records are there", len(seen), sent)
	}
	for key, n := range seen {
		if n > 1 && !onTheWay[key] {
			t.Errorf("record %s was acknowledged before the kill and is there %d times", key, n)
		}
	}
	after, err := c.Identity(ctx, "t")
	if err != nil || after["t"] != identity["t"] {
		t.Errorf("identity was %v and is %v (%v)", identity, after, err)
	}
}

func TestDataSurvivesAClose(t *testing.T) {
	t.Parallel()
	ctx, dir := setup(t)
	for round := range 3 {
		b, err := broker.Start(broker.Config{DataDir: dir, Partitions: 3, Sync: round == 1})
		if err != nil {
			t.Fatal(err)
		}
		c := dial(ctx, t, b.Addr())
		if err := c.Ensure(ctx, topic.Spec{Name: "t"}); err != nil {
			t.Fatal(err)
		}
		w, err := c.NewWriter(ctx, topic.WriterConfig{Task: "task", Topics: []string{"t"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(ctx, topic.Record{Topic: "t", Key: fmt.Append(nil, round)}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if got := len(keys(ctx, t, c, "t")); got != round+1 {
			t.Errorf("round %d: %d records", round, got)
		}
		ranges, err := c.Offsets(ctx, "t")
		if err != nil || len(ranges["t"]) != 3 {
			t.Errorf("topic has %d partitions (%v), want 3", len(ranges["t"]), err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTopicsAreNotMadeByAsking(t *testing.T) {
	t.Parallel()
	ctx, _ := setup(t)
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	c := dial(ctx, t, b.Addr())
	if _, err := c.NewReader(ctx, topic.ReaderConfig{Topics: []string{"absent"}}); err == nil {
		t.Error("a topic that nobody made can be read")
	}
	if ids, err := c.Identity(ctx, "absent"); err != nil || len(ids) != 0 {
		t.Errorf("Identity = %v, %v", ids, err)
	}
}

func TestStartSaysWhatIsTaken(t *testing.T) {
	t.Parallel()
	_, dir := setup(t)
	b, err := broker.Start(broker.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if _, err := broker.Start(broker.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second broker on the same folder: %v", err)
	}
	if _, err := broker.Start(broker.Config{Listen: b.Addr()}); err == nil || !strings.Contains(err.Error(), b.Addr()) {
		t.Errorf("a second broker on the same port: %v", err)
	}
	if _, err := broker.Start(broker.Config{Listen: "nonsense"}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a broker on no port: %v", err)
	}
}

// awaitChildren waits until no child is being started: until it executes its own program it has a copy of every open port.
func awaitChildren() {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
}

func TestPortIsKeptWhileItIsFree(t *testing.T) {
	t.Parallel()
	_, dir := setup(t)
	first, err := broker.Start(broker.Config{DataDir: dir, KeepPort: true})
	if err != nil {
		t.Fatal(err)
	}
	addr := first.Addr()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	awaitChildren()
	again, err := broker.Start(broker.Config{DataDir: dir, KeepPort: true})
	if err != nil {
		t.Fatal(err)
	}
	if again.Addr() != addr {
		if free, err := net.Listen("tcp", addr); err == nil { // else another program got it meanwhile
			_ = free.Close()
			t.Errorf("listens on %s, before on %s, which is free", again.Addr(), addr)
		}
	}
	addr = again.Addr()
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	awaitChildren()
	if taken, err := net.Listen("tcp", addr); err == nil { // else it is taken by another program
		defer func() { _ = taken.Close() }()
	}
	other, err := broker.Start(broker.Config{DataDir: dir, KeepPort: true})
	if err != nil {
		t.Fatal(err)
	}
	if other.Addr() == addr {
		t.Error("listens on a port that is taken")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

func TestCompactionKeepsTheLastValue(t *testing.T) {
	t.Parallel()
	ctx, dir := setup(t)
	b, err := broker.Start(broker.Config{DataDir: dir, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	c := dial(ctx, t, b.Addr())
	if err := c.Ensure(ctx, topic.Spec{Name: "t", Config: map[string]string{"cleanup.policy": "compact", "segment.bytes": "200"}}); err != nil {
		t.Fatal(err)
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: "task", Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 50 {
		if err := w.Write(ctx, topic.Record{Topic: "t", Key: fmt.Append(nil, i%2), Value: make([]byte, 50)}); err != nil {
			t.Fatal(err)
		}
	}
	b.Compact()
	seen := keys(ctx, t, c, "t")
	if len(seen) != 2 || seen["0"]+seen["1"] >= 50 {
		t.Errorf("after compaction: %v", seen)
	}
}

package topic

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"crosswalk/internal/broker"
)

// TestNewReaderEndsWithItsContext: a task that is to stop while the broker does not say where its topics begin must not go
// on asking, because the process takes no task up again before it has stopped.
func TestNewReaderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	x := setup(t)
	remove := x.broker.Fail(broker.Fault{Request: broker.ListOffsets, Code: int16(kafka.LeaderNotAvailable), Times: -1})
	defer remove()
	ctx, cancel := context.WithTimeout(x.ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := x.client.NewReader(ctx, ReaderConfig{Topics: []string{x.topic}}); err == nil {
		t.Fatal("a reader was made although the broker does not say where the topic begins")
	}
	if took := time.Since(began); took > requestTimeout/2 {
		t.Errorf("NewReader went on for %s after its context had ended", took)
	}
}

// gate holds back requests for a producer id on their way to the broker.
type gate struct {
	held chan struct{} // closed when the first one is held
	open chan struct{} // closed to let it go on
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Write(b []byte) (int, error) {
	if len(b) >= 6 && int16(binary.BigEndian.Uint16(b[4:])) == broker.InitProducerID {
		close(c.gate.held)
		<-c.gate.open
	}
	return c.Conn.Write(b)
}

// TestNewWriterLeavesNoRequestBehind stops an owner while its request for a producer id is on its way. Were NewWriter to
// return before the answer, the broker could carry the request out behind that of the next owner.
func TestNewWriterLeavesNoRequestBehind(t *testing.T) {
	t.Parallel()
	x := setup(t)
	g := &gate{held: make(chan struct{}), open: make(chan struct{})}
	stopped, err := Dial(x.ctx, Config{Brokers: []string{x.broker.Addr()}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return gatedConn{conn, g}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stopped.Close() }()
	ctx, stop := context.WithCancel(x.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := stopped.NewWriter(ctx, WriterConfig{Task: "task", Topics: []string{x.topic}})
		ended <- err
	}()
	<-g.held
	stop()
	select {
	case err := <-ended:
		t.Fatalf("NewWriter = %v while its request is on its way", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(g.open)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("NewWriter = %v, want that it was cancelled", err)
	}
	next := x.writer(x.ctx, t)
	if err := next.Write(x.ctx, Record{Topic: x.topic, Key: []byte("a")}); err != nil {
		t.Errorf("the next owner cannot write: %v", err)
	}
}

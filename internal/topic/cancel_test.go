package topic

import (
	"context"
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
	if took := time.Since(began); took > patience {
		t.Errorf("NewReader went on for %s after its context had ended", took)
	}
}

package salesforce

import (
	"context"
	"errors"
	"testing"
)

var errStopped = errors.New("stopped")

// TestAnAskerWhoGaveUpIsLeftAlone gives an input up before the loop has begun with it: it never happens.
func TestAnAskerWhoGaveUpIsLeftAlone(t *testing.T) {
	l := &loop{inputs: make(chan input, 1)}
	ctx, stop := context.WithCancelCause(t.Context())
	asked := make(chan error)
	go func() { asked <- l.do(ctx, func() error { return nil }) }()
	in := <-l.inputs
	stop(errStopped)
	if err := <-asked; !errors.Is(err, errStopped) {
		t.Errorf("the asker was told %v, want the reason why it stopped", err)
	}
	if !in.withdrawn() {
		t.Error("the loop would begin with an input that was given up")
	}
}

// TestAnInputThatHasBegunIsWaitedFor stops an asker while the loop is at its input: it learns what became of it.
func TestAnInputThatHasBegunIsWaitedFor(t *testing.T) {
	l := &loop{inputs: make(chan input, 1)}
	ctx, stop := context.WithCancelCause(t.Context())
	asked, happened := make(chan error), false
	go func() {
		asked <- l.do(ctx, func() error { happened = true; return nil })
		if !happened {
			t.Error("do has returned before its input was at its end")
		}
		close(asked)
	}()
	in := <-l.inputs
	if in.withdrawn() {
		t.Fatal("nobody has given the input up")
	}
	stop(errStopped)
	in.asker.done <- in.do()
	if err := <-asked; err != nil {
		t.Errorf("the asker was told %v", err)
	}
	<-asked
}

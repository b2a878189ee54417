package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// renew keeps the coordinator from forgetting the task when its time has come and nothing is on its way. It reports
// whether sending has to wait for it. w.mu is held.
func (w *Writer) renew(now time.Time) bool {
	if w.renewing {
		return true
	}
	if now.Before(w.renewAt) {
		return false
	}
	for _, p := range w.parts {
		// A batch that was sent belongs to the old epoch and must be settled under it.
		if p.flying || (len(p.queue) > 0 && p.queue[0].out != nil) {
			return false
		}
	}
	w.renewing = true
	pid, epoch := w.pid, w.epoch
	w.sending.Go(func() { w.renewNow(pid, epoch) })
	return true
}

func (w *Writer) renewNow(pid int64, epoch int16) {
	defer w.nudge()
	newPID, newEpoch, err := w.initProducer(w.life, pid, epoch)
	if err != nil && w.life.Err() == nil {
		w.fail(fmt.Errorf("renew the writer of task %s: %w", w.config.Task, err))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pid, w.epoch, w.renewing = newPID, newEpoch, false
	w.renewAt = time.Now().Add(w.config.Renew)
	for _, p := range w.parts {
		p.next = 0
	}
}

// initProducer gets a producer id and epoch for the writer's task. With the current ones it raises the epoch only if they
// still are the current ones; with -1 it does so whoever has them, so it asks only while the lease is held: the request
// of somebody who no longer owns the task would turn the owner's writer away.
func (w *Writer) initProducer(ctx context.Context, pid int64, epoch int16) (int64, int16, error) {
	task := w.config.Task
	var session *kafka.ProducerSession
	err := retry(ctx, func() (err error) {
		if err := w.lease.await(ctx); err != nil {
			return err
		}
		session, err = w.client.askProducer(ctx, kafka.InitProducerIDRequest{
			TransactionalID: task, TransactionTimeoutMs: 60_000, ProducerID: int(pid), ProducerEpoch: int(epoch),
		})
		return err
	})
	if err == nil {
		err = ctx.Err() // whoever asked no longer wants it
	}
	switch {
	case errors.Is(err, kafka.InvalidProducerEpoch), errors.Is(err, kafka.ProducerFenced):
		err = fmt.Errorf("get producer id: %w: %w", ErrFenced, err)
	case errors.Is(err, kafka.TransactionalIDAuthorizationFailed):
		err = fmt.Errorf("get producer id: this user may not write as transactional id %s; grant WRITE and DESCRIBE on it: %w", task, err)
	case err != nil:
		err = fmt.Errorf("get producer id: %w", err)
	}
	if err != nil {
		return 0, 0, err
	}
	return int64(session.ProducerID), int16(session.ProducerEpoch), nil
}

// lateAnswer is how long the answer to a request for a producer id is waited for when it is no longer wanted.
const lateAnswer = 3 * time.Second

// askProducer asks once. When ctx ends meanwhile it still waits for the answer, for lateAnswer at most: a request that is
// left on its way may be carried out after that of the task's next owner, whose writer the broker would then refuse.
func (c *Client) askProducer(ctx context.Context, request kafka.InitProducerIDRequest) (*kafka.ProducerSession, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.NewTimer(lateAnswer)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-asking.Done():
		}
	})()
	client := kafka.Client{Addr: c.addr, Transport: c.transport, Timeout: requestTimeout}
	response, err := client.InitProducerID(asking, &request)
	if err != nil {
		return nil, err
	}
	return response.Producer, response.Error
}

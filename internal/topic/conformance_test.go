package topic_test

import (
	"context"
	"testing"
	"time"

	"crosswalk/internal/broker"
	"crosswalk/internal/topic"
	"crosswalk/internal/topic/topictest"
)

func TestPromises(t *testing.T) {
	t.Parallel()
	for _, c := range topictest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			b, err := broker.Start(broker.Config{MinSession: time.Second, Brokers: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			env := &topictest.Env{
				Config: topic.Config{Brokers: []string{b.Addr()}}, Session: 5 * time.Second, Seed: 1, Logf: t.Logf,
				Disturb: func(context.Context, int) error { b.MoveLeaders(); return nil },
			}
			if err := c.Run(ctx, env); err != nil {
				t.Fatal(err)
			}
		})
	}
}

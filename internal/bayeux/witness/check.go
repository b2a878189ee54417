package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"crosswalk/internal/bayeux"
)

type check struct {
	name string
	run  func(context.Context, *trial) error
}

// fault is something that happens to a client under way, and the cause that it must report at least once: a fault that
// the client does not notice shows nothing.
type fault struct {
	strike func(context.Context, *trial) error
	causes []bayeux.Cause
}

var (
	forget     = fault{control("/forget"), []bayeux.Cause{bayeux.CauseForgotten}}
	revoke     = fault{control("/revoke"), []bayeux.Cause{bayeux.CauseToken}}
	disconnect = fault{control("/disconnect"), []bayeux.Cause{bayeux.CauseGoodbye, bayeux.CauseForgotten}}
	drop       = fault{func(_ context.Context, t *trial) error { t.network.drop(); return nil }, []bayeux.Cause{bayeux.CauseNetwork}}
	lose       = fault{func(_ context.Context, t *trial) error { t.network.loseNextReply(); return nil }, []bayeux.Cause{bayeux.CauseNetwork}}
	resub      = fault{func(_ context.Context, t *trial) error { t.client.Resubscribe(); return nil }, []bayeux.Cause{bayeux.CauseResubscribe}}
)

var checks = []check{
	{"every event once and in order, undisturbed", func(ctx context.Context, t *trial) error { return t.disturbed(ctx) }},
	{"every event once and in order across forgotten sessions", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, forget) }},
	{"every event once and in order across revoked tokens", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, revoke) }},
	{"every event once and in order across server disconnects", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, disconnect) }},
	{"every event once and in order across dropped connections", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, drop) }},
	{"every event once and in order across lost replies", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, lose) }},
	{"every event once and in order across subscribing again", func(ctx context.Context, t *trial) error { return t.disturbed(ctx, resub) }},
	{"every event once and in order across all of these", func(ctx context.Context, t *trial) error {
		return t.disturbed(ctx, forget, revoke, disconnect, drop, lose, resub)
	}},
	{"20,000 events in large replies", burst},
	{"new events only", newOnly},
	{"an expired position ends the client with a replay error", expiredPosition},
	{"the farewell leaves no session behind", farewell},
}

// disturbed publishes events in rounds, with a fault in each, half of the time while the client is idle.
func (t *trial) disturbed(ctx context.Context, faults ...fault) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	defer t.stop()
	draw := rand.New(rand.NewPCG(1, 2))
	for round := range 12 * max(1, len(faults)) {
		if err := t.publish(ctx, 1+draw.IntN(20)); err != nil {
			return err
		}
		if draw.IntN(2) == 0 {
			if err := t.complete(ctx); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if len(faults) > 0 {
			if err := faults[round%len(faults)].strike(ctx, t); err != nil {
				return err
			}
		}
		if err := t.publish(ctx, 1+draw.IntN(5)); err != nil {
			return err
		}
	}
	if err := t.complete(ctx); err != nil {
		return err
	}
	for _, fault := range faults {
		if !t.noticed(fault.causes) {
			return fmt.Errorf("the client never noticed a fault that shows as %v", fault.causes)
		}
	}
	if len(faults) == 0 && t.losses() > 0 {
		return fmt.Errorf("%d sessions were lost undisturbed: %v", t.losses(), t.lastLoss())
	}
	return t.stop()
}

func burst(ctx context.Context, t *trial) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	defer t.stop()
	if err := t.publish(ctx, 20_000); err != nil {
		return err
	}
	if err := t.complete(ctx); err != nil {
		return err
	}
	return t.stop()
}

// newOnly shows that a subscription to new events brings none that were there before it.
func newOnly(ctx context.Context, t *trial) error {
	if err := t.publish(ctx, 10); err != nil {
		return err
	}
	if err := t.mark(ctx); err != nil {
		return err
	}
	t.position.Store(bayeux.ReplayNew)
	if err := t.start(ctx); err != nil {
		return err
	}
	defer t.stop()
	if err := t.publish(ctx, 10); err != nil {
		return err
	}
	if err := t.complete(ctx); err != nil {
		return err
	}
	return t.stop()
}

func expiredPosition(ctx context.Context, t *trial) error {
	if err := t.publish(ctx, 10); err != nil {
		return err
	}
	if err := control("/expire")(ctx, t); err != nil {
		return err
	}
	t.position.Store(1_000)
	err := t.client.Run(ctx, t.subscriptions(), t.handle)
	var refused *bayeux.ReplayError
	if !errors.As(err, &refused) || refused.Replay != 1_000 {
		return fmt.Errorf("the client ended with %w, want a replay error", err)
	}
	return nil
}

func farewell(ctx context.Context, t *trial) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	if err := control("/forget")(ctx, t); err != nil { // what earlier checks left behind, and ours
		return err
	}
	if err := t.publish(ctx, 1); err != nil {
		return err
	}
	if err := t.complete(ctx); err != nil {
		return err
	}
	if err := t.stop(); err != nil {
		return err
	}
	sessions, err := t.get(ctx, "/sessions")
	if err != nil {
		return err
	}
	if sessions != "0" {
		return fmt.Errorf("the server has %s sessions", sessions)
	}
	return nil
}

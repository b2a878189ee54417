package bayeux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync/atomic"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/cometd"
)

// Follow all change events of an org, from the last position that was made durable.
func ExampleClient_Run() {
	changes := cdc.NewLog(cdc.Options{Seed: 1})
	changes.Commit(cdc.Commit{Changes: []cdc.Change{{
		Entity: "Contact", ID: "003Qk00000cOnTaIAK", Kind: cdc.Update, Fields: map[string]any{"Phone": "+49 40 1234"},
	}}})
	org := httptest.NewServer(cometd.NewServer(cometd.Options{Log: changes}))
	defer org.Close()

	client, err := bayeux.New(bayeux.Config{
		URL:   org.URL + "/cometd/66.0",
		Token: func(context.Context, string) (string, error) { return "a session id", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var position atomic.Int64 // a producer keeps it in a topic
	position.Store(bayeux.ReplayAll)
	ctx, stop := context.WithCancel(context.Background())
	err = client.Run(ctx, []bayeux.Subscription{{
		Channel: "/data/ChangeEvents",
		Replay:  position.Load,
		Subscribed: func(a bayeux.Acknowledgement) {
			fmt.Println("subscribed to", a.Channel, "after", a.Replay)
		},
	}}, func(_ context.Context, batch []bayeux.Message) error {
		for _, m := range batch {
			var event struct{ Phone string }
			if err := json.Unmarshal(m.Data, &event); err != nil {
				return fmt.Errorf("decode event %d: %w", m.ReplayID, err)
			}
			fmt.Println("the phone is now", event.Phone)
			position.Store(m.ReplayID)
		}
		stop()
		return nil
	})
	fmt.Println("ended with", err)
	// Output:
	// subscribed to /data/ChangeEvents after -2
	// the phone is now +49 40 1234
	// ended with <nil>
}
